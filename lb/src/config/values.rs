//! Numbers, sizes and times, exactly as nginx reads them.

use std::time::Duration;

/// The largest number that nginx holds in an `ngx_int_t` on 64-bit machines.
const MAX: u64 = i64::MAX as u64;

/// Digits only: no sign, no blank, nothing empty.
pub(super) fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|&number| number <= MAX)
}

/// Bytes, with `k` or `m`: nginx's *size*, which knows no `g`.
pub(super) fn size(text: &str) -> Option<u64> {
    scaled(text, &[('k', 1 << 10), ('m', 1 << 20)])
}

/// Bytes, with `k`, `m` or `g`: nginx's *offset*.
pub(super) fn offset(text: &str) -> Option<u64> {
    scaled(text, &[('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30)])
}

fn scaled(text: &str, units: &[(char, u64)]) -> Option<u64> {
    let last = text.chars().next_back()?.to_ascii_lowercase();
    let (digits, scale) = match units.iter().find(|(unit, _)| *unit == last) {
        Some(&(unit, scale)) => (&text[..text.len() - unit.len_utf8()], scale),
        None => (text, 1),
    };
    number(digits)?.checked_mul(scale).filter(|&bytes| bytes <= MAX)
}

/// A time whose plain number means seconds and which may go down to `ms`.
pub(super) fn milliseconds(text: &str) -> Option<Duration> {
    time(text, Resolution::Milliseconds).map(Duration::from_millis)
}

/// A time in whole seconds, where nginx keeps no finer ones.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    time(text, Resolution::Seconds).map(Duration::from_secs)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Resolution {
    Seconds,
    Milliseconds,
}

/// `1h 30m`, `1m30s`, `500ms`, `60`: units from large to small, each at most once. Years and months only where
/// seconds are counted, milliseconds only where they are.
fn time(text: &str, resolution: Resolution) -> Option<u64> {
    const YEAR: u8 = 1;
    const MONTH: u8 = 2;
    const SECOND: u8 = 7;
    const MILLISECOND: u8 = 8;
    const LAST: u8 = 9;

    let in_seconds = resolution == Resolution::Seconds;
    let mut bytes = text.bytes().peekable();
    // The smallest unit seen; the next must be smaller.
    let mut step = if in_seconds { 0 } else { MONTH };
    let (mut total, mut value, mut any_digit) = (0u64, 0u64, false);
    while let Some(byte) = bytes.next() {
        if byte.is_ascii_digit() {
            value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0')).filter(|&sum| sum <= MAX)?;
            any_digit = true;
            continue;
        }
        let (unit, unit_seconds) = match byte {
            b'y' => (YEAR, 365 * 86_400),
            b'M' => (MONTH, 30 * 86_400),
            b'w' => (3, 7 * 86_400),
            b'd' => (4, 86_400),
            b'h' => (5, 3_600),
            b'm' if bytes.peek() == Some(&b's') => {
                bytes.next();
                if in_seconds {
                    return None;
                }
                (MILLISECOND, 1)
            }
            b'm' => (6, 60),
            b's' => (SECOND, 1),
            // A blank ends a number without a unit, which then is of seconds.
            b' ' => (LAST, 1),
            _ => return None,
        };
        let too_late = if unit == LAST { step >= SECOND } else { step >= unit };
        if too_late {
            return None;
        }
        step = unit;
        let scale = if in_seconds || unit == MILLISECOND { unit_seconds } else { unit_seconds * 1_000 };
        total = value.checked_mul(scale)?.checked_add(total).filter(|&sum| sum <= MAX)?;
        value = 0;
        while bytes.next_if_eq(&b' ').is_some() {}
    }
    let rest = if in_seconds { value } else { value.checked_mul(1_000)? };
    let total = total.checked_add(rest).filter(|&sum| sum <= MAX)?;
    any_digit.then_some(total)
}

/// Bytes as a configuration writes them, in the largest unit of [`size`] that leaves no rest.
pub(super) fn written_bytes(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        _ if bytes.is_multiple_of(1 << 20) => format!("{}m", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{}k", bytes >> 10),
        _ => bytes.to_string(),
    }
}

/// A time as a configuration writes it: in seconds, or in milliseconds where that leaves a rest.
pub(super) fn written_time(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{}s", time.as_secs()),
        _ => format!("{}ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn numbers_are_digits() {
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("0012"), Some(12));
        assert_eq!(number("9223372036854775807"), Some(i64::MAX as u64));
        for bad in ["", "-1", "+1", " 1", "1 ", "1a", "0x10", "9223372036854775808", "٣"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn sizes_scale_by_their_last_letter() {
        assert_eq!(size("512"), Some(512));
        assert_eq!(size("8k"), Some(8192));
        assert_eq!(size("8K"), Some(8192));
        assert_eq!(size("1M"), Some(1 << 20));
        assert_eq!(size("1g"), None, "nginx reads g in offsets only");
        assert_eq!(offset("1g"), Some(1 << 30));
        assert_eq!(offset("0"), Some(0));
        for bad in ["", "k", "1kk", "-1k", "1.5m", "8 k", "9223372036854775807k", "1t", "é"] {
            assert_eq!(offset(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for (bytes, text) in [(0, "0"), (1000, "1000"), (8192, "8k"), (1 << 20, "1m"), (1 << 30, "1024m")] {
            assert_eq!(written_bytes(bytes), text);
            assert_eq!(size(text), Some(bytes));
        }
        for (time, text) in [(0, "0s"), (500, "500ms"), (1500, "1500ms"), (75_000, "75s")] {
            assert_eq!(written_time(Duration::from_millis(time)), text);
            assert_eq!(milliseconds(text), Some(Duration::from_millis(time)));
        }
    }

    #[test]
    fn times_are_read_as_nginx_reads_them() {
        let good = [
            ("0", 0),
            ("60", 60_000),
            ("10s", 10_000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1m 30s", 90_000),
            ("1h30", 3_630_000),
            ("1s500ms", 1_500),
            ("1d", 86_400_000),
            ("1w2d", 777_600_000),
            ("10 ", 10_000),
        ];
        for (text, expected) in good {
            assert_eq!(milliseconds(text), Some(Duration::from_millis(expected)), "{text:?}");
        }
        for bad in
            ["", "s", "-1", "1x", "30s1m", "1s1s", "1M", "1y", "1ms1s", "1.5s", "99999999999999999999", " 1s"]
        {
            assert_eq!(milliseconds(bad), None, "{bad:?}");
        }
        assert_eq!(seconds("1y"), Some(Duration::from_secs(31_536_000)));
        assert_eq!(seconds("1M"), Some(Duration::from_secs(2_592_000)));
        assert_eq!(seconds("500ms"), None);
        assert_eq!(milliseconds("9223372036854775807s"), None);
        assert_eq!(seconds("9223372036854775807"), Some(Duration::from_secs(i64::MAX as u64)));
    }
}
