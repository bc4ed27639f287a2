//! How long an answer waits under `limit_rate`.

use std::time::Duration;

/// How long to wait, after `sent` bytes of an answer that began `elapsed` ago, so that `rate` bytes a second, beyond the
/// first `after`, are not exceeded. A rate of 0 sets no limit.
pub fn wait(sent: u64, elapsed: Duration, rate: u64, after: u64) -> Duration {
    if rate == 0 || sent <= after {
        return Duration::ZERO;
    }
    let due = u128::from(sent - after) * 1_000_000_000 / u128::from(rate);
    let due = Duration::from_nanos(u64::try_from(due).unwrap_or(u64::MAX));
    due.saturating_sub(elapsed)
}

/// How many bytes to send at once: a tenth of a second's worth, so that a slow answer moves evenly, and never more than
/// `most`.
pub fn piece(rate: u64, most: u64) -> u64 {
    if rate == 0 { most } else { (rate / 10).clamp(1, most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_beyond_the_first_take_their_time() {
        for (sent, elapsed, rate, after, expected) in [
            (0, 0, 100, 0, 0),
            (100, 0, 100, 0, 1000),
            (100, 400, 100, 0, 600),
            (100, 1400, 100, 0, 0),
            (100, 0, 100, 100, 0),
            (150, 0, 100, 100, 500),
            (1_000_000, 0, 0, 0, 0),
        ] {
            let wait = wait(sent, Duration::from_millis(elapsed), rate, after);
            assert_eq!(wait, Duration::from_millis(expected), "{sent} bytes after {elapsed} ms at {rate}");
        }
        assert_eq!(wait(u64::MAX, Duration::ZERO, 1, 0), Duration::from_nanos(u64::MAX));
        assert_eq!(
            (piece(0, 64), piece(10_000, 64_000), piece(5, 64), piece(1 << 30, 64)),
            (64, 1000, 1, 64)
        );
    }
}
