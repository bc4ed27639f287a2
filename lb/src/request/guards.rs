//! What the guards of a request ask for and have come to: plain values, which the flow of the request keeps between two
//! questions.

use std::path::PathBuf;
use std::sync::Arc;

use http::StatusCode;

use crate::tokens::Token;

/// Where a request stands among the guards.
#[derive(Debug, Default)]
pub(super) struct Guarding {
    /// Which guard is asked next.
    pub(super) at: usize,
    /// What one of several has refused, where another may let the request in.
    pub(super) refused: Option<StatusCode>,
    /// The 401 has been held back.
    pub(super) delayed: bool,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordVerdict {
    /// It is the user's password.
    Right,
    /// It is not, or there is no such user.
    Wrong,
    /// The file is not there.
    NoFile,
    /// The file cannot be read, or the hash cannot be computed.
    Failed,
}

/// What came of the check of a token, until the guard is asked again; the token is the request's from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenState {
    Holds,
    Refused,
    Failed,
}

/// What became of a request under its limits: `$limit_req_status`, `$limit_conn_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limited {
    Passed,
    Delayed,
    DelayedDryRun,
    Rejected,
    RejectedDryRun,
}

impl Limited {
    /// As the variables say it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Delayed => "DELAYED",
            Self::DelayedDryRun => "DELAYED_DRY_RUN",
            Self::Rejected => "REJECTED",
            Self::RejectedDryRun => "REJECTED_DRY_RUN",
        }
    }
}

/// What has become of a request so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    pub(super) requests: Option<Limited>,
    pub(super) connections: Option<Limited>,
}

/// A password to be checked.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordCheck {
    /// The file with the users and the hashes of their passwords.
    pub file: PathBuf,
    /// Whose password it is said to be.
    pub user: Vec<u8>,
    /// The password.
    pub password: Vec<u8>,
}

impl std::fmt::Debug for PasswordCheck {
    /// No log has a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordCheck")
            .field("file", &self.file)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A token to be checked.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenCheck {
    /// The file with the keys.
    pub key_file: PathBuf,
    /// The token.
    pub token: Vec<u8>,
    /// Seconds by which clocks may differ.
    pub leeway: u64,
}

impl std::fmt::Debug for TokenCheck {
    /// No log has a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCheck").field("key_file", &self.key_file).finish_non_exhaustive()
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy)]
pub enum TokenVerdict<'t> {
    /// It is signed and holds.
    Holds(&'t Arc<Token>),
    /// It is not, or does not.
    Refused,
    /// The keys cannot be read.
    Failed,
}
