//! Finds where a chunked request body ends, so that the request which a client sends right behind it (pipelining) is
//! not taken for part of it. Pure: bytes in, [`Scan`] out; each byte is looked at once, chunk data not at all.
//!
//! It judges nothing and changes nothing: Pingora reads the same bytes and decides what becomes of them. So it must
//! never find an end that Pingora does not see, and takes only the plain grammar (RFC 9112, 7.1) for sure. At
//! anything else it gives up, and the connection ends with the answer, as if nobody had looked.

/// What a look at some bytes of the body found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// All of them belong to the body, and it goes on.
    Inside,
    /// The body ended after so many of them.
    Ended(usize),
    /// This is not the grammar that is known here.
    Lost,
}

/// How far a body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ChunkScanner {
    place: Place,
    /// Of the size line: the size so far. Of chunk data: bytes to come.
    bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Before a chunk's first digit.
    #[default]
    SizeStart,
    Size,
    Extension,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    /// At the beginning of a trailer's line, or of the empty line that ends it all.
    LineStart,
    Trailer,
    TrailerLineFeed,
    LastLineFeed,
}

impl ChunkScanner {
    /// Looks at the next bytes.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Scan {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.place == Place::Data {
                let taken = usize::try_from(self.bytes).unwrap_or(usize::MAX).min(bytes.len() - at);
                self.bytes -= taken as u64;
                at += taken;
                if self.bytes == 0 {
                    self.place = Place::DataReturn;
                }
                continue;
            }
            at += 1;
            let Some(next) = self.after(*byte) else { return Scan::Lost };
            if self.place == Place::LastLineFeed {
                return Scan::Ended(at);
            }
            self.place = next;
        }
        Scan::Inside
    }

    /// The place behind a byte of framing; `None` where it may not stand.
    fn after(&mut self, byte: u8) -> Option<Place> {
        Some(match (self.place, byte) {
            (Place::SizeStart | Place::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16)?;
                self.bytes = self.bytes.checked_mul(16)? | u64::from(digit);
                Place::Size
            }
            (Place::Size | Place::Extension, b'\r') => Place::SizeLineFeed,
            (Place::Size, b';') => Place::Extension,
            // A bare line feed in an extension ends the line for some readers and not for others.
            (Place::Extension, b'\n') => return None,
            (Place::Extension, _) => Place::Extension,
            (Place::SizeLineFeed, b'\n') if self.bytes == 0 => Place::LineStart,
            (Place::SizeLineFeed, b'\n') => Place::Data,
            (Place::DataReturn, b'\r') => Place::DataLineFeed,
            (Place::DataLineFeed, b'\n') => Place::SizeStart,
            (Place::LineStart, b'\r') => Place::LastLineFeed,
            (Place::Trailer, b'\r') => Place::TrailerLineFeed,
            (Place::LineStart | Place::Trailer, b'\n') => return None,
            (Place::LineStart | Place::Trailer, _) => Place::Trailer,
            (Place::TrailerLineFeed, b'\n') => Place::LineStart,
            // Where the body ends; the caller looks at the place that it leaves.
            (Place::LastLineFeed, b'\n') => Place::LastLineFeed,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outcome when the bytes come in pieces of `size`; an end counts from the first byte.
    fn scan(bytes: &[u8], size: usize) -> Scan {
        let mut scanner = ChunkScanner::default();
        for (index, piece) in bytes.chunks(size).enumerate() {
            match scanner.advance(piece) {
                Scan::Inside => {}
                Scan::Ended(at) => return Scan::Ended(index * size + at),
                Scan::Lost => return Scan::Lost,
            }
        }
        Scan::Inside
    }

    #[test]
    fn the_end_is_found_however_the_bytes_are_cut() {
        for (body, rest) in [
            ("0\r\n\r\n", ""),
            ("0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"),
            ("5\r\nhello\r\n0\r\n\r\n", "0\r\n\r\n"),
            ("A;name=\"v\"\r\n0123456789\r\n1\r\n\n\r\n000\r\n\r\n", "next"),
            ("2\r\n\r\n\r\n0\r\nDigest: x\r\nOther: y\r\n\r\n", "\r\nPOST"),
        ] {
            let bytes = [body, rest].concat();
            for size in 1..=bytes.len() {
                assert_eq!(scan(bytes.as_bytes(), size), Scan::Ended(body.len()), "{bytes:?} by {size}");
            }
            for end in 0..body.len() {
                assert_eq!(scan(&body.as_bytes()[..end], 3), Scan::Inside, "{:?}", &body[..end]);
            }
        }
    }

    #[test]
    fn whatever_could_be_read_in_two_ways_is_given_up() {
        for body in [
            "\r\n\r\n",
            "5\nhello\r\n",
            "5 \r\nhello\r\n",
            "x\r\n",
            "-1\r\n",
            ";x\r\n",
            "5;a\nb\r\nhello",
            "5\rhello",
            "2\r\nabc",
            "2\r\nab\n",
            "0\r\n\n",
            "0\r\nA: b\n\r\n",
            "0\r\n\rX",
            "0\r\nA: b\rC: d\r\n\r\n",
            "10000000000000000\r\n",
        ] {
            for size in 1..=body.len() {
                assert_eq!(scan(body.as_bytes(), size), Scan::Lost, "{body:?} by {size}");
            }
        }
    }

    #[test]
    fn a_chunk_of_the_largest_size_is_no_error_yet() {
        assert_eq!(scan(b"ffffffffffffffff\r\nabc", 4), Scan::Inside);
    }
}
