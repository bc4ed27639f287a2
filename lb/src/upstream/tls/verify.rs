//! Which certificates of servers are accepted.
//!
//! The rules are those of nginx with OpenSSL, where webpki's are stricter: a certificate that is itself among the trusted
//! ones is accepted whatever it says it is for, and one without alternative names is known by its common name.

use rustls::CertificateError;
use rustls::Error;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::{DigitallySignedStruct, OtherError, SignatureScheme};
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::signature;
use crate::tls::refusal::{self, Refusal};
use crate::tls::revocation::{self, RevocationList};

/// What a server has to show: the key of its certificate always, and with `proxy_ssl_verify on` a certificate that is
/// trusted.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// None with `proxy_ssl_verify off`.
    pub(super) trusted: Option<Trusted>,
}

/// `proxy_ssl_verify on`.
#[derive(Debug)]
pub(super) struct Trusted {
    algorithms: WebPkiSupportedAlgorithms,
    certificates: Vec<CertificateDer<'static>>,
    anchors: Vec<TrustAnchor<'static>>,
    revoked: Vec<RevocationList>,
    depth: usize,
}

/// Why a certificate is refused, where `rustls` has no word for it.
#[derive(Debug, thiserror::Error)]
#[error("{}:{}", .0.code, .0.words)]
pub(super) struct Refused(pub(super) Refusal);

fn refused(refusal: Refusal) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Refused(refusal)))))
}

impl Trusted {
    /// Trusts `certificates`, unless one is among the `revoked`; no list at all asks nothing.
    pub(super) fn new(
        algorithms: WebPkiSupportedAlgorithms,
        certificates: Vec<CertificateDer<'static>>,
        revoked: Vec<RevocationList>,
        depth: u64,
    ) -> Result<Self, webpki::Error> {
        let anchor = |certificate: &CertificateDer<'static>| {
            webpki::anchor_from_trusted_cert(certificate).map(|anchor| anchor.to_owned())
        };
        let anchors = certificates.iter().map(anchor).collect::<Result<_, _>>()?;
        let depth = usize::try_from(depth).unwrap_or(usize::MAX);
        Ok(Self { algorithms, certificates, anchors, revoked, depth })
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let itself = self.certificates.iter().any(|trusted| trusted == certificate);
        if itself {
            check_time(certificate, now)?;
        } else {
            let end_entity = EndEntityCert::try_from(certificate).map_err(invalid)?;
            self.verify_chain(certificate, &end_entity, intermediates, now)?;
        }
        check_name(certificate, name)
    }

    fn verify_chain(
        &self,
        certificate: &CertificateDer<'_>,
        end_entity: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let verified = end_entity.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            intermediates,
            now,
            KeyUsage::server_auth(),
            None,
            None,
        );
        let path = verified.map_err(invalid)?;
        if path.intermediate_certificates().count() > self.depth {
            return Err(refused(refusal::TOO_LONG));
        }
        if self.revoked.is_empty() {
            return Ok(());
        }
        // As OpenSSL has it for nginx: every certificate of the chain must be vouched for by a list that still holds.
        let trusted = self.anchors.iter().zip(&self.certificates);
        let trusted = trusted.filter(|(anchor, _)| *anchor == path.anchor()).map(|(_, der)| der.clone());
        let chain: Vec<_> = std::iter::once(certificate.clone().into_owned())
            .chain(path.intermediate_certificates().map(|one| one.der().into_owned()))
            .chain(trusted.take(1))
            .collect();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        revocation::check(&self.revoked, &chain, now).map_or(Ok(()), |refusal| Err(refused(refusal)))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(trusted) = &self.trusted {
            trusted.verify(certificate, intermediates, name, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signature::verify_tls12(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signature::verify_tls13(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// That a certificate which no other vouches for is in force.
fn check_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| bad_encoding())?;
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    if seconds < validity.not_before.timestamp() {
        return Err(Error::InvalidCertificate(CertificateError::NotValidYet));
    }
    if seconds > validity.not_after.timestamp() {
        return Err(Error::InvalidCertificate(CertificateError::Expired));
    }
    Ok(())
}

/// That a certificate has a name: one of its alternative names, or where it has none that are of DNS its common name.
fn check_name(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| bad_encoding())?;
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let mut alternatives = alternative.iter().flat_map(|extension| &extension.value.general_names);
    let fits = match name {
        ServerName::IpAddress(ip) => {
            let octets: Vec<u8> = match ip {
                rustls::pki_types::IpAddr::V4(ip) => ip.as_ref().to_vec(),
                rustls::pki_types::IpAddr::V6(ip) => ip.as_ref().to_vec(),
            };
            alternatives.any(|known| matches!(known, GeneralName::IPAddress(known) if *known == octets))
        }
        name => {
            let wanted = name.to_str();
            let mut dns = alternatives
                .filter_map(|known| match known {
                    GeneralName::DNSName(known) => Some(*known),
                    _ => None,
                })
                .peekable();
            if dns.peek().is_some() {
                dns.any(|pattern| matches(pattern, &wanted))
            } else {
                let mut common = parsed.subject().iter_common_name();
                common.any(|known| known.as_str().is_ok_and(|pattern| matches(pattern, &wanted)))
            }
        }
    };
    if fits { Ok(()) } else { Err(Error::InvalidCertificate(CertificateError::NotValidForName)) }
}

/// Whether a name of a certificate, perhaps with `*` as its first label, is `name`.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.trim_end_matches('.'), name.trim_end_matches('.'));
    if pattern.eq_ignore_ascii_case(name) {
        return true;
    }
    let (Some(parent), Some((first, rest))) = (pattern.strip_prefix("*."), name.split_once('.')) else {
        return false;
    };
    // `*.com` would stand for half of the world.
    !first.is_empty() && parent.contains('.') && parent.eq_ignore_ascii_case(rest)
}

fn bad_encoding() -> Error {
    Error::InvalidCertificate(CertificateError::BadEncoding)
}

/// webpki's finding as one of `rustls`.
fn invalid(error: webpki::Error) -> Error {
    use webpki::Error as E;
    Error::InvalidCertificate(match error {
        E::BadDer | E::BadDerTime | E::TrailingData(_) => CertificateError::BadEncoding,
        E::CertNotValidYet { .. } => CertificateError::NotValidYet,
        E::CertExpired { .. } => CertificateError::Expired,
        E::InvalidCertValidity => CertificateError::Expired,
        E::UnknownIssuer => CertificateError::UnknownIssuer,
        E::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        E::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    })
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_is_one_label() {
        for (pattern, name, expected) in [
            ("a.example", "A.example.", true),
            ("a.example", "b.a.example", false),
            ("*.a.example", "b.a.example", true),
            ("*.a.example", "c.b.a.example", false),
            ("*.a.example", "a.example", false),
            ("*.example", "a.example", false),
            ("localhost", "localhost", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
