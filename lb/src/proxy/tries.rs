//! Carries out what `request/` decides of tries: picks a server, books what became of it.

use std::time::Instant;

use http::StatusCode;
use pingora::Error;
use pingora_proxy::Session;

use super::answer::answer_begun;
use super::context::Request;
use super::{flow, record};
use crate::balance::Ask;
use crate::observe::reasons::RetryReason;
use crate::observe::totals::Totals;
use crate::request::failure::TryMeaning;
use crate::request::retry::{self, AnsweredTry, Left, Verdict};
use crate::request::{Event, Failure, Proxying, Settlement, Step, TryFailed};
use crate::upstream::{self, FailureKind, InFlight, Outcome, Settled};

/// The next server to try, and when it was picked.
pub(super) fn pick(proxying: &mut Proxying, now: Instant) -> Option<(InFlight, Instant)> {
    let ask = Ask { now: upstream::at(now), key: &proxying.balancing_key };
    let picked = proxying.target.upstream.pick(&mut proxying.tried, &ask).ok()?;
    Some((picked, now))
}

/// How the try failed, as Pingora tells it.
pub(super) struct Told<'a> {
    /// Whose failure it is.
    pub(super) failure: Failure,
    /// This machine is out of descriptors or ports.
    pub(super) local_shortage: bool,
    /// The connection was a kept-alive one.
    pub(super) reused: bool,
    /// Pingora's error, for the log.
    pub(super) error: &'a Error,
}

/// Books a failed try, and says whether another follows.
pub(super) fn failed(session: &mut Session, request: &mut Request, told: Told<'_>, totals: &Totals) -> bool {
    let now = Instant::now();
    let Some(proxying) = request.state.proxying_mut() else { return false };
    if let Some(last) = proxying.tries.last_mut() {
        last.bytes_received = session.upstream_body_bytes_received() as u64;
    }
    let client_owes_bytes = !session.as_mut().is_body_done();
    let event = TryFailed {
        failure: told.failure,
        local_shortage: told.local_shortage,
        reused: told.reused,
        answer_begun: answer_begun(session),
        non_idempotent: retry::is_non_idempotent(&session.req_header().method),
        body_replayable: body_replayable(session, request.outgrown.is_empty()),
        client_owes_bytes,
        tries_allowed: tries_allowed(proxying),
        out_of_time: out_of_time(proxying, now),
    };
    let step = request.step(Event::TryFailed(event), session.req_header(), now);
    let Step::Settle(settlement) = step else {
        return false;
    };
    carry_out(session, request, settlement, &told, totals, now)
        || flow::consider(session, request, told.failure)
}

fn carry_out(
    session: &Session,
    request: &mut Request,
    settlement: Settlement,
    told: &Told<'_>,
    totals: &Totals,
    now: Instant,
) -> bool {
    let settle = |request: &Request, outcome| {
        let proxying = request.state.proxying()?;
        let last = proxying.tries.last()?;
        Some(proxying.target.upstream.settle(&last.peer, outcome, upstream::at(now)))
    };
    match settlement {
        Settlement::LocalShortage => {
            record::local_shortage(session, request, told.error);
            false
        }
        Settlement::ServerBlameless => {
            settle(request, Outcome::Answered);
            false
        }
        Settlement::ServerFailed(failed, verdict) => {
            record::failed_try(session, request, told.error, &failed, verdict);
            if failed.blames_server()
                && settle(request, Outcome::Failed(failed.kind)) == Some(Settled::Ejected)
            {
                record::ejected(session, request);
            }
            match verdict {
                Verdict::Forgive => {
                    totals.retries.increment(RetryReason::StaleConnection);
                    forgive(request);
                    true
                }
                Verdict::NextServer => {
                    totals.retries.increment(TryMeaning::of(failed.kind).retry);
                    true
                }
                Verdict::GiveUp(_) => false,
            }
        }
    }
}

/// Whether the answer of the try under way is left, since its status is listed and another server may be asked; the try is
/// booked then.
pub(super) fn leaves_answer(
    session: &Session,
    request: &mut Request,
    status: StatusCode,
    totals: &Totals,
    now: Instant,
) -> bool {
    if !(status.is_client_error() || status.is_server_error()) {
        return false;
    }
    let nothing_outgrown = request.outgrown.is_empty();
    let Some(proxying) = request.state.proxying_mut() else { return false };
    let answered = AnsweredTry {
        status,
        non_idempotent: retry::is_non_idempotent(&session.req_header().method),
        body_replayable: body_replayable(session, nothing_outgrown),
        tries_left: proxying.tries_left(tries_allowed(proxying)),
        out_of_time: out_of_time(proxying, now),
        policy: proxying.target.proxy.settings.next_upstream,
    };
    let Some(left) = retry::leaves(&answered) else { return false };
    let Some(last) = proxying.tries.last_mut() else { return false };
    last.header = Some(now.duration_since(last.started));
    last.status = Some(status);
    let peer = last.peer.clone();
    proxying.end_try(None, now);
    let outcome = match left {
        Left::Failure => Outcome::Failed(FailureKind::ListedStatus),
        Left::NoFailure => Outcome::Answered,
    };
    let settled = proxying.target.upstream.settle(&peer, outcome, upstream::at(now));
    totals.retries.increment(RetryReason::ListedStatus);
    if settled == Settled::Ejected {
        record::ejected(session, request);
    }
    true
}

/// Whether the body can be sent to another server: what was read of it is kept, or is about to be sent.
fn body_replayable(session: &Session, nothing_outgrown: bool) -> bool {
    !session.as_ref().retry_buffer_truncated() || !nothing_outgrown
}

fn tries_allowed(proxying: &Proxying) -> usize {
    retry::tries_allowed(proxying.target.upstream.tries(), proxying.target.proxy.settings.next_upstream_tries)
}

fn out_of_time(proxying: &Proxying, now: Instant) -> bool {
    let limit = proxying.target.proxy.settings.next_upstream_timeout;
    let began = proxying.tries.first().map_or(now, |first| first.started);
    retry::out_of_time(now.saturating_duration_since(began), limit)
}

/// The server of the last try may be tried again.
fn forgive(request: &mut Request) {
    let Some(proxying) = request.state.proxying_mut() else { return };
    let Some(last) = proxying.tries.last() else { return };
    proxying.target.upstream.allow_retry_of(&mut proxying.tried, &last.peer);
}
