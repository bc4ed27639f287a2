//! The time of day in log lines, formatted once per second and thread.
//!
//! Runs once per request where an access log shows the time. Formatting local time costs about a microsecond, most of
//! it in the time zone; the requests of one second share one text, kept per thread so that no thread waits for
//! another. The caller reads the clock, once.

use std::cell::Cell;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Local, TimeZone};

/// One second in the formats of the logs.
#[derive(Debug, Default)]
pub struct TimeText {
    time_local: String,
    time_iso8601: String,
    error_log: String,
    syslog: String,
}

impl TimeText {
    /// `$time_local`: `22/Nov/2026:10:04:05 +0000`.
    pub fn time_local(&self) -> &str {
        &self.time_local
    }

    /// `$time_iso8601`: `2026-11-22T10:04:05+00:00`.
    pub fn time_iso8601(&self) -> &str {
        &self.time_iso8601
    }

    /// The beginning of an error log line: `2026/11/22 10:04:05`.
    pub fn error_log(&self) -> &str {
        &self.error_log
    }

    /// The time of a syslog message: `Nov 22 10:04:05`, the day of two columns.
    pub fn syslog(&self) -> &str {
        &self.syslog
    }

    fn fill<Zone: TimeZone>(&mut self, time: &DateTime<Zone>)
    where
        Zone::Offset: std::fmt::Display,
    {
        for (text, format) in [
            (&mut self.time_local, "%d/%b/%Y:%H:%M:%S %z"),
            (&mut self.time_iso8601, "%Y-%m-%dT%H:%M:%S%:z"),
            (&mut self.error_log, "%Y/%m/%d %H:%M:%S"),
            (&mut self.syslog, "%b %e %H:%M:%S"),
        ] {
            text.clear();
            // Writing to a string fails only if the format is wrong, which the tests would show.
            let _ = write!(text, "{}", time.format(format));
        }
    }
}

#[derive(Debug, Default)]
struct Cached {
    second: Option<i64>,
    text: TimeText,
}

thread_local! {
    // Taken out while in use: a nested call finds nothing and formats its own.
    static CACHED: Cell<Option<Box<Cached>>> = const { Cell::new(None) };
}

/// Calls `show` with the texts of the second of `now`.
pub fn with_text<T>(now: SystemTime, show: impl FnOnce(&TimeText) -> T) -> T {
    let second = unix_second(now);
    // At the thread's end the local may be gone; the text is then formatted for this one call.
    let mut cached = CACHED.try_with(Cell::take).ok().flatten().unwrap_or_default();
    if cached.second != Some(second) {
        cached.text.fill(&DateTime::<Local>::from(now));
        cached.second = Some(second);
    }
    let shown = show(&cached.text);
    let _ = CACHED.try_with(|slot| slot.set(Some(cached)));
    shown
}

/// nginx's form of `$date_local` and `$date_gmt`.
pub const DATE: &str = "%A, %d-%b-%Y %H:%M:%S %Z";

/// Now, in the notation of `strftime`, as the place has it or in UTC; `%s` are seconds after 1970. Empty for a notation
/// that makes no sense.
pub fn date(is_local: bool, format: &str) -> String {
    let now = SystemTime::now();
    let mut text = String::new();
    let written = match is_local {
        // The name of the zone is that of the system, which chrono does not know.
        true => write!(text, "{}", DateTime::<Local>::from(now).format(&format.replace("%Z", &zone(now)))),
        false => write!(text, "{}", DateTime::<chrono::Utc>::from(now).format(&format.replace("%Z", "GMT"))),
    };
    if written.is_err() {
        text.clear();
    }
    text
}

/// The zone by its name in UTC, by its offset elsewhere.
fn zone(now: SystemTime) -> String {
    match ahead_of_utc(now) {
        0 => "UTC".to_owned(),
        _ => DateTime::<Local>::from(now).format("%z").to_string(),
    }
}

/// Now, in seconds after 1970, and what local time is ahead of UTC then.
pub fn now_and_zone() -> (i64, i64) {
    let now = SystemTime::now();
    (unix_second(now), ahead_of_utc(now))
}

/// What local time is ahead of UTC, in seconds.
pub fn ahead_of_utc(now: SystemTime) -> i64 {
    i64::from(DateTime::<Local>::from(now).offset().local_minus_utc())
}

/// Whole seconds since 1970, rounded down, also before it.
fn unix_second(now: SystemTime) -> i64 {
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration();
            let whole = i64::try_from(before.as_secs()).unwrap_or(i64::MAX - 1);
            -whole - i64::from(before.subsec_nanos() > 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::FixedOffset;

    use super::*;

    #[test]
    fn the_forms_are_nginxs() {
        let zone = FixedOffset::east_opt(-(3 * 3600 + 1800)).unwrap();
        let mut text = TimeText::default();
        text.fill(&zone.with_ymd_and_hms(2026, 1, 2, 10, 4, 5).unwrap());
        assert_eq!(text.time_local(), "02/Jan/2026:10:04:05 -0330");
        assert_eq!(text.time_iso8601(), "2026-01-02T10:04:05-03:30");
        assert_eq!(text.error_log(), "2026/01/02 10:04:05");
        assert_eq!(text.syslog(), "Jan  2 10:04:05");
    }

    #[test]
    fn the_text_changes_with_the_second_in_both_directions() {
        let start = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let at = |offset_ms: u64| {
            with_text(start + Duration::from_millis(offset_ms), |text| text.error_log().to_owned())
        };
        let first = at(0);
        assert_eq!(at(999), first);
        assert_ne!(at(1000), first);
        assert_eq!(at(0), first);
    }

    #[test]
    fn a_call_within_a_call_gets_its_own_time() {
        let start = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let later = start + Duration::from_secs(1);
        let (outer, inner) = with_text(start, |outer| {
            (outer.error_log().to_owned(), with_text(later, |inner| inner.error_log().to_owned()))
        });
        assert_ne!(outer, inner);
        assert_eq!(with_text(start, |text| text.error_log().to_owned()), outer);
    }

    #[test]
    fn seconds_before_1970_round_down_too() {
        for (offset_ms, second) in [(0, 0), (1, -1), (1000, -1), (1001, -2)] {
            assert_eq!(unix_second(UNIX_EPOCH - Duration::from_millis(offset_ms)), second, "{offset_ms}");
        }
    }
}
