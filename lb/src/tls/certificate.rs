//! The certificates that a server shows, from files or from the configuration's own text.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

use crate::system_error::SystemError;

/// The text of what a directive names: a file, relative to `folder`, or `data:` and the text itself.
pub fn read(named: &str, folder: &Path) -> Result<Vec<u8>, String> {
    match named.strip_prefix("data:") {
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => std::fs::read(folder.join(named))
            .map_err(|error| format!("open() failed {}", SystemError(&error))),
    }
}

/// A certificate and the chain above it, in order.
pub fn chain(named: &str, folder: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let cannot_load = |why: &str| format!("cannot load certificate \"{}\": {why}", shown(named, folder));
    let text = read(named, folder).map_err(|error| cannot_load(&error))?;
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(cannot_load("no certificate in it")),
        Ok(chain) => Ok(chain),
        Err(error) => Err(cannot_load(&error.to_string())),
    }
}

/// What messages call a source: its whole path, or `data:` where it is the text itself.
pub fn shown(named: &str, folder: &Path) -> String {
    if named.starts_with("data:") { "data:".to_owned() } else { folder.join(named).display().to_string() }
}
