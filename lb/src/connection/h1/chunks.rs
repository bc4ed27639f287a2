//! Checks the framing of a chunked request body and finds the end of the body. Pure: bytes in, [`Scan`] out; each
//! byte is looked at once, chunk data not at all.
//!
//! Two readers depend on it. The loop reads the bytes after the body as the next request (pipelining). Pingora reads
//! the same bytes, but its parser takes a line without a size for the last chunk, and skips a bare line feed in an
//! extension: a proxy that is unsure where a body ends must not pass it on. Therefore only the grammar of RFC 9112,
//! section 7.1, is accepted, with blanks behind the size, which NGINX and Pingora ignore alike; anything else is
//! [`Invalid`](Scan::Invalid), and the request fails with 400, as with NGINX. Lines that end in LF alone are refused
//! although NGINX takes them: Pingora does not.

/// The result of scanning some bytes of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// All of them belong to the body, which goes on.
    Inside,
    /// The body ended after this many of them.
    Ended(usize),
    /// The bytes violate the grammar: the request must fail.
    Invalid,
}

/// NGINX counts in a signed 64-bit integer.
const MAX_CHUNK_BYTES: u64 = i64::MAX as u64;

/// The scanner's position in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ChunkScanner {
    place: Place,
    /// In a size line: the size so far. In chunk data: bytes to come.
    bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Before a chunk's first digit.
    #[default]
    SizeStart,
    Size,
    /// Behind the size, where only an extension or the line's end may follow.
    SizeBlank,
    Extension,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    /// At the beginning of a trailer line, or of the empty line that ends the body.
    LineStart,
    Trailer,
    TrailerLineFeed,
    LastLineFeed,
}

impl ChunkScanner {
    /// Scans the next bytes.
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
            let Some(next) = self.after(*byte) else { return Scan::Invalid };
            if self.place == Place::LastLineFeed {
                return Scan::Ended(at);
            }
            self.place = next;
        }
        Scan::Inside
    }

    /// The place after a byte of framing; `None` where the byte is not allowed.
    fn after(&mut self, byte: u8) -> Option<Place> {
        Some(match (self.place, byte) {
            (Place::SizeStart | Place::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16)?;
                if self.bytes > MAX_CHUNK_BYTES >> 4 {
                    return None;
                }
                self.bytes = self.bytes << 4 | u64::from(digit);
                Place::Size
            }
            (Place::Size | Place::SizeBlank | Place::Extension, b'\r') => Place::SizeLineFeed,
            (Place::Size | Place::SizeBlank, b';') => Place::Extension,
            (Place::Size | Place::SizeBlank, b' ' | b'\t') => Place::SizeBlank,
            // Some readers end the line at a bare line feed in an extension, and others do not.
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
            // The body ends here; the caller checks the place before this one.
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
                Scan::Invalid => return Scan::Invalid,
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
            ("5 \r\nhello\r\n1\t ; a\r\nx\r\n0 \r\n\r\n", "next"),
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
    fn whatever_could_be_read_in_two_ways_is_refused() {
        for body in [
            "\r\n\r\n",
            "5\nhello\r\n",
            "5 5\r\nhello\r\n",
            "5 x\r\nhello\r\n",
            " 5\r\nhello\r\n",
            "x\r\n",
            "0x5\r\nhello\r\n",
            "-1\r\n",
            " \r\n",
            ";x\r\n",
            ";\r\n\r\n",
            "1\r\na\r\n\r\n\r\n",
            "1\r\na\r\n;x\r\n\r\n",
            "0;a\nb\r\n\r\n",
            "5;a\nb\r\nhello",
            "5\rhello",
            "2\r\nabc",
            "2\r\nab\n",
            "0\r\n\n",
            "0\r\nA: b\n\r\n",
            "0\r\n\rX",
            "0\r\nA: b\rC: d\r\n\r\n",
            "10000000000000000\r\n",
            "8000000000000000\r\n",
        ] {
            for size in 1..=body.len() {
                assert_eq!(scan(body.as_bytes(), size), Scan::Invalid, "{body:?} by {size}");
            }
        }
    }

    #[test]
    fn a_chunk_of_the_largest_size_is_no_error_yet() {
        assert_eq!(scan(b"7fffffffffffffff\r\nabc", 4), Scan::Inside);
    }
}
