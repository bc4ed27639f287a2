//! A client's socket as Pingora sees it: one write call per answer, and reads that end with the request.
//!
//! Writing. Pingora writes header and body apart and says when to flush. Small writes wait for the flush, up to
//! [`WRITE_BUFFER_BYTES`]; what does not fit goes out together with what waits, in one vectored call and
//! without being copied. The figure is NGINX's `postpone_output`. A large piece that was
//! [lent](ClientStream::lend) before it is written waits without being copied, for the next one to take it
//! along. While a request is served, Pingora listens to the client whenever the upstream server has nothing for
//! it: a read that has to wait therefore sends what waits, so that an answer that trickles in is not held back,
//! at no call more for one that comes in one piece. And an answer that breaks off is sent as far as it came.
//!
//! Reading. Pingora reads on while a request is served, to notice that the client has gone, and takes any byte
//! that comes for an error. But a client may send its next request before it has the answer (pipelining). So
//! the loop, which knows where the body ends, closes a [`ReadLimit`] there: bytes past it stay here, up to
//! [`HELD_BYTES`], and come back to the loop with the stream; only the end of the connection passes. The end of
//! a chunked body is found on the way, and a read fails where its framing is wrong, before Pingora sees it. After an `Upgrade` there is no read_limit: what follows is another protocol.
//!
//! Waiting. A client that takes none of an answer for `send_timeout` is given up. The time is watched here, where
//! every byte passes, and costs nothing until a write has to wait; Pingora's own timer would be armed for every
//! write, and none watches over a flush.
//!
//! Idle, it owns no heap memory.

use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest,
    UniqueID, UniqueIDType,
};
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
#[cfg(test)]
use tokio::net::UnixStream;
use tokio::time::{Sleep, sleep};

use super::chunks::{ChunkScanner, Scan};
use super::pieces::{PIECES, Pieces};
use crate::connection::drain::Drain;
use crate::connection::facts::ConnectionFacts;
use crate::connection::transport::{Socket, linger};

/// Writes wait for a flush as long as they fit in so many bytes.
const WRITE_BUFFER_BYTES: usize = 1460;
/// How much a client may send ahead of its answers before it has to wait.
const HELD_BYTES: usize = 64 * 1024;
/// What one read takes when nobody lends it a buffer; on the stack, so that waiting costs no heap.
const READ_BYTES: usize = 4096;
/// The most slices of Pingora's that go into one write. It gives three: a chunk's size line, the chunk, a line end.
const WRITE_SLICES: usize = 4;

/// How far Pingora may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadLimit {
    /// Everything.
    Open,
    /// So many bytes: what is left of the request's body.
    After(u64),
    /// As many as the scanner takes for the rest of the body.
    Chunked(ChunkScanner),
    /// Nothing more: the framing of the body is wrong, and every read fails.
    Broken,
}

/// A client connection's bytes. Public because the proxy finds it in its session, to [`lend`](Self::lend) it what it
/// will write; made and driven by this room alone.
#[derive(Debug)]
pub struct ClientStream {
    /// `None` only while being dropped.
    socket: Option<Socket>,
    read_limit: ReadLimit,
    /// Bytes past the limit.
    held: Vec<u8>,
    /// Written by Pingora, not yet by us.
    waiting: Vec<u8>,
    /// What waits behind that and was lent. A lock because Pingora shows its stream only by shared reference; nobody
    /// else ever holds it.
    pieces: Mutex<Option<Box<Pieces>>>,
    /// Something was written for the request being served.
    answered: bool,
    /// The client has closed its side, or the connection broke.
    ended: bool,
    /// A request is being served.
    serving: bool,
    /// Runs while a write waits for the client.
    stalled: Option<Pin<Box<Sleep>>>,
    facts: Arc<ConnectionFacts>,
    drain: Drain,
    /// Vectored writes that were tried.
    #[cfg(test)]
    pub(crate) calls: usize,
}

impl ClientStream {
    /// Over `socket`, with a request begun, for tests of other rooms.
    #[cfg(test)]
    pub(crate) fn in_test(socket: UnixStream) -> Self {
        use crate::connection::facts::{ClientAddress, ListenerFacts, ListenerKind};
        let drain = Drain::default();
        let listener = ListenerFacts {
            slot: 0,
            address: crate::config::model::ListenAddress::Unix("/run/test".into()),
            kind: ListenerKind::Traffic,
        };
        let facts = ConnectionFacts::new(1, ClientAddress::Unix, None, Arc::new(listener), drain.watch());
        let mut stream = Self::new(Socket::Unix(socket), Arc::new(facts), drain);
        stream.begin_request(ReadLimit::Open, BytesMut::new());
        stream
    }

    pub(super) fn new(socket: Socket, facts: Arc<ConnectionFacts>, drain: Drain) -> Self {
        Self {
            socket: Some(socket),
            read_limit: ReadLimit::Open,
            held: Vec::new(),
            waiting: Vec::new(),
            pieces: Mutex::new(None),
            answered: false,
            ended: false,
            serving: false,
            stalled: None,
            facts,
            drain,
            #[cfg(test)]
            calls: 0,
        }
    }

    /// Says that the next write may be of `piece`: if it is, it waits where it lies, and goes out with the next
    /// flush or the next write of something else.
    pub fn lend(&self, piece: Bytes) {
        self.pieces.lock().get_or_insert_default().lend(piece);
    }

    /// How many bytes of lent pieces were written by Pingora and not yet by us.
    pub fn waiting_bytes(&self) -> usize {
        self.pieces.lock().as_ref().map_or(0, |pieces| pieces.bytes())
    }

    /// Begins a request: reads end at `read_limit`, and `surplus` is what was read beyond it already.
    pub(super) fn begin_request(&mut self, read_limit: ReadLimit, surplus: BytesMut) {
        self.read_limit = read_limit;
        self.held = surplus.into();
        self.answered = false;
        self.serving = true;
    }

    /// Ends it, gives back what the client sent ahead, and lets go of all buffers.
    pub(super) fn end_request(&mut self) -> BytesMut {
        self.serving = false;
        self.read_limit = ReadLimit::Open;
        self.waiting = Vec::new();
        *self.pieces.get_mut() = None;
        BytesMut::from(std::mem::take(&mut self.held).as_slice())
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

    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.held.len() >= HELD_BYTES {
                // Nobody is woken until the limit is lifted: the client has to wait, in its own kernel's buffers.
                return Poll::Pending;
            }
            let mut bytes = [std::mem::MaybeUninit::uninit(); READ_BYTES];
            let mut chunk = ReadBuf::uninit(&mut bytes);
            ready!(socket(&mut self.socket).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.held.extend_from_slice(chunk.filled());
        }
    }

    fn poll_read_limited(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let left = match self.read_limit {
            ReadLimit::Open => return socket(&mut self.socket).poll_read(cx, buf),
            ReadLimit::After(0) => return self.poll_held(cx),
            ReadLimit::After(left) => left,
            ReadLimit::Chunked(scanner) => return self.poll_read_chunked(scanner, cx, buf),
            ReadLimit::Broken => return Poll::Ready(Err(invalid_body())),
        };
        let before = buf.filled().len();
        let socket = socket(&mut self.socket);
        if buf.remaining() as u64 <= left {
            ready!(socket.poll_read(cx, buf))?;
        } else {
            ready!(Pin::new(&mut socket.get_mut().take(left)).poll_read(cx, buf))?;
        }
        self.read_limit = ReadLimit::After(left - (buf.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }

    /// Reads as far as the body goes; what came behind it is held back.
    fn poll_read_chunked(
        &mut self,
        mut scanner: ChunkScanner,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(socket(&mut self.socket).poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        self.read_limit = match scanner.advance(read) {
            Scan::Inside => ReadLimit::Chunked(scanner),
            Scan::Invalid => {
                // With the good part of what was read: the request fails in any case.
                buf.set_filled(before);
                self.read_limit = ReadLimit::Broken;
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

    /// Passes on how a write went, and fails it when the client has taken nothing for too long.
    fn watch(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_pending() {
            let patience = self.facts.send_timeout();
            ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx));
        }
        self.stalled = None;
        match written {
            Poll::Pending => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(result) => Poll::Ready(result),
        }
    }

    /// Sends what waits, and then of `data` what the socket takes. Returns how much of `data`: 0 only if it is empty.
    fn poll_send(&mut self, cx: &mut Context<'_>, data: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let has_data = data.iter().any(|slice| !slice.is_empty());
        while has_data || self.has_waiting() {
            let mut slices = Slices::new();
            slices.extend(waiting_slices(&self.waiting, self.pieces.get_mut().as_deref()));
            slices.extend(data.iter().filter(|slice| !slice.is_empty()).take(WRITE_SLICES).copied());
            #[cfg(test)]
            {
                self.calls += 1;
            }
            let written = socket(&mut self.socket).poll_write_vectored(cx, &slices);
            drop(slices);
            let sent = ready!(self.watch(cx, written))?;
            let of_data = self.advance(sent);
            if of_data > 0 {
                return Poll::Ready(Ok(of_data));
            }
        }
        Poll::Ready(Ok(0))
    }

    fn poll_send_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has_pieces() {
            return self.poll_send(cx, &[]).map_ok(drop);
        }
        while !self.waiting.is_empty() {
            let written = socket(&mut self.socket).poll_write(cx, &self.waiting);
            let sent = ready!(self.watch(cx, written))?;
            self.waiting.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }

    fn has_pieces(&mut self) -> bool {
        self.pieces.get_mut().as_ref().is_some_and(|pieces| !pieces.is_empty())
    }

    fn has_waiting(&mut self) -> bool {
        !self.waiting.is_empty() || self.has_pieces()
    }

    /// Drops what was sent from what waits. Returns how many of the bytes were of something behind it.
    fn advance(&mut self, sent: usize) -> usize {
        let of_waiting = sent.min(self.waiting.len());
        self.waiting.drain(..of_waiting);
        let sent = sent - of_waiting;
        self.pieces.get_mut().as_mut().map_or(sent, |pieces| pieces.advance(sent))
    }

    /// Whether the client may have more on the way that was never read. Closing a socket then makes the kernel
    /// send a reset, which can destroy the answer before the client has read it.
    fn has_unread_input(&self) -> bool {
        let in_the_kernel = || {
            let read = self.socket.as_ref().map(|socket| socket.try_read(&mut [0]));
            matches!(read, Some(Ok(1..)))
        };
        self.read_limit != ReadLimit::After(0) || !self.held.is_empty() || in_the_kernel()
    }
}

/// What goes into one write.
type Slices<'a> = SmallVec<[IoSlice<'a>; 1 + PIECES + WRITE_SLICES]>;

/// What waits, in order.
fn waiting_slices<'a>(waiting: &'a [u8], pieces: Option<&'a Pieces>) -> impl Iterator<Item = IoSlice<'a>> {
    let waiting = (!waiting.is_empty()).then(|| IoSlice::new(waiting));
    waiting.into_iter().chain(pieces.into_iter().flat_map(Pieces::slices))
}

/// What a read fails with where the framing of a request's body is wrong. The kind tells it from a client that has gone:
/// see [`is_invalid_body`].
fn invalid_body() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "client sent invalid chunked body")
}

/// Whether a read failed because the client's body is not framed as it should be.
pub(crate) fn is_invalid_body(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// The socket, which is there until the stream is dropped.
fn socket(socket: &mut Option<Socket>) -> Pin<&mut Socket> {
    Pin::new(socket.as_mut().expect("only drop takes the socket"))
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if self.serving && self.has_waiting() {
            let slices: Slices<'_> =
                waiting_slices(&self.waiting, self.pieces.get_mut().as_deref()).collect();
            // Whether it arrives or not, the connection ends.
            let _ = self.socket.as_ref().map(|socket| socket.try_write_vectored(&slices));
        }
        let answered = self.serving && !self.ended && self.answered;
        if !answered || !self.has_unread_input() {
            return;
        }
        // Pingora drops the stream where it closes a connection, so this is the only place to linger from.
        if let (Some(socket), Ok(runtime)) = (self.socket.take(), tokio::runtime::Handle::try_current()) {
            let (drain, hold) = (self.drain.clone(), self.drain.hold());
            runtime.spawn(async move {
                linger(socket, &mut drain.watch()).await;
                drop(hold);
            });
        }
    }
}

impl ClientStream {
    /// Ends the answer and keeps reading until the client has it.
    pub(super) async fn close_gently(mut self) {
        self.serving = false;
        if AsyncWriteExt::shutdown(&mut self).await.is_err() {
            return;
        }
        if let Some(socket) = self.socket.take() {
            linger(socket, &mut self.drain.watch()).await;
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let this = self.get_mut();
        let before = buf.filled().len();
        let Poll::Ready(result) = this.poll_read_limited(cx, buf) else {
            // Whoever cannot be written to is not read from either.
            return match this.serving.then(|| this.poll_send_waiting(cx)) {
                Some(Poll::Ready(Err(error))) => {
                    this.ended = true;
                    Poll::Ready(Err(error))
                }
                _ => Poll::Pending,
            };
        };
        // A client that sent nonsense is still there to read its answer.
        let broken = this.read_limit == ReadLimit::Broken;
        this.ended |= !broken && (result.is_err() || buf.filled().len() == before);
        Poll::Ready(result)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.pieces.get_mut().as_mut().is_some_and(|pieces| pieces.keep(data)) {
            this.answered = true;
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
        let total: usize = data.iter().map(|slice| slice.len()).sum();
        let accepted = if this.waiting.len() + total <= WRITE_BUFFER_BYTES && !this.has_pieces() {
            data.iter().for_each(|slice| this.waiting.extend_from_slice(slice));
            total
        } else {
            ready!(this.poll_send(cx, data)).inspect_err(|_| this.ended = true)?
        };
        this.answered |= accepted > 0;
        Poll::Ready(Ok(accepted))
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
        socket(&mut this.socket).poll_shutdown(cx)
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
        match &self.socket {
            Some(Socket::Tcp(socket)) => socket.as_raw_fd(),
            Some(Socket::Unix(socket)) => socket.as_raw_fd(),
            None => -1,
        }
    }
}

impl Ssl for ClientStream {}
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    /// Our end and the client's.
    fn pair() -> (ClientStream, UnixStream) {
        let (ours, client) = UnixStream::pair().unwrap();
        (ClientStream::in_test(ours), client)
    }

    async fn arrived(client: &mut UnixStream) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 20];
        match tokio::time::timeout(Duration::from_millis(20), client.read(&mut bytes)).await {
            Ok(count) => bytes[..count.unwrap()].to_vec(),
            Err(_) => Vec::new(),
        }
    }

    #[tokio::test]
    async fn small_writes_wait_for_the_flush_and_large_ones_take_them_along() {
        let (mut stream, mut client) = pair();
        stream.begin_request(ReadLimit::After(0), BytesMut::new());
        stream.write_all(b"header ").await.unwrap();
        stream.write_all(b"body").await.unwrap();
        assert_eq!(arrived(&mut client).await, b"");
        stream.flush().await.unwrap();
        assert_eq!(arrived(&mut client).await, b"header body");

        stream.write_all(b"header ").await.unwrap();
        let body = vec![b'x'; WRITE_BUFFER_BYTES];
        stream.write_all(&body).await.unwrap();
        assert_eq!(arrived(&mut client).await, [b"header ", body.as_slice()].concat());

        let slices = [IoSlice::new(b"5\r\n"), IoSlice::new(&body), IoSlice::new(b"\r\n")];
        assert_eq!(stream.write_vectored(&slices).await.unwrap(), body.len() + 5);
        assert_eq!(arrived(&mut client).await, [b"5\r\n", body.as_slice(), b"\r\n"].concat());
    }

    #[tokio::test]
    async fn a_lent_piece_waits_where_it_lies() {
        let (mut stream, mut client) = pair();
        stream.begin_request(ReadLimit::After(0), BytesMut::new());
        let body = Bytes::from(vec![b'x'; 2 * WRITE_BUFFER_BYTES]);
        stream.write_all(b"header ").await.unwrap();
        stream.lend(body.clone());
        stream.write_all(&body).await.unwrap();
        assert_eq!(arrived(&mut client).await, b"");
        stream.write_all(b" end").await.unwrap();
        assert_eq!(
            arrived(&mut client).await,
            [b"header ", body.as_ref(), b" end"].concat(),
            "with what comes next"
        );

        stream.lend(body.clone());
        stream.write_all(&body).await.unwrap();
        assert_eq!(arrived(&mut client).await, b"");
        stream.flush().await.unwrap();
        assert_eq!(arrived(&mut client).await, body, "with a flush");

        stream.write_all(&body).await.unwrap();
        assert_eq!(arrived(&mut client).await, body, "not lent again");

        stream.write_all(b"header ").await.unwrap();
        stream.lend(body.clone());
        stream.write_all(&body).await.unwrap();
        assert_eq!(stream.waiting_bytes(), body.len());
        drop(stream);
        assert_eq!(arrived(&mut client).await, [b"header ", body.as_ref()].concat(), "with the end");
    }

    #[tokio::test]
    async fn a_read_that_has_to_wait_sends_what_waits() {
        let (mut stream, mut client) = pair();
        stream.begin_request(ReadLimit::After(0), BytesMut::new());
        stream.write_all(b"trickle ").await.unwrap();
        let lent = Bytes::from_static(b"piece");
        stream.lend(lent.clone());
        stream.write_all(&lent).await.unwrap();
        let read = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut [0; 1])).await;
        assert!(read.is_err(), "{read:?}");
        assert_eq!(arrived(&mut client).await, b"trickle piece");
    }

    #[tokio::test]
    async fn bytes_arrive_whole_and_in_order_when_the_client_reads_slowly() {
        let (mut stream, mut client) = pair();
        stream.begin_request(ReadLimit::After(0), BytesMut::new());
        let expected: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
        let mut left = Bytes::from(expected.clone());
        let writer = tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(7);
            while !left.is_empty() {
                let now = left.split_to(random.usize(1..20_000).min(left.len()));
                if random.bool() {
                    stream.lend(now.clone());
                }
                stream.write_all(&now).await.unwrap();
            }
            stream.flush().await.unwrap();
            stream
        });
        let mut received = Vec::new();
        while received.len() < expected.len() {
            let mut bytes = [0; 4_099];
            let count = client.read(&mut bytes).await.unwrap();
            received.extend_from_slice(&bytes[..count]);
        }
        assert!(received == expected);
        drop(writer.await.unwrap());
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0, "nothing comes twice");
    }

    #[tokio::test]
    async fn reads_end_at_the_gate_and_the_rest_comes_back() {
        let (mut stream, mut client) = pair();
        stream.begin_request(ReadLimit::After(4), BytesMut::from(&b"surplus "[..]));
        client.write_all(b"bodynext").await.unwrap();
        let mut bytes = [0; 64];
        assert_eq!(stream.read(&mut bytes).await.unwrap(), 4);
        assert_eq!(&bytes[..4], b"body");
        let beyond = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut bytes)).await;
        assert!(beyond.is_err(), "{beyond:?}");
        assert_eq!(stream.end_request(), "surplus next");
    }

    #[tokio::test]
    async fn a_chunked_body_ends_where_its_grammar_says() {
        let (mut stream, mut client) = pair();
        stream.begin_request(ReadLimit::Chunked(ChunkScanner::default()), BytesMut::new());
        client.write_all(b"3\r\nabc\r\n").await.unwrap();
        let mut bytes = [0; 64];
        assert_eq!(stream.read(&mut bytes).await.unwrap(), 8);
        client.write_all(b"0\r\n\r\nGET / ").await.unwrap();
        assert_eq!(stream.read(&mut bytes).await.unwrap(), 5);
        assert_eq!(&bytes[..5], b"0\r\n\r\n");
        client.write_all(b"HTTP/1.1").await.unwrap();
        let beyond = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut bytes)).await;
        assert!(beyond.is_err(), "{beyond:?}");
        assert_eq!(stream.end_request(), "GET / HTTP/1.1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut stream, client) = pair();
        stream.facts.set_send_timeout(Duration::from_secs(10));
        stream.begin_request(ReadLimit::After(0), BytesMut::new());
        let body = vec![b'x'; 8 << 20];
        let begun = tokio::time::Instant::now();
        let error = stream.write_all(&body).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, 10));

        stream.write_all(b"more").await.unwrap();
        let error = stream.flush().await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, 20), "a flush too");
        drop(client);
    }

    #[tokio::test]
    async fn the_end_of_the_connection_passes_the_gate() {
        let (mut stream, mut client) = pair();
        stream.begin_request(ReadLimit::After(0), BytesMut::new());
        client.write_all(b"next").await.unwrap();
        drop(client);
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_is_held_back_is_bounded() {
        let (mut stream, client) = pair();
        stream.begin_request(ReadLimit::After(0), BytesMut::new());
        let (_read, mut write) = client.into_split();
        let sender = tokio::spawn(async move { write.write_all(&vec![0; 4 << 20]).await });
        let beyond = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut [0; 1])).await;
        assert!(beyond.is_err() && !sender.is_finished(), "{beyond:?}");
        assert!((HELD_BYTES..HELD_BYTES + READ_BYTES).contains(&stream.held.len()), "{}", stream.held.len());
        sender.abort();
    }

    #[tokio::test]
    async fn nothing_is_kept_between_requests() {
        let (mut stream, _client) = pair();
        stream.begin_request(ReadLimit::After(0), BytesMut::new());
        stream.write_all(b"answer").await.unwrap();
        stream.lend(Bytes::from_static(b"piece"));
        stream.flush().await.unwrap();
        drop(stream.end_request());
        assert_eq!((stream.waiting.capacity(), stream.held.capacity()), (0, 0));
        assert!(stream.pieces.get_mut().is_none());
        // But for the count of calls, which only tests have.
        let bytes = size_of::<ClientStream>() - size_of::<usize>();
        assert!(bytes <= 160, "{bytes}");
    }
}
