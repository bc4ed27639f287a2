//! The effect of a probe's result on a server's record. Pure: it changes a [`Group`] and returns what changed.
//!
//! A server is watched in two ways. Requests fail or succeed (passive), and a probe tries to connect each second
//! (active). The rule that reconciles them: **a probe can only vouch for what it tests.**
//!
//! - A probe that fails has tested the first need of every request. The server gets no traffic, at once.
//! - A probe that passes where the last one failed shows that a listener disappeared and came back: the failures were
//!   those of another process. The server is back at once, all failures forgotten; without that a restarted server
//!   would sit out the rest of its `fail_timeout` (30 s in the demo) while healthy.
//! - A probe that passes and began after the last failure *to connect* disproves exactly that failure: connecting
//!   works again. Such failures are forgotten. It must have *begun* later, not ended: one that was under way may have
//!   been answered before the failure.
//! - A probe that passes says nothing about a request that was accepted and then timed out or got an invalid answer:
//!   the kernel completes the handshake for a process that is stopped or wedged. Those failures stand until
//!   `fail_timeout` lets a real request through.
//! - A connection that was closed under a request is ambiguous: a crash, or only one bad request. The probe can tell
//!   the two apart if it comes soon, before a supervisor has restarted the process: so such a failure asks for a
//!   probe now (`FailureKind::wants_probe`). If that fails, the server is down and the second rule brings it back;
//!   if it passes, the listener never went away, and the configured `fail_timeout` stands.
//!
//! Failures to connect also ask for a probe now: the address may serve other upstreams, which then need not lose
//! requests of their own to find out.

use crate::balance::{Group, Now};

/// A finished probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::upstream) struct Probe {
    /// Time of its beginning.
    pub(in crate::upstream) began: Now,
    /// True if the connection was established.
    pub(in crate::upstream) passed: bool,
}

/// The effect of a probe on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::upstream) enum AfterProbe {
    /// No change.
    Unchanged,
    /// The server gets no traffic from now on.
    TakenOut,
    /// The server was unreachable and is back.
    BroughtBack,
    /// The server was ejected after failures that this probe disproves, and is back.
    Vindicated,
}

/// Applies a probe's result, known at `now`, to the server at `index`.
pub(in crate::upstream) fn apply(group: &mut Group, index: usize, probe: Probe, now: Now) -> AfterProbe {
    let Some(server) = group.servers().get(index) else { return AfterProbe::Unchanged };
    match (server.reachable(), probe.passed) {
        (true, false) => {
            group.set_reachable(index, false, now);
            AfterProbe::TakenOut
        }
        (false, false) => AfterProbe::Unchanged,
        (false, true) => {
            group.set_reachable(index, true, now);
            group.reset_failures(index, now);
            AfterProbe::BroughtBack
        }
        (true, true) if group.reset_connect_failures(index, probe.began, now) => AfterProbe::Vindicated,
        (true, true) => AfterProbe::Unchanged,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::balance::{Ask, Availability, MethodKind, Pick, Server, ServerConfig, Stage, Tried};
    use crate::upstream::FailureKind;

    fn at(ms: u64) -> Now {
        Now::from_millis(ms)
    }

    /// Two servers as in the demo: `max_fails=1 fail_timeout=30s`.
    fn two() -> Group {
        let config = ServerConfig {
            weight: 1,
            max_fails: 1,
            fail_timeout: Duration::from_secs(30),
            max_conns: 0,
            slow_start: Duration::ZERO,
            down: false,
        };
        let servers = (0..2).map(|slot| Server::new(slot, config, Arc::default())).collect();
        Group::new(MethodKind::RoundRobin, servers, Vec::new())
    }

    enum Event {
        Fails(FailureKind),
        Probe { began: u64, passed: bool },
    }
    use Event::{Fails, Probe as Probed};
    use FailureKind::*;

    fn pass(began: u64) -> Event {
        Probed { began, passed: true }
    }

    fn fail(began: u64) -> Event {
        Probed { began, passed: false }
    }

    #[test]
    fn a_probe_vouches_for_what_it_tests_and_for_nothing_else() {
        for (name, events, state) in [
            ("refused", vec![(10, Fails(Connect))], Availability::Ejected),
            ("refused, then a probe passes", vec![(10, Fails(Connect)), (20, pass(15))], Availability::Up),
            ("a probe that began before", vec![(10, Fails(Connect)), (20, pass(5))], Availability::Ejected),
            ("connecting took too long", vec![(10, Fails(ConnectTimeout)), (20, pass(15))], Availability::Up),
            (
                "stopped process: accepted, silent",
                vec![(10, Fails(ReadTimeout)), (20, pass(15))],
                Availability::Ejected,
            ),
            ("cannot be written to", vec![(10, Fails(WriteTimeout)), (20, pass(15))], Availability::Ejected),
            ("not HTTP", vec![(10, Fails(InvalidAnswer)), (20, pass(15))], Availability::Ejected),
            ("closed, but still listens", vec![(10, Fails(Closed)), (20, pass(15))], Availability::Ejected),
            ("closed, as it died", vec![(10, Fails(Closed)), (20, fail(15))], Availability::Unreachable),
            ("…and came back", vec![(10, Fails(Closed)), (20, fail(15)), (99, pass(98))], Availability::Up),
            (
                "any failure, restarted",
                vec![(10, Fails(ReadTimeout)), (20, fail(15)), (99, pass(98))],
                Availability::Up,
            ),
            ("only the probe failed", vec![(20, fail(15))], Availability::Unreachable),
            (
                "failing again changes nothing",
                vec![(20, fail(15)), (30, fail(25))],
                Availability::Unreachable,
            ),
            ("one flap", vec![(20, fail(15)), (30, pass(25))], Availability::Up),
            (
                "a refusal on top of silence: the silence stands",
                vec![(10, Fails(ReadTimeout)), (11, Fails(Connect)), (20, pass(15))],
                Availability::Ejected,
            ),
        ] {
            let mut group = two();
            for (ms, event) in &events {
                match event {
                    Fails(kind) => {
                        group.record_failure(0, kind.stage(), at(*ms));
                    }
                    Probed { began, passed } => {
                        apply(&mut group, 0, Probe { began: at(*began), passed: *passed }, at(*ms));
                    }
                }
            }
            assert_eq!(group.servers()[0].state(at(100)), state, "{name}");
            assert_eq!(group.servers()[1].state(at(100)), Availability::Up, "{name}: the other one");
        }
    }

    #[test]
    fn tells_what_a_probe_changed() {
        let mut group = two();
        let mut probe = |began, passed| apply(&mut group, 0, Probe { began: at(began), passed }, at(began));
        assert_eq!(probe(1, true), AfterProbe::Unchanged);
        assert_eq!(probe(2, false), AfterProbe::TakenOut);
        assert_eq!(probe(3, false), AfterProbe::Unchanged);
        assert_eq!(probe(4, true), AfterProbe::BroughtBack);
        group.record_failure(0, Stage::Connect, at(5));
        assert_eq!(apply(&mut group, 0, Probe { began: at(6), passed: true }, at(6)), AfterProbe::Vindicated);
        assert_eq!(apply(&mut group, 7, Probe { began: at(6), passed: false }, at(6)), AfterProbe::Unchanged);
    }

    #[test]
    fn an_unreachable_server_gets_no_request_until_a_probe_passes() {
        let mut group = two();
        apply(&mut group, 0, Probe { began: at(1), passed: false }, at(1));
        for _ in 0..4 {
            assert_eq!(group.pick(&mut Tried::new(), &Ask::at(at(2))), Pick::Server(1));
        }
        apply(&mut group, 0, Probe { began: at(3), passed: true }, at(3));
        let picked: Vec<Pick> = (0..2).map(|_| group.pick(&mut Tried::new(), &Ask::at(at(4)))).collect();
        assert!(picked.contains(&Pick::Server(0)), "{picked:?}");
    }
}
