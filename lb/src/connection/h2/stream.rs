//! The bytes between the h2 crate and the transport: what was read before, one write call for many frames, and a look at
//! both directions.
//!
//! h2 writes each DATA frame by itself. What it writes is gathered here and goes out when h2 flushes, which it does once
//! it has nothing more to say, or when enough has gathered. The copy costs less than the calls that it saves.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::watch::Watch;
use crate::connection::drain::Drain;
use crate::connection::transport::{Transport, linger};

/// Output beyond which a write call is made before h2 asks for one.
const GATHERED_BYTES: usize = 64 * 1024;
/// Room for the first of it. It is given back with every flush: thousands of idle connections would keep megabytes.
const FIRST_ROOM_BYTES: usize = 4 * 1024;

/// A connection's bytes.
pub(super) struct Http2Stream {
    /// `None` only while being dropped.
    transport: Option<Transport>,
    /// What was read before the protocol was known.
    ahead: BytesMut,
    gathered: BytesMut,
    watch: Arc<Mutex<Watch>>,
    drain: Drain,
}

impl Http2Stream {
    pub(super) fn new(transport: Transport, ahead: BytesMut, watch: Arc<Mutex<Watch>>, drain: Drain) -> Self {
        Self { transport: Some(transport), ahead, gathered: BytesMut::new(), watch, drain }
    }

    fn transport(&mut self) -> Pin<&mut Transport> {
        Pin::new(self.transport.as_mut().expect("only drop takes the transport"))
    }

    fn poll_send_gathered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.gathered.is_empty() {
            let Self { transport, gathered, .. } = self;
            let transport = Pin::new(transport.as_mut().expect("only drop takes the transport"));
            let sent = match transport.poll_write(cx, gathered) {
                Poll::Ready(Ok(0)) => Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(sent) => sent,
                Poll::Pending => {
                    self.watch.lock().blocked_since.get_or_insert_with(Instant::now);
                    return Poll::Pending;
                }
            };
            let mut watch = self.watch.lock();
            watch.blocked_since = None;
            match sent {
                Ok(sent) => self.gathered.advance(sent),
                Err(error) => {
                    watch.has_ended = true;
                    return Poll::Ready(Err(error));
                }
            }
        }
        self.gathered = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    fn gather(&mut self, data: &[u8]) {
        if self.gathered.capacity() == 0 {
            self.gathered.reserve(FIRST_ROOM_BYTES.max(data.len()));
        }
        self.gathered.extend_from_slice(data);
        self.watch.lock().sent(data);
    }
}

impl AsyncRead for Http2Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.watch.lock().is_flooded() {
            // The loop asks after every poll, and ends the connection.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let result = if this.ahead.is_empty() {
            ready!(this.transport().poll_read(cx, buf))
        } else {
            let count = this.ahead.len().min(buf.remaining());
            buf.put_slice(&this.ahead[..count]);
            this.ahead.advance(count);
            if this.ahead.is_empty() {
                this.ahead = BytesMut::new();
            }
            Ok(())
        };
        let read = &buf.filled()[before..];
        let mut watch = this.watch.lock();
        watch.has_ended |= result.is_err() || (read.is_empty() && buf.remaining() > 0);
        watch.received(read);
        Poll::Ready(result)
    }
}

impl AsyncWrite for Http2Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.gathered.len() >= GATHERED_BYTES {
            ready!(this.poll_send_gathered(cx))?;
        }
        let mut taken = 0;
        for slice in data {
            this.gather(slice);
            taken += slice.len();
        }
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send_gathered(cx))?;
        this.transport().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send_gathered(cx))?;
        this.transport().poll_shutdown(cx)
    }
}

impl Drop for Http2Stream {
    fn drop(&mut self) {
        if self.watch.lock().has_ended {
            return;
        }
        // The client may be sending: a reset would take the last frames from it, which say why the connection ends.
        if let (Some(transport), Ok(runtime)) = (self.transport.take(), tokio::runtime::Handle::try_current())
        {
            let (drain, hold) = (self.drain.clone(), self.drain.hold());
            runtime.spawn(async move {
                linger(transport, &mut drain.watch()).await;
                drop(hold);
            });
        }
    }
}
