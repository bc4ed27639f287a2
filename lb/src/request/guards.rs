//! What the guards of a request have come to: plain values, which the flow of the request keeps between two questions.

use http::StatusCode;

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
