//! The facts of a connection and of a request that are known before Pingora parses it.
//!
//! [`ConnectionFacts`] are settled before the first request and never change from then on. [`RequestFacts`] belong to one
//! request: the data that Pingora does not keep (the request line byte for byte, the arrival time of its first byte)
//! and the snapshot that applies to the whole request. The connection keeps nothing of a request, because some
//! protocols carry several at once; the hooks answer the loop through the request's own [`RequestReply`].
//!
//! Facts reach the hooks the same way for every protocol: the loop serves (`RequestFacts::serve`) each request with
//! its facts, and the code that makes the request's context [takes](RequestFacts::take) them once. Pingora's own way,
//! the user context of a connection, exists for HTTP/1 alone.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use pingora::server::ShutdownWatch;
use tokio::task::futures::TaskLocalFuture;

use super::drain::Drain;
use super::proxy_protocol::Proxied;
use crate::config::model::ListenAddress;
use crate::tls::{Security, Session};

pub use super::h1::hygiene::{Framing, HopFields, HttpVersion, Shape};

/// A listening address while it is served.
#[derive(Debug)]
pub struct ListenerFacts {
    /// The address's number, its own for the life of the process: a snapshot finds its server blocks by it, and
    /// connections that outlive a reload still name the right address.
    pub slot: usize,
    /// The address as configured. A connection that came in through a wildcard socket carries the facts of the
    /// specific address when the configuration names that too.
    pub address: ListenAddress,
    /// The last snapshot that knew the address; set when the address is removed.
    last: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl ListenerFacts {
    /// An address that the current configuration has.
    pub fn new(slot: usize, address: ListenAddress) -> Self {
        Self { slot, address, last: OnceLock::new() }
    }

    /// Keeps `last`, the current snapshot, because the address is about to be removed: requests that still arrive on
    /// its connections use that snapshot. It lives as long as those connections.
    pub(super) fn retire<S: Send + Sync + 'static>(&self, last: Arc<S>) {
        // An address is removed once; if it comes back, it has other facts.
        let _ = self.last.set(last);
    }

    /// The last snapshot that knew the address; `None` while it is served.
    pub(super) fn last<S: Send + Sync + 'static>(&self) -> Option<Arc<S>> {
        self.last.get()?.clone().downcast().ok()
    }
}

/// The client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAddress {
    /// Over TCP.
    Inet(SocketAddr),
    /// Over a Unix domain socket, where clients have no address (`$remote_addr` is `unix:`).
    Unix,
}

impl ClientAddress {
    /// Address and port; none over a Unix domain socket.
    pub fn inet(self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(address),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for ClientAddress {
    /// Without the port, as in nginx's logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.ip().fmt(f),
            Self::Unix => f.write_str("unix:"),
        }
    }
}

/// A client connection, for as long as it lives.
#[derive(Debug)]
pub struct ConnectionFacts {
    /// `$connection`: counts connections of the process, from 1.
    pub serial: u64,
    /// The client's end.
    pub client: ClientAddress,
    /// The local end, with wildcards resolved; `None` over a Unix domain socket.
    pub local: Option<SocketAddr>,
    /// The listening address that accepted it.
    pub listener: Arc<ListenerFacts>,
    /// When it was accepted.
    pub accepted: Instant,
    /// What the PROXY protocol header said, where one came and said anything.
    pub proxied: Option<Box<Proxied>>,
    /// Whether TLS is spoken, and what its handshake agreed on.
    pub security: Security,
    /// HTTP/2 is spoken.
    pub http2: bool,
    closing: ShutdownWatch,
    drain: Drain,
}

impl ConnectionFacts {
    pub(super) fn new(
        serial: u64,
        client: ClientAddress,
        local: Option<SocketAddr>,
        listener: Arc<ListenerFacts>,
        closing: ShutdownWatch,
        drain: Drain,
    ) -> Self {
        Self {
            serial,
            client,
            local,
            listener,
            accepted: Instant::now(),
            proxied: None,
            security: Security::Plain,
            http2: false,
            closing,
            drain,
        }
    }

    /// The counts of all connections of the process.
    pub fn drain(&self) -> &Drain {
        &self.drain
    }

    /// The facts of the same connection, once its PROXY protocol header has been read, before TLS is spoken.
    pub(super) fn behind_proxy(&self, proxied: Proxied) -> Self {
        Self {
            serial: self.serial,
            client: self.client,
            local: self.local,
            listener: self.listener.clone(),
            accepted: self.accepted,
            proxied: Some(Box::new(proxied)),
            security: Security::Plain,
            http2: false,
            closing: self.closing.clone(),
            drain: self.drain.clone(),
        }
    }

    /// The same connection, after its client has or has not begun to speak TLS.
    pub(super) fn with_security(&self, security: Security) -> Self {
        Self {
            serial: self.serial,
            client: self.client,
            local: self.local,
            listener: self.listener.clone(),
            accepted: self.accepted,
            proxied: self.proxied.clone(),
            security,
            http2: self.http2,
            closing: self.closing.clone(),
            drain: self.drain.clone(),
        }
    }

    /// A connection that turned out to speak HTTP/2, before its first request.
    pub(super) fn speaking_http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// What the TLS handshake agreed on, if there was one.
    pub fn tls(&self) -> Option<&Session> {
        self.security.session()
    }

    /// `$scheme`: the scheme of absolute URLs on this connection.
    pub fn scheme(&self) -> &'static str {
        if self.tls().is_some() { "https" } else { "http" }
    }

    /// The tail of nginx's lines about a connection.
    pub(super) fn circumstances(&self) -> String {
        format!(", client: {}, server: {}", self.client, self.listener.address)
    }

    /// Turns true when this connection is to end: the process stops gracefully, or its listening address was removed.
    /// Endless answers (our own event streams) must end then.
    pub fn closing(&self) -> ShutdownWatch {
        self.closing.clone()
    }
}

/// Marks [`RequestReply::idle_timeout_ms`] as never set.
const UNSET: u64 = u64::MAX;

/// nginx's default of `send_timeout`, for answers written before a location is known.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// nginx's default of `http2_chunk_size`, for the same.
const PIECE_BYTES: usize = 8 << 10;

/// The hooks' answers to the loop, and to the stream that carries the request.
#[derive(Debug)]
pub struct RequestReply {
    /// Read by the loop after the request; milliseconds.
    idle_timeout_ms: AtomicU64,
    /// Read while the answer is written; milliseconds.
    send_timeout_ms: AtomicU64,
    /// The facts were taken: the request reached the hooks.
    is_seen: AtomicBool,
    /// Read together with the client's input.
    switches_protocols: AtomicBool,
    /// Bytes of the answer that the socket took, header and framing included.
    sent_bytes: AtomicU64,
    /// Bytes of the request's body as they came, framing included.
    body_bytes: AtomicU64,
    /// A server's early hints go to the client.
    passes_early_hints: AtomicBool,
    /// Of HTTP/2: bytes of the answer's body that were given to the connection.
    content_bytes: AtomicU64,
    /// The longest piece of the answer in one frame.
    piece_bytes: AtomicUsize,
    /// Nobody reads the answer's fields once they were sent.
    forgets_fields: AtomicBool,
}

impl Default for RequestReply {
    fn default() -> Self {
        Self {
            idle_timeout_ms: AtomicU64::new(UNSET),
            send_timeout_ms: AtomicU64::new(SEND_TIMEOUT.as_millis() as u64),
            is_seen: AtomicBool::new(false),
            switches_protocols: AtomicBool::new(false),
            sent_bytes: AtomicU64::new(0),
            body_bytes: AtomicU64::new(0),
            passes_early_hints: AtomicBool::new(false),
            content_bytes: AtomicU64::new(0),
            piece_bytes: AtomicUsize::new(PIECE_BYTES),
            forgets_fields: AtomicBool::new(false),
        }
    }
}

impl RequestReply {
    /// Sets the time for which the client may accept none of the answer being written (`send_timeout` of its
    /// location).
    pub fn set_send_timeout(&self, timeout: Duration) {
        self.send_timeout_ms.store(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn send_timeout(&self) -> Duration {
        Duration::from_millis(self.send_timeout_ms.load(Relaxed))
    }

    /// Lets a server's early hints (103) go to the client (`early_hints`), where its protocol has a place for them.
    pub fn pass_early_hints(&self) {
        self.passes_early_hints.store(true, Relaxed);
    }

    pub(super) fn passes_early_hints(&self) -> bool {
        self.passes_early_hints.load(Relaxed)
    }

    /// Declares that nobody reads the answer's fields once they were sent: no log may ask for them. HTTP/2 then gives them
    /// away instead of a copy.
    pub fn forget_fields(&self) {
        self.forgets_fields.store(true, Relaxed);
    }

    pub(super) fn forgets_fields(&self) -> bool {
        self.forgets_fields.load(Relaxed)
    }

    /// Sets the longest piece of the answer that goes out in one frame (`http2_chunk_size`).
    pub fn set_piece_bytes(&self, bytes: usize) {
        self.piece_bytes.store(bytes, Relaxed);
    }

    pub(super) fn piece_bytes(&self) -> usize {
        self.piece_bytes.load(Relaxed)
    }

    /// Sets the idle time of the connection after this request (`keepalive_timeout` of its location). Zero closes it.
    pub fn set_idle_timeout(&self, timeout: Duration) {
        let ms = u64::try_from(timeout.as_millis()).unwrap_or(UNSET - 1).min(UNSET - 1);
        self.idle_timeout_ms.store(ms, Relaxed);
    }

    /// The value given to [`set_idle_timeout`](Self::set_idle_timeout).
    pub(super) fn idle_timeout(&self) -> Option<Duration> {
        match self.idle_timeout_ms.load(Relaxed) {
            UNSET => None,
            ms => Some(Duration::from_millis(ms)),
        }
    }

    /// Declares that the answer is 101: the client's bytes from now on, and those sent ahead, belong to another
    /// protocol.
    pub fn switch_protocols(&self) {
        self.switches_protocols.store(true, Relaxed);
    }

    pub(super) fn switches_protocols(&self) -> bool {
        self.switches_protocols.load(Relaxed)
    }

    /// Bytes of the answer that the socket has taken, header and framing included (`$bytes_sent`).
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Relaxed)
    }

    /// Of HTTP/2, where the frames of an answer are not all of one length: bytes of its body that were sent
    /// (`$body_bytes_sent`).
    pub fn content_bytes(&self) -> u64 {
        self.content_bytes.load(Relaxed)
    }

    /// Bytes of the request's body that have come, framing included. With the header's, `$request_length`.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes.load(Relaxed)
    }

    pub(super) fn count_sent(&self, bytes: usize) {
        add(&self.sent_bytes, bytes);
    }

    pub(super) fn count_content(&self, bytes: usize) {
        add(&self.content_bytes, bytes);
    }

    pub(super) fn count_body(&self, bytes: usize) {
        add(&self.body_bytes, bytes);
    }

    /// True if the request reached the proxy's hooks, which log it. Otherwise Pingora refused it, and the loop
    /// reports it.
    pub(super) fn was_seen(&self) -> bool {
        self.is_seen.load(Relaxed)
    }
}

/// Adds to a counter that one task alone writes: no locked instruction.
fn add(counter: &AtomicU64, bytes: usize) {
    counter.store(counter.load(Relaxed) + bytes as u64, Relaxed);
}

/// An admitted request. `S` is the snapshot of the configuration.
#[derive(Debug)]
pub struct RequestFacts<S> {
    /// Its connection.
    pub connection: Arc<ConnectionFacts>,
    /// The configuration that applies to it from start to end.
    pub snapshot: Arc<S>,
    /// Its number on the connection, from 1 (`$connection_requests`).
    pub number: u64,
    /// Arrival time of its first byte.
    pub received: Instant,
    /// The hooks' answers to the loop.
    pub reply: Arc<RequestReply>,
    /// The request line as sent, without the line end.
    pub(super) request_line: Box<[u8]>,
    /// Length of the header as sent, from the first byte of the request line through the empty line. With the
    /// body's bytes, `$request_length`.
    pub head_bytes: usize,
    /// The header's statements about the message.
    pub shape: Shape,
    /// Of a request that the program makes itself in the place of a client's: what the hooks left for it.
    pub resumed: Option<Box<dyn Any + Send + Sync>>,
}

tokio::task_local! {
    /// The facts of the request that is being served, until they are taken.
    static SERVED: Cell<Option<Box<dyn Any + Send>>>;
}

/// A future that serves a request and gives access to its facts.
pub type Serving<F> = TaskLocalFuture<Cell<Option<Box<dyn Any + Send>>>, F>;

impl<S: Send + Sync + 'static> RequestFacts<S> {
    /// Runs `serving`, which can [take](Self::take) the facts.
    pub fn serve<F: Future>(self, serving: F) -> Serving<F> {
        SERVED.scope(Cell::new(Some(Box::new(self))), serving)
    }

    /// The facts of a request that the program makes itself, for the same as this one; `resumed` is for its hooks.
    pub fn for_background(&self, resumed: Box<dyn Any + Send + Sync>) -> Self {
        Self {
            connection: Arc::clone(&self.connection),
            snapshot: Arc::clone(&self.snapshot),
            number: self.number,
            received: Instant::now(),
            reply: Arc::default(),
            request_line: self.request_line.clone(),
            head_bytes: self.head_bytes,
            shape: Shape { framing: Framing::Empty, ..self.shape },
            resumed: Some(resumed),
        }
    }

    /// The facts of the request that this task serves. The code that makes the request's context takes them, once;
    /// from then on it reports the request, and the loop does not.
    ///
    /// # Panics
    ///
    /// If no connection loop serves a request, or its facts were taken before: a mistake in the program.
    pub fn take() -> Box<Self> {
        let taken = SERVED.try_with(Cell::take).ok().flatten();
        let facts: Box<Self> = taken
            .and_then(|facts| facts.downcast().ok())
            .expect("the connection loop serves each request with its facts");
        facts.reply.is_seen.store(true, Relaxed);
        facts
    }

    /// The facts of a subrequest that begins at `now`: what the client sent stays what it was, but the body is not the
    /// subrequest's to wait for, and its hooks answer nobody.
    pub fn inside(&self, now: Instant) -> Self {
        Self {
            resumed: None,
            connection: Arc::clone(&self.connection),
            snapshot: Arc::clone(&self.snapshot),
            number: self.number,
            received: now,
            reply: Arc::default(),
            request_line: self.request_line.clone(),
            head_bytes: self.head_bytes,
            shape: Shape { upgrade: false, expects_continue: false, ..self.shape },
        }
    }

    /// The request line as sent, without the line end (`$request`).
    pub fn request_line(&self) -> &[u8] {
        &self.request_line
    }

    /// The method as sent.
    pub fn method(&self) -> &[u8] {
        &self.request_line[..self.shape.method_bytes]
    }

    /// The request target as sent (`$request_uri`, but for an absolute-form target, which carries the host).
    pub fn target(&self) -> &[u8] {
        &self.request_line[self.shape.target.0..self.shape.target.1]
    }

    /// Path and query of the target as sent (`$request_uri`): without scheme and host if it carried them, and
    /// empty for `http://host`.
    pub fn path_and_query(&self) -> &[u8] {
        &self.request_line[self.shape.path_start..self.shape.target.1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_timeout_is_unknown_until_set_and_zero_is_a_value() {
        let reply = RequestReply::default();
        assert_eq!(reply.idle_timeout(), None);
        reply.set_idle_timeout(Duration::ZERO);
        assert_eq!(reply.idle_timeout(), Some(Duration::ZERO));
        reply.set_idle_timeout(Duration::MAX);
        assert!(reply.idle_timeout() > Some(Duration::from_secs(3600 * 24 * 365)));
    }

    fn request(number: u64) -> RequestFacts<&'static str> {
        let (_, closing) = tokio::sync::watch::channel(false);
        let address = ListenAddress::Unix("/run/test".into());
        let listener = Arc::new(ListenerFacts::new(0, address));
        let connection =
            ConnectionFacts::new(1, ClientAddress::Unix, None, listener, closing, Drain::default());
        RequestFacts {
            connection: Arc::new(connection),
            snapshot: Arc::new("snapshot"),
            number,
            received: Instant::now(),
            reply: Arc::default(),
            request_line: b"GET http://h/p?q HTTP/1.1".as_slice().into(),
            head_bytes: 40,
            shape: Shape {
                version: HttpVersion::Http11,
                framing: Framing::Empty,
                method_bytes: 3,
                target: (4, 16),
                path_start: 12,
                upgrade: false,
                expects_continue: false,
                keep_alive: true,
                unusual_names: false,
                hop_fields: HopFields::Nothing,
            },
            resumed: None,
        }
    }

    /// Several streams of one connection, served at once in one task.
    #[tokio::test]
    async fn requests_served_at_once_take_their_own_facts_and_reply_for_themselves() {
        let serve = |number: u64| {
            let facts = request(number);
            let reply = facts.reply.clone();
            let serving = facts.serve(async move {
                tokio::task::yield_now().await;
                let facts = RequestFacts::<&str>::take();
                tokio::task::yield_now().await;
                facts.reply.set_idle_timeout(Duration::from_secs(facts.number));
                facts.number
            });
            async move {
                assert!(!reply.was_seen());
                let number = serving.await;
                assert!(reply.was_seen());
                (number, reply.idle_timeout())
            }
        };
        let served = tokio::join!(serve(1), serve(2), serve(3));
        let expected = |number| (number, Some(Duration::from_secs(number)));
        assert_eq!(served, (expected(1), expected(2), expected(3)));
    }

    #[tokio::test]
    async fn a_request_that_nobody_takes_was_not_seen() {
        let facts = request(1);
        let reply = facts.reply.clone();
        facts.serve(async {}).await;
        assert!(!reply.was_seen());
    }

    #[test]
    fn the_parts_of_a_request_line_are_told_as_sent() {
        let facts = request(1);
        assert_eq!(facts.method(), b"GET");
        assert_eq!(facts.target(), b"http://h/p?q");
        assert_eq!(facts.path_and_query(), b"/p?q");
        assert_eq!(facts.request_line(), b"GET http://h/p?q HTTP/1.1");
    }
}
