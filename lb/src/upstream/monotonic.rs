//! The clock of `upstream/`: moments are only comparable if they were read here.

use std::sync::LazyLock;
use std::time::Instant;

use crate::balance::Now;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The present moment, as monotonic time since the process first asked.
pub fn now() -> Now {
    at(Instant::now())
}

/// A moment that the caller has read already.
pub fn at(moment: Instant) -> Now {
    Now::from_duration(moment.saturating_duration_since(*START))
}
