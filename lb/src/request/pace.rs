//! How fast an answer goes to the client: `limit_rate` and `limit_rate_after`, which a program (`set $limit_rate`) and a
//! server (`X-Accel-Limit-Rate`) may change, and `proxy_limit_rate`.
//!
//! A file is read in pieces of a tenth of a second, so that it moves evenly. Pieces of a server's answer come as they come
//! and are not cut: nginx's rule holds for them, by which each second that has begun lets its bytes pass, and what is beyond
//! them waits for the second in which it may.

use std::time::{Duration, Instant};

/// A limited answer under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    bytes_per_second: u64,
    /// How many bytes pass before the limit begins.
    free_bytes: u64,
    began: Instant,
    passed_bytes: u64,
}

impl Pace {
    /// An answer that begins at `now`; `None` for a rate of 0, which is no limit.
    pub fn new(bytes_per_second: u64, free_bytes: u64, now: Instant) -> Option<Self> {
        (bytes_per_second > 0).then_some(Self { bytes_per_second, free_bytes, began: now, passed_bytes: 0 })
    }

    /// How many bytes to send at once, at most `most`.
    pub fn piece(&self, most: u64) -> u64 {
        if self.passed_bytes < self.free_bytes { most } else { (self.bytes_per_second / 10).clamp(1, most) }
    }

    /// How long a piece waits before it passes; `None` where there is time for it.
    pub fn before(&mut self, bytes: usize, now: Instant) -> Option<Duration> {
        let limited = self.passed_bytes.saturating_sub(self.free_bytes);
        self.passed_bytes = self.passed_bytes.saturating_add(bytes as u64);
        let due = u128::from(limited) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let due = Duration::from_nanos(u64::try_from(due).unwrap_or(u64::MAX));
        due.checked_sub(now.saturating_duration_since(self.began)).filter(|wait| !wait.is_zero())
    }

    /// How long to wait once a piece has passed; `None` where there is time for more.
    pub fn after(&mut self, bytes: usize, now: Instant) -> Option<Duration> {
        self.passed_bytes = self.passed_bytes.saturating_add(bytes as u64);
        let seconds = now.saturating_duration_since(self.began).as_secs();
        let allowed = self.bytes_per_second.saturating_mul(seconds.saturating_add(1));
        let excess = self.passed_bytes.checked_sub(allowed.saturating_add(self.free_bytes))?;
        let milliseconds = u128::from(excess) * 1000 / u128::from(self.bytes_per_second) + 1;
        Some(Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX)))
    }
}

/// The rate that `X-Accel-Limit-Rate` names; `None` where it names none.
pub fn accel_limit_rate(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lets_its_bytes_pass_and_what_is_beyond_waits() {
        let began = Instant::now();
        let mut pace = Pace::new(1000, 0, began).unwrap();
        for (bytes, after_ms, wait_ms) in [
            (400, 0, None),
            (600, 10, Some(1)),
            (1000, 900, Some(1001)),
            (500, 1100, Some(501)),
            (500, 2999, Some(1)),
            (0, 9000, None),
        ] {
            let now = began + Duration::from_millis(after_ms);
            assert_eq!(pace.after(bytes, now), wait_ms.map(Duration::from_millis), "{bytes} at {after_ms}");
        }
        assert_eq!(Pace::new(0, 0, began), None);
        let mut free = Pace::new(1000, 500, began).unwrap();
        assert_eq!(free.after(1499, began), None);
        assert_eq!(free.after(501, began), Some(Duration::from_millis(501)));
    }

    #[test]
    fn bytes_beyond_the_first_take_their_time() {
        let began = Instant::now();
        for (passed, elapsed_ms, rate, free, wait_ms) in [
            (0, 0, 100, 0, None),
            (100, 0, 100, 0, Some(1000)),
            (100, 400, 100, 0, Some(600)),
            (100, 1400, 100, 0, None),
            (100, 0, 100, 100, None),
            (150, 0, 100, 100, Some(500)),
        ] {
            let mut pace = Pace { passed_bytes: passed, ..Pace::new(rate, free, began).unwrap() };
            let wait = pace.before(7, began + Duration::from_millis(elapsed_ms));
            assert_eq!(
                wait,
                wait_ms.map(Duration::from_millis),
                "{passed} bytes after {elapsed_ms} ms at {rate}"
            );
            assert_eq!(pace.passed_bytes, passed + 7);
        }
        let mut endless = Pace { passed_bytes: u64::MAX, ..Pace::new(1, 0, began).unwrap() };
        assert_eq!(endless.before(1, began), Some(Duration::from_nanos(u64::MAX)));
    }

    #[test]
    fn pieces_are_a_tenth_of_a_second_once_the_limit_has_begun() {
        let pace = |rate, free| Pace::new(rate, free, Instant::now()).unwrap();
        assert_eq!(pace(10_000, 0).piece(64_000), 1000);
        assert_eq!(pace(10_000, 1).piece(64_000), 64_000);
        assert_eq!((pace(5, 0).piece(64), pace(1 << 30, 0).piece(64)), (1, 64));
    }

    #[test]
    fn rates_of_servers() {
        for (value, rate) in [("100", Some(100)), ("0", Some(0)), ("", None), ("1k", None), ("-1", None)] {
            assert_eq!(accel_limit_rate(value.as_bytes()), rate, "{value}");
        }
    }
}
