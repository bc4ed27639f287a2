//! `zstd`: the body as a Zstandard frame.

use bytes::Bytes;
use zstd::stream::raw::{Encoder, InBuffer, Operation, OutBuffer};

use super::{BodyFilter, FilterError, Passed, Signal};

/// Room that is made for output at a time.
const ROOM_BYTES: usize = 16 << 10;

/// Compresses a body.
pub struct Zstd {
    encoder: Encoder<'static>,
    unflushed: bool,
    ended: bool,
}

const FAILED: FilterError = FilterError::Compressor("ZSTD_compressStream2()");

impl Zstd {
    /// A compressor of `level`, or the error that there is no memory for one.
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    pub fn new(level: i32) -> Result<Self, FilterError> {
        let encoder = Encoder::new(level).map_err(|_| FAILED)?;
        Ok(Self { encoder, unflushed: false, ended: false })
    }

    /// Runs `step` until it has nothing left, each time with room for output. It returns how much it has left.
    fn drain(
        &mut self,
        output: &mut Vec<u8>,
        mut step: impl FnMut(&mut Encoder<'static>, &mut OutBuffer<'_, [u8]>) -> std::io::Result<bool>,
    ) -> Result<(), FilterError> {
        loop {
            let filled = output.len();
            output.resize(filled + ROOM_BYTES, 0);
            let mut room = OutBuffer::around(&mut output[filled..]);
            let more = step(&mut self.encoder, &mut room).map_err(|_| FAILED)?;
            let given = room.pos();
            output.truncate(filled + given);
            if !more {
                return Ok(());
            }
        }
    }
}

impl BodyFilter for Zstd {
    fn pass(&mut self, input: &mut Bytes, signal: Signal) -> Result<Passed, FilterError> {
        let text = std::mem::take(input);
        let mut output = Vec::new();
        if !text.is_empty() {
            self.unflushed = true;
            let mut from = InBuffer::around(&text);
            self.drain(&mut output, |encoder, room| {
                encoder.run(&mut from, room)?;
                Ok(from.pos() < text.len())
            })?;
        }
        match signal {
            Signal::End if !std::mem::replace(&mut self.ended, true) => {
                self.drain(&mut output, |encoder, room| Ok(encoder.finish(room, true)? > 0))?;
            }
            Signal::Flush if std::mem::take(&mut self.unflushed) => {
                self.drain(&mut output, |encoder, room| Ok(encoder.flush(room)? > 0))?;
            }
            Signal::End | Signal::Flush | Signal::More => {}
        }
        Ok(Passed { bytes: Bytes::from(output), more: false })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{any_split, texts, through};
    use super::*;

    #[test]
    fn any_split_gives_the_same_text() {
        for text in texts() {
            for level in [1, 6] {
                any_split(&text, |pieces| {
                    let packed = through(&mut Zstd::new(level).unwrap(), pieces);
                    Bytes::from(zstd::stream::decode_all(&packed[..]).unwrap())
                });
            }
        }
    }

    #[test]
    fn what_was_flushed_can_be_read() {
        use std::io::Read;

        let mut filter = Zstd::new(3).unwrap();
        let packed = through(&mut filter, &[("data: one\n\n".into(), Signal::Flush)]);
        let mut text = [0; 11];
        zstd::stream::read::Decoder::new(&packed[..]).unwrap().read_exact(&mut text).unwrap();
        assert_eq!(&text, b"data: one\n\n");
        assert!(through(&mut filter, &[(Bytes::new(), Signal::Flush)]).is_empty());
    }
}
