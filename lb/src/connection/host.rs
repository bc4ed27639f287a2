//! The callbacks of the connection loop.
//!
//! The loop knows neither snapshots nor logs. Through this trait it learns which limits apply before a server block
//! is known, and reports the requests that never reach the proxy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;

use super::facts::{ConnectionFacts, ListenerFacts};
use super::h1::hygiene::Reason;
use crate::config::model::HeaderLimits;
use crate::observe::handshakes::{Handshake, HandshakeFailure};
use crate::tls::Chosen;

/// The limits of a request before its server block is known: settings of the address's default server, as in NGINX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `client_header_timeout`: for the whole header, from its first byte.
    pub header_timeout: Duration,
    /// Time that a new connection may stay silent before its first byte. NGINX uses `client_header_timeout`.
    pub first_request_timeout: Duration,
    /// Time that a connection may stay idle unless the proxy set another
    /// ([`set_idle_timeout`](super::facts::RequestReply::set_idle_timeout)) for the location of its last request.
    pub idle_timeout: Duration,
    /// `large_client_header_buffers`.
    pub header: HeaderLimits,
    /// `max_headers`
    pub max_fields: usize,
    /// `server_tokens`, for the pages of refused requests.
    pub server_tokens: bool,
}

/// What a connection of HTTP/2 may do, by the settings of the server that it speaks to first: with TLS that of its name, else
/// the address's default server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http2Limits {
    /// `http2_max_concurrent_streams`
    pub concurrent_streams: u32,
    /// `http2_body_preread_size`: bytes of a body that a client may send unasked.
    pub window: u32,
    /// `keepalive_requests`
    pub requests: u64,
    /// `keepalive_time`
    pub lifetime: Duration,
    /// `send_timeout`: how long the client may take nothing of what waits for it.
    pub send_timeout: Duration,
}

/// A request that ended before the proxy saw it.
#[derive(Debug)]
pub struct Refused<'a> {
    /// The status for the access log. 408 and 400 also stand for clients that stalled or left.
    pub status: StatusCode,
    /// The reason for its end.
    pub reason: Reason,
    /// The request line as far as it arrived, without the line end; may be empty or cut.
    pub request_line: &'a [u8],
    /// The request's number on its connection, from 1.
    pub number: u64,
    /// Arrival time of its first byte.
    pub received: Instant,
    /// Header bytes read.
    pub bytes_received: u64,
    /// Bytes of the answer, header included; 0 when none was sent, and when Pingora answered by itself.
    pub bytes_sent: u64,
    /// Bytes of the answer's body, which `bytes_sent` includes.
    pub body_bytes_sent: u64,
}

/// The rest of the program, as the loop sees it. Every method runs on the request path: it must not wait, nor hold a
/// lock for longer than some nanoseconds.
pub trait ConnectionHost: Send + Sync + 'static {
    /// The configuration as one immutable value.
    type Snapshot: Send + Sync + 'static;

    /// The current snapshot.
    fn current(&self) -> Arc<Self::Snapshot>;

    /// The snapshot that applies to a request on `listener`: the current one, or the last that knew the address.
    /// Called once per request, at its first byte, and once for the wait before the first.
    fn snapshot(&self, listener: &ListenerFacts) -> Arc<Self::Snapshot> {
        // In this order: an address is retired before a snapshot without it becomes the current one, so that a reader
        // of that snapshot finds the other one here.
        let current = self.current();
        listener.last().unwrap_or(current)
    }

    /// Whether connections to `listener` begin with a PROXY protocol header.
    fn reads_proxy_protocol(&self, _snapshot: &Self::Snapshot, _listener: &ListenerFacts) -> bool {
        false
    }

    /// The limits on `listener` before a server block is known.
    fn limits(&self, snapshot: &Self::Snapshot, listener: &ListenerFacts) -> Limits;

    /// Whether TLS is spoken on `listener`.
    fn speaks_tls(&self, _snapshot: &Self::Snapshot, _listener: &ListenerFacts) -> bool {
        false
    }

    /// The TLS for a client on `listener` that asks for the server of this name, if it names one.
    fn tls(
        &self,
        _snapshot: &Self::Snapshot,
        _listener: &ListenerFacts,
        _server_name: Option<&str>,
    ) -> Chosen {
        Chosen::default()
    }

    /// A TLS handshake ended: count it.
    fn handshake_ended(&self, _outcome: Result<Handshake, HandshakeFailure>) {}

    /// The limits of HTTP/2 on `listener`, for a client that asks for the server of this name; `None` where it is not
    /// spoken.
    fn http2(
        &self,
        _snapshot: &Self::Snapshot,
        _listener: &ListenerFacts,
        _server_name: Option<&str>,
    ) -> Option<Http2Limits> {
        None
    }

    /// A request ended before the proxy saw it: log and count it.
    fn refused(
        &self,
        snapshot: &Arc<Self::Snapshot>,
        connection: &Arc<ConnectionFacts>,
        refused: &Refused<'_>,
    );
}
