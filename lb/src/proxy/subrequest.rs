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
use http::{Method, StatusCode, Version};
use parking_lot::Mutex;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::subrequest::server::SubrequestHandle;
use pingora_proxy::subrequest::{BodyMode, Ctx};
use pingora_proxy::{PreparedSubrequest, Session};
use tokio::sync::mpsc::{Receiver, Sender};

use super::context::Request;
use crate::config::model::AuthRequest;
use crate::connection::RequestFacts;
use crate::request::{Answered, Sharing, State, Subrequest, Variables};
use crate::server::Snapshot;

/// How much of an answer is read that nobody wants, so that the connection to the server can be kept.
const UNWANTED_BYTES: usize = 64 * 1024;

/// What a subrequest is given on its way.
pub(super) struct Inside {
    /// Its header, and the state that it begins with, until it has begun.
    begin: Option<(Box<RequestHeader>, State)>,
    request_id: OnceLock<String>,
    /// What the first request wants to know of it.
    wanted: Wanted,
    /// The challenges of a server's answer, which may be hidden from the client.
    challenges: Vec<HeaderValue>,
    told: Told,
}

/// Where a subrequest leaves what came of it.
type Told = Arc<Mutex<Option<Report>>>;

/// What a request wants to know of a subrequest.
#[derive(Clone)]
enum Wanted {
    /// What `auth_request` needs.
    Permission(Arc<AuthRequest>),
    /// Nothing.
    Nothing,
}

/// What came of a subrequest.
#[derive(Default)]
pub(super) struct Report {
    status: Option<StatusCode>,
    silent: bool,
    challenges: Vec<HeaderValue>,
    values: Vec<Vec<u8>>,
    variables: Option<Variables>,
    request_id: OnceLock<String>,
}

impl Report {
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

/// A subrequest that is ready to run.
pub(super) struct Ready {
    running: BoxFuture<'static, ()>,
    /// Takes its body, and has its answer.
    pub(super) handle: SubrequestHandle,
    told: Told,
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
    let mut header = Box::new(received.clone());
    if !asked.keeps_method {
        header.set_method(Method::GET);
    }
    // What an HTTP/2 client sends has the fields of HTTP/1.1 here.
    header.set_version(Version::HTTP_11);
    for name in [&UPGRADE, &CONNECTION, &EXPECT] {
        header.remove_header(name);
    }
    if !has_body {
        header.remove_header(&CONTENT_LENGTH);
        header.remove_header(&TRANSFER_ENCODING);
    } else if received.version == Version::HTTP_2 && !header.headers.contains_key(CONTENT_LENGTH) {
        // Its end is that of the channel.
        header.insert_header(TRANSFER_ENCODING, "chunked").ok()?;
    }
    let told = Told::default();
    let request_id = match sharing {
        Sharing::Lent => std::mem::take(&mut request.request_id),
        Sharing::Copied => request.request_id.clone(),
    };
    let inside = Inside {
        begin: Some((header, state)),
        request_id,
        wanted,
        challenges: Vec::new(),
        told: Arc::clone(&told),
    };
    let context = Ctx::builder().body_mode(BodyMode::ExpectBody).user_ctx(Box::new(Some(inside))).build();
    let (prepared, handle) = spawner.create_subrequest(session.as_downstream(), context);
    Some(Ready { running: run(prepared, request.facts.inside(now)), handle, told })
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

/// Makes the request that the hooks have begun the subrequest that its session is for. False for a client's request.
pub(super) fn begin(session: &mut Session, request: &mut Request) -> bool {
    let given = session.subrequest_ctx.as_mut().and_then(|context| context.user_ctx_mut());
    let given = given.and_then(|given| given.downcast_mut::<Option<Inside>>()).and_then(Option::take);
    let Some(mut inside) = given else { return false };
    let Some((header, state)) = inside.begin.take() else { return false };
    *session.req_header_mut() = *header;
    request.state = state;
    request.request_id = std::mem::take(&mut inside.request_id);
    request.inside = Some(Box::new(inside));
    true
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
    });
}

fn challenges(answer: &ResponseHeader) -> Vec<HeaderValue> {
    answer.headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect()
}
