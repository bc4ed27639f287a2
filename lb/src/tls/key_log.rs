//! `ssl_key_log`: the secrets of connections, for who looks at what was recorded of them (in Wireshark).
//!
//! Whoever has the file can read the connections. It is made for its owner alone, and written as each secret comes: this
//! is for finding faults, not for service.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::KeyLog;

/// A file of secrets, in the format that NSS has made common.
#[derive(Debug)]
pub struct KeyLogFile(Mutex<File>);

impl KeyLogFile {
    /// Opens the file to write behind what is there.
    ///
    /// # Errors
    ///
    /// As `open` says.
    pub fn open(path: &Path) -> io::Result<Arc<Self>> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        Ok(Arc::new(Self(Mutex::new(file))))
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", hexadecimal(client_random), hexadecimal(secret));
        if let Err(error) = self.0.lock().write_all(line.as_bytes()) {
            log::warn!("a secret could not be written to the key log: {error}");
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_is_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        for secret in [[1, 0xab], [2, 0xcd]] {
            KeyLogFile::open(&path).unwrap().log("LABEL", &[0, 0xff], &secret);
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "LABEL 00ff 01ab\nLABEL 00ff 02cd\n");
    }
}
