//! What failed requests and probe results mean for a server. Pure: it moves a [`Rota`] and returns what happened.
//!
//! Two witnesses watch a server. Requests fail or succeed (passive), and a probe tries to connect each second
//! (active). The rule that reconciles them: **a probe can only vouch for what it tests.**
//!
//! - A probe that fails has tested what every request needs first. The server gets no traffic, at once.
//! - A probe that passes where the last one failed has seen a listener disappear and come back: what answers there
//!   now is not what the failures were about. The server is back at once, all failures forgotten; without that a
//!   restarted server would sit out the rest of its `fail_timeout` (30 s in the demo) while healthy.
//! - A probe that passes and began after the last failure *to connect* disproves exactly that failure: connecting
//!   works again. Such failures are forgotten. It must have *begun* later, not ended: one that was under way may have
//!   been answered before the failure.
//! - A probe that passes says nothing about a request that was accepted and then timed out or was answered with
//!   nonsense: the kernel completes the handshake for a process that is stopped or wedged. Those failures stand
//!   until `fail_timeout` lets a real request through.
//! - A connection that was closed under a request is in between: a crash, or only one bad request. The probe can tell
//!   the two apart if it comes soon, before a supervisor has restarted the process: so such a failure asks for a
//!   probe now ([`FailureKind::wants_probe`]). If that fails, the server is down and the second rule brings it back;
//!   if it passes, the listener never went away, and the `fail_timeout` that the user wrote stands.
//!
//! Failures to connect ask for a probe now too: the address may serve other upstreams, which then need not find
//! out by losing requests of their own.

use crate::balance::{Now, Rota, Stage};

/// How an attempt at a server failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The connection was refused or could not be made (no route, reset during the handshake).
    Connect,
    /// No connection within `proxy_connect_timeout`.
    ConnectTimeout,
    /// Connected, but nothing came within `proxy_read_timeout`.
    ReadTimeout,
    /// Connected, but nothing could be sent within `proxy_send_timeout`.
    WriteTimeout,
    /// The server closed or reset the connection before its answer's header was complete.
    Closed,
    /// The answer was not HTTP.
    InvalidAnswer,
}

impl FailureKind {
    /// How far the attempt came.
    pub fn stage(self) -> Stage {
        match self {
            Self::Connect | Self::ConnectTimeout => Stage::Connect,
            Self::ReadTimeout | Self::WriteTimeout | Self::Closed | Self::InvalidAnswer => Stage::Exchange,
        }
    }

    /// Whether a probe right now could tell more.
    pub fn wants_probe(self) -> bool {
        match self {
            Self::Connect | Self::ConnectTimeout | Self::Closed => true,
            Self::ReadTimeout | Self::WriteTimeout | Self::InvalidAnswer => false,
        }
    }
}

/// A finished probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe {
    /// When it began.
    pub(super) began: Now,
    /// Whether the connection came about.
    pub(super) passed: bool,
}

/// What a probe changed for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterProbe {
    /// Nothing.
    Unchanged,
    /// It gets no traffic from now on.
    TakenOut,
    /// It was unreachable and is back.
    BroughtBack,
    /// It was out of use after failures that this probe disproves, and is back.
    Vindicated,
}

/// Applies a probe's result to the server at `index`.
pub(super) fn absorb(rota: &mut Rota, index: usize, probe: Probe) -> AfterProbe {
    let Some(seat) = rota.seats().get(index) else { return AfterProbe::Unchanged };
    match (seat.reachable, probe.passed) {
        (true, false) => {
            rota.set_reachable(index, false);
            AfterProbe::TakenOut
        }
        (false, false) => AfterProbe::Unchanged,
        (false, true) => {
            rota.set_reachable(index, true);
            rota.forgive(index);
            AfterProbe::BroughtBack
        }
        (true, true) if rota.forgive_connects(index, probe.began) => AfterProbe::Vindicated,
        (true, true) => AfterProbe::Unchanged,
    }
}
