//! What is known of a connection and of a request before Pingora parses it.
//!
//! The loop puts a [`RequestFacts`] into each session; it arrives in `ProxyHttp::on_connection_reuse`, on the
//! first request of a connection too. It holds what Pingora does not keep: the request line byte for byte, when
//! its first byte came, and the snapshot that the whole request is to be judged by.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use pingora::server::ShutdownWatch;

use crate::config::model::ListenAddress;

pub use super::h1::hygiene::{Framing, HopFields, HttpVersion, Shape};

/// A listening address while it is served.
#[derive(Debug)]
pub struct ListenerFacts {
    /// The address's number, its own for the life of the process: a snapshot finds its server blocks by it, and
    /// connections that outlive a reload still name the right one.
    pub slot: usize,
    /// The address as configured. A connection that came in through a wildcard socket carries the facts of the
    /// specific address when the configuration names that too.
    pub address: ListenAddress,
    /// The last snapshot that knew the address, once it is taken away.
    last: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl ListenerFacts {
    /// An address that the configuration in force knows.
    pub fn new(slot: usize, address: ListenAddress) -> Self {
        Self { slot, address, last: OnceLock::new() }
    }

    /// The address is about to be taken away: `last` is the snapshot in force, and what is still to come on
    /// connections to it is judged by that. It lives as long as those connections.
    pub(super) fn retire<S: Send + Sync + 'static>(&self, last: Arc<S>) {
        // An address is taken away once; if it comes back, it has other facts.
        let _ = self.last.set(last);
    }

    /// The last snapshot that knew the address; `None` while it is served.
    pub(super) fn last<S: Send + Sync + 'static>(&self) -> Option<Arc<S>> {
        self.last.get()?.clone().downcast().ok()
    }
}

/// Who connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAddress {
    /// Over TCP.
    Inet(SocketAddr),
    /// Over a Unix domain socket, where clients have no address (`$remote_addr` is `unix:`).
    Unix,
}

/// Marks [`ConnectionFacts::idle_timeout_ms`] as never set.
const UNSET: u64 = u64::MAX;

/// A client connection. Shared between the loop and the requests on it.
#[derive(Debug)]
pub struct ConnectionFacts {
    /// `$connection`: counts connections of the process, from 1.
    pub serial: u64,
    /// The other end.
    pub client: ClientAddress,
    /// This end, the wildcard resolved; `None` over a Unix domain socket.
    pub local: Option<SocketAddr>,
    /// Where it came in.
    pub listener: Arc<ListenerFacts>,
    closing: ShutdownWatch,
    /// Written by the proxy during a request, read by the loop after it; milliseconds.
    idle_timeout_ms: AtomicU64,
    /// Likewise: the latest request whose hooks ran.
    seen: AtomicU64,
    /// Likewise, read while its answer is written; milliseconds.
    send_timeout_ms: AtomicU64,
}

/// nginx's default of `send_timeout`, for what is written before a location is known.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

impl ConnectionFacts {
    pub(super) fn new(
        serial: u64,
        client: ClientAddress,
        local: Option<SocketAddr>,
        listener: Arc<ListenerFacts>,
        closing: ShutdownWatch,
    ) -> Self {
        Self {
            serial,
            client,
            local,
            listener,
            closing,
            idle_timeout_ms: AtomicU64::new(UNSET),
            seen: AtomicU64::new(0),
            send_timeout_ms: AtomicU64::new(SEND_TIMEOUT.as_millis() as u64),
        }
    }

    /// How long the client may take none of the answer being written (`send_timeout` of its location).
    pub fn set_send_timeout(&self, timeout: Duration) {
        self.send_timeout_ms.store(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn send_timeout(&self) -> Duration {
        Duration::from_millis(self.send_timeout_ms.load(Relaxed))
    }

    /// How long the connection may stay idle after the request being served (`keepalive_timeout` of its
    /// location). Zero closes it.
    pub fn set_idle_timeout(&self, timeout: Duration) {
        let ms = u64::try_from(timeout.as_millis()).unwrap_or(UNSET - 1).min(UNSET - 1);
        self.idle_timeout_ms.store(ms, Relaxed);
    }

    /// What [`set_idle_timeout`](Self::set_idle_timeout) said last.
    pub(super) fn idle_timeout(&self) -> Option<Duration> {
        match self.idle_timeout_ms.load(Relaxed) {
            UNSET => None,
            ms => Some(Duration::from_millis(ms)),
        }
    }

    /// Says that request `number` has reached the proxy's hooks and will be logged there. A request that ends
    /// without it was refused inside Pingora, and the loop reports it.
    pub fn mark_seen(&self, number: u64) {
        self.seen.store(number, Relaxed);
    }

    pub(super) fn was_seen(&self, number: u64) -> bool {
        self.seen.load(Relaxed) >= number
    }

    /// Turns true when this connection is to end: the process stops gracefully, or its listening address was
    /// taken away. What would otherwise stream for ever (our own event streams) must end then.
    pub fn closing(&self) -> ShutdownWatch {
        self.closing.clone()
    }
}

/// A request that was let in. `S` is the snapshot of the configuration.
#[derive(Debug)]
pub struct RequestFacts<S> {
    /// The connection it came on.
    pub connection: Arc<ConnectionFacts>,
    /// The configuration that applies to it from start to end.
    pub snapshot: Arc<S>,
    /// Its number on the connection, from 1 (`$connection_requests`).
    pub number: u64,
    /// When its first byte was read.
    pub received: Instant,
    /// The request line as sent, without the line end (`$request`).
    pub request_line: Box<[u8]>,
    /// Length of the header as sent, from the first byte of the request line through the empty line. With the
    /// body's bytes, `$request_length`.
    pub head_bytes: usize,
    /// What the header says about the message.
    pub shape: Shape,
}

impl<S> RequestFacts<S> {
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

    fn connection() -> ConnectionFacts {
        let (_, closing) = tokio::sync::watch::channel(false);
        let address = ListenAddress::Unix("/run/test".into());
        let listener = Arc::new(ListenerFacts::new(0, address));
        ConnectionFacts::new(1, ClientAddress::Unix, None, listener, closing)
    }

    #[test]
    fn an_idle_timeout_is_unknown_until_set_and_zero_is_a_value() {
        let connection = connection();
        assert_eq!(connection.idle_timeout(), None);
        connection.set_idle_timeout(Duration::ZERO);
        assert_eq!(connection.idle_timeout(), Some(Duration::ZERO));
        connection.set_idle_timeout(Duration::MAX);
        assert!(connection.idle_timeout() > Some(Duration::from_secs(3600 * 24 * 365)));
    }

    #[test]
    fn a_request_is_seen_once_its_number_or_a_later_one_was_marked() {
        let connection = connection();
        assert!(!connection.was_seen(1));
        connection.mark_seen(1);
        assert!(connection.was_seen(1) && !connection.was_seen(2));
    }
}
