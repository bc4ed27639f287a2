//! `gunzip`: the text of a body that came as a gzip stream, for clients that take none.

use bytes::{Buf, Bytes};
use zlib_rs::{Inflate, InflateFlush, Status};

use super::{BodyFilter, FilterError, PIECE_BYTES, Passed, Signal};

/// A window as large as any, and the gzip form.
const WINDOW_BITS: u8 = 15 + 16;

/// Unpacks a body; one of several gzip streams too.
pub struct Gunzip {
    inflate: Inflate,
    /// Some of a stream has come, and its end has not.
    inside: bool,
}

impl Gunzip {
    /// A decompressor.
    pub fn new() -> Self {
        Self { inflate: Inflate::new(true, WINDOW_BITS), inside: true }
    }
}

impl Default for Gunzip {
    fn default() -> Self {
        Self::new()
    }
}

impl BodyFilter for Gunzip {
    fn pass(&mut self, input: &mut Bytes, signal: Signal) -> Result<Passed, FilterError> {
        let mut output = vec![0; PIECE_BYTES];
        let mut filled = 0;
        loop {
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            if !self.inside {
                if input.is_empty() {
                    break;
                }
                self.inflate = Inflate::new(true, WINDOW_BITS);
                self.inside = true;
                continue;
            }
            let status = self
                .inflate
                .decompress(input, &mut output[filled..], InflateFlush::SyncFlush)
                .map_err(|error| FilterError::Inflate(error.as_str()))?;
            // Neither is more than the length of a slice.
            input.advance((self.inflate.total_in() - before_in) as usize);
            filled += (self.inflate.total_out() - before_out) as usize;
            if filled == output.len() {
                return Ok(Passed { bytes: Bytes::from(output), more: true });
            }
            if status == Status::StreamEnd {
                self.inside = false;
            } else if input.is_empty() {
                break;
            } else if status == Status::BufError {
                return Err(FilterError::Inflate("buffer error"));
            }
        }
        if signal == Signal::End && self.inside {
            return Err(FilterError::Truncated);
        }
        output.truncate(filled);
        Ok(Passed { bytes: Bytes::from(output), more: false })
    }
}

#[cfg(test)]
mod tests {
    use super::super::gzip::Gzip;
    use super::super::testing::{any_split, texts, through};
    use super::*;

    fn packed(text: &Bytes) -> Bytes {
        through(&mut Gzip::new(6, 15, None), &[(text.clone(), Signal::End)])
    }

    #[test]
    fn any_split_gives_the_same_text() {
        for text in texts() {
            let packed = packed(&text);
            any_split(&packed, |pieces| {
                assert_eq!(through(&mut Gunzip::new(), pieces), text);
                packed.clone()
            });
        }
    }

    #[test]
    fn little_that_becomes_much_comes_in_pieces() {
        let mut packed = packed(&Bytes::from(vec![b'x'; 10 * PIECE_BYTES + 3]));
        let mut gunzip = Gunzip::new();
        let mut pieces = Vec::new();
        loop {
            let passed = gunzip.pass(&mut packed, Signal::End).unwrap();
            pieces.push(passed.bytes.len());
            if !passed.more {
                break;
            }
        }
        assert_eq!(pieces.iter().sum::<usize>(), 10 * PIECE_BYTES + 3);
        assert!(pieces.len() == 11 && pieces.iter().all(|piece| *piece <= PIECE_BYTES));
    }

    #[test]
    fn several_streams_are_one_text() {
        let one = packed(&Bytes::from_static(b"one "));
        let two = packed(&Bytes::from_static(b"two"));
        let both = Bytes::from([one, two].concat());
        assert_eq!(through(&mut Gunzip::new(), &[(both, Signal::End)]), "one two");
    }

    #[test]
    fn what_is_no_gzip_or_not_all_of_it_is_an_error() {
        let mut text = Bytes::from_static(b"no gzip at all");
        assert!(matches!(Gunzip::new().pass(&mut text, Signal::End), Err(FilterError::Inflate(_))));
        let whole = packed(&Bytes::from_static(b"some text"));
        let mut half = whole.slice(..whole.len() / 2);
        assert_eq!(Gunzip::new().pass(&mut half, Signal::End).unwrap_err(), FilterError::Truncated);
    }
}
