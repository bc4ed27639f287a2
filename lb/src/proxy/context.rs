//! What Pingora carries from one hook of a request to the next.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderValue;
use parking_lot::Mutex;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType, Result};
use pingora_proxy::Session;

use super::caching::Caching;
use super::carried::Carried;
use super::copies::Copies;
use super::gather;
use super::ready::Ready;
use super::values::RequestValues;
use crate::config::model::{AuthRequest, FieldName, Server, SizeValue};
use crate::connection::{ClientAddress, RequestFacts};
use crate::limits::Held;
use crate::request::headers::ranges::Cut;
use crate::request::pace::Pace;
use crate::request::{
    Answered, Around, Evaluation, Event, Failure, Proxying, Rules, Sharing, State, Step, Subrequest,
    Variables,
};
use crate::server::Snapshot;
use crate::upstream::tls::Dial;

/// One request: the connection loop's facts, what `request/` decided, and what concerns Pingora's session alone.
pub struct Request {
    /// What the connection loop knew before Pingora saw the request, the snapshot among it.
    pub facts: Box<RequestFacts<Snapshot>>,
    /// What is known of it, and what was decided.
    pub state: State,
    /// What is kept of an answer that asked for another location.
    pub(super) carried: Carried,
    /// Where it goes after an upstream that does not answer the client.
    pub(super) turn: Turn,
    /// The answer with a file that has been opened.
    pub(super) ready: Option<Box<Ready>>,
    /// A field of what answers in the place of what was refused: `Content-Range`.
    pub(super) refused_with: Option<(FieldName, HeaderValue)>,
    /// Its places under `limit_conn`, given back when it ends.
    pub(super) held: Vec<Held>,
    /// `$request_id`, once asked for.
    pub request_id: OnceLock<String>,
    /// What was read of a body in chunks before it outgrew what Pingora keeps.
    pub(super) outgrown: Vec<Bytes>,
    /// While a large answer is passed on: the way back to Pingora's own session.
    pub(super) gathering: Option<gather::Home>,
    /// The client's body has gone to an earlier server, and is too long to have been kept.
    pub(super) body_is_gone: bool,
    /// The body that the server of the try under way gets in place of the client's (`proxy_set_body`).
    pub(super) own_body: Option<Bytes>,
    /// The connection to the server of the try under way, where TLS is spoken.
    pub(super) dial: Option<Arc<Dial>>,
    /// The part of a server's answer that the client gets, where that is not all.
    pub(super) cut: Option<Cut>,
    /// Whether the client takes gzip, where that was asked for the choice of a file.
    pub(super) takes_gzip: Option<bool>,
    /// The character set that a server asks for.
    pub(super) asked_charset: Option<HeaderValue>,
    /// How fast a server's answer is taken (`proxy_limit_rate`), where that is limited.
    pub(super) taken: Option<Pace>,
    /// What a subrequest is for; `None` for a client's request.
    pub(super) inside: Option<Box<Inside>>,
    /// Its answer is made of several (`compose`), and what is written is made of them.
    pub(super) composes: bool,
    /// Where copies of the body go that is passed on (`mirror`).
    pub(super) copies: Option<Copies>,
    /// How fast it goes on to the client (`limit_rate`), where that is limited.
    pub(super) sent: Option<Pace>,
    /// Where it is looked for in a cache.
    pub(super) caching: Option<Box<Caching>>,
    /// It is the program's own: no client waits for it.
    pub(super) is_background: bool,
}

impl Request {
    /// A request that the connection loop has let in.
    pub(super) fn new(facts: Box<RequestFacts<Snapshot>>) -> Self {
        Self {
            facts,
            state: State::default(),
            carried: Carried::new(),
            turn: Turn::Stay,
            ready: None,
            refused_with: None,
            held: Vec::new(),
            request_id: OnceLock::new(),
            outgrown: Vec::new(),
            gathering: None,
            body_is_gone: false,
            own_body: None,
            dial: None,
            cut: None,
            takes_gzip: None,
            asked_charset: None,
            taken: None,
            inside: None,
            composes: false,
            copies: None,
            sent: None,
            caching: None,
            is_background: false,
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

    /// The client: the other end of the connection, or whom a proxy that is believed has named.
    pub(super) fn client(&self) -> ClientAddress {
        self.state.real_client().map_or(self.facts.connection.client, ClientAddress::Inet)
    }

    /// Asks what happens next.
    pub(super) fn step(&mut self, event: Event<'_>, received: &RequestHeader, now: Instant) -> Step {
        let Self { facts, state, request_id, .. } = self;
        let outside = outside(facts, request_id, received, None, now);
        state.step(event, Around { rules: rules(facts), outside: &outside }, now)
    }

    /// It makes the answer of a request that puts several together.
    pub(super) fn is_part(&self) -> bool {
        self.inside.as_ref().is_some_and(|inside| inside.is_part())
    }

    /// The state that a subrequest begins with.
    pub(super) fn begin_inside(
        &mut self,
        received: &RequestHeader,
        asked: &Subrequest,
        sharing: Sharing,
        now: Instant,
    ) -> Option<State> {
        let Self { facts, state, request_id, .. } = self;
        let outside = outside(facts, request_id, received, None, now);
        state.begin_inside(asked, sharing, Around { rules: rules(facts), outside: &outside })
    }

    /// What renders templates for it; `response` is the answer as it is by now.
    pub(super) fn values<'a>(
        &'a mut self,
        received: &'a RequestHeader,
        response: Option<&'a ResponseHeader>,
        now: Instant,
    ) -> Evaluation<'a, RequestValues<'a>> {
        let Self { facts, state, request_id, .. } = self;
        Evaluation {
            state,
            definitions: &facts.snapshot.config.http.definitions,
            computed: &facts.snapshot.config.http.computed,
            outside: outside(facts, request_id, received, response, now),
        }
    }

    /// `limit_rate` and `limit_rate_after` for its answer, which begins at `now`.
    pub(super) fn pace(&mut self, received: &RequestHeader, now: Instant) -> Option<Pace> {
        if self.inside.is_some() {
            // What goes to the client is paced, and this goes to another request.
            return None;
        }
        let location = self.state.location()?;
        let changed = self.state.limit_rate();
        if changed.is_none() && location.settings.limit_rate.rate == SizeValue::Bytes(0) {
            return None;
        }
        let settings = Arc::clone(&location.settings.limit_rate);
        let mut size = |value: &SizeValue| match value {
            SizeValue::Bytes(bytes) => *bytes,
            SizeValue::PerRequest(template) => {
                let mut text = Vec::new();
                template.render(&mut self.values(received, None, now), &mut text);
                SizeValue::parse(&text)
            }
        };
        let rate = changed.unwrap_or_else(|| size(&settings.rate));
        Pace::new(rate, size(&settings.after), now)
    }

    /// Pingora's own session again, before anybody asks it what only that one answers: at the end of a request, and where
    /// a try failed, for `fail_to_proxy` or another try comes next.
    pub(super) fn end_gathering(&mut self, session: &mut Session) {
        if let Some(home) = self.gathering.take() {
            gather::end(session, &home);
            self.state.compressed = home.lock().compressed;
        }
    }

    /// What is known of a request that goes to a server; an internal error for any other.
    pub(super) fn proxying(&mut self) -> Result<&mut Proxying> {
        self.state
            .proxying_mut()
            .ok_or_else(|| Error::explain(ErrorType::InternalError, "the request has no upstream"))
    }
}

/// What a subrequest is given on its way.
pub(super) struct Inside {
    /// Its header, and what it begins with, until it has begun.
    pub(super) begin: Option<(Box<RequestHeader>, Beginning)>,
    /// `$request_id` of the request that it belongs to.
    pub(super) request_id: OnceLock<String>,
    /// What the first request wants to know of it.
    pub(super) wanted: Wanted,
    /// The challenges of a server's answer, which may be hidden from the client.
    pub(super) challenges: Vec<HeaderValue>,
    /// Its answer is a standard page.
    pub(super) is_page: bool,
    pub(super) told: Told,
}

/// What a subrequest begins with.
pub(super) enum Beginning {
    /// A URI of its own.
    State(Box<State>),
    /// The whole request that it is part of, and what that was about to do.
    Content(Box<Request>, Step),
}

/// Where a subrequest leaves what came of it.
pub(super) type Told = Arc<Mutex<Option<Report>>>;

/// What a request wants to know of a subrequest.
pub(super) enum Wanted {
    /// What `auth_request` needs.
    Permission(Arc<AuthRequest>),
    /// The request itself, to go on with.
    Request,
    /// Nothing.
    Nothing,
}

/// What came of a subrequest.
#[derive(Default)]
pub(super) struct Report {
    pub(super) status: Option<StatusCode>,
    pub(super) silent: bool,
    pub(super) challenges: Vec<HeaderValue>,
    pub(super) values: Vec<Vec<u8>>,
    pub(super) variables: Option<Variables>,
    pub(super) request_id: OnceLock<String>,
    pub(super) request: Option<Box<Request>>,
    /// Its answer is a standard page of the program.
    pub(super) is_page: bool,
}

impl Inside {
    pub(super) fn is_part(&self) -> bool {
        matches!(self.wanted, Wanted::Request)
    }
}

impl Report {
    /// Lets the request go on with what its part has come to.
    pub(super) fn give_back(self, request: &mut Request) {
        if let Some(part) = self.request {
            request.state = part.state;
            request.request_id = part.request_id;
            if let Some(inside) = &mut request.inside {
                inside.is_page = self.is_page;
            }
        }
    }

    /// As the phases take it.
    pub(super) fn answered(&self) -> Answered<'_> {
        Answered {
            status: self.status,
            silent: self.silent,
            challenges: &self.challenges,
            values: &self.values,
        }
    }
}

/// What becomes of a request whose upstream does not answer the client.
pub(super) enum Turn {
    /// Nothing but what Pingora does.
    Stay,
    /// It failed, and whether something answers in its place is to be asked where files can be looked at.
    Ask(Failure),
    /// Another upstream is asked.
    Elsewhere,
    /// The program has answered.
    Answered,
}

fn outside<'a>(
    facts: &'a RequestFacts<Snapshot>,
    request_id: &'a OnceLock<String>,
    received: &'a RequestHeader,
    response: Option<&'a ResponseHeader>,
    now: Instant,
) -> RequestValues<'a> {
    RequestValues { facts, request_id, request: received, response, bytes_sent: 0, now }
}

/// The configuration that a request is judged by.
fn rules(facts: &RequestFacts<Snapshot>) -> Rules<'_> {
    Rules {
        http: &facts.snapshot.config.http,
        routes: &facts.snapshot.routes,
        listener: facts.snapshot.listener_index(&facts.connection.listener),
    }
}

/// A step that does not follow from the event, or a stage without what the hook needs: the request ends with 500.
pub(super) fn unexpected<T>() -> Result<T> {
    Error::e_explain(ErrorType::InternalError, "the request is not where this hook needs it")
}
