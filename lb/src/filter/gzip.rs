//! `gzip`: the body as a gzip stream, by zlib-rs (docs/decisions/021-bodies-of-answers.md says why that one).

use bytes::Bytes;
use zlib_rs::{Deflate, DeflateFlush, Status};

use super::{BodyFilter, Compressed, FilterError, Passed, Signal};

/// The window of a body whose length is not known, and of every long one: 32 KiB.
pub const LARGEST_WINDOW_BITS: u8 = 15;
/// zlib takes none below.
const SMALLEST_WINDOW_BITS: u8 = 9;
/// What zlib adds to a window's bits to be asked for a gzip stream.
const GZIP_STREAM: u8 = 16;
/// A window holds so much less than its size.
const WINDOW_LOSS_BYTES: u64 = 262;
/// Room that is made for output at a time.
const ROOM_BYTES: usize = 16 << 10;

/// Compresses a body.
pub struct Gzip {
    deflate: Deflate,
    /// Something was taken since the last flush.
    unflushed: bool,
    ended: bool,
}

impl Gzip {
    /// A compressor of `level` 1 to 9. A short body of known `length` gets a smaller window, as in nginx.
    pub fn new(level: u8, window_bits: u8, length: Option<u64>) -> Self {
        let deflate = Deflate::new(own_level(level), true, GZIP_STREAM + shrunk(window_bits, length));
        Self { deflate, unflushed: false, ended: false }
    }
}

/// The library's level that takes nginx's place. Its 1 is faster than zlib's and its result a fifth longer; its 2 is still
/// faster, with a result as long as zlib's.
fn own_level(level: u8) -> i32 {
    i32::from(level.clamp(1, 9)).max(2)
}

fn shrunk(window_bits: u8, length: Option<u64>) -> u8 {
    let mut bits = window_bits.clamp(SMALLEST_WINDOW_BITS, LARGEST_WINDOW_BITS);
    let Some(length) = length.filter(|length| *length > 0) else { return bits };
    while bits > SMALLEST_WINDOW_BITS && length < (1 << (bits - 1)) - WINDOW_LOSS_BYTES {
        bits -= 1;
    }
    bits
}

impl BodyFilter for Gzip {
    fn pass(&mut self, input: &mut Bytes, signal: Signal) -> Result<Passed, FilterError> {
        self.unflushed |= !input.is_empty();
        let flush = match signal {
            Signal::End if self.ended => return Ok(Passed::default()),
            Signal::End => DeflateFlush::Finish,
            Signal::Flush if self.unflushed => DeflateFlush::SyncFlush,
            Signal::Flush | Signal::More => DeflateFlush::NoFlush,
        };
        let mut taken = 0;
        let mut output = Vec::new();
        loop {
            let filled = output.len();
            output.resize(filled + ROOM_BYTES, 0);
            let (before_in, before_out) = (self.deflate.total_in(), self.deflate.total_out());
            let status = self
                .deflate
                .compress(&input[taken..], &mut output[filled..], flush)
                .map_err(|_| FilterError::Compressor("deflate()"))?;
            // Neither is more than the length of a slice.
            taken += (self.deflate.total_in() - before_in) as usize;
            let given = (self.deflate.total_out() - before_out) as usize;
            output.truncate(filled + given);
            if status == Status::StreamEnd {
                self.ended = true;
                break;
            }
            // Room that was left says that there is nothing more for now.
            if given < ROOM_BYTES && taken == input.len() {
                break;
            }
        }
        input.clear();
        if flush != DeflateFlush::NoFlush {
            self.unflushed = false;
        }
        Ok(Passed { bytes: Bytes::from(output), more: false })
    }

    fn compressed(&self) -> Option<Compressed> {
        Some(Compressed { taken: self.deflate.total_in(), given: self.deflate.total_out() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::gunzip::Gunzip;
    use super::super::testing::{any_split, texts, through};
    use super::*;

    #[test]
    fn any_split_gives_the_same_text() {
        for text in texts() {
            for level in [1, 6, 9] {
                any_split(&text, |pieces| {
                    let packed = through(&mut Gzip::new(level, LARGEST_WINDOW_BITS, None), pieces);
                    through(&mut Gunzip::new(), &[(packed, Signal::End)])
                });
            }
        }
    }

    #[test]
    fn what_was_flushed_can_be_read() {
        let mut gzip = Gzip::new(6, LARGEST_WINDOW_BITS, None);
        let mut gunzip = Gunzip::new();
        for event in ["data: one\n\n", "data: two\n\n"] {
            let packed = through(&mut gzip, &[(event.into(), Signal::Flush)]);
            assert_eq!(through(&mut gunzip, &[(packed, Signal::Flush)]), event);
        }
        let nothing = through(&mut gzip, &[(Bytes::new(), Signal::Flush)]);
        assert!(nothing.is_empty(), "no second flush without input");
    }

    #[test]
    fn a_short_body_has_a_small_window() {
        for (length, bits) in
            [(None, 15), (Some(0), 15), (Some(1), 9), (Some(1000), 11), (Some(16121), 14), (Some(16122), 15)]
        {
            assert_eq!(shrunk(15, length), bits, "{length:?}");
        }
        assert_eq!(shrunk(10, Some(1 << 20)), 10);
    }

    #[test]
    fn an_empty_body_is_an_empty_stream() {
        let packed = through(&mut Gzip::new(1, 15, Some(0)), &[(Bytes::new(), Signal::End)]);
        assert_eq!(packed.len(), 20);
        assert!(through(&mut Gunzip::new(), &[(packed, Signal::End)]).is_empty());
    }
}
