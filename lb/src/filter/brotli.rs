//! `brotli`: the body as a Brotli stream.

use std::io::Write;

use brotli::CompressorWriter;
use bytes::Bytes;

use super::{BodyFilter, FilterError, Passed, Signal};

/// What the encoder's own buffer holds between two writes.
const BUFFER_BYTES: usize = 4 << 10;
const SMALLEST_WINDOW_BITS: u8 = 10;
/// A window holds so much less than its size.
const WINDOW_LOSS_BYTES: u64 = 16;

/// Compresses a body.
pub struct Brotli {
    /// `None` behind the end.
    writer: Option<CompressorWriter<Vec<u8>>>,
    unflushed: bool,
}

impl Brotli {
    /// A compressor of `level` 0 to 11. A short body of known `length` gets a smaller window.
    pub fn new(level: u8, window_bits: u8, length: Option<u64>) -> Self {
        let bits = shrunk(window_bits, length);
        let writer = CompressorWriter::new(Vec::new(), BUFFER_BYTES, u32::from(level), u32::from(bits));
        Self { writer: Some(writer), unflushed: false }
    }
}

fn shrunk(window_bits: u8, length: Option<u64>) -> u8 {
    let mut bits = window_bits;
    let Some(length) = length.filter(|length| *length > 0) else { return bits };
    while bits > SMALLEST_WINDOW_BITS && length < (1 << (bits - 1)) - WINDOW_LOSS_BYTES {
        bits -= 1;
    }
    bits
}

impl BodyFilter for Brotli {
    fn pass(&mut self, input: &mut Bytes, signal: Signal) -> Result<Passed, FilterError> {
        let failed = |_| FilterError::Compressor("BrotliEncoderCompressStream()");
        let Some(mut writer) = self.writer.take() else {
            input.clear();
            return Ok(Passed::default());
        };
        self.unflushed |= !input.is_empty();
        writer.write_all(input).map_err(failed)?;
        input.clear();
        let bytes = match signal {
            Signal::End => writer.into_inner(),
            _ => {
                if signal == Signal::Flush && std::mem::take(&mut self.unflushed) {
                    writer.flush().map_err(failed)?;
                }
                let bytes = std::mem::take(writer.get_mut());
                self.writer = Some(writer);
                bytes
            }
        };
        Ok(Passed { bytes: Bytes::from(bytes), more: false })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::super::testing::{any_split, texts, through};
    use super::*;

    fn unpacked(packed: &[u8]) -> Bytes {
        let mut text = Vec::new();
        brotli::Decompressor::new(packed, 4096).read_to_end(&mut text).unwrap();
        Bytes::from(text)
    }

    #[test]
    fn any_split_gives_the_same_text() {
        for text in texts() {
            any_split(&text, |pieces| unpacked(&through(&mut Brotli::new(5, 19, None), pieces)));
        }
    }

    #[test]
    fn what_was_flushed_can_be_read() {
        let mut filter = Brotli::new(6, 19, None);
        let packed = through(&mut filter, &[("data: one\n\n".into(), Signal::Flush)]);
        let mut text = [0; 11];
        brotli::Decompressor::new(&packed[..], 4096).read_exact(&mut text).unwrap();
        assert_eq!(&text, b"data: one\n\n");
        assert!(through(&mut filter, &[(Bytes::new(), Signal::Flush)]).is_empty());
    }

    #[test]
    fn a_short_body_has_a_small_window() {
        for (length, bits) in [(None, 19), (Some(1), 10), (Some(100_000), 17), (Some(1 << 30), 19)] {
            assert_eq!(shrunk(19, length), bits, "{length:?}");
        }
    }
}
