//! Lists of revoked certificates (`ssl_crl`, `proxy_ssl_crl`).
//!
//! Checked here and not by `webpki`, which reads lists of version 2 alone: those that `openssl ca` makes by default are of
//! version 1. Serial numbers are put in order when a list is loaded. Its signature is checked when an authority's key is
//! there to check it with, and not again for the same key.

use std::collections::HashSet;
use std::path::Path;

use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::certificate;
use super::refusal::{
    BAD_CRL_SIGNATURE, CRL_EXPIRED, CRL_NOT_YET_VALID, NO_CRL, REVOKED, Refusal, UNSPECIFIED,
};

/// One list.
pub struct RevocationList {
    der: Vec<u8>,
    issuer: Vec<u8>,
    serials: HashSet<Vec<u8>>,
    since: i64,
    until: Option<i64>,
    /// The key that the signature is known to be made with.
    signed_by: Mutex<Option<Vec<u8>>>,
}

impl std::fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevocationList").field("serials", &self.serials.len()).finish_non_exhaustive()
    }
}

impl RevocationList {
    /// Reads a list.
    pub(super) fn of(der: &[u8]) -> Result<Self, String> {
        let (_, list) = CertificateRevocationList::from_der(der).map_err(|error| error.to_string())?;
        if let Some(extension) = list.extensions().iter().find(|extension| extension.critical) {
            return Err(format!("it has a critical extension, {}", extension.oid));
        }
        Ok(Self {
            der: der.to_vec(),
            issuer: list.issuer().as_raw().to_vec(),
            serials: list.iter_revoked_certificates().map(|one| one.raw_serial().to_vec()).collect(),
            since: list.last_update().timestamp(),
            until: list.next_update().map(|time| time.timestamp()),
            signed_by: Mutex::new(None),
        })
    }

    fn is_signed_by(&self, authority: &X509Certificate<'_>) -> bool {
        let key = authority.public_key();
        let mut signed_by = self.signed_by.lock();
        if signed_by.as_deref() == Some(key.raw) {
            return true;
        }
        let list = CertificateRevocationList::from_der(&self.der);
        let signed = list.is_ok_and(|(_, list)| list.verify_signature(key).is_ok());
        if signed {
            *signed_by = Some(key.raw.to_vec());
        }
        signed
    }
}

/// The lists of a file, one at least.
pub fn load(named: &str, folder: &Path) -> Result<Vec<RevocationList>, String> {
    let text = certificate::read(named, folder)?;
    let lists: Result<Vec<_>, String> = CertificateRevocationListDer::pem_slice_iter(&text)
        .map(|der| {
            let der = der.map_err(|error| error.to_string())?;
            RevocationList::of(&der)
        })
        .collect();
    match lists {
        Ok(lists) if lists.is_empty() => Err("no list in it".to_owned()),
        lists => lists,
    }
}

/// Whether a certificate of a path is revoked, or cannot be said not to be. `path` leads from the certificate of whoever shakes hands to
/// a trusted one, each signed by the one behind it.
pub fn check(lists: &[RevocationList], path: &[CertificateDer<'_>], now: i64) -> Option<Refusal> {
    let parsed: Result<Vec<_>, _> = path.iter().map(|der| X509Certificate::from_der(der)).collect();
    let Ok(parsed) = parsed else { return Some(UNSPECIFIED) };
    parsed.windows(2).find_map(|pair| {
        let [(_, certificate), (_, authority)] = pair else { return None };
        let issuer = certificate.issuer().as_raw();
        let Some(list) = lists.iter().find(|list| list.issuer == issuer) else { return Some(NO_CRL) };
        if !list.is_signed_by(authority) {
            Some(BAD_CRL_SIGNATURE)
        } else if now < list.since {
            Some(CRL_NOT_YET_VALID)
        } else if list.until.is_some_and(|until| now > until) {
            Some(CRL_EXPIRED)
        } else {
            list.serials.contains(certificate.raw_serial()).then_some(REVOKED)
        }
    })
}
