//! `Range`: which bytes a request asks for, and how an answer with several parts is framed. As nginx reads it.

use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

/// The parts of an answer, in the order in which they were asked for.
pub type Spans = SmallVec<[Range<u64>; 1]>;

/// What a `Range` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All of it: no range, more than are allowed, or together more than all of it.
    Everything,
    /// These parts; never none.
    Parts(Spans),
    /// Nothing that is there, or nothing that can be read: 416.
    Nothing,
}

/// Reads the value of a `Range` field for an answer of `length` bytes, with at most `max_ranges` ranges.
pub fn wanted(field: &[u8], length: u64, max_ranges: Option<u64>) -> Wanted {
    let Some((unit, mut rest)) = field.split_at_checked(6) else { return Wanted::Everything };
    if rest.is_empty() || !unit.eq_ignore_ascii_case(b"bytes=") {
        return Wanted::Everything;
    }
    let mut left = max_ranges.unwrap_or(u64::MAX);
    let (mut spans, mut total) = (Spans::new(), 0_u64);
    loop {
        let Some((span, after)) = one(rest, length) else { return Wanted::Nothing };
        if span.start < span.end {
            let Some(more) = total.checked_add(span.end - span.start) else { return Wanted::Nothing };
            total = more;
            if left == 0 {
                return Wanted::Everything;
            }
            left -= 1;
            spans.push(span);
        } else if span.start == 0 {
            return Wanted::Everything;
        }
        match after.strip_prefix(b",") {
            Some(next) => rest = next,
            None => break,
        }
    }
    if spans.is_empty() {
        Wanted::Nothing
    } else if total > length {
        Wanted::Everything
    } else {
        Wanted::Parts(spans)
    }
}

/// The range at the beginning of `text`, and what follows it; `None` where there is none.
fn one(text: &[u8], length: u64) -> Option<(Range<u64>, &[u8])> {
    let text = text.trim_ascii_start();
    let (start, text) = if text.first() == Some(&b'-') {
        (None, &text[1..])
    } else {
        let (start, text) = number(text)?;
        let text = text.trim_ascii_start().strip_prefix(b"-")?.trim_ascii_start();
        if text.is_empty() || text.starts_with(b",") {
            return Some((start..length, text));
        }
        (Some(start), text)
    };
    let (end, text) = number(text)?;
    let text = text.trim_ascii_start();
    if !(text.is_empty() || text.starts_with(b",")) {
        return None;
    }
    let span = match start {
        Some(start) => start..end.saturating_add(1).min(length),
        None => suffix(end, length),
    };
    Some((span, text))
}

/// The last `bytes` bytes. The end is inclusive in nginx, which makes one of no bytes begin behind the end.
fn suffix(bytes: u64, length: u64) -> Range<u64> {
    length.saturating_sub(bytes)..length
}

/// A number at the beginning of `text`; one that is too large is none.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    let number = std::str::from_utf8(number).ok()?.parse::<u64>().ok()?;
    i64::try_from(number).ok()?;
    Some((number, rest))
}

/// `Content-Range` of one part.
pub fn content_range(span: &Range<u64>, length: u64) -> String {
    format!("bytes {}-{}/{length}", span.start, span.end - 1)
}

/// Whether a `Range` has a part that begins behind `most`, or one that nobody can tell the beginning of: the last bytes. Source:
/// `ngx_http_upstream_cache_check_range`.
pub fn begins_behind(field: &[u8], most: u64) -> bool {
    let Some((unit, rest)) = field.split_at_checked(6) else { return false };
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return false;
    }
    let rest = rest.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return rest.first() == Some(&b'-');
    }
    let start = std::str::from_utf8(&rest[..digits]).ok().and_then(|start| start.parse::<u64>().ok());
    start.is_none_or(|start| start >= most)
}

/// `Content-Range` of a 416.
pub fn unsatisfied(length: u64) -> String {
    format!("bytes */{length}")
}

/// `Content-Type` of an answer with several parts.
pub fn multipart_type(boundary: u64) -> String {
    format!("multipart/byteranges; boundary={boundary:020}")
}

/// What stands before a part.
pub fn part_head(boundary: u64, content_type: Option<&[u8]>, span: &Range<u64>, length: u64) -> Bytes {
    let mut head = format!("\r\n--{boundary:020}\r\n").into_bytes();
    if let Some(content_type) = content_type {
        head.extend_from_slice(b"Content-Type: ");
        head.extend_from_slice(content_type);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(format!("Content-Range: {}\r\n\r\n", content_range(span, length)).as_bytes());
    Bytes::from(head)
}

/// What stands behind the last part.
pub fn multipart_end(boundary: u64) -> Bytes {
    Bytes::from(format!("\r\n--{boundary:020}--\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(field: &str, length: u64, max: Option<u64>) -> String {
        match wanted(field.as_bytes(), length, max) {
            Wanted::Everything => "all".to_owned(),
            Wanted::Nothing => "none".to_owned(),
            Wanted::Parts(spans) => {
                let spans: Vec<String> = spans.iter().map(|span| content_range(span, length)).collect();
                spans.join(", ").replace("bytes ", "")
            }
        }
    }

    #[test]
    fn ranges_are_read_as_nginx_reads_them() {
        for (field, expected) in [
            ("bytes=0-0", "0-0/10"),
            ("Bytes=1-3", "1-3/10"),
            ("bytes=3-", "3-9/10"),
            ("bytes=-3", "7-9/10"),
            ("bytes=-30", "0-9/10"),
            ("bytes=0-99", "0-9/10"),
            ("bytes= 1 - 3 , 5 - ", "1-3/10, 5-9/10"),
            ("bytes=0-1,3-4", "0-1/10, 3-4/10"),
            ("bytes=3-4,0-1", "3-4/10, 0-1/10"),
            // One that is behind the end is passed over.
            ("bytes=0-1,20-30", "0-1/10"),
            ("bytes=20-30,0-1", "0-1/10"),
            // Together more than there is.
            ("bytes=0-,0-", "all"),
            ("bytes=0-5,4-9,0-0", "all"),
            ("bytes=0-4,5-9", "0-4/10, 5-9/10"),
            ("bytes=10-", "none"),
            ("bytes=20-30", "none"),
            ("bytes=-0", "none"),
            ("bytes=3-1", "none"),
            ("bytes=0-1,x", "none"),
            ("bytes=a-b", "none"),
            ("bytes=1", "none"),
            ("bytes=--1", "none"),
            ("bytes=1-2x", "none"),
            ("bytes=,", "none"),
            ("bytes=99999999999999999999-", "none"),
            ("bytes=0-99999999999999999999", "none"),
            ("bytes=", "all"),
            ("bits=0-1", "all"),
            ("byte", "all"),
        ] {
            assert_eq!(shown(field, 10, None), expected, "{field}");
        }
    }

    #[test]
    fn more_ranges_than_are_allowed_ask_for_everything() {
        assert_eq!(shown("bytes=0-1,3-4", 10, Some(1)), "all");
        assert_eq!(shown("bytes=0-1,3-4", 10, Some(2)), "0-1/10, 3-4/10");
        assert_eq!(shown("bytes=0-1,30-40", 10, Some(1)), "0-1/10");
    }

    #[test]
    fn an_empty_answer_has_no_ranges() {
        for (field, expected) in
            [("bytes=0-", "all"), ("bytes=-5", "all"), ("bytes=1-", "none"), ("bytes=0-0", "all")]
        {
            assert_eq!(shown(field, 0, None), expected, "{field}");
        }
    }

    #[test]
    fn parts_are_framed_with_a_boundary_of_twenty_digits() {
        assert_eq!(multipart_type(7), "multipart/byteranges; boundary=00000000000000000007");
        assert_eq!(
            part_head(7, Some(b"text/plain"), &(1..3), 5),
            "\r\n--00000000000000000007\r\nContent-Type: text/plain\r\nContent-Range: bytes 1-2/5\r\n\r\n"
        );
        assert_eq!(
            part_head(7, None, &(1..3), 5),
            "\r\n--00000000000000000007\r\nContent-Range: bytes 1-2/5\r\n\r\n"
        );
        assert_eq!(multipart_end(7), "\r\n--00000000000000000007--\r\n");
        assert_eq!(unsatisfied(5), "bytes */5");
    }
}
