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
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::refusal::{
    BAD_SIGNATURE, CRITICAL_EXTENSION, EXPIRED, NAME_CONSTRAINT, NO_LOCAL_ISSUER, NOT_YET_VALID, PATH_LENGTH,
    PURPOSE, Refusal, SELF_SIGNED, SELF_SIGNED_IN_CHAIN, TOO_LONG, UNSPECIFIED, UNVERIFIABLE,
};
use super::revocation::{self, RevocationList};

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

/// The authorities that a server trusts for clients, and what it asks of their certificates.
pub struct Authorities {
    anchors: Vec<TrustAnchor<'static>>,
    /// The same as certificates: one of them may be the client's own.
    certificates: Vec<CertificateDer<'static>>,
    revoked: Vec<RevocationList>,
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
        revoked: Vec<RevocationList>,
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
            // OpenSSL looks no further than the depth, and so does not find the authority.
            Ok(path) if path.len() as u64 - 2 > self.depth => Verdict::Refused(NO_LOCAL_ISSUER),
            Ok(path) if !self.revoked.is_empty() => {
                let refusal = revocation::check(&self.revoked, &path, now.as_secs() as i64);
                refusal.map_or(Verdict::Trusted, Verdict::Refused)
            }
            Ok(_) => Verdict::Trusted,
            Err(error) => Verdict::Refused(refusal(&error, chain)),
        }
    }

    /// From the certificate to a trusted one, both included.
    fn path(
        &self,
        own: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Vec<CertificateDer<'static>>, Error> {
        let certificate = EndEntityCert::try_from(own)?;
        let (algorithms, usage) = (self.algorithms.all, KeyUsage::client_auth());
        let path = certificate.verify_for_usage(algorithms, &self.anchors, above, now, usage, None, None)?;
        let trusted = self.anchors.iter().zip(&self.certificates);
        let trusted = trusted.filter(|(anchor, _)| *anchor == path.anchor()).map(|(_, der)| der.clone());
        Ok(std::iter::once(own.clone().into_owned())
            .chain(path.intermediate_certificates().map(|one| one.der().into_owned()))
            .chain(trusted.take(1))
            .collect())
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
