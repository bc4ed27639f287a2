//! Carries out what `request/` wants done until it says what a hook can do, and turns a request away from an upstream
//! that does not answer the client.

use std::time::Instant;

use pingora::{Error, ErrorSource, ErrorType, Result};
use pingora_proxy::Session;

use super::context::{Request, Turn, unexpected};
use super::{answer, cache, destination, file, mirror, password, record, subrequest, token, wait};
use crate::files::{self, Kind, Meaning};
use crate::observe::reasons::Generated;
use crate::request::{Event, Failure, FileKind, Question, Step, TokenVerdict};

/// The name of the error that ends a try because something else answers in the server's place.
const TURNED_AWAY: &str = "TurnedAway";

/// Asks what happens after `event`, and asks files, zones, other locations and whoever else as often as that is wanted.
pub(super) async fn drive(
    session: &mut Session,
    request: &mut Request,
    event: Event<'_>,
    now: Instant,
) -> Result<Step> {
    let mut step = request.step(event, session.req_header(), now);
    if step.waits() {
        step = Box::pin(ask(session, request, step, now)).await?;
    }
    record::notes(session, request);
    Ok(step)
}

/// Has asked what has to be asked, and goes on, as often as that is wanted. Files are looked at off the worker, which
/// serves other requests meanwhile.
pub(super) async fn ask(
    session: &mut Session,
    request: &mut Request,
    step: Step,
    now: Instant,
) -> Result<Step> {
    let mut step = step;
    loop {
        let event = match step {
            Step::Ask(question) => Event::Found(look(question).await),
            Step::Open(open) => Event::Opened(file::open(session, request, open, now).await),
            Step::List(question) => Event::Opened(file::list(session, request, question, now).await),
            Step::CountRequest(limited) => {
                Event::RequestCounted(request.snapshot().limits.count_request(&limited, Instant::now()))
            }
            Step::CountConnection(limited) => {
                let (verdict, held) = request.snapshot().limits.count_connection(&limited);
                request.held.extend(held);
                Event::ConnectionCounted(verdict)
            }
            Step::CheckPassword(check) => {
                record::notes(session, request);
                Event::PasswordChecked(password::check(session, request, *check).await)
            }
            Step::CheckToken(check) => {
                record::notes(session, request);
                let token = token::check(session, request, *check).await;
                let verdict = match &token {
                    Ok(token) => TokenVerdict::Holds(token),
                    Err(true) => TokenVerdict::Refused,
                    Err(false) => TokenVerdict::Failed,
                };
                step = request.step(Event::TokenChecked(verdict), session.req_header(), now);
                continue;
            }
            Step::Wait(time) => {
                // A delay is told when it begins.
                record::notes(session, request);
                wait::out(session, time).await?;
                Event::Waited
            }
            Step::Subrequest(asked) => {
                let report = subrequest::ask(session, request, &asked, now).await;
                step = request.step(Event::Answered(report.answered()), session.req_header(), now);
                continue;
            }
            Step::Mirror(settings) => {
                mirror::send(session, request, &settings, now).await?;
                Event::Mirrored
            }
            step => return Ok(step),
        };
        step = request.step(event, session.req_header(), now);
    }
}

/// What the file system has there.
async fn look(question: Question) -> FileKind {
    match files::look_at(question.path, question.links).await {
        Err(error) if error.meaning() == Meaning::Forbidden => FileKind::Forbidden,
        Err(_) => FileKind::Missing,
        Ok(found) => match found.kind {
            Kind::Directory => FileKind::Directory,
            Kind::File => FileKind::File { executable: found.executable },
            Kind::Other => FileKind::Other,
        },
    }
}

/// Sends the request on its way to a server where that is the step. Otherwise, and where there is no such server, what
/// happens instead.
pub(super) async fn enter(
    session: &mut Session,
    request: &mut Request,
    mut step: Step,
    now: Instant,
) -> Result<Option<Step>> {
    loop {
        let Step::Proxy(proxy) = step else { return Ok(Some(step)) };
        match destination::target(session, request, proxy, now).await {
            Ok(target) => {
                return if request.state.enter_upstream(target) { Ok(None) } else { unexpected() };
            }
            Err(failure) => {
                let event = Event::Failed { failure, answer_begun: false };
                step = Box::pin(drive(session, request, event, now)).await?;
            }
        }
    }
}

/// Has something else answer in the place of the server that was asked. The program's answer is written here; where
/// another server answers, Pingora has yet to be brought there.
pub(super) async fn turn(
    session: &mut Session,
    request: &mut Request,
    step: Step,
    now: Instant,
) -> Result<()> {
    cache::leave(session, request);
    match enter(session, request, step, now).await? {
        None => request.turn = Turn::Elsewhere,
        Some(Step::Answer(content)) => {
            if request.state.ending.generated.is_some_and(Generated::ends_connection) {
                session.set_keepalive(None);
            }
            request.turn = Turn::Answered;
            answer::content(session, request, content, now).await?;
        }
        // `return 444`, and what no server can be asked for: an error ends the request without an answer.
        Some(_) => return Err(turned_away()),
    }
    Ok(())
}

/// The error that ends a try because something else answers.
pub(super) fn turned_away() -> Box<Error> {
    Error::explain(ErrorType::Custom(TURNED_AWAY), "another location answers")
}

/// Whether the try ended because something else answers; then whether Pingora is to go on with another server.
pub(super) fn turned(request: &Request, error: &Error) -> Option<bool> {
    match request.turn {
        // What becomes of the server's answer does not matter any more. A client that is gone is another thing.
        Turn::Answered if *error.esource() != ErrorSource::Downstream => return Some(false),
        _ => {}
    }
    let ErrorType::Custom(TURNED_AWAY) = error.etype() else { return None };
    Some(matches!(request.turn, Turn::Elsewhere))
}

/// A request that has failed for good: whether its location may have something else answer, which is found out where
/// files can be looked at, before the next server is picked.
pub(super) fn consider(session: &Session, request: &mut Request, failure: Failure) -> bool {
    let begun = answer::answer_begun(session);
    if !begun && cache::stands_in_for(session, request, failure) {
        return false;
    }
    let wants = !begun && !request.state.ending.silent && request.state.has_page_for(failure);
    if wants {
        request.turn = Turn::Ask(failure);
    }
    wants
}

/// Answers what was considered. True where a server is to be picked; an error where the program answers.
pub(super) async fn resolve(session: &mut Session, request: &mut Request, failure: Failure) -> Result<()> {
    request.turn = Turn::Stay;
    let now = Instant::now();
    let keeps_alive = session.get_keepalive();
    // An answer from here ends the try with an error, and Pingora closes the client's connection after one.
    session.set_keepalive(None);
    let step = drive(session, request, Event::Failed { failure, answer_begun: false }, now).await?;
    turn(session, request, step, now).await?;
    match request.turn {
        Turn::Elsewhere => {
            request.turn = Turn::Stay;
            session.set_keepalive(keeps_alive);
            Ok(())
        }
        _ => Err(turned_away()),
    }
}
