//! Certificates of clients: which are asked for, and what is thought of the one that came.
//!
//! As in nginx, no handshake fails for a certificate that cannot be trusted: the client proves that it has the key, the
//! verdict is kept, and each request is answered by it (`ssl_verify_client`, `$ssl_client_verify`). The verdict is made
//! anew for a resumed session, by the settings of the server that resumes it.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert,
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// What is thought of a client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is none.
    Absent,
    /// It can be trusted.
    Trusted,
    /// It cannot.
    Refused(Refusal),
}

/// Why a certificate cannot be trusted: OpenSSL's number and words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// `X509_V_ERR_…`
    pub code: u16,
    /// As in `$ssl_client_verify`.
    pub words: &'static str,
}

impl Refusal {
    const fn new(code: u16, words: &'static str) -> Self {
        Self { code, words }
    }

    /// Whether `optional_no_ca` accepts it: nobody knows the authority, and nothing else is wrong.
    pub fn is_of_unknown_authority(self) -> bool {
        [SELF_SIGNED, SELF_SIGNED_IN_CHAIN, NO_LOCAL_ISSUER, UNVERIFIABLE].contains(&self)
    }
}

const NO_CRL: Refusal = Refusal::new(3, "unable to get certificate CRL");
const BAD_SIGNATURE: Refusal = Refusal::new(7, "certificate signature failure");
const BAD_CRL_SIGNATURE: Refusal = Refusal::new(8, "CRL signature failure");
const NOT_YET_VALID: Refusal = Refusal::new(9, "certificate is not yet valid");
const EXPIRED: Refusal = Refusal::new(10, "certificate has expired");
const CRL_EXPIRED: Refusal = Refusal::new(12, "CRL has expired");
const SELF_SIGNED: Refusal = Refusal::new(18, "self-signed certificate");
const SELF_SIGNED_IN_CHAIN: Refusal = Refusal::new(19, "self-signed certificate in certificate chain");
const NO_LOCAL_ISSUER: Refusal = Refusal::new(20, "unable to get local issuer certificate");
const UNVERIFIABLE: Refusal = Refusal::new(21, "unable to verify the first certificate");
const TOO_LONG: Refusal = Refusal::new(22, "certificate chain too long");
const REVOKED: Refusal = Refusal::new(23, "certificate revoked");
const PATH_LENGTH: Refusal = Refusal::new(25, "path length constraint exceeded");
const PURPOSE: Refusal = Refusal::new(26, "unsuitable certificate purpose");
const CRITICAL_EXTENSION: Refusal = Refusal::new(34, "unhandled critical extension");
const NAME_CONSTRAINT: Refusal = Refusal::new(47, "permitted subtree violation");
const UNSPECIFIED: Refusal = Refusal::new(1, "unspecified certificate verification error");

/// The authorities that a server trusts for clients, and what it asks of their certificates.
pub struct Authorities {
    anchors: Vec<TrustAnchor<'static>>,
    /// The same as certificates: one of them may be the client's own.
    certificates: Vec<CertificateDer<'static>>,
    revoked: Vec<CertRevocationList<'static>>,
    depth: u64,
    algorithms: WebPkiSupportedAlgorithms,
}

impl std::fmt::Debug for Authorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorities").field("anchors", &self.anchors.len()).finish_non_exhaustive()
    }
}

impl Authorities {
    /// Trusts these certificates. The error names the one that cannot be used.
    pub(super) fn new(
        certificates: Vec<CertificateDer<'static>>,
        revoked: Vec<CertRevocationList<'static>>,
        depth: u64,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<Self, String> {
        let anchor = |der: &CertificateDer<'_>| {
            anchor_from_trusted_cert(der).map(|anchor| anchor.to_owned()).map_err(|error| error.to_string())
        };
        let anchors = certificates.iter().map(anchor).collect::<Result<_, _>>()?;
        Ok(Self { anchors, certificates, revoked, depth, algorithms })
    }

    /// What is thought of a client's certificate and the chain that it sent.
    pub fn judge(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Verdict {
        let Some((own, above)) = chain.split_first() else { return Verdict::Absent };
        if self.certificates.contains(own) {
            return by_time(own, now);
        }
        match self.path(own, above, now) {
            Ok(authorities) if authorities > self.depth => Verdict::Refused(TOO_LONG),
            Ok(_) => Verdict::Trusted,
            Err(error) => Verdict::Refused(refusal(&error, chain)),
        }
    }

    /// The number of authorities between the certificate and a trusted one.
    fn path(
        &self,
        own: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<u64, Error> {
        let certificate = EndEntityCert::try_from(own)?;
        let lists: Vec<&CertRevocationList<'_>> = self.revoked.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let path = certificate.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            above,
            now,
            KeyUsage::client_auth(),
            revocation,
            None,
        )?;
        Ok(path.intermediate_certificates().count() as u64)
    }
}

/// A certificate that is itself trusted, as OpenSSL sees one in its list.
fn by_time(own: &CertificateDer<'_>, now: UnixTime) -> Verdict {
    let Ok((_, certificate)) = X509Certificate::from_der(own) else { return Verdict::Refused(UNSPECIFIED) };
    let validity = certificate.validity();
    let now = now.as_secs() as i64;
    if now < validity.not_before.timestamp() {
        Verdict::Refused(NOT_YET_VALID)
    } else if now > validity.not_after.timestamp() {
        Verdict::Refused(EXPIRED)
    } else {
        Verdict::Trusted
    }
}

/// OpenSSL's words for an error.
fn refusal(error: &Error, chain: &[CertificateDer<'_>]) -> Refusal {
    match error {
        Error::UnknownIssuer | Error::CaUsedAsEndEntity => unknown_issuer(chain),
        Error::CertExpired { .. } => EXPIRED,
        Error::CertNotValidYet { .. } => NOT_YET_VALID,
        Error::CertRevoked => REVOKED,
        Error::UnknownRevocationStatus => NO_CRL,
        Error::CrlExpired { .. } => CRL_EXPIRED,
        Error::InvalidCrlSignatureForPublicKey => BAD_CRL_SIGNATURE,
        Error::InvalidSignatureForPublicKey => BAD_SIGNATURE,
        Error::PathLenConstraintViolated => PATH_LENGTH,
        Error::MaximumPathDepthExceeded => TOO_LONG,
        Error::RequiredEkuNotFoundContext(_) => PURPOSE,
        Error::UnsupportedCriticalExtension => CRITICAL_EXTENSION,
        Error::NameConstraintViolation => NAME_CONSTRAINT,
        _ => UNSPECIFIED,
    }
}

fn unknown_issuer(chain: &[CertificateDer<'_>]) -> Refusal {
    let is_self_signed = |der: &CertificateDer<'_>| {
        X509Certificate::from_der(der)
            .is_ok_and(|(_, certificate)| certificate.subject().as_raw() == certificate.issuer().as_raw())
    };
    match chain {
        [own] if is_self_signed(own) => SELF_SIGNED,
        [_] | [] => UNVERIFIABLE,
        [.., last] if is_self_signed(last) => SELF_SIGNED_IN_CHAIN,
        _ => NO_LOCAL_ISSUER,
    }
}

/// Asks clients for a certificate and lets every one pass whose key the client has.
#[derive(Debug)]
pub(super) struct Asking {
    /// The names that clients are told.
    pub(super) names: Vec<DistinguishedName>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Asking {
    /// Tells clients the subjects of these certificates.
    pub(super) fn new(told: &[CertificateDer<'_>], algorithms: WebPkiSupportedAlgorithms) -> Arc<Self> {
        let name = |der: &CertificateDer<'_>| {
            let (_, certificate) = X509Certificate::from_der(der).ok()?;
            Some(DistinguishedName::from(certificate.subject().as_raw().to_vec()))
        };
        Arc::new(Self { names: told.iter().filter_map(name).collect(), algorithms })
    }
}

impl ClientCertVerifier for Asking {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.names
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
