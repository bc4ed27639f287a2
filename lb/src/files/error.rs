//! What a failed call means for the client, and nginx's words for the log.

use std::fmt;
use std::io;

use nix::errno::Errno;

use crate::system_error::SystemError;

/// A call that failed.
#[derive(Debug)]
pub struct FileError {
    /// As nginx names it: `open()`.
    pub call: &'static str,
    /// The path.
    pub path: Vec<u8>,
    /// Why.
    pub error: io::Error,
}

/// What the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// 404
    Missing,
    /// 403
    Forbidden,
    /// 500
    Failed,
}

impl FileError {
    /// What the client is told.
    pub fn meaning(&self) -> Meaning {
        match self.error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG) => Meaning::Missing,
            Some(Errno::EACCES | Errno::ELOOP | Errno::EMLINK) => Meaning::Forbidden,
            _ => Meaning::Failed,
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = String::from_utf8_lossy(&self.path);
        write!(f, "{} \"{path}\" failed {}", self.call, SystemError(&self.error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_answer_and_nginxs_words() {
        for (errno, meaning) in [
            (Errno::ENOENT, Meaning::Missing),
            (Errno::ENOTDIR, Meaning::Missing),
            (Errno::ENAMETOOLONG, Meaning::Missing),
            (Errno::EACCES, Meaning::Forbidden),
            (Errno::ELOOP, Meaning::Forbidden),
            (Errno::EMFILE, Meaning::Failed),
        ] {
            let error = FileError { call: "open()", path: b"/a".to_vec(), error: errno.into() };
            assert_eq!(error.meaning(), meaning, "{errno}");
        }
        let error = FileError { call: "open()", path: b"/a".to_vec(), error: Errno::ENOENT.into() };
        assert_eq!(error.to_string(), "open() \"/a\" failed (2: No such file or directory)");
    }
}
