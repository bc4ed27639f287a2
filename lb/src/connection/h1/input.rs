//! The input half of a client's stream: limits Pingora's reads, and keeps the bytes that the client sent beyond the
//! limit.
//!
//! Pingora keeps reading while a request is served, to notice that the client has gone, and treats any byte that
//! arrives as an error. But a client may send its next request before it has the answer (pipelining). The loop knows
//! where the body ends and sets a [`ReadLimit`] there: bytes past it are held, up to [`HELD_BYTES`], and returned to
//! the loop; only the end of the connection passes. The end of a chunked body is found while reading, and a read
//! fails where its framing is wrong, before Pingora sees it.
//!
//! A request may ask for another protocol. Its limit applies until a server has agreed: only then do the bytes after
//! the message belong to that protocol, sent ahead or not. Until then they are the next request.
//!
//! Does no writing: a read that has to wait also sends buffered output, which the stream does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::chunks::{ChunkScanner, Scan};
use crate::connection::transport::Transport;

/// Bytes that a client may send ahead of its answers before it has to wait.
pub(super) const HELD_BYTES: usize = 64 * 1024;
/// Size of one read without a caller's buffer; on the stack, so that waiting costs no heap.
pub(super) const READ_BYTES: usize = 4096;

/// The limit of Pingora's reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadLimit {
    /// No limit; reads begin with the bytes that were held back.
    Open,
    /// This many bytes: the rest of the request's body.
    After(u64),
    /// The rest of the body, as far as the scanner follows it.
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

impl Input {
    /// The input of a connection from which `first` was read already.
    pub(super) fn after(first: Vec<u8>) -> Self {
        Self { limit: ReadLimit::Open, held: first }
    }

    /// Begins a request: reads end at `limit`, and `surplus` is what was already read beyond it.
    pub(super) fn begin(&mut self, limit: ReadLimit, surplus: BytesMut) {
        self.limit = limit;
        self.held = surplus.into();
    }

    /// Ends the request, returns the bytes that the client sent ahead, and frees the buffer.
    pub(super) fn end(&mut self) -> BytesMut {
        self.limit = ReadLimit::Open;
        BytesMut::from(std::mem::take(&mut self.held).as_slice())
    }

    /// A server has agreed to another protocol: lifts the limit.
    pub(super) fn switch(&mut self) {
        self.limit = ReadLimit::Open;
    }

    /// True if the framing of the client's body is wrong and a read has failed for it.
    pub(super) fn is_broken(&self) -> bool {
        self.limit == ReadLimit::Broken
    }

    /// True if the client has sent more than was read, or may have, as far as can be told without asking the kernel.
    pub(super) fn may_have_more(&self) -> bool {
        self.limit != ReadLimit::After(0) || !self.held.is_empty()
    }

    /// Bytes past the limit that were already read, and the memory that they take.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.held.len(), self.held.capacity())
    }

    /// Reads up to the limit. Beyond it, reports only the end of the connection.
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

    /// Holds the bytes beyond the limit until the connection ends.
    fn poll_hold(
        &mut self,
        mut transport: Pin<&mut Transport>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.held.len() >= HELD_BYTES {
                // No waker is registered until the limit is lifted: back-pressure reaches the client through TCP.
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

    /// Reads to the end of the body; bytes after it are held back.
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
                // The valid part of the read is dropped too: the request fails in any case.
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

/// The error of a read where the framing of a request's body is wrong. Its kind tells it from a client that has gone:
/// see [`is_invalid_body`].
fn invalid_body() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "client sent invalid chunked body")
}

/// True if a read failed because the framing of the client's body is wrong.
pub(crate) fn is_invalid_body(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}
