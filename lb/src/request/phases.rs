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
//! `rewrite`, `error_page`, named locations and `X-Accel-Redirect` go back to an earlier phase with another URI or another
//! location: at most ten times. `docs/decisions/013-leaving-an-answer-and-subrequests.md` says how Pingora is brought to
//! leave a server's answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;

use super::failure::{Failure, TryMeaning};
use super::flow::{FileKind, Looking, Note, Open, Opening, Phase, Question};
use super::guards::{Guarding, PasswordCheck, PasswordVerdict, TokenCheck, TokenVerdict};
use super::inside::{Answered, Subrequest};
use super::retry::{self, FailedTry, GiveUp, Verdict};
use super::state::{Routed, Stage, State};
use super::uri::Uri;
use super::values::{Evaluation, Outside};
use crate::config::model::{
    Action, Http, IgnoredHeaders, Location, Mirror, NextUpstream, Program, Proxy, ServerId,
};
use crate::limits::{ConnectionVerdict, LimitedConnection, LimitedRequest, RequestVerdict};
use crate::observe::reasons::Generated;
use crate::routing::{Found, FoundServer, Routes};
use crate::script::{Matched, Template, Values, Variable};
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

/// What a decision may look at beside the request itself.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The configuration.
    pub rules: Rules<'a>,
    /// The request's surroundings.
    pub outside: &'a dyn Outside,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The request's header is there; its Host field.
    Begin(Option<&'a [u8]>),
    /// What came of a [`Step::CountRequest`].
    RequestCounted(RequestVerdict),
    /// What came of a [`Step::CountConnection`].
    ConnectionCounted(ConnectionVerdict),
    /// What came of a [`Step::CheckPassword`].
    PasswordChecked(PasswordVerdict),
    /// What came of a [`Step::CheckToken`].
    TokenChecked(TokenVerdict<'a>),
    /// A [`Step::Wait`] is over.
    Waited,
    /// A subrequest begins.
    BeginInside,
    /// What came of a [`Step::Subrequest`].
    Answered(Answered<'a>),
    /// A [`Step::Mirror`] has been carried out.
    Mirrored,
    /// The answer to a [`Step::Ask`].
    Found(FileKind),
    /// What came of a [`Step::Open`] or a [`Step::List`].
    Opened(Opening),
    /// No server of the upstream can be asked.
    NoServer,
    /// The header of a server's answer is there.
    UpstreamHead(UpstreamHead<'a>),
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

/// The header of a server's answer.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamHead<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its `X-Accel-Redirect`.
    pub accel_redirect: Option<&'a [u8]>,
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
pub enum Step {
    /// The file system is asked, and [`Event::Found`] follows.
    Ask(Question),
    /// A file is opened, and [`Event::Opened`] follows.
    Open(Open),
    /// A directory is listed, and [`Event::Opened`] follows.
    List(Question),
    /// The request is counted under `limit_req`, and [`Event::RequestCounted`] follows.
    CountRequest(Vec<LimitedRequest>),
    /// The request is counted under `limit_conn` until it ends, and [`Event::ConnectionCounted`] follows.
    CountConnection(Vec<LimitedConnection>),
    /// A password is checked, and [`Event::PasswordChecked`] follows.
    CheckPassword(Box<PasswordCheck>),
    /// A token is checked, and [`Event::TokenChecked`] follows.
    CheckToken(Box<TokenCheck>),
    /// The request waits so long, and [`Event::Waited`] follows.
    Wait(Duration),
    /// Another location is asked while the request waits, and [`Event::Answered`] follows.
    Subrequest(Subrequest),
    /// Copies of the request go on their way, and [`Event::Mirrored`] follows.
    Mirror(Arc<Mirror>),
    /// The program answers.
    Answer(Content),
    /// The connection closes without an answer.
    Close,
    /// A server is picked and asked.
    Proxy(Arc<Proxy>),
    /// The server's answer goes to the client.
    PassOn,
    /// The failed try is booked as the settlement says.
    Settle(Settlement),
}

/// What the program answers.
#[derive(Debug)]
pub enum Content {
    /// The standard page of a status.
    Page(Generated, StatusCode),
    /// A text, of the type that the path has.
    Text {
        /// The status.
        status: StatusCode,
        /// The body.
        body: Vec<u8>,
    },
    /// The file that was opened, or the list that was made.
    File,
    /// `stub_status`: the counts of connections.
    Connections,
    /// A redirect.
    Redirect {
        /// The status.
        status: StatusCode,
        /// A URL, or a path of this server.
        location: Vec<u8>,
    },
}

/// What comes of a phase.
pub(super) enum Outcome {
    /// The next phase runs.
    Next,
    /// That phase runs.
    Goto(Phase),
    /// Nothing runs until what it says has been done.
    Done(Step),
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

impl Step {
    /// Whether something has to be asked or done before the request goes on.
    pub fn waits(&self) -> bool {
        matches!(
            self,
            Self::Ask(_)
                | Self::Open(_)
                | Self::List(_)
                | Self::CountRequest(_)
                | Self::CountConnection(_)
                | Self::CheckPassword(_)
                | Self::CheckToken(_)
                | Self::Wait(_)
                | Self::Subrequest(_)
                | Self::Mirror(_)
        )
    }
}

impl Content {
    /// The page of what is not there.
    pub(super) fn not_found() -> Self {
        Self::Page(Generated::NotFound, StatusCode::NOT_FOUND)
    }

    /// The page of an error of this program or its configuration.
    pub(super) fn internal_error() -> Self {
        Self::Page(Generated::Internal, StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The `reason` label of `lb_responses_generated_total`.
    pub fn reason(&self) -> Generated {
        match self {
            Self::Page(reason, _) => *reason,
            Self::Text { .. } | Self::Redirect { .. } | Self::Connections => Generated::Return,
            Self::File => Generated::File,
        }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Page(_, status) | Self::Text { status, .. } | Self::Redirect { status, .. } => *status,
            Self::File | Self::Connections => StatusCode::OK,
        }
    }
}

impl State {
    /// Takes note of `event`, which happened at `now`, and says what happens next.
    pub fn step(&mut self, event: Event<'_>, around: Around<'_>, now: Instant) -> Step {
        match event {
            Event::Begin(host) => self.begin(host, around),
            Event::RequestCounted(verdict) => {
                let outcome = self.request_counted(verdict, around);
                self.resume(outcome, around)
            }
            Event::ConnectionCounted(verdict) => {
                let outcome = self.connection_counted(verdict, around);
                self.resume(outcome, around)
            }
            Event::PasswordChecked(verdict) => {
                self.flow.password = Some(verdict);
                self.run(around)
            }
            Event::TokenChecked(verdict) => {
                self.token_checked(verdict);
                self.run(around)
            }
            Event::Waited => self.run(around),
            Event::BeginInside => self.run(around),
            Event::Answered(answered) => {
                self.permitted(answered, around);
                self.run(around)
            }
            Event::Mirrored => {
                self.flow.phase = Phase::Content;
                self.run(around)
            }
            Event::Found(found) => {
                self.flow.found = Some(found);
                self.run(around)
            }
            Event::Opened(opening) => {
                let outcome = self.opened(opening, around);
                self.resume(outcome, around)
            }
            Event::NoServer => self.no_server(around, now),
            Event::UpstreamHead(head) => self.upstream_head(head, around, now),
            Event::TryFailed(failed) => Step::Settle(self.try_failed(failed, now)),
            Event::Failed { failure, answer_begun } => self.failed(failure, answer_begun, around, now),
        }
    }

    fn begin(&mut self, host: Option<&[u8]>, around: Around<'_>) -> Step {
        let rules = around.rules;
        let Some(listener) = rules.listener else {
            // The snapshot of a request knows the address that it came in on.
            return self.answer(Content::Page(Generated::Internal, StatusCode::INTERNAL_SERVER_ERROR));
        };
        // nginx reads the URI before the Host field, by the settings of the address's default server.
        let default = rules.http.listeners.get(listener).map_or(ServerId(0), |known| known.default_server);
        let fallback = |server: ServerId| Arc::clone(&rules.http.servers[server.0].fallback);
        let location = fallback(default);
        self.uri = Uri::of(around.outside.target(), location.settings.core.merge_slashes.into());
        if self.uri.is_bad() {
            self.stage = Stage::Routed(Routed { server: default, location });
            return self.answer(Content::Page(Generated::BadRequest, StatusCode::BAD_REQUEST));
        }
        let Ok(FoundServer { id: server, matched }) = rules.routes.server(listener, host) else {
            self.flow.notes.push(Note::MatchLimit);
            return self.answer(Content::Page(Generated::Internal, StatusCode::INTERNAL_SERVER_ERROR));
        };
        if let Some(Matched { pattern, captures }) = matched {
            self.variables.matched(&pattern, captures, rules.http.definitions.len());
        }
        if let Some((server, page)) = Self::insecure(listener, host, server, around) {
            self.stage = Stage::Routed(Routed { server, location: fallback(server) });
            let outcome = self.special(page, around);
            return self.resume(outcome, around);
        }
        self.stage = Stage::Routed(Routed { server, location: fallback(server) });
        self.run(around)
    }

    /// Runs the phases from the present one until there is something to do that only the caller can.
    fn run(&mut self, around: Around<'_>) -> Step {
        loop {
            match self.run_phase(around) {
                Outcome::Next => self.flow.phase = self.flow.phase.next(),
                Outcome::Goto(phase) => self.restart_at(phase),
                Outcome::Done(step) => return step,
            }
        }
    }

    fn resume(&mut self, outcome: Outcome, around: Around<'_>) -> Step {
        match outcome {
            Outcome::Done(step) => step,
            Outcome::Next => self.run(around),
            Outcome::Goto(phase) => {
                self.restart_at(phase);
                self.run(around)
            }
        }
    }

    fn restart_at(&mut self, phase: Phase) {
        self.flow.phase = phase;
        self.flow.at = 0;
        self.flow.program = None;
        self.flow.looking = Looking::File;
        self.flow.is_passed = false;
        self.flow.guarding = Guarding::default();
        self.flow.permission = None;
    }

    fn run_phase(&mut self, around: Around<'_>) -> Outcome {
        match self.flow.phase {
            Phase::ServerRewrite => {
                let server = self.routed().and_then(|routed| around.rules.http.servers.get(routed.server.0));
                self.run_level(server.map(|server| &server.program).cloned(), around)
            }
            Phase::FindConfig => self.find_config(around),
            Phase::Rewrite => {
                let program = self.location().map(|location| &location.program).cloned();
                let program = program.filter(|program| !program.is_empty());
                match self.run_level(program, around) {
                    Outcome::Next if self.flow.uri_changed => self.find_again(around),
                    outcome => outcome,
                }
            }
            Phase::Content => self.content(around),
            Phase::Access => self.access(around),
            Phase::PreContent => match self.try_files(around) {
                Outcome::Next => self.mirror(),
                outcome => outcome,
            },
            Phase::PostRead => self.find_client(around),
            Phase::PreAccess => match self.find_client(around) {
                Outcome::Next => self.limit(around),
                outcome => outcome,
            },
        }
    }

    fn run_level(&mut self, program: Option<Program>, around: Around<'_>) -> Outcome {
        let Some(program) = self.flow.program.take().or(program).filter(|program| !program.is_empty()) else {
            return Outcome::Next;
        };
        let outcome = self.run_program(&program, around);
        if let Outcome::Done(Step::Ask(_)) = outcome {
            self.flow.program = Some(program);
        }
        outcome
    }

    fn find_config(&mut self, around: Around<'_>) -> Outcome {
        self.flow.uri_changed = false;
        let Some(id) = self.routed().map(|routed| routed.server) else {
            return self.special(Content::not_found(), around);
        };
        let path = self.uri.path(around.outside.target());
        let Ok(Found { location: found, matched }) = around.rules.routes.location(id, path) else {
            return self.internal_error(around);
        };
        for Matched { pattern, captures } in matched {
            self.variables.matched(&pattern, captures, around.rules.http.definitions.len());
        }
        match (found.cloned(), self.routed_mut()) {
            (Some(location), Some(routed)) => routed.location = location,
            (None, _) => self.leave_location(around),
            (Some(_), None) => {}
        }
        if self.location().is_some_and(|location| location.internal && !self.flow.internal) {
            return self.special(Content::not_found(), around);
        }
        self.limit_methods(around);
        let Some(location) = self.location() else { return Outcome::Next };
        if around.outside.announced().is_some_and(|announced| body_too_large(location, announced)) {
            let page = Content::Page(Generated::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE);
            return self.special(page, around);
        }
        Outcome::Next
    }

    /// The URI has changed: another location may be its own.
    fn find_again(&mut self, around: Around<'_>) -> Outcome {
        if !self.may_change() {
            let path = self.uri.path(around.outside.target()).to_vec();
            return self.cycle(path, around);
        }
        self.leave_location(around);
        Outcome::Goto(Phase::FindConfig)
    }

    fn content(&mut self, around: Around<'_>) -> Outcome {
        let proxy = match self.location().map(|location| &location.action) {
            Some(Action::Proxy(proxy)) => Arc::clone(proxy),
            Some(Action::Files) => return self.file_content(around),
            Some(Action::Connections) => return self.connections_content(around),
            None => return self.special(Content::not_found(), around),
        };
        self.flow.is_passed = true;
        Outcome::Done(Step::Proxy(proxy))
    }

    fn no_server(&mut self, around: Around<'_>, now: Instant) -> Step {
        if let Some(proxying) = self.proxying_mut() {
            proxying.no_live_upstream = true;
        }
        self.turn_away(Content::Page(Generated::NoLiveUpstream, StatusCode::BAD_GATEWAY), around, now)
    }

    fn upstream_head(&mut self, head: UpstreamHead<'_>, around: Around<'_>, now: Instant) -> Step {
        if let Some(last) = self.proxying_mut().and_then(|proxying| proxying.tries.last_mut()) {
            last.header = Some(now.duration_since(last.started));
            last.status = Some(head.status);
        }
        self.flow.has_own_type = false;
        let Some(proxying) = self.proxying() else { return Step::PassOn };
        let settings = &proxying.target.proxy.settings;
        let intercepts = settings.intercept_errors && head.status.as_u16() >= 300;
        if intercepts && self.has_error_page(head.status) {
            return self.turn_away(Content::Page(Generated::Intercepted, head.status), around, now);
        }
        if let Some(target) =
            head.accel_redirect.filter(|_| !settings.ignore_headers.has(IgnoredHeaders::X_ACCEL_REDIRECT))
        {
            self.leave_upstream(now);
            let outcome = self.go_where_asked(target, around);
            return self.resume(outcome, around);
        }
        Step::PassOn
    }

    /// The present upstream does not answer the client: a page does, or what `error_page` has in its place.
    fn turn_away(&mut self, page: Content, around: Around<'_>, now: Instant) -> Step {
        let outcome = self.special(page, around);
        if let Outcome::Goto(_) = outcome {
            self.leave_upstream(now);
        }
        self.resume(outcome, around)
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

    fn failed(&mut self, failure: Failure, answer_begun: bool, around: Around<'_>, now: Instant) -> Step {
        // What was decided when it happened stands; Pingora's error may say less.
        let failure = *self.ending.failure.get_or_insert(failure);
        let meaning = failure.meaning();
        let status = meaning.status.and_then(|code| StatusCode::from_u16(code).ok());
        let Some(status) = status.filter(|_| !answer_begun && !self.ending.silent) else {
            return Step::Close;
        };
        let no_live_upstream = self.proxying().is_some_and(|proxying| proxying.no_live_upstream);
        let label = if no_live_upstream { Generated::NoLiveUpstream } else { meaning.label };
        self.turn_away(Content::Page(label, status), around, now)
    }

    /// Renders templates for this request.
    pub(super) fn evaluation<'a>(&'a mut self, around: Around<'a>) -> Evaluation<'a, &'a dyn Outside> {
        let http = around.rules.http;
        Evaluation {
            definitions: &http.definitions,
            computed: &http.computed,
            outside: around.outside,
            state: self,
        }
    }

    pub(super) fn render(&mut self, template: &Template, around: Around<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        template.render(&mut self.evaluation(around), &mut out);
        out
    }

    pub(super) fn value(&mut self, variable: &Variable, around: Around<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        self.evaluation(around).write(variable, &mut out);
        out
    }
}

/// Whether a body of so many bytes is beyond `client_max_body_size`.
pub fn body_too_large(location: &Location, bytes: u64) -> bool {
    location.settings.client.max_body_bytes.is_some_and(|limit| bytes > limit)
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
