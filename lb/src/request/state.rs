//! A request as it grows: what each stage knows, and nothing that it does not.
//!
//! A hook that needs a stage asks for it ([`State::routed`], [`State::proxying`]) and ends the request with an internal
//! error where it is not there. So no request reaches a server without the settings of its location.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, StatusCode};
use smallvec::SmallVec;

use super::Failure;
use super::answer_hygiene::Framing;
use super::flow::Flow;
use super::uri::Uri;
use super::values::Variables;
use crate::balance::Tried;
use crate::cache::Account;
use crate::config::model::{Location, Proxy, ServerId};
use crate::filter::Compressed;
use crate::observe::reasons::Generated;
use crate::upstream::{InFlight, Peer, Upstream};

/// What a balancing method maps to a server; an address needs no allocation.
pub type BalancingKey = SmallVec<[u8; 16]>;

/// One request, from its admission to its end.
#[derive(Default)]
pub struct State {
    pub(super) stage: Stage,
    /// What is asked for, as it is now.
    pub uri: Uri,
    /// What `set`, `map` and regular expressions left.
    pub variables: Variables,
    /// Where it stands among the phases.
    pub(super) flow: Flow,
    /// The client, where a proxy that is believed has named it.
    pub(super) real_client: Option<SocketAddr>,
    /// What the cache had for it, where it has been asked.
    pub cache: Option<Box<Account>>,
    /// Upstreams that it has left for another location.
    pub(super) earlier: Vec<Proxying>,
    /// What ended it, once something other than a server's answer did.
    pub ending: Ending,
    /// What the compressor of its answer has taken and given.
    pub compressed: Option<Compressed>,
}

/// How far a request has come.
#[derive(Default)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every request is proxied, and a box would cost it an allocation"
)]
pub enum Stage {
    /// The connection loop let it in; its server block is not known yet.
    #[default]
    Admitted,
    /// Its server block and location are known.
    Routed(Routed),
    /// It goes to servers of an upstream.
    Proxying(Proxying),
}

/// What ended a request, when something other than a server's answer did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// The failure.
    pub failure: Option<Failure>,
    /// The program made the answer, and why.
    pub generated: Option<Generated>,
    /// `return 444`: the connection closes without an answer.
    pub silent: bool,
}

/// Where a request belongs.
#[derive(Clone)]
pub struct Routed {
    /// Which server block.
    pub server: ServerId,
    /// Which location, or the server's own settings where none matched.
    pub location: Arc<Location>,
}

/// What a proxied request needs of its location at every step.
#[derive(Clone)]
pub struct ProxyTarget {
    /// `proxy_pass` and what goes with it.
    pub proxy: Arc<Proxy>,
    /// The servers.
    pub upstream: Arc<Upstream>,
    /// What keeps this upstream's connections apart from those of others to the same address.
    pub connection_group: u64,
}

/// A request on its way to a server, and back.
pub struct Proxying {
    /// Where it belongs.
    pub routed: Routed,
    /// Where it goes.
    pub target: ProxyTarget,
    /// What the upstream's balancing method maps to a server; empty for a method without a key.
    pub balancing_key: BalancingKey,
    /// Servers that were tried.
    pub tried: Tried,
    /// One entry per try, in order.
    pub tries: SmallVec<[Try; 1]>,
    /// A failure on a stale kept-alive connection has been forgiven.
    pub forgiven: bool,
    /// The server that was picked ahead of the next try, and when.
    pub next: Option<(InFlight, Instant)>,
    /// No server could be picked: logged like a try of the upstream itself, as nginx does.
    pub no_live_upstream: bool,
    /// The upstream connection has reached `keepalive_requests`: this request closes it.
    pub last_on_connection: bool,
    /// The fields of the server's answer as they came, kept only where some template reads `$upstream_http_*`.
    pub upstream_fields: Option<Box<HeaderMap>>,
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
    /// Bytes of the answer's header, where a log asks.
    pub head_bytes_received: u64,
    /// Bytes of the request's body.
    pub bytes_sent: u64,
    /// Bytes of the request's header and of the framing of its chunks, where a log asks.
    pub overhead_bytes_sent: u64,
    /// The server's in-flight count, held while the try lasts.
    pub in_flight: Option<InFlight>,
}

impl State {
    /// Another request for the same, which goes to a server too and stands where this one began to. `None` where this one
    /// goes to none.
    pub fn again(&self) -> Option<Self> {
        let proxying = self.proxying()?;
        Some(Self {
            stage: Stage::Proxying(Proxying::new(proxying.routed.clone(), proxying.target.clone())),
            uri: self.uri.clone(),
            variables: self.variables.clone(),
            flow: self.flow.at_content(),
            real_client: self.real_client,
            ..Self::default()
        })
    }

    /// Where the request belongs, from the moment on when that is known.
    pub fn routed(&self) -> Option<&Routed> {
        match &self.stage {
            Stage::Admitted => None,
            Stage::Routed(routed) => Some(routed),
            Stage::Proxying(proxying) => Some(&proxying.routed),
        }
    }

    pub(super) fn routed_mut(&mut self) -> Option<&mut Routed> {
        match &mut self.stage {
            Stage::Admitted => None,
            Stage::Routed(routed) => Some(routed),
            Stage::Proxying(proxying) => Some(&mut proxying.routed),
        }
    }

    /// Its location.
    pub fn location(&self) -> Option<&Arc<Location>> {
        self.routed().map(|routed| &routed.location)
    }

    /// Its way to the servers, if it takes one.
    pub fn proxying(&self) -> Option<&Proxying> {
        match &self.stage {
            Stage::Proxying(proxying) => Some(proxying),
            Stage::Admitted | Stage::Routed(_) => None,
        }
    }

    /// The same, to be changed.
    pub fn proxying_mut(&mut self) -> Option<&mut Proxying> {
        match &mut self.stage {
            Stage::Proxying(proxying) => Some(proxying),
            Stage::Admitted | Stage::Routed(_) => None,
        }
    }

    /// Whether the version is told (`server_tokens`); nginx's default where no location is known.
    pub fn server_tokens(&self) -> bool {
        self.location().is_none_or(|location| location.settings.core.server_tokens)
    }

    /// The upstream of a [`Step::Proxy`](super::Step::Proxy) is at hand: from here on the request has tries. False, and
    /// nothing changes, for a request that has no location.
    #[must_use]
    pub fn enter_upstream(&mut self, target: ProxyTarget) -> bool {
        let Some(routed) = self.routed().cloned() else { return false };
        self.stage = Stage::Proxying(Proxying::new(routed, target));
        true
    }

    /// The tries at the present upstream; none where the request went to no server.
    pub fn tries(&self) -> &[Try] {
        self.proxying().map_or(&[], |proxying| &proxying.tries)
    }

    /// Every upstream that it has been sent to, in order.
    pub fn upstreams(&self) -> impl Iterator<Item = &Proxying> {
        self.earlier.iter().chain(self.proxying())
    }

    /// Turns away from the upstream: another location answers.
    pub(super) fn leave_upstream(&mut self, now: Instant) {
        match std::mem::take(&mut self.stage) {
            Stage::Proxying(mut proxying) => {
                proxying.end_try(None, now);
                proxying.next = None;
                self.stage = Stage::Routed(proxying.routed.clone());
                self.earlier.push(proxying);
            }
            stage => self.stage = stage,
        }
    }

    /// The status that the answer has whatever the location that answers says.
    pub fn status(&self) -> Option<StatusCode> {
        self.flow.status
    }

    /// The method is `GET`, whatever the client sent: `error_page` and `X-Accel-Redirect` make it that.
    pub fn is_get(&self) -> bool {
        self.flow.is_get
    }

    /// A page, or what answers in its place, and a list have a media type of their own, whatever a server's answer had before.
    pub fn has_own_type(&self) -> bool {
        self.flow.has_own_type
    }

    /// Its location has said that it goes to a server; whether there is one has yet to show.
    pub fn is_passed(&self) -> bool {
        self.flow.is_passed
    }

    /// The path of the location no longer begins the URI.
    pub fn leaves_location(&self) -> bool {
        self.flow.leaves_location
    }

    /// Bytes a second that were said instead of the location's `limit_rate`.
    pub fn limit_rate(&self) -> Option<u64> {
        self.flow.limit_rate
    }

    /// Says them: a server asks for a rate.
    pub fn set_limit_rate(&mut self, bytes_per_second: u64) {
        self.flow.limit_rate = Some(bytes_per_second);
    }

    /// The `WWW-Authenticate` of its answer, which what refused it asks for.
    pub fn challenges(&self) -> &[HeaderValue] {
        &self.flow.challenges
    }

    /// Takes what the error log should have.
    pub fn take_notes(&mut self) -> Vec<super::Note> {
        std::mem::take(&mut self.flow.notes)
    }

    pub(super) fn note(&mut self, note: super::Note) {
        self.flow.notes.push(note);
    }

    pub(super) fn note_uninitialized(&mut self, name: &str) {
        if self.location().is_none_or(|location| location.settings.rewriting.warns_of_uninitialized) {
            self.flow.notes.push(super::Note::Uninitialized(name.into()));
        }
    }
}

impl Proxying {
    fn new(routed: Routed, target: ProxyTarget) -> Self {
        Self {
            routed,
            target,
            balancing_key: BalancingKey::new(),
            tried: Tried::new(),
            tries: SmallVec::new(),
            forgiven: false,
            next: None,
            no_live_upstream: false,
            last_on_connection: false,
            upstream_fields: None,
        }
    }

    /// A try at a server that was picked at `picked` begins.
    pub fn begin_try(&mut self, in_flight: InFlight, picked: Instant) {
        self.tries.push(Try::begin(in_flight, picked));
    }

    /// The connection to the server of the try under way stands.
    pub fn connected(&mut self, reused: bool, now: Instant) {
        if let Some(last) = self.tries.last_mut() {
            last.reused = reused;
            last.connected = Some(if reused { Duration::ZERO } else { now.duration_since(last.started) });
        }
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

    /// How many more servers may be tried, of `allowed` in all. A forgiven try does not count.
    pub fn tries_left(&self, allowed: usize) -> usize {
        let spent = self.tries.len() - usize::from(self.forgiven);
        allowed.saturating_sub(spent)
    }
}

impl Try {
    fn begin(in_flight: InFlight, picked: Instant) -> Self {
        Self {
            peer: in_flight.peer().clone(),
            started: picked,
            connected: None,
            header: None,
            finished: None,
            status: None,
            framing: None,
            upgrade_asked: false,
            reused: false,
            bytes_received: 0,
            head_bytes_received: 0,
            bytes_sent: 0,
            overhead_bytes_sent: 0,
            in_flight: Some(in_flight),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admitted_request_knows_no_server_and_no_location() {
        let state = State::default();
        assert!(state.routed().is_none() && state.proxying().is_none() && state.tries().is_empty());
        assert!(state.server_tokens());
    }
}
