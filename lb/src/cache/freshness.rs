//! Whether a server's answer is kept, and until when it is fresh.
//!
//! Source of the rules: `ngx_http_upstream_process_accel_expires`, `_cache_control`, `_expires`, `_set_cookie`, `_vary` and
//! `ngx_http_upstream_send_response`. nginx goes through the fields in the order in which they came; what it decides does not
//! depend on that order, so here each has its place: `X-Accel-Expires` before `Cache-Control` before `Expires`, and
//! `proxy_cache_valid` where none of them says anything.

use http::HeaderMap;
use http::header::{CACHE_CONTROL, EXPIRES, HeaderName, HeaderValue, SET_COOKIE};

use super::vary;
use crate::config::model::{CacheValid, IgnoredHeaders};
use crate::content::file::http_time;

const ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");

/// Until when an answer is fresh, and how long after that it may be given all the same. Seconds; the first since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// The last second in which it is fresh.
    pub fresh_until: i64,
    /// `stale-while-revalidate`
    pub updating: i64,
    /// `stale-if-error`
    pub error: i64,
}

impl Times {
    /// Whether it is fresh.
    pub fn is_fresh(self, now: i64) -> bool {
        self.fresh_until >= now
    }

    /// Whether its server allows it to be given while it is renewed.
    pub fn allows_updating(self, now: i64) -> bool {
        self.fresh_until.saturating_add(self.updating) >= now
    }

    /// Whether its server allows it to be given where no server answers.
    pub fn allows_error(self, now: i64) -> bool {
        self.fresh_until.saturating_add(self.error) >= now
    }
}

/// What decides, beside the answer.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// `proxy_cache_valid`
    pub valid: &'a [CacheValid],
    /// `proxy_ignore_headers`
    pub ignored: IgnoredHeaders,
    /// Seconds since 1970.
    pub now: i64,
}

/// How long an answer is kept that has this status and these fields; `None` where it is not.
pub fn of_answer(status: u16, fields: &HeaderMap, rules: Rules<'_>) -> Option<Times> {
    let said = Said::by(fields, rules);
    let has_cookie = fields.contains_key(SET_COOKIE) && !rules.ignored.has(IgnoredHeaders::SET_COOKIE);
    let varies_wildly = !rules.ignored.has(IgnoredHeaders::VARY) && vary::is_too_wild(fields);
    if said.forbids || said.no_cache || said.expired || has_cookie || varies_wildly {
        return None;
    }
    said.or_by_status(status, rules)
}

/// How long an answer is kept that a server has confirmed by a 304 with the fields `confirming`; `None` where its times stay
/// as they are, so that the next request asks again. `stored` are the status and the fields of the answer itself.
pub fn of_confirmed(confirming: &HeaderMap, stored: (u16, &HeaderMap), rules: Rules<'_>) -> Option<Times> {
    let mut said = Said::by(confirming, rules);
    if said.times.fresh_until == 0 {
        said = Said::by(stored.1, rules);
    }
    said.or_by_status(stored.0, rules)
}

/// What the fields of an answer say.
#[derive(Debug, Default)]
struct Said {
    /// `fresh_until` is 0 where nothing is said.
    times: Times,
    /// It cannot be kept, whatever else is said.
    forbids: bool,
    /// `Cache-Control` does not let it be kept.
    no_cache: bool,
    /// `Expires` lies in the past.
    expired: bool,
}

impl Said {
    fn by(fields: &HeaderMap, rules: Rules<'_>) -> Self {
        let mut said = Self::default();
        let heeds = |field| !rules.ignored.has(field);
        let accel = fields.get(ACCEL_EXPIRES).filter(|_| heeds(IgnoredHeaders::X_ACCEL_EXPIRES));
        if let Some(value) = accel {
            said.accel_expires(value.as_bytes(), rules.now);
        }
        let by_accel = said.times.fresh_until != 0;
        if heeds(IgnoredHeaders::CACHE_CONTROL) {
            for value in fields.get_all(CACHE_CONTROL) {
                said.cache_control(value.as_bytes(), by_accel, rules.now);
            }
        }
        if said.times.fresh_until == 0
            && heeds(IgnoredHeaders::EXPIRES)
            && let Some(value) = fields.get(EXPIRES)
        {
            said.expires(value, rules.now);
        }
        said
    }

    /// Seconds from now, or `@` and seconds since 1970. What is neither says nothing.
    fn accel_expires(&mut self, value: &[u8], now: i64) {
        if let Some(at) = value.strip_prefix(b"@") {
            self.times.fresh_until = number(at).unwrap_or(0);
            return;
        }
        match number(value) {
            Some(0) => self.forbids = true,
            Some(seconds) => self.times.fresh_until = now.saturating_add(seconds),
            None => {}
        }
    }

    fn cache_control(&mut self, value: &[u8], by_accel: bool, now: i64) {
        let value = value.to_ascii_lowercase();
        if !by_accel {
            if ["no-cache", "no-store", "private"].iter().any(|word| find(&value, word).is_some()) {
                self.no_cache = true;
                return;
            }
            match seconds_of(&value, "s-maxage=").or_else(|| seconds_of(&value, "max-age=")) {
                Some(Err(())) => {
                    self.forbids = true;
                    return;
                }
                Some(Ok(0)) => {
                    self.no_cache = true;
                    return;
                }
                Some(Ok(seconds)) => self.times.fresh_until = now.saturating_add(seconds),
                None => {}
            }
        }
        match seconds_of(&value, "stale-while-revalidate=") {
            Some(Ok(seconds)) => (self.times.updating, self.times.error) = (seconds, seconds),
            Some(Err(())) => {
                self.forbids = true;
                return;
            }
            None => {}
        }
        match seconds_of(&value, "stale-if-error=") {
            Some(Ok(seconds)) => self.times.error = seconds,
            Some(Err(())) => self.forbids = true,
            None => {}
        }
    }

    fn expires(&mut self, value: &HeaderValue, now: i64) {
        match http_time::read(value.as_bytes()).filter(|at| *at >= now) {
            Some(at) => self.times.fresh_until = at,
            None => self.expired = true,
        }
    }

    /// What was said, or else what `proxy_cache_valid` says of the status.
    fn or_by_status(self, status: u16, rules: Rules<'_>) -> Option<Times> {
        if self.times.fresh_until != 0 {
            return Some(self.times);
        }
        let applies = |valid: &&CacheValid| valid.status.is_none_or(|listed| listed == status);
        let seconds = rules.valid.iter().find(applies)?.time.as_secs();
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        (seconds > 0).then(|| Times { fresh_until: rules.now.saturating_add(seconds), ..self.times })
    }
}

/// The number behind `name`, where that stands in `value`; an error where something else stands there. As in nginx, `name` is
/// found in the middle of a word too.
fn seconds_of(value: &[u8], name: &str) -> Option<Result<i64, ()>> {
    let rest = &value[find(value, name)? + name.len()..];
    let end = rest.iter().position(|byte| matches!(byte, b',' | b';' | b' ')).unwrap_or(rest.len());
    let mut seconds = 0i64;
    for byte in &rest[..end] {
        if !byte.is_ascii_digit() {
            return Some(Err(()));
        }
        seconds = seconds.saturating_mul(10).saturating_add(i64::from(byte - b'0'));
    }
    Some(Ok(seconds))
}

fn find(value: &[u8], name: &str) -> Option<usize> {
    memchr::memmem::find(value, name.as_bytes())
}

fn number(text: &[u8]) -> Option<i64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: i64 = 1_000_000_000;

    fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn rules(valid: &[CacheValid]) -> Rules<'_> {
        Rules { valid, ignored: IgnoredHeaders::NONE, now: NOW }
    }

    fn minute(status: Option<u16>) -> CacheValid {
        CacheValid { status, time: Duration::from_secs(60) }
    }

    /// Seconds from now; `None` where it is not kept.
    fn kept(status: u16, lines: &[(&'static str, &str)], valid: &[CacheValid]) -> Option<i64> {
        of_answer(status, &fields(lines), rules(valid)).map(|times| times.fresh_until - NOW)
    }

    #[test]
    fn the_fields_decide_in_their_order() {
        let cc = |value| ("cache-control", value);
        let (past, future) = ("Sun, 09 Sep 2001 01:46:39 GMT", "Sun, 09 Sep 2001 01:46:50 GMT");
        for (lines, expected) in [
            (vec![], None),
            (vec![cc("max-age=5")], Some(5)),
            (vec![cc("MAX-AGE=5, s-maxage=7")], Some(7)),
            (vec![cc("public, max-age=5; x")], Some(5)),
            (vec![cc("max-age=0")], None),
            (vec![cc("max-age=x")], None),
            (vec![cc("max-age=5, no-cache")], None),
            (vec![cc("no-store")], None),
            (vec![cc("Private")], None),
            (vec![cc("max-age=5"), cc("no-cache")], None),
            (vec![("expires", future)], Some(10)),
            (vec![("expires", past)], None),
            (vec![("expires", "never")], None),
            (vec![("expires", past), cc("max-age=5")], Some(5)),
            (vec![("expires", future), cc("no-cache")], None),
            (vec![("x-accel-expires", "3"), cc("no-cache"), ("expires", past)], Some(3)),
            (vec![("x-accel-expires", "0"), cc("max-age=5")], None),
            (vec![("x-accel-expires", "x"), cc("max-age=5")], Some(5)),
            (vec![("x-accel-expires", "@1000000009")], Some(9)),
            (vec![("x-accel-expires", "@0"), cc("max-age=5")], Some(5)),
            (vec![cc("max-age=5"), ("set-cookie", "a=b")], None),
            (vec![cc("max-age=5"), ("vary", "*")], None),
            (vec![cc("max-age=5"), ("vary", "Accept")], Some(5)),
        ] {
            assert_eq!(kept(200, &lines, &[]), expected, "{lines:?}");
        }
    }

    #[test]
    fn the_status_decides_where_no_field_does() {
        let valid = [CacheValid { status: Some(404), time: Duration::ZERO }, minute(Some(200)), minute(None)];
        for (status, lines, expected) in [
            (200, vec![], Some(60)),
            (404, vec![], None),
            (500, vec![], Some(60)),
            (500, vec![("cache-control", "max-age=5")], Some(5)),
            (200, vec![("cache-control", "private")], None),
        ] {
            assert_eq!(kept(status, &lines, &valid), expected, "{status} {lines:?}");
        }
        assert_eq!(kept(500, &[], &valid[..2]), None);
    }

    #[test]
    fn what_is_ignored_decides_nothing() {
        let valid = [minute(None)];
        let lines = fields(&[("cache-control", "no-cache"), ("set-cookie", "a=b"), ("vary", "*")]);
        assert_eq!(of_answer(200, &lines, rules(&valid)), None);
        // The bits of all four, as `proxy_ignore_headers` sets them.
        for (ignored, expected) in [
            (vec![IgnoredHeaders::CACHE_CONTROL, IgnoredHeaders::SET_COOKIE], None),
            (
                vec![IgnoredHeaders::CACHE_CONTROL, IgnoredHeaders::SET_COOKIE, IgnoredHeaders::VARY],
                Some(NOW + 60),
            ),
        ] {
            let ignored = ignored.into_iter().fold(IgnoredHeaders::NONE, IgnoredHeaders::with);
            let times = of_answer(200, &lines, Rules { ignored, ..rules(&valid) });
            assert_eq!(times.map(|times| times.fresh_until), expected);
        }
    }

    #[test]
    fn a_server_may_allow_stale_answers() {
        for (value, updating, error) in [
            ("max-age=5, stale-while-revalidate=10", 10, 10),
            ("max-age=5, stale-if-error=20", 0, 20),
            ("max-age=5, stale-while-revalidate=10, stale-if-error=20", 10, 20),
        ] {
            let times = of_answer(200, &fields(&[("cache-control", value)]), rules(&[])).unwrap();
            assert_eq!((times.updating, times.error), (updating, error), "{value}");
            assert!(times.is_fresh(NOW + 5) && !times.is_fresh(NOW + 6), "{value}");
            assert_eq!(times.allows_updating(NOW + 6), updating > 0, "{value}");
            assert!(times.allows_error(NOW + 15) && !times.allows_error(NOW + 26), "{value}");
        }
        assert_eq!(kept(200, &[("cache-control", "max-age=5, stale-if-error=x")], &[]), None);
        // With X-Accel-Expires, only these of Cache-Control count.
        let lines = fields(&[("x-accel-expires", "5"), ("cache-control", "no-cache, stale-if-error=9")]);
        assert_eq!(of_answer(200, &lines, rules(&[])).map(|times| times.error), Some(9));
    }

    #[test]
    fn a_confirmed_answer_gets_new_times() {
        let (none, five) = (fields(&[]), fields(&[("cache-control", "max-age=5")]));
        let valid = [minute(Some(200))];
        let until = |confirming, stored, valid| {
            of_confirmed(confirming, (200, stored), rules(valid)).map(|times| times.fresh_until - NOW)
        };
        assert_eq!(until(&five, &none, &[]), Some(5));
        assert_eq!(until(&none, &five, &[]), Some(5));
        assert_eq!(until(&none, &none, &valid), Some(60));
        assert_eq!(until(&none, &none, &[]), None);
    }
}
