//! What happens to a request after each event: nginx's phases in their order, and what follows a server's answer or
//! failure.
//!
//! ```text
//! Begin ─▶ post-read ─▶ server rewrite ─▶ find-config ─▶ rewrite ─▶ pre-access ─▶ access ─▶ pre-content ─▶ content
//!                                                                                                   │
//!                       ┌── Answer, Close ◀─────────────────────────────────────────────────────────┤
//!                       ▼                                                                           ▼
//!                      log ◀── PassOn ◀── UpstreamHead ◀── a server answers ◀───────────────────  Proxy ◀─┐
//!                       ▲                                        │ TryFailed                              │
//!                       └── Answer, Close ◀── Failed ◀───────────┴── Settle: end, or try again ───────────┘
//! ```
//!
//! `error_page` and `X-Accel-Redirect` go from `UpstreamHead` and `Failed` back to `server rewrite` with another URI;
//! `docs/decisions/013-leaving-an-answer-and-subrequests.md` says how Pingora is brought to do that.

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;

use super::failure::{Failure, TryMeaning};
use super::retry::{self, FailedTry, GiveUp, Verdict};
use super::state::{Path, Routed, Stage, State};
use crate::config::model::{Action, Http, Location, NextUpstream, Proxy, Return, Server, ServerId};
use crate::observe::reasons::Generated;
use crate::routing::{Routes, path};
use crate::upstream::FailureKind;

/// The configuration that the request is judged by, from its first event to its last.
#[derive(Clone, Copy)]
pub struct Rules<'c> {
    /// What was configured.
    pub http: &'c Http,
    /// The tables made of it.
    pub routes: &'c Routes,
    /// The listener that the request came in on; `None` where a reload has taken it away.
    pub listener: Option<usize>,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The request's header is there.
    Begin(Begin<'a>),
    /// No server of the upstream can be asked.
    NoServer,
    /// The header of a server's answer is there.
    UpstreamHead(UpstreamHead),
    /// A try ended without an answer, or in the midst of one.
    TryFailed(TryFailed),
    /// The request has failed and no other try follows.
    Failed {
        /// Why.
        failure: Failure,
        /// The client has part of an answer already.
        answer_begun: bool,
    },
}

/// A request's header.
#[derive(Debug, Clone, Copy)]
pub struct Begin<'a> {
    /// Path and query as sent.
    pub target: &'a [u8],
    /// The Host field.
    pub host: Option<&'a [u8]>,
    /// The length of the body, where one was announced.
    pub announced: Option<u64>,
}

/// The header of a server's answer.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamHead {
    /// Its status.
    pub status: StatusCode,
    /// It has an `X-Accel-Redirect`.
    pub accel_redirect: bool,
}

/// A failed try, as the proxy sees it.
#[derive(Debug, Clone, Copy)]
pub struct TryFailed {
    /// Whose failure it is.
    pub failure: Failure,
    /// This machine is out of descriptors or ports.
    pub local_shortage: bool,
    /// The connection was a kept-alive one.
    pub reused: bool,
    /// The client has part of an answer.
    pub answer_begun: bool,
    /// `POST`, `LOCK`, `PATCH`.
    pub non_idempotent: bool,
    /// The body can be sent again from the start.
    pub body_replayable: bool,
    /// The client has not sent the whole body.
    pub client_owes_bytes: bool,
    /// How many servers one request may try.
    pub tries_allowed: usize,
    /// `proxy_next_upstream_timeout` is over.
    pub out_of_time: bool,
}

/// What happens next.
#[derive(Debug)]
pub enum Step<'c> {
    /// The program answers.
    Answer(Content<'c>),
    /// The connection closes without an answer.
    Close,
    /// A server is picked and asked.
    Proxy(&'c Arc<Proxy>),
    /// The server's answer goes to the client.
    PassOn,
    /// The server's answer is left where it is, and the request fails with this.
    Leave(Failure),
    /// The failed try is booked as the settlement says.
    Settle(Settlement),
}

/// What the program answers.
#[derive(Debug)]
pub enum Content<'c> {
    /// The standard page of a status.
    Page(Generated, StatusCode),
    /// A `return`.
    Return(&'c Return),
}

/// How a failed try is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The client's fault or the program's: the server did nothing wrong, and the request ends. As in nginx, a server
    /// that was given this request to prove itself has not failed.
    ServerBlameless,
    /// No connection could even be begun here: another server would fail the same way, and none is at fault.
    LocalShortage,
    /// The server failed. [`FailedTry::blames_server`] says whether that counts against it.
    ServerFailed(FailedTry, Verdict),
}

impl Content<'_> {
    /// The `reason` label of `lb_responses_generated_total`.
    pub fn reason(&self) -> Generated {
        match self {
            Self::Page(reason, _) => *reason,
            Self::Return(_) => Generated::Return,
        }
    }
}

/// nginx's phases up to the one that makes the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// `set_real_ip_from`.
    PostRead,
    /// `return` of the server block.
    ServerRewrite,
    /// The location, and its `client_max_body_size`.
    FindConfig,
    /// `return` of the location.
    Rewrite,
    /// `limit_req`, `limit_conn`.
    PreAccess,
    /// `allow`, `auth_basic`, `auth_request`.
    Access,
    /// `try_files`.
    PreContent,
    /// `proxy_pass`, or 404 where there is nothing.
    Content,
}

/// Their order.
const PHASES: [Phase; 8] = [
    Phase::PostRead,
    Phase::ServerRewrite,
    Phase::FindConfig,
    Phase::Rewrite,
    Phase::PreAccess,
    Phase::Access,
    Phase::PreContent,
    Phase::Content,
];

/// A request on its way through the phases.
struct Walk<'a, 'c> {
    begin: Begin<'a>,
    rules: Rules<'c>,
    id: ServerId,
    server: &'c Server,
    location: &'c Arc<Location>,
    path: Path,
}

impl State {
    /// Takes note of `event`, which happened at `now`, and says what happens next.
    pub fn step<'c>(&mut self, event: Event<'_>, rules: Rules<'c>, now: Instant) -> Step<'c> {
        match event {
            Event::Begin(begin) => self.begin(begin, rules),
            Event::NoServer => self.no_server(),
            Event::UpstreamHead(head) => self.upstream_head(head, now),
            Event::TryFailed(failed) => Step::Settle(self.try_failed(failed, now)),
            Event::Failed { failure, answer_begun } => self.failed(failure, answer_begun),
        }
    }

    fn begin<'c>(&mut self, begin: Begin<'_>, rules: Rules<'c>) -> Step<'c> {
        let Some(listener) = rules.listener else {
            // The snapshot of a request knows the address that it came in on.
            return self.page(Generated::Internal, StatusCode::INTERNAL_SERVER_ERROR);
        };
        let id = rules.routes.server(listener, begin.host);
        let server = &rules.http.servers[id.0];
        let mut walk =
            Walk { begin, rules, id, server, location: &server.fallback, path: normal_path(begin.target) };
        let step = match walk.path {
            Path::Bad => Some(Step::Answer(Content::Page(Generated::BadRequest, StatusCode::BAD_REQUEST))),
            Path::AsSent | Path::Normalised(_) => PHASES.iter().find_map(|phase| walk.run(*phase)),
        };
        let Walk { location, path, .. } = walk;
        self.stage = Stage::Routed(Routed { server: id, location: location.clone(), path });
        match step {
            Some(Step::Answer(content)) => self.answer(content),
            Some(Step::Close) => self.close(),
            Some(step) => step,
            None => self.page(Generated::NotFound, StatusCode::NOT_FOUND),
        }
    }

    fn no_server<'c>(&mut self) -> Step<'c> {
        if let Some(proxying) = self.proxying_mut() {
            proxying.no_live_upstream = true;
        }
        self.page(Generated::NoLiveUpstream, StatusCode::BAD_GATEWAY)
    }

    fn upstream_head<'c>(&mut self, head: UpstreamHead, now: Instant) -> Step<'c> {
        if let Some(last) = self.proxying_mut().and_then(|proxying| proxying.tries.last_mut()) {
            last.header = Some(now.duration_since(last.started));
            last.status = Some(head.status);
        }
        if head.accel_redirect {
            self.ending.failure = Some(Failure::UnsupportedAnswer);
            return Step::Leave(Failure::UnsupportedAnswer);
        }
        Step::PassOn
    }

    fn try_failed(&mut self, event: TryFailed, now: Instant) -> Settlement {
        let ending = &mut self.ending;
        let Stage::Proxying(proxying) = &mut self.stage else { return Settlement::ServerBlameless };
        if event.local_shortage {
            proxying.end_try(None, now);
            ending.failure = Some(Failure::Internal);
            return Settlement::LocalShortage;
        }
        let Failure::Upstream(kind) = event.failure else {
            proxying.end_try(None, now);
            return Settlement::ServerBlameless;
        };
        proxying.end_try(StatusCode::from_u16(TryMeaning::of(kind).status).ok(), now);
        let answered = proxying.tries.last().is_some_and(|last| last.header.is_some());
        let failed = failed_try(
            kind,
            event,
            answered,
            proxying.forgiven,
            proxying.tries_left(event.tries_allowed),
            proxying.target.proxy.settings.next_upstream,
        );
        let verdict = retry::decide(&failed);
        match verdict {
            Verdict::Forgive => proxying.forgiven = true,
            Verdict::GiveUp(GiveUp::ClientStalled) => ending.failure = Some(Failure::ClientTimeout),
            Verdict::NextServer | Verdict::GiveUp(_) => {}
        }
        Settlement::ServerFailed(failed, verdict)
    }

    fn failed<'c>(&mut self, failure: Failure, answer_begun: bool) -> Step<'c> {
        // What was decided when it happened stands; Pingora's error may say less.
        let failure = *self.ending.failure.get_or_insert(failure);
        let meaning = failure.meaning();
        let status = meaning.status.and_then(|code| StatusCode::from_u16(code).ok());
        let Some(status) = status.filter(|_| !answer_begun && !self.ending.silent) else {
            return Step::Close;
        };
        let no_live_upstream = self.proxying().is_some_and(|proxying| proxying.no_live_upstream);
        let label = if no_live_upstream { Generated::NoLiveUpstream } else { meaning.label };
        self.page(label, status)
    }

    fn page<'c>(&mut self, reason: Generated, status: StatusCode) -> Step<'c> {
        self.answer(Content::Page(reason, status))
    }

    fn answer<'c>(&mut self, content: Content<'c>) -> Step<'c> {
        self.ending.generated = Some(content.reason());
        Step::Answer(content)
    }

    fn close<'c>(&mut self) -> Step<'c> {
        self.ending.generated = Some(Generated::Return);
        self.ending.silent = true;
        Step::Close
    }
}

impl<'c> Walk<'_, 'c> {
    /// What a phase decides; `None` where it has nothing to say.
    fn run(&mut self, phase: Phase) -> Option<Step<'c>> {
        match phase {
            Phase::ServerRewrite => self.server.answer.as_ref().map(of_return),
            Phase::FindConfig => self.find_location(),
            Phase::Rewrite => match &self.location.action {
                Action::Return(to) => Some(of_return(to)),
                Action::Proxy(_) | Action::NotFound => None,
            },
            Phase::Content => match &self.location.action {
                Action::Proxy(proxy) => Some(Step::Proxy(proxy)),
                Action::Return(_) | Action::NotFound => None,
            },
            // No directive of these phases is known yet.
            Phase::PostRead | Phase::PreAccess | Phase::Access | Phase::PreContent => None,
        }
    }

    fn find_location(&mut self) -> Option<Step<'c>> {
        let path = self.path.get(path::Target::split(self.begin.target).path);
        if let Some(location) = self.rules.routes.location(self.id, path) {
            self.location = location;
        }
        let announced = self.begin.announced?;
        body_too_large(self.location, announced)
            .then_some(Step::Answer(Content::Page(Generated::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE)))
    }
}

/// Whether a body of so many bytes is beyond `client_max_body_size`.
pub fn body_too_large(location: &Location, bytes: u64) -> bool {
    location.settings.client.max_body_bytes.is_some_and(|limit| bytes > limit)
}

fn of_return(to: &Return) -> Step<'_> {
    if to.status.as_u16() == 444 { Step::Close } else { Step::Answer(Content::Return(to)) }
}

fn normal_path(target: &[u8]) -> Path {
    match path::Target::split(target).path {
        // `http://host` asks for the root.
        b"" => Path::Normalised(Box::from(&b"/"[..])),
        sent => path::normalise(sent).map_or(Path::Bad, Path::of),
    }
}

fn failed_try(
    kind: FailureKind,
    event: TryFailed,
    answered: bool,
    forgiven_before: bool,
    tries_left: usize,
    policy: NextUpstream,
) -> FailedTry {
    FailedTry {
        kind,
        reused: event.reused,
        forgiven_before,
        answered,
        answer_begun: event.answer_begun,
        non_idempotent: event.non_idempotent,
        body_replayable: event.body_replayable,
        client_owes_bytes: event.client_owes_bytes,
        tries_left,
        out_of_time: event.out_of_time,
        policy,
    }
}

#[cfg(test)]
mod tests;
