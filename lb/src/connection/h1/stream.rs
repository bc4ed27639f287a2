//! A client's connection as Pingora sees it: one write call per answer, and reads that end with the request.
//!
//! Joins two halves that do not know each other: [`input`](super::input) keeps Pingora from bytes that are not of its
//! request, [`output`](super::output) from calling the kernel for each piece. While a request is served, Pingora
//! reads from the client whenever the upstream server has nothing for it: a read that has to wait therefore sends the
//! waiting output, so that an answer that arrives slowly is not held back, and one that arrives in one piece costs no
//! further call. The stream also ends the connection: an answer that breaks off is sent as far as it came, and a
//! client that may still be sending gets time to read it.
//!
//! An idle stream owns no heap memory.

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

/// Progress of the answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// No request is being served.
    None,
    /// A request is being served, and nothing was written for it.
    Awaited,
    /// Some of the answer was written.
    Begun,
}

/// A client connection's bytes. Public because the proxy finds it in its session, to [`lend`](Self::lend) it the next
/// write; made and driven by `connection/` alone.
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

    /// The number of write calls that were tried, for tests.
    #[cfg(test)]
    pub(crate) fn calls(&self) -> usize {
        self.output.calls
    }

    pub(in crate::connection) fn new(transport: Transport, drain: Drain) -> Self {
        Self::after(Vec::new(), transport, drain)
    }

    /// Over a transport from which `first` was read already.
    pub(in crate::connection) fn after(first: Vec<u8>, transport: Transport, drain: Drain) -> Self {
        Self {
            transport: Some(transport),
            input: Input::after(first),
            output: Output::default(),
            answer: Answer::None,
            ended: false,
            may_switch: false,
            drain,
        }
    }

    /// The transport, for another protocol that takes the connection over before its first request.
    pub(in crate::connection) fn into_transport(mut self) -> Transport {
        self.transport.take().expect("only drop takes the transport")
    }

    /// Announces `piece` as the next write: if it is, it waits without a copy, and goes out with the next flush or
    /// the next write of something else.
    pub fn lend(&self, piece: Bytes) {
        self.output.lend(piece);
    }

    /// Bytes of lent pieces that Pingora has written and that are not yet sent.
    pub fn waiting_bytes(&self) -> usize {
        self.output.waiting_bytes()
    }

    /// Begins a request: reads end at `read_limit`, `surplus` is what was already read beyond it, `may_switch` is
    /// true if it asks for another protocol, and `reply` carries the hooks' answers.
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

    /// Ends the request, returns the bytes that the client sent ahead, and frees all buffers.
    pub(super) fn end_request(&mut self) -> BytesMut {
        self.answer = Answer::None;
        self.may_switch = false;
        self.output.end();
        self.input.end()
    }

    /// Reads the available bytes into `buffer`, which gets memory only once there are some. 0 is the end.
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

    /// Sends the waiting output.
    fn poll_send_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.output.poll_send_waiting(pinned(&mut self.transport), cx)
    }

    /// True if the client may have sent bytes that were never read. Closing a socket then makes the kernel send a
    /// reset, which can destroy the answer before the client has read it.
    fn has_unread_input(&mut self) -> bool {
        if self.input.may_have_more() {
            return true;
        }
        let in_the_kernel = self.transport.as_mut().map(|transport| transport.try_read(&mut [0]));
        matches!(in_the_kernel, Some(Ok(1..)))
    }
}

/// The transport, which is there until the stream is dropped.
fn pinned(transport: &mut Option<Transport>) -> Pin<&mut Transport> {
    Pin::new(transport.as_mut().expect("only drop takes the transport"))
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if self.answer != Answer::None && self.output.has_waiting() {
            self.output.send_last(self.transport.as_mut());
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
            // A client that cannot be written to is not read from either.
            return match (this.answer != Answer::None).then(|| this.poll_send_waiting(cx)) {
                Some(Poll::Ready(Err(error))) => {
                    this.ended = true;
                    Poll::Ready(Err(error))
                }
                _ => Poll::Pending,
            };
        };
        let read = buf.filled().len() - before;
        if read > 0 && !this.output.switches_protocols() {
            this.output.count_body(read);
        }
        // A client that sent an invalid body is still there to read its answer.
        this.ended |= !this.input.is_broken() && (result.is_err() || read == 0);
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

// What a handshake has agreed on is in `ConnectionFacts`, too.
impl Ssl for ClientStream {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        None
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
