//! The settings of a server block as a configuration of `rustls`.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ServerConfig, SignatureAlgorithm};

use super::{certificate, key};
use crate::config::diagnostics::Diagnostic;
use crate::config::model::Tls;

/// The protocols that are offered in the handshake (ALPN), without HTTP/2.
const HTTP_1: [&[u8]; 3] = [b"http/1.1", b"http/1.0", b"http/0.9"];
/// HTTP/2 over TLS.
pub(super) const HTTP_2: &[u8] = b"h2";

/// Loads the certificates and keys of a server block.
pub(super) fn certified_keys(tls: &Tls, folder: &Path) -> Result<Vec<Arc<CertifiedKey>>, Vec<Diagnostic>> {
    let provider = provider();
    let mut keys = Vec::new();
    let mut findings = Vec::new();
    for (certificate, key) in tls.certificates.iter().zip(&tls.certificate_keys) {
        let (Some(chain_name), Some(key_name)) = (certificate.text.as_literal(), key.text.as_literal())
        else {
            continue;
        };
        let chain = certificate::chain(chain_name, folder)
            .map_err(|message| Diagnostic::emerg(message, certificate.position.clone()));
        let loaded = key::load(key_name, folder)
            .and_then(|der| {
                provider
                    .key_provider
                    .load_private_key(der)
                    .map_err(|error| key::cannot_load(key_name, &error.to_string()))
            })
            .map_err(|message| Diagnostic::emerg(message, key.position.clone()));
        let (chain, loaded) = match (chain, loaded) {
            (Ok(chain), Ok(loaded)) => (chain, loaded),
            (chain, loaded) => {
                findings.extend(chain.err());
                findings.extend(loaded.err());
                continue;
            }
        };
        let certified = CertifiedKey::new(chain, loaded);
        match certified.keys_match() {
            Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
                let message = format!(
                    "the certificate \"{}\" and the key \"{}\" do not belong together: key values mismatch",
                    certificate::shown(chain_name),
                    certificate::shown(key_name)
                );
                findings.push(Diagnostic::emerg(message, key.position.clone()));
            }
            Err(rustls::Error::InvalidCertificate(error)) => {
                let message =
                    format!("cannot load certificate \"{}\": {error:?}", certificate::shown(chain_name));
                findings.push(Diagnostic::emerg(message, certificate.position.clone()));
            }
            _ => keys.push(Arc::new(certified)),
        }
    }
    if findings.is_empty() { Ok(keys) } else { Err(findings) }
}

/// A configuration that shows these certificates.
pub(super) fn build(keys: Vec<Arc<CertifiedKey>>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Certificates(keys)));
    config.alpn_protocols = HTTP_1.iter().map(|protocol| protocol.to_vec()).collect();
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The certificates of one server, one for each kind of key, of which a client gets the first that it can use.
#[derive(Debug)]
struct Certificates(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let usable = |certified: &&Arc<CertifiedKey>| {
            certified.key.choose_scheme(schemes).is_some()
                && suits(certified.key.algorithm(), hello.cipher_suites())
        };
        self.0.iter().find(usable).or_else(|| self.0.first()).cloned()
    }
}

/// Whether a client that offers these suites can use a key of this kind: suites of TLS 1.2 name it, those of TLS 1.3
/// do not.
fn suits(algorithm: SignatureAlgorithm, offered: &[CipherSuite]) -> bool {
    offered.iter().any(|suite| {
        let name = suite.as_str().unwrap_or_default();
        match algorithm {
            SignatureAlgorithm::RSA => name.starts_with("TLS13") || name.starts_with("TLS_ECDHE_RSA"),
            _ => name.starts_with("TLS13") || name.starts_with("TLS_ECDHE_ECDSA"),
        }
    })
}
