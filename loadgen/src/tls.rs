//! Whom loadgen trusts when it speaks TLS. Decided once, before the first connection.
//!
//! The default is what this machine trusts, as for curl or a browser on it: a company's own authority that an
//! administrator installed counts, one that he removed does not, and no list compiled into a program grows
//! old. `SSL_CERT_FILE` and `SSL_CERT_DIR` name other places. Where a machine has no such certificates, as
//! in a container without a system, `--ca-file` names them; nothing is trusted silently instead.
//!
//! Sessions are not resumed: a connection of a load test stands for one more client, and a target that is
//! spared most of its handshakes would look better than its users find it. It also keeps the threads
//! apart, as there is no common cache of sessions.

use std::sync::Arc;

use thiserror::Error;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, version,
};

/// Whose word about a server's name counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The authorities that this machine trusts.
    System,
    /// These authorities and no others.
    Authorities(Vec<CertificateDer<'static>>),
    /// Nobody's is needed: any certificate will do (`--insecure`).
    Anyone,
}

/// Why there is nobody to trust.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The system has no certificates, or none that can be read.
    #[error("this machine has no certificates to trust{reasons}; name some with --ca-file")]
    NoRoots {
        /// What went wrong on the way, in brackets; empty when nothing did.
        reasons: String,
    },
    /// The cryptography cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

/// What is wrong with a file of certificates.
#[derive(Debug, Error)]
pub enum CertificatesError {
    /// The text is broken.
    #[error("{0}")]
    Pem(pem::Error),
    /// There is none in it.
    #[error("it holds no `BEGIN CERTIFICATE`")]
    Empty,
    /// One of them is no certificate.
    #[error("certificate {number}: {reason}")]
    Certificate {
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        reason: rustls::Error,
    },
}

/// The one protocol that is spoken; a server that has only others says so in the handshake.
const PROTOCOL: &[u8] = b"http/1.1";

/// Reads a PEM file of certificates; there has to be one at least, and each has to be usable as an
/// authority.
///
/// # Errors
/// What is wrong with the first that is none.
pub fn certificates(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificatesError> {
    let certificates = CertificateDer::pem_slice_iter(file)
        .collect::<Result<Vec<CertificateDer<'static>>, _>>()
        .map_err(CertificatesError::Pem)?;
    if certificates.is_empty() {
        return Err(CertificatesError::Empty);
    }
    let mut store = RootCertStore::empty();
    for (index, certificate) in certificates.iter().enumerate() {
        store
            .add(certificate.clone())
            .map_err(|reason| CertificatesError::Certificate { number: index + 1, reason })?;
    }
    Ok(certificates)
}

/// What all TLS connections of a run have in common.
///
/// # Errors
/// When nobody is there to be trusted.
pub fn client_config(trust: &Trust) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?;
    let mut config = match trust {
        Trust::Anyone => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Credulous { provider }))
        }
        Trust::System => builder.with_root_certificates(system_roots()?),
        Trust::Authorities(certificates) => {
            let mut store = RootCertStore::empty();
            for certificate in certificates {
                store.add(certificate.clone())?;
            }
            builder.with_root_certificates(store)
        }
    }
    .with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    // Some systems carry certificates that are no use; the others count all the same.
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
        return Err(TlsError::NoRoots { reasons });
    }
    Ok(store)
}

/// Believes whatever a server shows.
#[derive(Debug)]
struct Credulous {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(name: &str) -> rcgen::Certificate {
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn a_file_may_hold_several_certificates_and_other_things() {
        let (first, second) = (authority("one"), authority("two"));
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let file = format!("a comment\n{}{key}{}", first.pem(), second.pem());
        let read = certificates(file.as_bytes()).unwrap();
        assert_eq!(read, [first.der().clone(), second.der().clone()]);
        assert!(client_config(&Trust::Authorities(read)).is_ok());
    }

    #[test]
    fn what_is_no_certificate_is_refused_with_the_reason() {
        let table = [
            ("", "no `BEGIN CERTIFICATE`"),
            ("hello", "no `BEGIN CERTIFICATE`"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "section end"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1: "),
        ];
        for (file, expected) in table {
            let error = certificates(file.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{file:?}: {error}");
        }
    }
}
