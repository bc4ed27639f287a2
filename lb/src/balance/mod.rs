//! Whose turn it is: the choice of a server for one request.
//!
//! Everything here is a value: the state of a group ([`Group`]), what a request has tried already ([`Tried`]), the
//! time ([`Now`], passed in). No lock, no clock, no log, no waiting, and no knowledge of addresses: whoever holds
//! the servers maps an index to one. That is what lets nginx's rules, which are full of cases that only show
//! under failures, be tested as tables.
//!
//! It refuses to fail open: when every server is down, failed or unreachable the answer is [`Pick::NoLive`], as
//! in nginx ("no live upstreams"), not a server known to be bad.

mod group;
mod tried;

use std::time::Duration;

pub use group::{AfterFailure, Group, NoLive, Pick, Server, ServerConfig, ServerState, Stage};
pub use tried::Tried;

/// A moment, as monotonic time since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Now(Duration);

impl Now {
    /// The moment `since_start` after the process started.
    pub const fn from_duration(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// The moment so many milliseconds after the process started.
    pub const fn from_millis(since_start_ms: u64) -> Self {
        Self(Duration::from_millis(since_start_ms))
    }

    /// Time since the process started.
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
