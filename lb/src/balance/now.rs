//! Moments, from the caller's clock.

use std::time::Duration;

/// A moment, as monotonic time since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Now(Duration);

impl Now {
    /// The moment `since_start` after the process started.
    pub const fn from_duration(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// The moment this many milliseconds after the process started.
    pub const fn from_millis(since_start_ms: u64) -> Self {
        Self(Duration::from_millis(since_start_ms))
    }

    /// Time since the process started.
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    /// Time since `earlier`; zero if that lies ahead.
    #[inline]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `later` from this one.
    pub const fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}
