//! What Pingora carries from one hook of a request to the next.

use std::sync::Arc;
use std::sync::OnceLock;

use bytes::Bytes;
use pingora::{Error, ErrorType, Result};
use pingora_proxy::Session;

use super::gather;
use crate::config::model::{Proxy, Server};
use crate::connection::RequestFacts;
use crate::request::pace::Pace;
use crate::request::{ProxyTarget, Proxying, Rules, State};
use crate::server::Snapshot;

/// One request: the connection loop's facts, what `request/` decided, and what concerns Pingora's session alone.
pub struct Request {
    /// What the connection loop knew before Pingora saw the request, the snapshot among it.
    pub facts: Box<RequestFacts<Snapshot>>,
    /// What is known of it, and what was decided.
    pub state: State,
    /// `$request_id`, once asked for.
    pub request_id: OnceLock<String>,
    /// What was read of a body in chunks before it outgrew what Pingora keeps.
    pub(super) outgrown: Vec<Bytes>,
    /// While a large answer is passed on: the way back to Pingora's own session.
    pub(super) gathering: Option<gather::Home>,
    /// The body that servers get in place of the client's (`proxy_set_body`), once made.
    pub(super) own_body: OnceLock<Bytes>,
    /// How fast the answer goes to the client, where that is limited.
    pub(super) pace: Option<Pace>,
}

impl Request {
    /// A request that the connection loop has let in.
    pub(super) fn new(facts: Box<RequestFacts<Snapshot>>) -> Self {
        Self {
            facts,
            state: State::default(),
            request_id: OnceLock::new(),
            outgrown: Vec::new(),
            gathering: None,
            own_body: OnceLock::new(),
            pace: None,
        }
    }

    /// The snapshot that this request holds.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.facts.snapshot
    }

    /// The server block, once it is known.
    pub fn server(&self) -> Option<&Server> {
        let routed = self.state.routed()?;
        self.facts.snapshot.config.http.servers.get(routed.server.0)
    }

    /// Pingora's own session again, before anybody asks it what only that one answers: at the end of a request, and where
    /// a try failed, for `fail_to_proxy` or another try comes next.
    pub(super) fn end_gathering(&mut self, session: &mut Session) {
        if let Some(home) = self.gathering.take() {
            gather::end(session, &home);
        }
    }

    /// What is known of a request that goes to a server; an internal error for any other.
    pub(super) fn proxying(&mut self) -> Result<&mut Proxying> {
        self.state
            .proxying_mut()
            .ok_or_else(|| Error::explain(ErrorType::InternalError, "the request has no upstream"))
    }
}

/// The configuration that a request is judged by.
pub(super) fn rules(facts: &RequestFacts<Snapshot>) -> Rules<'_> {
    Rules {
        http: &facts.snapshot.config.http,
        routes: &facts.snapshot.routes,
        listener: facts.snapshot.listener_index(&facts.connection.listener),
    }
}

/// The upstream of a `proxy_pass`, as this snapshot has it.
pub(super) fn proxy_target(snapshot: &Snapshot, proxy: &Arc<Proxy>) -> ProxyTarget {
    ProxyTarget {
        proxy: proxy.clone(),
        upstream: snapshot.upstreams.by_id(proxy.upstream).clone(),
        connection_group: snapshot.connection_group(proxy.upstream),
    }
}

/// A step that does not follow from the event, or a stage without what the hook needs: the request ends with 500.
pub(super) fn unexpected<T>() -> Result<T> {
    Error::e_explain(ErrorType::InternalError, "the request is not where this hook needs it")
}
