//! A certificate with its key, as they are named.

use std::path::Path;

use rustls::crypto::aws_lc_rs as provider;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::{certificate, key};

/// Where a certificate and its key are: files, relative to `folder`, or `data:` and the text itself.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The certificate, and the chain above it.
    pub certificate: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Of the key, tried in order.
    pub passphrases: &'a [Vec<u8>],
    /// What relative names are relative to.
    pub folder: &'a Path,
}

/// What cannot be used, and why, in nginx's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The certificate.
    #[error("{0}")]
    Certificate(String),
    /// The key.
    #[error("{0}")]
    Key(String),
}

impl Named<'_> {
    /// Reads both, and checks that they belong together.
    ///
    /// # Errors
    ///
    /// Everything that is wrong: one thing, or one with each.
    pub fn load(&self) -> Result<CertifiedKey, Vec<Unusable>> {
        let chain = certificate::chain(self.certificate, self.folder);
        let loaded = key::load(self.key, self.passphrases, self.folder).and_then(|der| {
            let loaded = provider::default_provider().key_provider.load_private_key(der);
            loaded.map_err(|error| key::cannot_load(self.key, self.folder, &error.to_string()))
        });
        let (chain, loaded) = match (chain, loaded) {
            (Ok(chain), Ok(loaded)) => (chain, loaded),
            (chain, loaded) => {
                let of_chain = chain.err().map(Unusable::Certificate);
                return Err(of_chain.into_iter().chain(loaded.err().map(Unusable::Key)).collect());
            }
        };
        let certified = CertifiedKey::new(chain, loaded);
        match certified.keys_match() {
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                let name = certificate::shown(self.key, self.folder);
                let message = format!("SSL_CTX_use_PrivateKey(\"{name}\") failed: key values mismatch");
                Err(vec![Unusable::Key(message)])
            }
            Err(Error::InvalidCertificate(error)) => {
                let name = certificate::shown(self.certificate, self.folder);
                Err(vec![Unusable::Certificate(format!("cannot load certificate \"{name}\": {error:?}"))])
            }
            _ => Ok(certified),
        }
    }
}
