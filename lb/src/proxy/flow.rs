//! Carries out what `request/` wants done until it says what a hook can do, and turns a request away from an upstream
//! that does not answer the client.

use std::time::Instant;

use pingora::{Error, ErrorType, Result};
use pingora_proxy::Session;

use super::context::{Request, Turn, unexpected};
use super::{answer, destination, file, record};
use crate::files::{self, Kind, Meaning};
use crate::request::{Event, Failure, FileKind, Question, Step};

/// The name of the error that ends a try because something else answers in the server's place.
const TURNED_AWAY: &str = "TurnedAway";

/// Asks what happens after `event`, and looks at files as often as that is wanted.
pub(super) async fn drive(
    session: &Session,
    request: &mut Request,
    event: Event<'_>,
    now: Instant,
) -> Result<Step> {
    let mut step = request.step(event, session.req_header(), now);
    if step.needs_files() {
        step = Box::pin(ask_files(session, request, step, now)).await?;
    }
    record::notes(session, request);
    Ok(step)
}

/// Has the file system asked, and goes on, as often as that is wanted. Files are looked at off the worker, which serves
/// other requests meanwhile.
pub(super) async fn ask_files(
    session: &Session,
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
    session: &Session,
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

/// Keeps what answers in the place of the server that was asked, and gives the error that ends the try: where another
/// server answers Pingora goes on with that, and where the program does `fail_to_proxy` writes it.
pub(super) async fn turn(
    session: &Session,
    request: &mut Request,
    step: Step,
    now: Instant,
) -> Result<Box<Error>> {
    let elsewhere = match enter(session, request, step, now).await? {
        None => {
            request.turn = Turn::Elsewhere;
            true
        }
        Some(Step::Answer(content)) => {
            request.turn = Turn::Own(content);
            false
        }
        Some(_) => false,
    };
    let mut error = Error::explain(ErrorType::Custom(TURNED_AWAY), "another location answers");
    error.set_retry(elsewhere);
    Ok(error)
}

/// Whether the try ended because something else answers; then whether Pingora is to go on with another server.
pub(super) fn turned(request: &Request, error: &Error) -> Option<bool> {
    let ErrorType::Custom(TURNED_AWAY) = error.etype() else { return None };
    Some(matches!(request.turn, Turn::Elsewhere))
}

/// A request that has failed for good: whether its location may have something else answer, which is found out where
/// files can be looked at, before the next server is picked.
pub(super) fn consider(session: &Session, request: &mut Request, failure: Failure) -> bool {
    let begun = answer::answer_begun(session);
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
    let step = drive(session, request, Event::Failed { failure, answer_begun: false }, now).await?;
    let error = turn(session, request, step, now).await?;
    match request.turn {
        Turn::Elsewhere => {
            request.turn = Turn::Stay;
            Ok(())
        }
        _ => Err(error),
    }
}

/// Writes what the program answers in the place of a server.
pub(super) async fn write_own(session: &mut Session, request: &mut Request, now: Instant) -> Result<()> {
    match std::mem::replace(&mut request.turn, Turn::Stay) {
        Turn::Own(content) => answer::content(session, request, content, now).await,
        Turn::Stay | Turn::Ask(_) | Turn::Elsewhere => unexpected(),
    }
}
