//! Carries out what `request/` decides of tries: picks a server, books what became of it.

use std::time::Instant;

use pingora::Error;
use pingora_proxy::Session;

use super::answer::answer_begun;
use super::context::Request;
use super::{flow, record};
use crate::balance::Ask;
use crate::observe::reasons::RetryReason;
use crate::observe::totals::Totals;
use crate::request::failure::TryMeaning;
use crate::request::retry::{self, Verdict};
use crate::request::{Event, Failure, Proxying, Settlement, Step, TryFailed};
use crate::upstream::{self, InFlight, Outcome, Settled};

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
        body_replayable: !session.as_ref().retry_buffer_truncated() || !request.outgrown.is_empty(),
        client_owes_bytes,
        tries_allowed: proxying.target.upstream.tries(),
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

/// The server of the last try may be tried again.
fn forgive(request: &mut Request) {
    let Some(proxying) = request.state.proxying_mut() else { return };
    let Some(last) = proxying.tries.last() else { return };
    proxying.target.upstream.allow_retry_of(&mut proxying.tried, &last.peer);
}
