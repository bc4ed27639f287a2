//! The header of a server's answer: judged, booked, and passed on unless something else answers.

use std::time::Instant;

use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora_proxy::Session;

use super::context::{Request, Turn, unexpected};
use super::{admit, carried, failure, flow, record, tries, wire_bytes};
use crate::observe::reasons::Generated;
use crate::request::{Event, Step, UpstreamHead};
use crate::server::ServerState;
use crate::upstream::{self, Outcome};

/// A server's wish that another location answers.
const X_ACCEL_REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");

/// Decides what becomes of an answer by its header. An error leaves it.
pub(super) async fn head(
    session: &mut Session,
    answer: &mut ResponseHeader,
    request: &mut Request,
    state: &ServerState,
) -> Result<()> {
    let counts = request.facts.snapshot.config.http.reads.upstream_bytes;
    let Some(last) = request.proxying()?.tries.last_mut() else { return unexpected() };
    if counts {
        last.head_bytes_received += wire_bytes::response_head(answer);
    }
    let Some(framing) = admit::admit(answer, session.req_header(), last.upgrade_asked)? else {
        return Ok(());
    };
    last.framing = Some(framing);
    let now = Instant::now();
    if tries::leaves_answer(session, request, answer.status, &state.totals, now) {
        return Err(failure::left_answer());
    }
    let keeps_fields = request.facts.snapshot.config.http.reads.upstream_fields;
    let proxying = request.proxying()?;
    if let Some(last) = proxying.tries.last() {
        proxying.target.upstream.settle(&last.peer, Outcome::Answered, upstream::at(now));
    }
    if keeps_fields {
        proxying.upstream_fields = Some(Box::new(answer.headers.clone()));
    }
    let accel_redirect = answer.headers.get(X_ACCEL_REDIRECT).map(HeaderValue::as_bytes);
    let event = Event::UpstreamHead(UpstreamHead { status: answer.status, accel_redirect });
    let mut step = request.step(event, session.req_header(), now);
    if step.needs_files() {
        step = Box::pin(flow::ask_files(session, request, step, now)).await?;
    }
    match step {
        Step::PassOn => Ok(()),
        step => {
            record::notes(session, request);
            let intercepted = request.state.ending.generated == Some(Generated::Intercepted);
            if !intercepted || answer.status == StatusCode::UNAUTHORIZED {
                request.carried = carried::of(&answer.headers, !intercepted);
            }
            Box::pin(flow::turn(session, request, step, now)).await?;
            match request.turn {
                // Pingora goes on with the server's header. The session drops an interim one, and all that follows it, since
                // the client's answer is complete.
                Turn::Answered => answer.set_status(StatusCode::PROCESSING),
                _ => Err(flow::turned_away()),
            }
        }
    }
}
