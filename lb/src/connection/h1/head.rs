//! Finds the end of a request header as its bytes arrive, and stops one that exceeds the limits. Pure.
//!
//! Each byte is looked at once, however finely the header is cut. A line may end in LF alone, as for NGINX and
//! for Pingora's parser; Pingora writes CRLF to the server in any case.

use super::hygiene::{Reason, judge_beginning};
use crate::config::model::HeaderLimits;

/// A configuration cannot ask for more: Pingora refuses a header of 1,048,575 bytes, counting the body bytes that
/// came with it, so that some room is left for those.
const HARD_LIMIT_BYTES: usize = 896 * 1024;

/// The state of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// More bytes are needed.
    Partial,
    /// The header is whole: its length, the empty line included.
    Complete(usize),
    /// It can never become a valid header.
    Refused(Reason),
}

/// The state between two looks at a growing buffer.
#[derive(Debug, Default)]
pub(super) struct HeadScanner {
    scanned: usize,
    line_start: usize,
    request_line_done: bool,
}

/// The number of line-end bytes at the start of `buffer`. Clients may send them before a request, and old clients do
/// after a body.
pub(super) fn leading_line_ends(buffer: &[u8]) -> usize {
    buffer.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(buffer.len())
}

impl HeadScanner {
    /// Scans `buffer`, which begins with the request line and has only grown since the last call.
    pub(super) fn advance(&mut self, buffer: &[u8], limits: &HeaderLimits) -> Progress {
        let total_bytes = limits.total_bytes.min(HARD_LIMIT_BYTES);
        let judge_line = !self.request_line_done;
        while let Some(end) = memchr::memchr(b'\n', &buffer[self.scanned..]).map(|end| self.scanned + end) {
            let line = &buffer[self.line_start..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.len() > limits.line_bytes {
                return Progress::Refused(self.line_too_long());
            }
            if line.is_empty() && self.request_line_done {
                return match end + 1 {
                    head_bytes if head_bytes > total_bytes => Progress::Refused(Reason::HeaderTooLarge),
                    head_bytes => Progress::Complete(head_bytes),
                };
            }
            self.request_line_done = true;
            self.scanned = end + 1;
            self.line_start = end + 1;
        }
        self.scanned = buffer.len();
        // One byte of grace: the last may be the carriage return before the line feed.
        if buffer.len() - self.line_start > limits.line_bytes + 1 {
            return Progress::Refused(self.line_too_long());
        }
        if buffer.len() > total_bytes {
            return Progress::Refused(Reason::HeaderTooLarge);
        }
        // Not again once the request line was found good: a header sent byte by byte would cost quadratic time.
        match judge_line.then(|| judge_beginning(buffer)).flatten() {
            Some(reason) => Progress::Refused(reason),
            None => Progress::Partial,
        }
    }

    fn line_too_long(&self) -> Reason {
        if self.request_line_done { Reason::FieldTooLong } else { Reason::RequestLineTooLong }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LIMITS: HeaderLimits = HeaderLimits { line_bytes: 40, total_bytes: 100 };

    /// The outcome when the bytes come in pieces of `size`.
    fn scan(bytes: &[u8], size: usize) -> Progress {
        let mut scanner = HeadScanner::default();
        for end in (size..bytes.len()).step_by(size).chain([bytes.len()]) {
            match scanner.advance(&bytes[..end], &LIMITS) {
                Progress::Partial => {}
                done => return done,
            }
        }
        Progress::Partial
    }

    #[test]
    fn the_end_and_the_limits_are_found_however_the_bytes_are_cut() {
        let field = |length: usize| format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "v".repeat(length - 3));
        let uri = |length: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "u".repeat(length - 14));
        let many = |lines: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "X: 67890\r\n".repeat(lines));
        for (bytes, expected) in [
            ("GET / HTTP/1.1\r\n\r\n".into(), Progress::Complete(18)),
            ("GET / HTTP/1.1\n\n".into(), Progress::Complete(16)),
            ("GET / HTTP/1.1\nA: b\r\n\nrest".into(), Progress::Complete(22)),
            ("GET / HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n".into(), Progress::Complete(18)),
            ("GET / HTTP/1.1\r\nA: b\r\n".into(), Progress::Partial),
            ("GET / HTTP/1.1\r\nA: b\r\n\r".into(), Progress::Partial),
            (field(40), Progress::Complete(60)),
            (field(41), Progress::Refused(Reason::FieldTooLong)),
            (uri(40), Progress::Complete(44)),
            (uri(41), Progress::Refused(Reason::RequestLineTooLong)),
            (many(8), Progress::Complete(98)),
            (many(9), Progress::Refused(Reason::HeaderTooLarge)),
            ("G".repeat(42), Progress::Refused(Reason::RequestLineTooLong)),
            (format!("GET / HTTP/1.1\r\n{}", "X".repeat(42)), Progress::Refused(Reason::FieldTooLong)),
            ("\u{16}\u{3}\u{1}".into(), Progress::Refused(Reason::InvalidMethod)),
            ("get / HTTP/1.1\r\nHost".into(), Progress::Refused(Reason::InvalidMethod)),
            ("GET /\r\n".into(), Progress::Refused(Reason::InvalidRequestLine)),
            ("GET / HTTP/2.0\r\nHost".into(), Progress::Refused(Reason::InvalidVersion)),
        ] {
            for size in [1, 2, 3, 7, 1000] {
                assert_eq!(scan(bytes.as_bytes(), size), expected, "{bytes:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn no_configuration_lifts_the_limit_of_what_pingora_parses() {
        let limits = HeaderLimits { line_bytes: usize::MAX / 2, total_bytes: usize::MAX / 2 };
        let mut head = b"GET / HTTP/1.1\r\nX: ".to_vec();
        head.resize(HARD_LIMIT_BYTES + 1, b'v');
        let mut scanner = HeadScanner::default();
        assert_eq!(scanner.advance(&head, &limits), Progress::Refused(Reason::HeaderTooLarge));
    }

    #[test]
    fn line_ends_before_a_request_are_counted() {
        assert_eq!(leading_line_ends(b"\r\n\n\rGET"), 4);
        assert_eq!(leading_line_ends(b"GET"), 0);
        assert_eq!(leading_line_ends(b"\r\n"), 2);
    }
}
