//! The answer with a file, or with a list, between its opening and its writing.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;

use crate::content::file::answer::FileAnswer;
#[cfg(doc)]
use crate::content::file::answer::Piece;

/// An answer that is ready to be written.
pub(super) struct Ready {
    /// What it is made of.
    pub(super) answer: FileAnswer,
    /// Where its bytes come from.
    pub(super) source: Source,
}

/// Where the bytes of [`Piece::File`] come from.
pub(super) enum Source {
    /// A small file, or a list.
    Memory(Bytes),
    /// A large file.
    Disk(Arc<File>),
}
