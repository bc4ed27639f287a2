//! How fast an answer goes to the client: nginx's rule for `proxy_limit_rate` and `X-Accel-Limit-Rate`.
//!
//! In each second that has begun, so many bytes may pass; what is beyond them waits for the second in which they may. Pieces
//! of an answer are not cut, so a piece may be larger than what one second allows.

use std::time::{Duration, Instant};

/// A limited answer under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    bytes_per_second: u64,
    began: Instant,
    passed: u64,
}

impl Pace {
    /// An answer that begins at `now`; `None` for a rate of 0, which is no limit.
    pub fn new(bytes_per_second: u64, now: Instant) -> Option<Self> {
        (bytes_per_second > 0).then_some(Self { bytes_per_second, began: now, passed: 0 })
    }

    /// How long to wait once a piece has passed; `None` where there is time for more.
    pub fn after(&mut self, bytes: usize, now: Instant) -> Option<Duration> {
        self.passed = self.passed.saturating_add(bytes as u64);
        let seconds = now.saturating_duration_since(self.began).as_secs();
        let allowed = self.bytes_per_second.saturating_mul(seconds.saturating_add(1));
        let excess = self.passed.checked_sub(allowed)?;
        let milliseconds = u128::from(excess) * 1000 / u128::from(self.bytes_per_second) + 1;
        Some(Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX)))
    }
}

/// The rate that `X-Accel-Limit-Rate` names; `None` where it names none.
pub fn accel_limit_rate(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The stricter of two rates, of which 0 is none.
pub fn stricter(one: u64, other: u64) -> u64 {
    match (one, other) {
        (0, rate) | (rate, 0) => rate,
        (one, other) => one.min(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lets_its_bytes_pass_and_what_is_beyond_waits() {
        let began = Instant::now();
        let mut pace = Pace::new(1000, began).unwrap();
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
        assert_eq!(Pace::new(0, began), None);
    }

    #[test]
    fn rates() {
        for (value, rate) in [("100", Some(100)), ("0", Some(0)), ("", None), ("1k", None), ("-1", None)] {
            assert_eq!(accel_limit_rate(value.as_bytes()), rate, "{value}");
        }
        for (one, other, both) in [(0, 0, 0), (5, 0, 5), (0, 5, 5), (5, 3, 3)] {
            assert_eq!(stricter(one, other), both);
        }
    }
}
