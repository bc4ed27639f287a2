//! Conditions of a request: `If-Match`, `If-None-Match`, `If-Modified-Since`, `If-Unmodified-Since`, `If-Range`, judged in
//! nginx's order.

use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};

use super::http_time;
use crate::config::model::IfModifiedSince;

/// What an answer tells of the state of what it shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Validators<'a> {
    /// `ETag`, with its quotes.
    pub etag: Option<&'a [u8]>,
    /// `Last-Modified`, in seconds after 1970.
    pub modified: Option<i64>,
}

/// What the conditions ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The answer.
    Serve,
    /// 304
    NotModified,
    /// 412
    PreconditionFailed,
}

/// nginx's `ETag` of a file: its time and its size.
pub fn etag_of(modified: i64, length: u64) -> String {
    format!("\"{modified:x}-{length:x}\"")
}

/// Judges the conditions of a request for an answer that would have status 200.
pub fn judge(fields: &HeaderMap, answer: Validators<'_>, compared: IfModifiedSince) -> Verdict {
    let field = |name: HeaderName| fields.get(name).map(http::HeaderValue::as_bytes);
    if let Some(time) = field(IF_UNMODIFIED_SINCE) {
        let unmodified = answer
            .modified
            .is_some_and(|modified| http_time::read(time).is_some_and(|time| time >= modified));
        if !unmodified {
            return Verdict::PreconditionFailed;
        }
    }
    if field(IF_MATCH).is_some_and(|tags| !matches(tags, answer.etag, false)) {
        return Verdict::PreconditionFailed;
    }
    let (time, tags) = (field(IF_MODIFIED_SINCE), field(IF_NONE_MATCH));
    let modified = time.is_some_and(|time| is_modified(time, answer.modified, compared));
    let changed = tags.is_some_and(|tags| !matches(tags, answer.etag, true));
    if (time.is_some() || tags.is_some()) && !modified && !changed {
        return Verdict::NotModified;
    }
    Verdict::Serve
}

/// Whether `If-Range` lets a range be answered: the validator that it has is the answer's, exactly.
pub fn if_range_holds(value: &[u8], answer: Validators<'_>) -> bool {
    if value.len() >= 2 && value.ends_with(b"\"") {
        return answer.etag == Some(value);
    }
    answer.modified.is_some() && http_time::read(value) == answer.modified
}

fn is_modified(since: &[u8], modified: Option<i64>, compared: IfModifiedSince) -> bool {
    let Some(modified) = modified else { return true };
    let since = http_time::read(since);
    match compared {
        IfModifiedSince::Off => true,
        IfModifiedSince::Exact => since != Some(modified),
        IfModifiedSince::Before => since.is_none_or(|since| since < modified),
    }
}

/// Whether a list of tags has `etag`, or is `*`. Weakly compared, `W/` makes no difference.
fn matches(list: &[u8], etag: Option<&[u8]>, weakly: bool) -> bool {
    if list == b"*" {
        return true;
    }
    let Some(etag) = etag else { return false };
    let etag = bare(etag, weakly);
    list.split(|byte| *byte == b',').any(|tag| bare(tag.trim_ascii(), weakly) == etag)
}

fn bare(tag: &[u8], weakly: bool) -> &[u8] {
    if weakly { tag.strip_prefix(b"W/").unwrap_or(tag) } else { tag }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{NotModified, PreconditionFailed, Serve};
    use super::*;

    const TAG: &str = "\"65-5\"";
    const AT: &str = "Thu, 01 Jan 1970 00:01:41 GMT";
    const BEFORE: &str = "Thu, 01 Jan 1970 00:01:40 GMT";
    const AFTER: &str = "Thu, 01 Jan 1970 00:01:42 GMT";

    fn verdict(request: &[(&str, &str)], compared: IfModifiedSince) -> Verdict {
        let mut fields = HeaderMap::new();
        for (name, value) in request {
            fields.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let answer = Validators { etag: Some(TAG.as_bytes()), modified: Some(101) };
        judge(&fields, answer, compared)
    }

    #[test]
    fn conditions_are_judged_in_nginxs_order() {
        assert_eq!(etag_of(101, 5), TAG);
        let weak = format!("W/{TAG}");
        let listed = format!("\"x\", {TAG}");
        for (request, expected) in [
            (&[][..], Serve),
            (&[("if-modified-since", AT)], NotModified),
            (&[("if-modified-since", AFTER)], Serve),
            (&[("if-modified-since", BEFORE)], Serve),
            (&[("if-modified-since", "yesterday")], Serve),
            (&[("if-none-match", TAG)], NotModified),
            (&[("if-none-match", &weak)], NotModified),
            (&[("if-none-match", &listed)], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", "\"x\"")], Serve),
            (&[("if-none-match", "\"x\""), ("if-modified-since", AT)], Serve),
            (&[("if-none-match", TAG), ("if-modified-since", AFTER)], Serve),
            (&[("if-none-match", TAG), ("if-modified-since", AT)], NotModified),
            (&[("if-match", TAG)], Serve),
            (&[("if-match", "*")], Serve),
            (&[("if-match", &weak)], PreconditionFailed),
            (&[("if-match", "\"x\"")], PreconditionFailed),
            (&[("if-unmodified-since", AT)], Serve),
            (&[("if-unmodified-since", AFTER)], Serve),
            (&[("if-unmodified-since", BEFORE)], PreconditionFailed),
            (&[("if-unmodified-since", "never")], PreconditionFailed),
            (&[("if-unmodified-since", AT), ("if-none-match", TAG)], NotModified),
        ] {
            assert_eq!(verdict(request, IfModifiedSince::Exact), expected, "{request:?}");
        }
    }

    #[test]
    fn times_are_compared_as_the_configuration_says() {
        for (compared, time, expected) in [
            (IfModifiedSince::Off, AT, Serve),
            (IfModifiedSince::Before, AT, NotModified),
            (IfModifiedSince::Before, AFTER, NotModified),
            (IfModifiedSince::Before, BEFORE, Serve),
            (IfModifiedSince::Before, "x", Serve),
        ] {
            assert_eq!(verdict(&[("if-modified-since", time)], compared), expected, "{compared:?} {time}");
        }
    }

    #[test]
    fn without_a_validator_only_a_star_matches() {
        let judged = |name: &'static str, value: &str| {
            let fields = HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())]);
            judge(&fields, Validators::default(), IfModifiedSince::Exact)
        };
        assert_eq!(judged("if-none-match", "*"), NotModified);
        assert_eq!(judged("if-none-match", TAG), Serve);
        assert_eq!(judged("if-match", TAG), PreconditionFailed);
        assert_eq!(judged("if-modified-since", AT), Serve);
        assert_eq!(judged("if-unmodified-since", AT), PreconditionFailed);
    }

    #[test]
    fn a_range_needs_the_very_validator() {
        let answer = Validators { etag: Some(TAG.as_bytes()), modified: Some(101) };
        for (value, holds) in
            [(TAG, true), ("\"x\"", false), ("W/\"65-5\"", false), (AT, true), (AFTER, false), ("", false)]
        {
            assert_eq!(if_range_holds(value.as_bytes(), answer), holds, "{value}");
        }
        assert!(!if_range_holds(AT.as_bytes(), Validators::default()));
        assert!(!if_range_holds(b"x", Validators::default()));
    }
}
