//! From a growing count to a rate: pure, the time is passed in.
//!
//! A reading is taken at each change of the wall clock's second, so that log lines carry consecutive seconds and
//! several servers change their numbers together. What lies between two readings is measured on the monotonic clock:
//! a window that took longer than a second (a busy machine, a paused container) is averaged over its real length
//! instead of showing a burst that never was. A shorter one, which only the start and a set clock produce, is not
//! scaled up: that would report requests that nobody sent.

use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// A wait shorter than this is skipped: a clock that was slewed back a little can make the second change twice.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// Turns totals into requests per second.
#[derive(Debug)]
pub(crate) struct Meter {
    since: Instant,
    total: u64,
}

impl Meter {
    /// Starts to measure at `now` from a count of zero.
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, total: 0 }
    }

    /// Ends a window at `now`, when `total` requests had been counted since the start, and begins the next. Returns
    /// the ended window's requests per second, rounded to the nearest whole number.
    ///
    /// A `total` below the last one, or a `now` before it, counts as no change.
    pub(crate) fn tick(&mut self, now: Instant, total: u64) -> u64 {
        let requests = total.saturating_sub(self.total);
        let nanoseconds = now.saturating_duration_since(self.since).max(SECOND).as_nanos();
        self.since = self.since.max(now);
        self.total = self.total.max(total);

        let scaled = u128::from(requests) * SECOND.as_nanos();
        let rounded = (scaled + nanoseconds / 2) / nanoseconds;
        u64::try_from(rounded).expect("a window of a second or more has a rate no greater than its count")
    }
}

/// How long to wait for the wall clock's next second, when it shows `since_epoch`.
pub(crate) fn until_next_second(since_epoch: Duration) -> Duration {
    let rest = SECOND - Duration::from_nanos(since_epoch.subsec_nanos().into());
    if rest < SHORTEST_WAIT { rest + SECOND } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// Each case: when the window ended (ms after the start), the total then, the rate to be shown.
    fn check(name: &str, ticks: &[(u64, u64, u64)]) {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        for &(at, total, rate) in ticks {
            assert_eq!(meter.tick(start + milliseconds(at), total), rate, "{name}: at {at} ms");
        }
    }

    #[test]
    fn the_rate_is_that_of_the_last_window() {
        check("steady", &[(1000, 100, 100), (2000, 200, 100), (3000, 300, 100)]);
        check("a burst in one second", &[(1000, 0, 0), (2000, 5000, 5000), (3000, 5000, 0)]);
        check("silence", &[(1000, 0, 0), (2000, 0, 0)]);
    }

    #[test]
    fn jitter_of_the_timer_does_not_show() {
        check("a few requests", &[(1002, 10, 10), (2001, 20, 10), (3003, 30, 10)]);
        check("many requests", &[(1002, 10_020, 10_000), (2002, 20_020, 10_000)]);
    }

    #[test]
    fn missed_ticks_are_averaged_over() {
        check("three seconds late", &[(1000, 100, 100), (5000, 500, 100), (6000, 600, 100)]);
        check("rounding", &[(3000, 5, 2), (6000, 9, 1)]);
    }

    #[test]
    fn a_short_window_is_not_scaled_up() {
        check("the first one", &[(100, 50, 50), (1100, 150, 100)]);
        check("two ticks at once", &[(1000, 50, 50), (1000, 50, 0), (1000, 51, 1)]);
    }

    #[test]
    fn time_and_counts_that_run_backwards_count_as_no_change() {
        check("time", &[(2000, 200, 100), (1000, 300, 100), (3000, 400, 100)]);
        check("counts", &[(1000, 100, 100), (2000, 50, 0), (3000, 150, 50)]);
    }

    #[test]
    fn the_largest_counts_do_not_overflow() {
        check("all at once", &[(1, u64::MAX, u64::MAX)]);
    }

    #[test]
    fn ticks_fall_on_the_second() {
        for (clock, wait) in [
            (milliseconds(0), 1000),
            (milliseconds(1), 999),
            (milliseconds(500), 500),
            (milliseconds(900), 100),
            (milliseconds(901), 1099),
            (milliseconds(999), 1001),
            (milliseconds(7_000_123), 877),
        ] {
            assert_eq!(until_next_second(clock), milliseconds(wait), "at {clock:?}");
        }
    }
}
