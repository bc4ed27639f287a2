//! What comes from a client: how far Pingora may read, and what the client sent beyond that.
//!
//! Pingora reads on while a request is served, to notice that the client has gone, and takes any byte that comes
//! for an error. But a client may send its next request before it has the answer (pipelining). So the loop, which
//! knows where the body ends, closes a [`ReadLimit`] there: bytes past it stay here, up to [`HELD_BYTES`], and
//! come back to the loop; only the end of the connection passes. The end of a chunked body is found on the way,
//! and a read fails where its framing is wrong, before Pingora sees it.
//!
//! A request may ask for another protocol. Its limit stands until a server has agreed: only then does what follows the
//! message belong to that protocol, whether it was sent ahead or not. Until then it is the next request.
//!
//! No writing here: a read that has to wait sends what waits, and that is the stream's affair.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::chunks::{ChunkScanner, Scan};
use crate::connection::transport::Transport;

/// How much a client may send ahead of its answers before it has to wait.
pub(super) const HELD_BYTES: usize = 64 * 1024;
/// What one read takes when nobody lends it a buffer; on the stack, so that waiting costs no heap.
pub(super) const READ_BYTES: usize = 4096;

/// How far Pingora may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadLimit {
    /// Everything, beginning with what was held back.
    Open,
    /// So many bytes: what is left of the request's body.
    After(u64),
    /// As many as the scanner takes for the rest of the body.
    Chunked(ChunkScanner),
    /// Nothing more: the framing of the body is wrong, and every read fails.
    Broken,
}

/// The reading half of a client's stream.
#[derive(Debug)]
pub(super) struct Input {
    limit: ReadLimit,
    /// Bytes past the limit.
    held: Vec<u8>,
}

impl Default for Input {
    fn default() -> Self {
        Self { limit: ReadLimit::Open, held: Vec::new() }
    }
}

impl Input {
    /// Begins a request: reads end at `limit`, and `surplus` is what was read beyond it already.
    pub(super) fn begin(&mut self, limit: ReadLimit, surplus: BytesMut) {
        self.limit = limit;
        self.held = surplus.into();
    }

    /// Ends it, gives back what the client sent ahead, and lets go of the buffer.
    pub(super) fn end(&mut self) -> BytesMut {
        self.limit = ReadLimit::Open;
        BytesMut::from(std::mem::take(&mut self.held).as_slice())
    }

    /// A server has agreed to another protocol: everything may be read.
    pub(super) fn switch(&mut self) {
        self.limit = ReadLimit::Open;
    }

    /// The client's body is not framed as it should be, and a read has failed for it.
    pub(super) fn is_broken(&self) -> bool {
        self.limit == ReadLimit::Broken
    }

    /// Whether the client has sent more than was read, or may have, as far as can be told without asking the kernel.
    pub(super) fn may_have_more(&self) -> bool {
        self.limit != ReadLimit::After(0) || !self.held.is_empty()
    }

    /// Bytes past the limit that were read already, and the memory that they take.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.held.len(), self.held.capacity())
    }

    /// Reads up to the limit. Beyond it, only the end of the connection is told.
    pub(super) fn poll_read(
        &mut self,
        transport: Pin<&mut Transport>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = match self.limit {
            ReadLimit::Open if self.held.is_empty() => return transport.poll_read(cx, buf),
            ReadLimit::Open => {
                let count = self.held.len().min(buf.remaining());
                buf.put_slice(&self.held[..count]);
                self.held.drain(..count);
                return Poll::Ready(Ok(()));
            }
            ReadLimit::After(0) => return self.poll_hold(transport, cx),
            ReadLimit::After(left) => left,
            ReadLimit::Chunked(scanner) => return self.poll_read_chunked(scanner, transport, cx, buf),
            ReadLimit::Broken => return Poll::Ready(Err(invalid_body())),
        };
        let before = buf.filled().len();
        if buf.remaining() as u64 <= left {
            ready!(transport.poll_read(cx, buf))?;
        } else {
            ready!(Pin::new(&mut transport.get_mut().take(left)).poll_read(cx, buf))?;
        }
        self.limit = ReadLimit::After(left - (buf.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }

    /// Takes in what comes beyond the limit, until the connection ends.
    fn poll_hold(
        &mut self,
        mut transport: Pin<&mut Transport>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.held.len() >= HELD_BYTES {
                // Nobody is woken until the limit is lifted: the client has to wait, in its own kernel's buffers.
                return Poll::Pending;
            }
            let mut bytes = [std::mem::MaybeUninit::uninit(); READ_BYTES];
            let mut chunk = ReadBuf::uninit(&mut bytes);
            ready!(transport.as_mut().poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.held.extend_from_slice(chunk.filled());
        }
    }

    /// Reads as far as the body goes; what came behind it is held back.
    fn poll_read_chunked(
        &mut self,
        mut scanner: ChunkScanner,
        transport: Pin<&mut Transport>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(transport.poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        self.limit = match scanner.advance(read) {
            Scan::Inside => ReadLimit::Chunked(scanner),
            Scan::Invalid => {
                // With the good part of what was read: the request fails in any case.
                buf.set_filled(before);
                self.limit = ReadLimit::Broken;
                return Poll::Ready(Err(invalid_body()));
            }
            Scan::Ended(body_bytes) => {
                self.held.extend_from_slice(&read[body_bytes..]);
                buf.set_filled(before + body_bytes);
                ReadLimit::After(0)
            }
        };
        Poll::Ready(Ok(()))
    }
}

/// What a read fails with where the framing of a request's body is wrong. The kind tells it from a client that has
/// gone: see [`is_invalid_body`].
fn invalid_body() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "client sent invalid chunked body")
}

/// Whether a read failed because the client's body is not framed as it should be.
pub(crate) fn is_invalid_body(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}
