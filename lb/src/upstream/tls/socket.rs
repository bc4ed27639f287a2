//! A connection as Pingora takes it, and how it comes back.
//!
//! Pingora would keep an idle connection in its own pool, under its descriptor; a connection that it did not make has none,
//! and so all of them would be one. It does say when it is done with a connection in good order: before it keeps one it
//! tries to read from it, with a waker that wakes nobody, to find out whether the server has closed it. That read is the
//! sign here: it is answered as if the server had, so that Pingora lets go, and the connection goes back to [`Kept`].
//! Pingora reads so at no other time. Without the sign (another version, an error, a client that went away) a connection
//! is closed: at worst none is kept, which tests would see.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::task::noop_waker_ref;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::kept::{Kept, Usage};
use super::transport::{Transport, poll_read};

/// A connection while Pingora has it.
#[derive(Debug)]
pub(super) struct Lent {
    /// There until it is given back.
    stream: Option<TlsStream<Transport>>,
    usage: Usage,
    kept: Arc<Kept>,
    /// Pingora has shut it down.
    shut: bool,
}

impl Lent {
    pub(super) fn new(stream: TlsStream<Transport>, usage: Usage, kept: Arc<Kept>) -> Self {
        Self { stream: Some(stream), usage, kept, shut: false }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TlsStream<Transport>>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Lent {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let lent = self.get_mut();
        let read = poll_read(lent.stream()?, cx, into);
        let is_given_back = read.is_pending() && !lent.shut && cx.waker().will_wake(noop_waker_ref());
        if !is_given_back {
            return read;
        }
        if let Some(stream) = lent.stream.take() {
            lent.kept.put(stream, lent.usage.clone());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lent {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().stream()?.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let lent = self.get_mut();
        lent.shut = true;
        match lent.stream() {
            Ok(stream) => stream.poll_shutdown(cx),
            Err(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().stream()?.poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
}

impl VirtualSocket for Lent {
    /// Delay is off from the beginning, and Pingora asks for nothing else.
    fn set_socket_option(&self, _: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}
