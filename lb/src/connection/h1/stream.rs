//! A client's connection as Pingora sees it: one write call per answer, and reads that end with the request.
//!
//! The two halves know nothing of each other: [`input`](super::input) keeps Pingora from what is not its request,
//! [`output`](super::output) from calling the kernel for each piece. Here stands what joins them. While a request is served,
//! Pingora listens to the client whenever the upstream server has nothing for it: a read that has to wait therefore
//! sends what waits, so that an answer that trickles in is not held back, at no call more for one that comes in one piece.
//! And here stands how a connection ends: an answer that breaks off is sent as far as it came, and a client that may
//! still be sending gets the time to read it.
//!
//! Idle, it owns no heap memory.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest,
    UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::input::{Input, READ_BYTES, ReadLimit};
use super::output::Output;
use crate::connection::drain::Drain;
use crate::connection::facts::RequestReply;
use crate::connection::transport::{Transport, linger};

/// How far the answer to a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// No request is being served.
    None,
    /// One is, and nothing was written for it.
    Awaited,
    /// Something was.
    Begun,
}

/// A client connection's bytes. Public because the proxy finds it in its session, to [`lend`](Self::lend) it what it
/// will write; made and driven by this room alone.
#[derive(Debug)]
pub struct ClientStream {
    /// `None` only while being dropped.
    transport: Option<Transport>,
    input: Input,
    output: Output,
    answer: Answer,
    /// The client has closed its side, or the connection broke.
    ended: bool,
    /// The request asks for another protocol, and no server has agreed yet.
    may_switch: bool,
    drain: Drain,
}

impl ClientStream {
    /// Over `socket`, with a request begun, for tests of other rooms.
    #[cfg(test)]
    pub(crate) fn in_test(socket: tokio::net::UnixStream) -> Self {
        let mut stream = Self::new(Transport::Unix(socket), Drain::default());
        stream.begin_request(ReadLimit::Open, BytesMut::new(), false, Arc::default());
        stream
    }

    /// How many write calls were tried, for tests.
    #[cfg(test)]
    pub(crate) fn calls(&self) -> usize {
        self.output.calls
    }

    pub(super) fn new(transport: Transport, drain: Drain) -> Self {
        Self {
            transport: Some(transport),
            input: Input::default(),
            output: Output::default(),
            answer: Answer::None,
            ended: false,
            may_switch: false,
            drain,
        }
    }

    /// Says that the next write may be of `piece`: if it is, it waits where it lies, and goes out with the next
    /// flush or the next write of something else.
    pub fn lend(&self, piece: Bytes) {
        self.output.lend(piece);
    }

    /// How many bytes of lent pieces were written by Pingora and not yet by us.
    pub fn waiting_bytes(&self) -> usize {
        self.output.waiting_bytes()
    }

    /// Begins a request: reads end at `read_limit`, `surplus` is what was read beyond it already, `may_switch` tells
    /// whether it asks for another protocol, and `reply` is what the hooks say of it.
    pub(super) fn begin_request(
        &mut self,
        read_limit: ReadLimit,
        surplus: BytesMut,
        may_switch: bool,
        reply: Arc<RequestReply>,
    ) {
        self.input.begin(read_limit, surplus);
        self.may_switch = may_switch;
        self.output.begin(reply);
        self.answer = Answer::Awaited;
    }

    /// Ends it, gives back what the client sent ahead, and lets go of all buffers.
    pub(super) fn end_request(&mut self) -> BytesMut {
        self.answer = Answer::None;
        self.may_switch = false;
        self.output.end();
        self.input.end()
    }

    /// Reads what there is into `buffer`, which gets memory only once there is something. 0 is the end.
    pub(super) async fn read_into(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        std::future::poll_fn(|cx| {
            let mut bytes = [std::mem::MaybeUninit::uninit(); READ_BYTES];
            let mut chunk = ReadBuf::uninit(&mut bytes);
            ready!(Pin::new(&mut *self).poll_read(cx, &mut chunk))?;
            buffer.extend_from_slice(chunk.filled());
            Poll::Ready(Ok(chunk.filled().len()))
        })
        .await
    }

    /// Ends the answer and keeps reading until the client has it.
    pub(super) async fn close_gently(mut self) {
        self.answer = Answer::None;
        if AsyncWriteExt::shutdown(&mut self).await.is_err() {
            return;
        }
        if let Some(transport) = self.transport.take() {
            linger(transport, &mut self.drain.watch()).await;
        }
    }

    /// Sends what waits.
    fn poll_send_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.output.poll_send_waiting(pinned(&mut self.transport), cx)
    }

    /// Whether the client may have more on the way that was never read. Closing a socket then makes the kernel
    /// send a reset, which can destroy the answer before the client has read it.
    fn has_unread_input(&self) -> bool {
        let in_the_kernel = || {
            let read = self.transport.as_ref().map(|transport| transport.try_read(&mut [0]));
            matches!(read, Some(Ok(1..)))
        };
        self.input.may_have_more() || in_the_kernel()
    }
}

/// The transport, which is there until the stream is dropped.
fn pinned(transport: &mut Option<Transport>) -> Pin<&mut Transport> {
    Pin::new(transport.as_mut().expect("only drop takes the transport"))
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if self.answer != Answer::None && self.output.has_waiting() {
            self.output.send_last(self.transport.as_ref());
        }
        if self.answer != Answer::Begun || self.ended || !self.has_unread_input() {
            return;
        }
        // Pingora drops the stream where it closes a connection, so this is the only place to linger from.
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

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let this = self.get_mut();
        if this.may_switch && this.output.switches_protocols() {
            this.may_switch = false;
            this.input.switch();
        }
        let before = buf.filled().len();
        let Poll::Ready(result) = this.input.poll_read(pinned(&mut this.transport), cx, buf) else {
            // Whoever cannot be written to is not read from either.
            return match (this.answer != Answer::None).then(|| this.poll_send_waiting(cx)) {
                Some(Poll::Ready(Err(error))) => {
                    this.ended = true;
                    Poll::Ready(Err(error))
                }
                _ => Poll::Pending,
            };
        };
        // A client that sent nonsense is still there to read its answer.
        this.ended |= !this.input.is_broken() && (result.is_err() || buf.filled().len() == before);
        Poll::Ready(result)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.output.keep(data) {
            this.written();
            return Poll::Ready(Ok(data.len()));
        }
        Pin::new(this).poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(this.output.poll_write(pinned(&mut this.transport), cx, data));
        match written {
            Ok(1..) => this.written(),
            Ok(0) => {}
            Err(_) => this.ended = true,
        }
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = ready!(this.poll_send_waiting(cx));
        this.ended |= result.is_err();
        Poll::Ready(result)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send_waiting(cx))?;
        pinned(&mut this.transport).poll_shutdown(cx)
    }
}

impl ClientStream {
    /// Notes that something was written. A page for a request that was never begun is written without a request.
    fn written(&mut self) {
        if self.answer == Answer::Awaited {
            self.answer = Answer::Begun;
        }
    }
}

#[async_trait]
impl Shutdown for ClientStream {
    async fn shutdown(&mut self) {
        // The connection ends either way.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for ClientStream {
    fn id(&self) -> UniqueIDType {
        self.transport.as_ref().map_or(-1, Transport::descriptor)
    }
}

impl Ssl for ClientStream {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.transport.as_ref().and_then(Transport::tls)
    }
}

impl Peek for ClientStream {}

// The addresses and times of the connection are in `ConnectionFacts`, once per connection; Pingora would have
// them put together for each request.
impl GetTimingDigest for ClientStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for ClientStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for ClientStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }
}

#[cfg(test)]
mod tests;
