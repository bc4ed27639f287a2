//! What holds for any bytes where a request of HTTP/1 is expected, and for any body in chunks.

use super::chunks::{ChunkScanner, Scan};
use super::head::{HeadScanner, Progress, leading_line_ends};
use super::hygiene::{MAX_FIELDS, Verdict, judge, judge_beginning};
use crate::config::model::HeaderLimits;

const LIMITS: HeaderLimits = HeaderLimits { line_bytes: 256, total_bytes: 1024 };

/// The same is said however the bytes arrive, and what is admitted is admitted again as Pingora gets it.
pub(crate) fn check(bytes: &[u8]) {
    chunks(bytes);
    let bytes = &bytes[leading_line_ends(bytes)..];
    let whole = HeadScanner::default().advance(bytes, &LIMITS);
    for size in [1, 3, 17] {
        let mut scanner = HeadScanner::default();
        let ends = (size..bytes.len()).step_by(size).chain([bytes.len()]);
        let said = ends.map(|end| scanner.advance(&bytes[..end], &LIMITS));
        let said = said.into_iter().find(|said| *said != Progress::Partial).unwrap_or(Progress::Partial);
        match (whole, said) {
            // Which of two limits or mistakes is met first depends on where the bytes are cut.
            (Progress::Refused(_), Progress::Refused(_)) => {}
            // A request line that comes alone is judged before the rest is there.
            (Progress::Complete(length), Progress::Refused(_)) => {
                assert!(
                    matches!(judge(&bytes[..length], MAX_FIELDS), Verdict::Refuse(_)),
                    "in pieces of {size}"
                );
            }
            _ => assert_eq!(said, whole, "in pieces of {size}"),
        }
    }
    let Progress::Complete(length) = whole else { return };
    assert!(length <= bytes.len() && length <= LIMITS.total_bytes);
    head(&bytes[..length]);
}

fn head(head: &[u8]) {
    let Verdict::Admit(shape, rewrite) = judge(head, MAX_FIELDS) else { return };
    for end in 0..head.len().min(100) {
        assert_eq!(judge_beginning(&head[..end]), None, "its first {end} bytes are refused");
    }
    assert!(shape.method_bytes < shape.target.0 && shape.target.0 <= shape.path_start);
    assert!(shape.path_start <= shape.target.1 && shape.target.1 < head.len());
    let Some(rewrite) = rewrite else { return };
    let rewritten = rewrite.apply(head);
    match judge(&rewritten, MAX_FIELDS) {
        Verdict::Admit(again, rewrite) => {
            assert_eq!(rewrite, None, "{:?} is to be rewritten again", rewritten.escape_ascii().to_string());
            assert_eq!(
                (again.framing, again.keep_alive, again.upgrade, again.expects_continue),
                (shape.framing, shape.keep_alive, shape.upgrade, shape.expects_continue)
            );
            assert_eq!(rewritten[again.target.0], b'/');
        }
        Verdict::Refuse(reason) => panic!("{} is refused: {reason:?}", rewritten.escape_ascii()),
    }
}

fn chunks(bytes: &[u8]) {
    let whole = ChunkScanner::default().advance(bytes);
    for size in [1, 2, 5, 64] {
        let mut scanner = ChunkScanner::default();
        let mut before = 0;
        let mut said = Scan::Inside;
        for piece in bytes.chunks(size) {
            said = scanner.advance(piece);
            match said {
                Scan::Inside => before += piece.len(),
                Scan::Ended(length) => {
                    said = Scan::Ended(before + length);
                    break;
                }
                Scan::Invalid => break,
            }
        }
        assert_eq!(said, whole, "in pieces of {size}");
    }
    if whole != Scan::Invalid {
        sizes(bytes);
    }
    if let Scan::Ended(length) = whole {
        assert!(length >= 5 && bytes[..length].ends_with(b"\r\n\r\n"), "{length} bytes");
        assert_eq!(ChunkScanner::default().advance(&bytes[..length - 1]), Scan::Inside);
    }
}

/// The sizes of a body that is not refused, by a reader that cannot overflow: none is beyond what NGINX counts to.
fn sizes(mut bytes: &[u8]) {
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let digits = bytes[..end].iter().map_while(|byte| char::from(*byte).to_digit(16));
        let size = digits.fold(0_u128, |size, digit| size.saturating_mul(16).saturating_add(digit.into()));
        assert!(size <= i64::MAX as u128, "a chunk of {size} bytes is taken");
        // The line end, the data, and the line end behind it.
        let next = usize::try_from(size).ok().and_then(|size| size.checked_add(end + 4));
        let Some(rest) = next.and_then(|next| bytes.get(next..)) else { return };
        if size == 0 {
            return;
        }
        bytes = rest;
    }
}
