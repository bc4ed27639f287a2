//! What checks of passwords and tokens come to, for whoever tells of it.

use std::io;

use crate::passwords::Verified;
use crate::tokens::Refusal;

/// What the check of a password has come to.
pub(super) enum Checked {
    /// The user is in the file.
    Known(Verified),
    /// The file has no such user.
    NoUser,
    /// The file cannot be opened.
    NoFile(io::Error),
    /// It cannot be read.
    Unread(io::Error),
}

/// Why a token is not taken.
pub(super) enum NoToken {
    /// It does not hold.
    Refused(Refusal),
    /// The file with the keys cannot be read.
    Unreadable(io::Error),
    /// The file has no keys.
    NoKeys(String),
}
