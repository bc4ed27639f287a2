//! The header of a server's answer: judged, booked, and passed on unless something else answers.

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use http::header::{ACCEPT_RANGES, HeaderName, HeaderValue};
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora_proxy::Session;

use super::context::{Request, Turn, unexpected};
use super::{admit, cache, carried, failure, flow, record, subrequest, tries, wire_bytes};
use crate::cache::stale::Failing;
use crate::config::model::FieldName;
use crate::observe::reasons::Generated;
use crate::request::headers::ranges::{self, Share};
use crate::request::headers::to_client;
use crate::request::{Event, Failure, Step, UpstreamHead};
use crate::server::ServerState;
use crate::upstream::{self, Outcome};

/// A server's wish that another location answers.
const X_ACCEL_REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");

/// What a client that asks for a range beyond the answer is told, where ranges are cut here (`proxy_force_ranges`).
fn refused_range(
    session: &Session,
    answer: &mut ResponseHeader,
    request: &Request,
) -> Result<Option<Option<(FieldName, HeaderValue)>>> {
    let Some(proxying) = request.state.proxying() else { return Ok(None) };
    let (settings, location) = (&proxying.target.proxy.settings, &proxying.routed.location);
    if !settings.force_ranges || answer.status != StatusCode::OK || request.state.status().is_some() {
        return Ok(None);
    }
    let max_ranges = location.settings.static_files.max_ranges;
    let mut untouched = answer.clone();
    match ranges::force(&mut untouched, &session.req_header().headers, max_ranges)? {
        Share::Nothing(field) => Ok(Some(field)),
        Share::Everything | Share::Part(_) => Ok(None),
    }
}

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
    subrequest::notice(answer, request);
    let now = Instant::now();
    if tries::leaves_answer(session, request, answer.status, &state.totals, now) {
        return Err(failure::left_answer());
    }
    let keeps_fields = request.facts.snapshot.config.http.reads.upstream_fields;
    let proxying = request.proxying()?;
    if let Some(last) = proxying.tries.last() {
        proxying.target.upstream.settle(&last.peer, Outcome::Answered, upstream::at(now));
    }
    if cache::stands_in(session, request, Failing::Status(answer.status.as_u16())) {
        let proxying = request.proxying()?;
        if let Some(last) = proxying.tries.last_mut() {
            last.header = Some(now.duration_since(last.started));
        }
        proxying.end_try(Some(answer.status), now);
        return Err(failure::old_answer());
    }
    let confirms = cache::confirms(session, answer, request);
    let proxying = request.proxying()?;
    if confirms {
        if let Some(last) = proxying.tries.last_mut() {
            (last.header, last.status) = (Some(now.duration_since(last.started)), Some(answer.status));
        }
        return Ok(());
    }
    if keeps_fields {
        proxying.upstream_fields = Some(Box::new(answer.headers.clone()));
    }
    if proxying.target.proxy.settings.force_ranges && !session.cache.enabled() {
        // What the server says of ranges does not hold for what is made of its answer.
        answer.remove_header(&ACCEPT_RANGES);
    }
    let accel_redirect = answer.headers.get(X_ACCEL_REDIRECT).map(HeaderValue::as_bytes);
    if accel_redirect.is_some() {
        // They hold for the answer that the location makes which the server asks for.
        let proxy = Arc::clone(&request.proxying()?.target.proxy);
        if let Some(rate) = to_client::asked_rate(&answer.headers, &proxy) {
            request.state.set_limit_rate(rate);
        }
        request.asked_charset = to_client::asked_charset(&answer.headers, &proxy);
    }
    let event = Event::UpstreamHead(UpstreamHead { status: answer.status, accel_redirect });
    let mut step = request.step(event, session.req_header(), now);
    if step.waits() {
        step = Box::pin(flow::ask(session, request, step, now)).await?;
    }
    if let Step::PassOn = step
        && !session.cache.enabled()
        && let Some(field) = refused_range(session, answer, request)?
    {
        let event = Event::Failed { failure: Failure::Status(416), answer_begun: false };
        step = Box::pin(flow::drive(session, request, event, now)).await?;
        request.refused_with = field;
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
