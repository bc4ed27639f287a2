//! What an authority is asked about a certificate, and what its answer is worth (OCSP, RFC 6960). Pure.
//!
//! The rules and the words are those of nginx. An answer counts that is about this certificate, says that it is good, is of
//! now, and is signed by the certificate's authority or by somebody whose certificate comes along. Whether the authority
//! has let that somebody speak for it is asked with `ssl_stapling_verify`, as in nginx.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::pki_types::CertificateDer;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspGeneralizedTime, OcspRequest, OcspResponse,
    OcspResponseStatus, Request, TbsRequest, Version,
};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::verify::verify_signature;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use pkcs8::der::asn1::{Null, ObjectIdentifier, OctetString};
use pkcs8::der::{Any, Decode, Encode};

/// The hash of a question, as nginx asks: every responder knows it.
const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
/// `id-pkix-ocsp-basic`: the kind of every answer.
const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
/// Two clocks may differ by so much, in seconds.
const TOLERANCE: i64 = 300;

/// The question about one certificate.
#[derive(Debug, Clone)]
pub(super) struct Question {
    asked: CertId,
    authority: CertificateDer<'static>,
}

/// A good answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Until when it can be shown, in seconds since 1970; for ever where it does not say.
    pub(super) until: Option<i64>,
}

impl Question {
    /// About a certificate that this authority has issued.
    pub(super) fn about(
        certificate: &CertificateDer<'_>,
        authority: &CertificateDer<'static>,
    ) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let (_, issuer) = X509Certificate::from_der(authority).ok()?;
        let hash = |bytes: &[u8]| OctetString::new(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()).ok();
        let asked = CertId {
            hash_algorithm: pkcs8::spki::AlgorithmIdentifier {
                oid: SHA_1,
                parameters: Some(Any::from(Null)),
            },
            issuer_name_hash: hash(issuer.subject().as_raw())?,
            issuer_key_hash: hash(&issuer.public_key().subject_public_key.data)?,
            serial_number: x509_cert::serial_number::SerialNumber::new(parsed.raw_serial()).ok()?,
        };
        Some(Self { asked, authority: authority.clone() })
    }

    /// The bytes to send.
    pub(super) fn to_der(&self) -> Option<Vec<u8>> {
        let request = Request { req_cert: self.asked.clone(), single_request_extensions: None };
        let tbs_request = TbsRequest {
            version: Version::V1,
            requestor_name: None,
            request_list: vec![request],
            request_extensions: None,
        };
        OcspRequest { tbs_request, optional_signature: None }.to_der().ok()
    }

    /// What an answer is worth at `now`, in seconds since 1970. `verify`: who signs must be allowed to.
    pub(super) fn judge(&self, answer: &[u8], verify: bool, now: i64) -> Result<Answer, String> {
        let response = OcspResponse::from_der(answer).map_err(|_| "d2i_OCSP_RESPONSE() failed")?;
        if response.response_status != OcspResponseStatus::Successful {
            let (number, words) = status(response.response_status);
            return Err(format!("OCSP response not successful ({number}: {words})"));
        }
        let basic = response
            .response_bytes
            .filter(|bytes| bytes.response_type == BASIC)
            .and_then(|bytes| BasicOcspResponse::from_der(bytes.response.as_bytes()).ok())
            .ok_or("OCSP_response_get1_basic() failed")?;
        if !self.is_signed(&basic, verify) {
            return Err("OCSP_basic_verify() failed".to_owned());
        }
        let about = basic.tbs_response_data.responses.iter().find(|one| self.is_meant(&one.cert_id));
        let single = about.ok_or("certificate status not found in the OCSP response")?;
        match single.cert_status {
            CertStatus::Good(_) => {}
            CertStatus::Revoked(_) => return Err(bad_status("revoked")),
            CertStatus::Unknown(_) => return Err(bad_status("unknown")),
        }
        let (since, until) = (seconds(&single.this_update), single.next_update.as_ref().map(seconds));
        if since > now + TOLERANCE || until.is_some_and(|until| until + TOLERANCE < now || until < since) {
            return Err("OCSP_check_validity() failed".to_owned());
        }
        Ok(Answer { until })
    }

    /// Whether an answer's certificate is the one that was asked about, however its algorithm is written.
    fn is_meant(&self, other: &CertId) -> bool {
        self.asked.hash_algorithm.oid == other.hash_algorithm.oid
            && self.asked.issuer_name_hash == other.issuer_name_hash
            && self.asked.issuer_key_hash == other.issuer_key_hash
            && self.asked.serial_number == other.serial_number
    }

    fn is_signed(&self, basic: &BasicOcspResponse, verify: bool) -> bool {
        let Ok(signed) = basic.tbs_response_data.to_der() else { return false };
        let Ok(algorithm) = basic.signature_algorithm.to_der() else { return false };
        let Ok(signature) = basic.signature.to_der() else { return false };
        let Ok((_, algorithm)) = AlgorithmIdentifier::from_der(&algorithm) else { return false };
        let Ok((_, signature)) = x509_parser::asn1_rs::BitString::from_der(&signature) else { return false };
        let by =
            |key: &SubjectPublicKeyInfo<'_>| verify_signature(key, &algorithm, &signature, &signed).is_ok();
        let Ok((_, authority)) = X509Certificate::from_der(&self.authority) else { return false };
        if by(authority.public_key()) {
            return true;
        }
        let along: Vec<_> = basic.certs.iter().flatten().filter_map(|one| one.to_der().ok()).collect();
        along
            .iter()
            .filter_map(|der| X509Certificate::from_der(der).ok())
            .any(|(_, signer)| by(signer.public_key()) && (!verify || may_speak(&signer, &authority)))
    }
}

/// Whether an authority lets the holder of a certificate answer for it.
fn may_speak(signer: &X509Certificate<'_>, authority: &X509Certificate<'_>) -> bool {
    signer.issuer().as_raw() == authority.subject().as_raw()
        && signer.verify_signature(Some(authority.public_key())).is_ok()
        && matches!(signer.extended_key_usage(), Ok(Some(usage)) if usage.value.ocsp_signing)
}

/// The first responder that a certificate names.
pub(super) fn responder(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    certificate.extensions().iter().find_map(|extension| {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else { return None };
        access.accessdescs.iter().find_map(|one| match &one.access_location {
            GeneralName::URI(uri) if one.access_method.to_id_string() == "1.3.6.1.5.5.7.48.1" => {
                Some((*uri).to_owned())
            }
            _ => None,
        })
    })
}

/// The one of these that has issued a certificate.
pub(super) fn issuer<'a>(
    certificate: &CertificateDer<'_>,
    mut among: impl Iterator<Item = &'a CertificateDer<'static>>,
) -> Option<&'a CertificateDer<'static>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    among.find(|der| {
        X509Certificate::from_der(der).is_ok_and(|(_, authority)| {
            authority.subject().as_raw() == certificate.issuer().as_raw()
                && certificate.verify_signature(Some(authority.public_key())).is_ok()
        })
    })
}

fn bad_status(status: &str) -> String {
    format!("certificate status \"{status}\" in the OCSP response")
}

fn seconds(time: &OcspGeneralizedTime) -> i64 {
    i64::try_from(time.0.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}

/// The number of a status, and OpenSSL's word for it.
fn status(status: OcspResponseStatus) -> (u8, &'static str) {
    match status {
        OcspResponseStatus::Successful => (0, "successful"),
        OcspResponseStatus::MalformedRequest => (1, "malformedrequest"),
        OcspResponseStatus::InternalError => (2, "internalerror"),
        OcspResponseStatus::TryLater => (3, "trylater"),
        OcspResponseStatus::SigRequired => (5, "sigrequired"),
        OcspResponseStatus::Unauthorized => (6, "unauthorized"),
    }
}
