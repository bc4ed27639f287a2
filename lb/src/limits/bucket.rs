//! The arithmetic of `limit_req`: how much a key has asked for beyond its rate, in thousandths of a request.
//!
//! Pure: the time comes in. Source of the rules: `ngx_http_limit_req_lookup`, `ngx_http_limit_req_account`.

/// A request, in the unit of the arithmetic.
pub(super) const REQUEST: i64 = 1000;

/// What nginx keeps of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    /// When it was last counted, in milliseconds of the zone's clock.
    pub(super) last: i64,
    /// What is beyond the rate then, in thousandths.
    pub(super) excess: i64,
    /// How many requests are about to be counted here, and wait for another zone's verdict.
    pub(super) waiting: u32,
}

/// The clock has been set back for longer than this: nginx then lets a millisecond pass.
const CLOCK_WENT_BACK: i64 = -60_000;
/// How long a key is kept at least, unless the room is needed.
const KEPT_MILLISECONDS: i64 = 60_000;

impl Bucket {
    /// A key that was counted at `now` for the first time.
    pub(super) fn counted(now: i64) -> Self {
        Self { last: now, excess: 0, waiting: 0 }
    }

    /// A key that is about to be counted for the first time: all that was is long over.
    pub(super) fn about_to_be_counted() -> Self {
        Self { last: 0, excess: 0, waiting: 1 }
    }

    /// The excess with one more request at `now`, at a rate in thousandths of a request a second.
    pub(super) fn with_one_more(&self, rate: i64, now: i64) -> i64 {
        let drained = rate.saturating_mul(self.elapsed(now)) / 1000;
        self.excess.saturating_sub(drained).saturating_add(REQUEST).max(0)
    }

    /// Counts a request at `now`, which makes the excess what it is.
    pub(super) fn count(&mut self, excess: i64, now: i64) {
        if self.elapsed(now) != 0 {
            self.last = now;
        }
        self.excess = excess;
    }

    /// Nothing would be different without it.
    pub(super) fn is_over(&self, rate: i64, now: i64) -> bool {
        let elapsed = now.saturating_sub(self.last).saturating_abs();
        elapsed >= KEPT_MILLISECONDS && self.excess <= rate.saturating_mul(elapsed) / 1000
    }

    fn elapsed(&self, now: i64) -> i64 {
        match now.saturating_sub(self.last) {
            back if back < CLOCK_WENT_BACK => 1,
            elapsed => elapsed.max(0),
        }
    }
}

/// How many milliseconds a request waits that comes with this excess, of which `free` is not delayed.
pub(super) fn delay(excess: i64, free: i64, rate: i64) -> i64 {
    match excess <= free {
        true => 0,
        false => excess.saturating_sub(free).saturating_mul(1000) / rate.max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excess_is_nginxs_to_the_thousandth() {
        // Rate in thousandths a second, last, excess, now, excess with one more.
        for (rate, last, excess, now, expected) in [
            (1000, 0, 0, 0, 1000),
            (1000, 0, 0, 1, 999),
            (1000, 0, 0, 1000, 0),
            (1000, 0, 1000, 500, 1500),
            (1000, 0, 1000, 1, 1999),
            (1000, 0, 5000, 7000, 0),
            // 10r/s: a millisecond is worth ten thousandths.
            (10_000, 0, 3000, 55, 3450),
            // 1r/m: 16 thousandths a second; what a millisecond is worth is rounded down to nothing.
            (16, 0, 0, 62, 1000),
            (16, 0, 0, 63, 999),
            (16, 0, 1000, 60_000, 1040),
            // The clock has gone back: nothing drains, and after a minute a millisecond does.
            (1000, 5000, 1000, 4000, 2000),
            (1000, 100_000, 1000, 0, 1999),
            (i64::MAX, 0, 1000, i64::MAX, 0),
        ] {
            let bucket = Bucket { last, excess, waiting: 0 };
            assert_eq!(bucket.with_one_more(rate, now), expected, "{rate} {last} {excess} {now}");
        }
    }

    #[test]
    fn time_stands_still_for_what_comes_in_one_millisecond() {
        let mut bucket = Bucket::counted(100);
        bucket.count(1000, 100);
        assert_eq!(bucket, Bucket { last: 100, excess: 1000, waiting: 0 });
        bucket.count(1999, 101);
        assert_eq!(bucket, Bucket { last: 101, excess: 1999, waiting: 0 });
        bucket.count(2999, 50);
        assert_eq!(bucket.last, 101);
    }

    #[test]
    fn what_is_beyond_the_free_part_waits_its_turn() {
        for (excess, free, rate, milliseconds) in [
            (0, 0, 1000, 0),
            (1000, 0, 1000, 1000),
            (1999, 0, 1000, 1999),
            (3000, 2000, 1000, 1000),
            (2000, 2000, 1000, 0),
            (1000, 0, 16, 62_500),
            (500, 0, 10_000, 50),
            (i64::MAX, 0, 1, i64::MAX),
        ] {
            assert_eq!(delay(excess, free, rate), milliseconds, "{excess} {free} {rate}");
        }
    }

    #[test]
    fn a_key_is_over_after_a_minute_and_once_it_has_drained() {
        let bucket = Bucket { last: 0, excess: 70_000, waiting: 0 };
        assert!(!bucket.is_over(1_000_000, 59_999));
        assert!(bucket.is_over(1_000_000, 60_000));
        assert!(!bucket.is_over(1000, 69_999));
        assert!(bucket.is_over(1000, 70_000));
    }
}
