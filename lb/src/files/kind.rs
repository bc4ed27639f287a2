//! What a path is.

use std::fs::Metadata;

/// What a path is, behind its links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A socket, a pipe, a device; a link, where links are not followed or lead nowhere.
    Other,
}

impl Kind {
    pub(super) fn of(found: &Metadata) -> Self {
        if found.is_dir() {
            Self::Directory
        } else if found.is_file() {
            Self::File
        } else {
            Self::Other
        }
    }
}
