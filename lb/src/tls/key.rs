//! Private keys.

use std::path::Path;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::certificate::{read, shown};

/// The key that a directive names.
pub(super) fn load(named: &str, folder: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let text = read(named, folder).map_err(|error| cannot_load(named, &error))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| cannot_load(named, &error.to_string()))
}

pub(super) fn cannot_load(named: &str, why: &str) -> String {
    format!("cannot load certificate key \"{}\": {why}", shown(named))
}
