//! The PEM files that settings name.

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::system_error::SystemError;

/// All certificates of a file, in order; one at least.
pub(super) fn certificates(name: &str, folder: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    several(name, folder).map_err(|why| format!("cannot load certificate \"{name}\": {why}"))
}

/// All lists of revoked certificates of a file; one at least.
pub(super) fn revocation_lists(
    name: &str,
    folder: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    several(name, folder).map_err(|why| format!("cannot load CRL \"{name}\": {why}"))
}

/// The first key of a file.
pub(super) fn key(name: &str, folder: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let read = || {
        let text = text(name, folder)?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|error| error.to_string())
    };
    read().map_err(|why| no_key(name, &why))
}

pub(super) fn no_key(name: &str, why: &str) -> String {
    format!("cannot load certificate key \"{name}\": {why}")
}

fn several<T: PemObject>(name: &str, folder: &Path) -> Result<Vec<T>, String> {
    let text = text(name, folder)?;
    let found: Result<Vec<T>, pem::Error> = T::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => Err("nothing of the kind is in it".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}

fn text(name: &str, folder: &Path) -> Result<Vec<u8>, String> {
    let opened = std::fs::read(folder.join(name));
    opened.map_err(|error| format!("open() failed {}", SystemError(&error)))
}
