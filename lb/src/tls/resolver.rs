//! Which of a server's certificates a client gets.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, SignatureAlgorithm};

use super::stapling::Stapled;

/// The certificates of one server, one for each kind of key, of which a client gets the first that it can use.
#[derive(Debug)]
pub(super) struct Certificates(pub(super) Vec<Kept>);

/// One of them.
#[derive(Debug, Clone)]
pub(super) enum Kept {
    Fixed(Arc<CertifiedKey>),
    /// Changes with what the authority says of it.
    Stapled(Arc<Stapled>),
}

impl Kept {
    pub(super) fn now(&self) -> Arc<CertifiedKey> {
        match self {
            Self::Fixed(key) => key.clone(),
            Self::Stapled(stapled) => stapled.shown.load_full(),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let usable = |certified: &Arc<CertifiedKey>| {
            certified.key.choose_scheme(schemes).is_some()
                && suits(certified.key.algorithm(), hello.cipher_suites())
        };
        // As OpenSSL does, a key with the shorter signature before one of RSA.
        let is_rsa = |certified: &Arc<CertifiedKey>| certified.key.algorithm() == SignatureAlgorithm::RSA;
        let chosen = self.0.iter().map(Kept::now).filter(usable).min_by_key(is_rsa);
        chosen.or_else(|| self.0.first().map(Kept::now))
    }
}

/// Whether a client that offers these suites can use a key of this kind: suites of TLS 1.2 name it, those of TLS 1.3
/// do not.
fn suits(algorithm: SignatureAlgorithm, offered: &[CipherSuite]) -> bool {
    offered.iter().any(|suite| {
        let name = suite.as_str().unwrap_or_default();
        name.starts_with("TLS13")
            || match algorithm {
                SignatureAlgorithm::RSA => name.starts_with("TLS_ECDHE_RSA"),
                _ => name.starts_with("TLS_ECDHE_ECDSA"),
            }
    })
}
