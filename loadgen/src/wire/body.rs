//! Where the body of an answer ends (RFC 9112, sections 6 and 7). Runs once per read.
//!
//! The bytes themselves are dropped: only their end is of interest, so nothing is copied or kept, and a
//! chunked body is walked by a state machine that can stop and go on between any two bytes.

use super::Malformed;

/// How far the body of the current answer has been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// So many bytes are still to come; zero from the start when the answer has no body.
    Length {
        /// Bytes still to come.
        remaining: u64,
    },
    /// Chunks.
    Chunked(Chunked),
    /// Everything until the peer closes.
    UntilClose,
}

/// What the next byte of a chunked body belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunked {
    /// The hexadecimal size; `digits` counts those seen.
    Size {
        /// The size read so far.
        value: u64,
        /// How many digits it had so far.
        digits: u8,
    },
    /// Blanks behind the size, which some servers leave where they wrote a shorter one.
    SizeBlank {
        /// The size that stood before it.
        size: u64,
    },
    /// A chunk extension, up to the end of its line.
    Extension {
        /// The size that stood before it.
        size: u64,
    },
    /// The line feed that ends the size line.
    SizeLineFeed {
        /// The size that stood before it.
        size: u64,
    },
    /// The data of a chunk.
    Data {
        /// Bytes still to come.
        remaining: u64,
    },
    /// The carriage return after the data.
    DataCarriageReturn,
    /// The line feed after the data.
    DataLineFeed,
    /// The first byte of a trailer line or of the empty line that ends everything.
    TrailerStart,
    /// The name of a trailer field, after its first letter.
    TrailerName,
    /// The value of a trailer field.
    TrailerValue,
    /// The line feed of a trailer line.
    TrailerLineFeed,
    /// The last line feed.
    LastLineFeed,
    /// Past the end.
    Done,
}

/// Sixteen hexadecimal digits fill a `u64`.
const SIZE_DIGITS_LIMIT: u8 = 16;

impl Body {
    /// No body at all.
    pub const EMPTY: Self = Self::Length { remaining: 0 };
    /// A chunked body before its first byte.
    pub const CHUNKED: Self = Self::Chunked(Chunked::Size { value: 0, digits: 0 });

    /// Whether nothing more belongs to it. A body that ends by close never says so by itself.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Length { remaining: 0 } | Self::Chunked(Chunked::Done))
    }

    /// Takes what belongs to the body from the front of `input`; answers how many bytes that was.
    ///
    /// # Errors
    /// When a chunked body breaks its grammar.
    pub fn consume(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        match self {
            Self::Length { remaining } => Ok(take(remaining, input.len())),
            Self::UntilClose => Ok(input.len()),
            Self::Chunked(state) => state.consume(input),
        }
    }
}

impl Chunked {
    fn consume(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < input.len() && *self != Self::Done {
            if let Self::Data { remaining } = self {
                at += take(remaining, input.len() - at);
                if *remaining == 0 {
                    *self = Self::DataCarriageReturn;
                }
                continue;
            }
            *self = self.after(input[at])?;
            at += 1;
        }
        Ok(at)
    }

    /// The state after one byte of framing.
    fn after(self, byte: u8) -> Result<Self, Malformed> {
        Ok(match (self, byte) {
            (Self::Size { digits: 1.., value }, b'\r') => Self::SizeLineFeed { size: value },
            (Self::Size { digits: 1.., value }, b';') => Self::Extension { size: value },
            (Self::Size { digits: 1.., value }, b' ' | b'\t') => Self::SizeBlank { size: value },
            (Self::Size { digits, value }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed::Chunk)?;
                if digits == SIZE_DIGITS_LIMIT {
                    return Err(Malformed::Chunk);
                }
                Self::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Self::SizeBlank { size }, b' ' | b'\t') => Self::SizeBlank { size },
            (Self::SizeBlank { size }, b';') => Self::Extension { size },
            (Self::SizeBlank { size } | Self::Extension { size }, b'\r') => Self::SizeLineFeed { size },
            (Self::Extension { size }, _) if is_text(byte) => Self::Extension { size },
            (Self::SizeLineFeed { size: 0 }, b'\n') => Self::TrailerStart,
            (Self::SizeLineFeed { size }, b'\n') => Self::Data { remaining: size },
            (Self::DataCarriageReturn, b'\r') => Self::DataLineFeed,
            (Self::DataLineFeed, b'\n') => Self::Size { value: 0, digits: 0 },
            (Self::TrailerStart, b'\r') => Self::LastLineFeed,
            (Self::TrailerStart | Self::TrailerName, _) if is_name(byte) => Self::TrailerName,
            (Self::TrailerName, b':') => Self::TrailerValue,
            (Self::TrailerValue, b'\r') => Self::TrailerLineFeed,
            (Self::TrailerValue, _) if is_text(byte) => Self::TrailerValue,
            (Self::TrailerLineFeed, b'\n') => Self::TrailerStart,
            (Self::LastLineFeed, b'\n') => Self::Done,
            (
                Self::SizeBlank { .. }
                | Self::Extension { .. }
                | Self::SizeLineFeed { .. }
                | Self::DataCarriageReturn
                | Self::DataLineFeed
                | Self::TrailerStart
                | Self::TrailerName
                | Self::TrailerValue
                | Self::TrailerLineFeed
                | Self::LastLineFeed,
                _,
            ) => return Err(Malformed::Chunk),
            // `consume` never asks in these two states.
            (Self::Data { .. } | Self::Done, _) => self,
        })
    }
}

/// Whether a byte may stand in the name of a field (RFC 9110, 5.6.2).
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a byte may stand in a value (RFC 9110, 5.5): no control character but the tab.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Lowers `remaining` by as much as `available` allows; answers by how much.
fn take(remaining: &mut u64, available: usize) -> usize {
    let taken = usize::try_from(*remaining).unwrap_or(usize::MAX).min(available);
    *remaining -= taken as u64;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunked_bodies_end_where_the_grammar_says() {
        let table: &[(&str, Result<usize, Malformed>)] = &[
            ("0\r\n\r\n", Ok(5)),
            ("0\r\n\r\nHTTP", Ok(5)),
            ("5\r\nhello\r\n0\r\n\r\n", Ok(15)),
            ("A\r\n0123456789\r\n00\r\n\r\n", Ok(21)),
            ("1;name=value\r\nx\r\n0;last\r\n\r\n", Ok(27)),
            ("1 \t\r\nx\r\n0\r\n\r\n", Ok(13)),
            ("1 ;a = \"b\"\r\nx\r\n0;\r\n\r\n", Ok(21)),
            ("0\r\nDigest: abc\r\nOther: d\r\n\r\n", Ok(28)),
            ("\r\n", Err(Malformed::Chunk)),
            (";x\r\n", Err(Malformed::Chunk)),
            ("g\r\n", Err(Malformed::Chunk)),
            ("-1\r\n", Err(Malformed::Chunk)),
            ("1\nx", Err(Malformed::Chunk)),
            ("1\r\nxy", Err(Malformed::Chunk)),
            ("1\r\nx\rz", Err(Malformed::Chunk)),
            ("1;a\nb", Err(Malformed::Chunk)),
            ("1 1\r\n", Err(Malformed::Chunk)),
            ("1;a\0b\r\n", Err(Malformed::Chunk)),
            ("1;a\rb", Err(Malformed::Chunk)),
            ("0\r\n\n", Err(Malformed::Chunk)),
            ("0\r\nno colon\r\n", Err(Malformed::Chunk)),
            ("0\r\nA\r\n", Err(Malformed::Chunk)),
            ("0\r\n: b\r\n", Err(Malformed::Chunk)),
            ("0\r\n A: b\r\n", Err(Malformed::Chunk)),
            ("0\r\nA: b\0\r\n", Err(Malformed::Chunk)),
            ("0\r\nA: b\n", Err(Malformed::Chunk)),
            ("0\r\n\rx", Err(Malformed::Chunk)),
            ("0\r\nA:\rx", Err(Malformed::Chunk)),
            ("11112222333344445\r\n", Err(Malformed::Chunk)),
        ];
        for (input, expected) in table {
            for split in 0..=input.len() {
                let (first, second) = input.as_bytes().split_at(split);
                let mut body = Body::CHUNKED;
                let outcome = body.consume(first).and_then(|taken| Ok(taken + body.consume(second)?));
                assert_eq!(outcome, *expected, "{input:?} split at {split}");
                assert_eq!(body.is_complete(), expected.is_ok(), "{input:?} split at {split}");
            }
        }
    }

    #[test]
    fn a_length_is_taken_and_not_more() {
        let mut body = Body::Length { remaining: 5 };
        assert_eq!(body.consume(b"abc"), Ok(3));
        assert!(!body.is_complete());
        assert_eq!(body.consume(b"defgh"), Ok(2));
        assert!(body.is_complete());
        assert_eq!(body.consume(b"x"), Ok(0));
    }

    #[test]
    fn a_body_until_close_takes_everything_and_never_ends_by_itself() {
        let mut body = Body::UntilClose;
        assert_eq!(body.consume(b"0\r\n\r\n"), Ok(5));
        assert!(!body.is_complete());
    }

    #[test]
    fn the_largest_size_does_not_overflow() {
        let mut body = Body::CHUNKED;
        assert_eq!(body.consume(b"ffffffffffffffff\r\nabc"), Ok(21));
        assert_eq!(body, Body::Chunked(Chunked::Data { remaining: u64::MAX - 3 }));
    }
}
