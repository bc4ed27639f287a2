//! Limits the log lines about an error that repeats: one per interval, with the number of those left out.

use std::time::{Duration, Instant};

/// Decides when the next line is due. Pure: the caller has the clock.
#[derive(Debug)]
pub struct RateLimited {
    interval: Duration,
    last: Option<Instant>,
    unsaid: u64,
}

impl RateLimited {
    /// At most one line per `interval`.
    pub const fn new(interval: Duration) -> Self {
        Self { interval, last: None, unsaid: 0 }
    }

    /// Counts an occurrence. `Some` if it may be logged now: the number of those left out since the last line.
    pub fn allow(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < self.interval) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_repeats_is_said_once_per_interval_with_the_count() {
        let (mut limit, start) = (RateLimited::new(Duration::from_secs(10)), Instant::now());
        let said = [0, 1, 5, 9, 10, 11, 25].map(|second| limit.allow(start + Duration::from_secs(second)));
        assert_eq!(said, [Some(0), None, None, None, Some(3), None, Some(1)]);
    }
}
