//! What is remembered of one request from its first hook to its last.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use pingora::http::ResponseHeader;
use smallvec::SmallVec;

use crate::balance::Tried;
use crate::config::model::{Location, Proxy, Server, ServerId};
use crate::connection::RequestFacts;
use crate::observe::reasons::Generated;
use crate::proxy::failure::Failure;
use crate::proxy::gather;
use crate::request::answer_hygiene::Framing;
use crate::server::Snapshot;
use crate::upstream::{InFlight, Peer, Upstream};

/// The request as the hooks see it grow.
#[derive(Default)]
pub struct Context {
    /// What the connection loop knew before Pingora saw the request, the snapshot among it. Absent only if Pingora
    /// left out its first hook, which is answered with 500.
    pub facts: Option<Box<RequestFacts<Snapshot>>>,
    /// The server block and location that it belongs to.
    pub route: Option<Route>,
    /// Where its location proxies to, if it does.
    pub target: Option<ProxyTarget>,
    /// Servers that were tried.
    pub tried: Tried,
    /// One entry per try, in order.
    pub tries: SmallVec<[Try; 1]>,
    /// A failure on a stale kept-alive connection has been forgiven.
    pub forgiven: bool,
    /// The peer that was picked ahead of the next try, and when.
    pub next: Option<(InFlight, Instant)>,
    /// No server could be picked: logged like a try of the upstream itself, as nginx does.
    pub no_live_upstream: bool,
    /// What ended the request, when something other than an answer did.
    pub failure: Option<Failure>,
    /// The upstream connection has reached `keepalive_requests`: this request closes it.
    pub last_on_connection: bool,
    /// We made the answer, and why.
    pub generated: Option<Generated>,
    /// `return 444`: the connection is closed without an answer.
    pub silent: bool,
    /// The upstream's answer as it came, kept only where some template reads `$upstream_http_*`.
    pub upstream_header: Option<Box<ResponseHeader>>,
    /// While a large answer is passed on: the way back to Pingora's own session.
    pub(super) gathering: Option<gather::Home>,
    /// Bytes of the body that Pingora counts as sent and that never left.
    pub(super) unsent_bytes: usize,
    /// `$request_id`, once asked for.
    pub request_id: std::sync::OnceLock<String>,
}

/// Where a request goes.
pub struct Route {
    /// Which server block.
    pub server: ServerId,
    /// Which location, or the server's own settings where none matched.
    pub location: Arc<Location>,
}

/// What a proxied request needs of its location at every step.
pub struct ProxyTarget {
    /// `proxy_pass` and what goes with it.
    pub proxy: Arc<Proxy>,
    /// The servers.
    pub upstream: Arc<Upstream>,
    /// What keeps this upstream's connections apart from those of others to the same address.
    pub connection_group: u64,
}

/// One attempt at one server. Durations count from `started`.
pub struct Try {
    /// The server.
    pub peer: Arc<Peer>,
    /// When it was picked.
    pub started: Instant,
    /// When the connection stood; zero for a kept-alive one, as in nginx.
    pub connected: Option<Duration>,
    /// When the answer's header was complete.
    pub header: Option<Duration>,
    /// When it was over.
    pub finished: Option<Duration>,
    /// The answer's status, or 502 or 504 for a failure.
    pub status: Option<StatusCode>,
    /// Where the answer's body ends, once its header is complete.
    pub framing: Option<Framing>,
    /// The client asked for another protocol, and the request to this server does too.
    pub upgrade_asked: bool,
    /// The connection was a kept-alive one.
    pub reused: bool,
    /// Bytes of the answer's body.
    pub bytes_received: u64,
    /// Bytes of the request's body.
    pub bytes_sent: u64,
    /// The server's in-flight count, held while the try lasts.
    pub in_flight: Option<InFlight>,
}

impl Try {
    /// A try that begins `now`.
    pub fn begin(peer: Arc<Peer>, in_flight: InFlight, now: Instant) -> Self {
        Self {
            peer,
            started: now,
            connected: None,
            header: None,
            finished: None,
            status: None,
            framing: None,
            upgrade_asked: false,
            reused: false,
            bytes_received: 0,
            bytes_sent: 0,
            in_flight: Some(in_flight),
        }
    }
}

impl Context {
    /// The facts; `None` only in the case that [`Context::facts`] tells of.
    pub fn facts(&self) -> Option<&RequestFacts<Snapshot>> {
        self.facts.as_deref()
    }

    /// The snapshot that this request holds.
    pub fn snapshot(&self) -> Option<&Arc<Snapshot>> {
        self.facts().map(|facts| &facts.snapshot)
    }

    /// The server block.
    pub fn server(&self) -> Option<&Server> {
        let route = self.route.as_ref()?;
        self.snapshot()?.config.http.servers.get(route.server.0)
    }

    /// The location.
    pub fn location(&self) -> Option<&Arc<Location>> {
        self.route.as_ref().map(|route| &route.location)
    }

    /// Ends the try that is under way.
    pub fn end_try(&mut self, status: Option<StatusCode>, now: Instant) {
        if let Some(last) = self.tries.last_mut()
            && last.finished.is_none()
        {
            last.finished = Some(now.duration_since(last.started));
            last.status = last.status.or(status);
            last.in_flight = None;
        }
    }
}
