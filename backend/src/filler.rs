//! A body of any length at no cost in memory: slices of one static buffer.
//!
//! The content is a fixed pattern, so that a client can tell whether a byte was lost, doubled or moved on the way:
//! byte `i` of every body is `PATTERN[i % 64]`.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};

/// Sixty-four characters that a terminal shows as one line.
const PATTERN: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";

/// The largest slice that goes out at once; also the size of the connection's write buffer, so that a full buffer is
/// one write.
pub(crate) const CHUNK: usize = 64 * 1024;

static BUFFER: [u8; CHUNK] = {
    let mut buffer = [0; CHUNK];
    let mut index = 0;
    while index < CHUNK {
        buffer[index] = PATTERN[index % PATTERN.len()];
        index += 1;
    }
    buffer
};

/// What of a body has not been sent yet.
#[derive(Debug)]
pub(crate) struct Filler {
    remaining: u64,
}

impl Filler {
    /// A body of `length` bytes.
    pub(crate) fn new(length: u64) -> Self {
        Self { remaining: length }
    }
}

impl MessageBody for Filler {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.remaining)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        let length = usize::try_from(self.remaining).map_or(CHUNK, |remaining| remaining.min(CHUNK));
        self.remaining -= length as u64;
        Poll::Ready(Some(Ok(Bytes::from_static(&BUFFER[..length]))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_follows_the_pattern() {
        for length in [0, 1, 63, 64, 65, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7] {
            let mut filler = Filler::new(length as u64);
            let mut context = Context::from_waker(std::task::Waker::noop());
            let mut body = Vec::new();
            while let Poll::Ready(Some(Ok(chunk))) = Pin::new(&mut filler).poll_next(&mut context) {
                body.extend_from_slice(&chunk);
            }
            assert_eq!(body.len(), length);
            assert!(
                body.iter().enumerate().all(|(index, byte)| *byte == PATTERN[index % 64]),
                "length {length}"
            );
        }
    }
}
