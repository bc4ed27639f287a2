//! What `expires` sets: `Expires` and `Cache-Control`, for a time of the answer and a time of the file.

use super::http_time;
use crate::config::model::ExpiresTime;

/// The two fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// `Expires`
    pub expires: String,
    /// `Cache-Control`
    pub cache_control: String,
}

const DAY: i64 = 24 * 60 * 60;

/// The fields at `now`, in seconds after 1970. `modified` is the answer's `Last-Modified`; without one, a time after it is
/// a time after now. `ahead` is what local time is ahead of UTC, in seconds.
pub fn fields(at: ExpiresTime, now: i64, modified: Option<i64>, ahead: i64) -> Fields {
    let with =
        |expires: i64, cache_control: String| Fields { expires: http_time::written(expires), cache_control };
    let (expires, age) = match at {
        ExpiresTime::Epoch => return with(1, "no-cache".to_owned()),
        ExpiresTime::Max => return with(2_145_916_555, "max-age=315360000".to_owned()),
        ExpiresTime::AfterNow(0) | ExpiresTime::AfterModified(0) => return with(now, "max-age=0".to_owned()),
        ExpiresTime::AfterNow(after) => (now + after, after),
        ExpiresTime::AfterModified(after) => match modified {
            None => (now + after, after),
            // nginx forbids caches for a time before the file's, even where that is to come.
            Some(modified) if after < 0 => (modified + after, -1),
            Some(modified) => (modified + after, modified + after - now),
        },
        ExpiresTime::Daily(second) => {
            let next = next_daily(second, now, ahead);
            (next, next - now)
        }
    };
    with(expires, if age < 0 { "no-cache".to_owned() } else { format!("max-age={age}") })
}

/// The next time, after now, at which so many seconds of the day have passed, in local time.
fn next_daily(second: i64, now: i64, ahead: i64) -> i64 {
    let local = now + ahead;
    let today = local - local.rem_euclid(DAY) + second;
    let next = if today > local { today } else { today + DAY };
    next - ahead
}

#[cfg(test)]
mod tests {
    use super::ExpiresTime::{AfterModified, AfterNow, Daily, Epoch, Max};
    use super::*;

    /// 5 January 2026, 03:04:05.
    const NOW: i64 = 1_767_582_245;

    #[test]
    fn both_fields_follow_from_the_times() {
        let now = "Mon, 05 Jan 2026 03:04:05 GMT";
        for (at, modified, expires, cache_control) in [
            (Epoch, None, "Thu, 01 Jan 1970 00:00:01 GMT", "no-cache"),
            (Max, None, "Thu, 31 Dec 2037 23:55:55 GMT", "max-age=315360000"),
            (AfterNow(0), None, now, "max-age=0"),
            (AfterNow(3600), None, "Mon, 05 Jan 2026 04:04:05 GMT", "max-age=3600"),
            (AfterNow(-1), None, "Mon, 05 Jan 2026 03:04:04 GMT", "no-cache"),
            (AfterModified(3600), Some(NOW - 600), "Mon, 05 Jan 2026 03:54:05 GMT", "max-age=3000"),
            (AfterModified(600), Some(NOW - 3600), "Mon, 05 Jan 2026 02:14:05 GMT", "no-cache"),
            (AfterModified(-60), Some(NOW + 3600), "Mon, 05 Jan 2026 04:03:05 GMT", "no-cache"),
            (AfterModified(600), None, "Mon, 05 Jan 2026 03:14:05 GMT", "max-age=600"),
            (AfterModified(0), Some(NOW - 3600), now, "max-age=0"),
            (Daily(0), None, "Tue, 06 Jan 2026 00:00:00 GMT", "max-age=75355"),
            (Daily(4 * 3600), None, "Mon, 05 Jan 2026 04:00:00 GMT", "max-age=3355"),
            (Daily(3 * 3600 + 245), None, "Tue, 06 Jan 2026 03:04:05 GMT", "max-age=86400"),
        ] {
            let fields = fields(at, NOW, modified, 0);
            assert_eq!(
                (fields.expires.as_str(), fields.cache_control.as_str()),
                (expires, cache_control),
                "{at:?}"
            );
        }
        assert_eq!(fields(Daily(4 * 3600), NOW, None, 3600).expires, "Tue, 06 Jan 2026 03:00:00 GMT");
        assert_eq!(fields(Daily(5 * 3600), NOW, None, 3600).expires, "Mon, 05 Jan 2026 04:00:00 GMT");
    }
}
