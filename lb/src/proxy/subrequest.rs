//! Subrequests: a second request runs through the same service, and what came of it is told to the first.
//!
//! It has a session of Pingora's own kind for subrequests, which leads to a channel, a context of its own, and the same
//! hooks. So it picks, settles and retries as any request does, on the same kept connections, by the same settings.
//! `docs/decisions/018-subrequests.md` has the argument.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures_util::future::{BoxFuture, join};
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HeaderValue, TRANSFER_ENCODING, UPGRADE, WWW_AUTHENTICATE,
};
use http::{Method, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::subrequest::server::SubrequestHandle;
use pingora_proxy::subrequest::{BodyMode, Ctx};
use pingora_proxy::{PreparedSubrequest, Session};
use tokio::sync::mpsc::{Receiver, Sender};

use super::context::{Beginning, Inside, Report, Request, Told, Wanted};
use crate::connection::RequestFacts;
use crate::request::{Sharing, Step, Subrequest};
use crate::server::Snapshot;

/// How much of an answer is read that nobody wants, so that the connection to the server can be kept.
const UNWANTED_BYTES: usize = 64 * 1024;

/// What the hooks have begun.
pub(super) enum Begun {
    /// A client's request.
    Client,
    /// A subrequest.
    Inside,
    /// The answer of a request that puts several together: this is the step it stands at.
    Content(Step),
}

/// A subrequest that is ready to run.
pub(super) struct Ready {
    /// Runs it.
    pub(super) running: BoxFuture<'static, ()>,
    /// Takes its body, and has its answer.
    pub(super) handle: SubrequestHandle,
    /// What came of it, once it is over.
    pub(super) told: Told,
}

impl Ready {
    /// Runs it to its end, with nothing for a body.
    async fn run(self) -> Report {
        let SubrequestHandle { tx: _body, rx, .. } = self.handle;
        join(self.running, drop_answer(rx)).await;
        let report = self.told.lock().take();
        report.unwrap_or_default()
    }

    /// Runs it to its end; what `feed` makes of the way to it gives it its body.
    pub(super) async fn run_with(self, feed: impl FnOnce(Sender<HttpTask>) -> BoxFuture<'static, ()>) {
        let SubrequestHandle { tx, rx, .. } = self.handle;
        join(self.running, join(feed(tx), drop_answer(rx))).await;
    }
}

/// Asks another location while the request waits, and gives it its variables back.
pub(super) async fn ask(
    session: &Session,
    request: &mut Request,
    asked: &Subrequest,
    now: Instant,
) -> Report {
    let settings = request.state.location().map(|location| Arc::clone(&location.settings.auth_request));
    let wanted = settings.map_or(Wanted::Nothing, Wanted::Permission);
    let Some(ready) = prepare(session, request, asked, (Sharing::Lent, wanted, false), now) else {
        return Report::default();
    };
    let mut report = ready.run().await;
    if let Some(variables) = report.variables.take() {
        request.state.take_back(variables);
    }
    request.request_id = std::mem::take(&mut report.request_id);
    report
}

/// A subrequest that nobody waits for.
pub(super) fn prepare_copy(
    session: &Session,
    request: &mut Request,
    asked: &Subrequest,
    has_body: bool,
    now: Instant,
) -> Option<Ready> {
    prepare(session, request, asked, (Sharing::Copied, Wanted::Nothing, has_body), now)
}

fn prepare(
    session: &Session,
    request: &mut Request,
    asked: &Subrequest,
    (sharing, wanted, has_body): (Sharing, Wanted, bool),
    now: Instant,
) -> Option<Ready> {
    let spawner = session.subrequest_spawner.as_ref()?;
    let received = session.req_header();
    let state = request.begin_inside(received, asked, sharing, now)?;
    let mut header = header_of(received, has_body)?;
    if !asked.keeps_method {
        header.set_method(Method::GET);
    }
    let request_id = match sharing {
        Sharing::Lent => std::mem::take(&mut request.request_id),
        Sharing::Copied => request.request_id.clone(),
    };
    let inside = Inside {
        begin: Some((header, Beginning::State(Box::new(state)))),
        request_id,
        wanted,
        challenges: Vec::new(),
        is_page: false,
        told: Told::default(),
    };
    Some(ready(spawner, session, request, inside, now))
}

/// A subrequest that is given `inside` on its way.
fn ready(
    spawner: &pingora_proxy::SubrequestSpawner,
    session: &Session,
    request: &Request,
    inside: Inside,
    now: Instant,
) -> Ready {
    let told = Arc::clone(&inside.told);
    let context = Ctx::builder().body_mode(BodyMode::ExpectBody).user_ctx(Box::new(Some(inside))).build();
    let (prepared, handle) = spawner.create_subrequest(session.as_downstream(), context);
    Ready { running: run(prepared, request.facts.inside(now)), handle, told }
}

/// The part of an answer that the location itself makes: a subrequest goes on with the request as it is, at `step`. A
/// stand-in is left in its place.
pub(super) fn prepare_content(
    session: &Session,
    request: &mut Request,
    step: Step,
    has_body: bool,
    now: Instant,
) -> Option<Ready> {
    let spawner = session.subrequest_spawner.as_ref()?;
    let header = header_of(session.req_header(), has_body)?;
    let stand_in = request.state.stand_in();
    let mut part = Box::new(Request::new(Box::new(request.facts.inside(now))));
    part.state = std::mem::replace(&mut request.state, stand_in);
    part.carried = std::mem::take(&mut request.carried);
    part.ready = request.ready.take();
    part.refused_with = request.refused_with.take();
    part.asked_charset = request.asked_charset.take();
    part.request_id = request.request_id.clone();
    let inside = Inside {
        begin: Some((header, Beginning::Content(part, step))),
        request_id: OnceLock::new(),
        wanted: Wanted::Request,
        challenges: Vec::new(),
        is_page: false,
        told: Told::default(),
    };
    Some(ready(spawner, session, request, inside, now))
}

/// The client's header, as a subrequest has it.
fn header_of(received: &RequestHeader, has_body: bool) -> Option<Box<RequestHeader>> {
    let mut header = Box::new(received.clone());
    if received.version == Version::HTTP_2 {
        // It is sent as HTTP/1.1 sends it.
        header.set_version(Version::HTTP_11);
    }
    for name in [&UPGRADE, &CONNECTION, &EXPECT] {
        header.remove_header(name);
    }
    if !has_body {
        header.remove_header(&CONTENT_LENGTH);
        header.remove_header(&TRANSFER_ENCODING);
    } else if !header.headers.contains_key(CONTENT_LENGTH) && !header.headers.contains_key(TRANSFER_ENCODING)
    {
        // Of HTTP/2: its end is that of the channel.
        header.insert_header(TRANSFER_ENCODING, "chunked").ok()?;
    }
    Some(header)
}

/// Behind a box: it is the same service that waits for it.
fn run(prepared: PreparedSubrequest, facts: RequestFacts<Snapshot>) -> BoxFuture<'static, ()> {
    Box::pin(facts.serve(prepared.run()))
}

/// Reads an answer that nobody wants to its end, so that its connection can be kept. A long one is left: what writes it
/// finds that nobody listens.
pub(super) async fn drop_answer(mut answer: Receiver<HttpTask>) {
    let mut bytes = 0;
    while let Some(task) = answer.recv().await {
        if let HttpTask::Body(Some(piece), _) = task {
            bytes += piece.len();
        }
        if bytes > UNWANTED_BYTES {
            return;
        }
    }
}

/// Makes the request that the hooks have begun the subrequest that its session is for.
pub(super) fn begin(session: &mut Session, request: &mut Request) -> Begun {
    let given = session.subrequest_ctx.as_mut().and_then(|context| context.user_ctx_mut());
    let given = given.and_then(|given| given.downcast_mut::<Option<Inside>>()).and_then(Option::take);
    let Some(mut inside) = given else { return Begun::Client };
    let Some((header, beginning)) = inside.begin.take() else { return Begun::Client };
    *session.req_header_mut() = *header;
    let begun = match beginning {
        Beginning::State(state) => {
            request.state = *state;
            request.request_id = std::mem::take(&mut inside.request_id);
            Begun::Inside
        }
        Beginning::Content(part, step) => {
            *request = *part;
            Begun::Content(step)
        }
    };
    request.inside = Some(Box::new(inside));
    begun
}

/// Takes note of a server's answer before anything is hidden.
pub(super) fn notice(answer: &ResponseHeader, request: &mut Request) {
    if let Some(inside) = &mut request.inside {
        inside.challenges = challenges(answer);
    }
}

/// Tells what came of a subrequest, which is over; nothing where it is a client's request.
pub(super) fn tell(session: &Session, request: &mut Request, now: Instant) {
    let Some(inside) = request.inside.take() else { return };
    if inside.is_part() {
        let facts = Box::new(request.facts.inside(now));
        let part = Box::new(std::mem::replace(request, Request::new(facts)));
        *inside.told.lock() =
            Some(Report { request: Some(part), is_page: inside.is_page, ..Report::default() });
        return;
    }
    let response = session.response_written().filter(|answer| !answer.status.is_informational());
    let mut values = Vec::new();
    if let Wanted::Permission(settings) = &inside.wanted {
        for (_, template) in &settings.set {
            let mut value = Vec::new();
            template.render(&mut request.values(session.req_header(), response, now), &mut value);
            values.push(value);
        }
    }
    let mut said = response.map(challenges).unwrap_or_default();
    if said.is_empty() {
        said = inside.challenges;
    }
    *inside.told.lock() = Some(Report {
        status: response.map(|answer| answer.status),
        silent: response.is_none() && request.state.ending.silent,
        challenges: said,
        values,
        variables: Some(std::mem::take(&mut request.state.variables)),
        request_id: std::mem::take(&mut request.request_id),
        request: None,
        is_page: inside.is_page,
    });
}

fn challenges(answer: &ResponseHeader) -> Vec<HeaderValue> {
    answer.headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect()
}
