//! Tables over the machine: a configuration's text and an event in, a step out. No socket, no runtime.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::balance::{Ask, Now};
use crate::request::testing::{Asked, Rig, said};
use crate::request::{ProxyTarget, Try};

const TWO: &str = "upstream two { server 127.0.0.1:1; server 127.0.0.1:2; }
    server { listen 81; location / { proxy_pass http://two; } }";

fn closed() -> TryFailed {
    TryFailed {
        failure: Failure::Upstream(FailureKind::Closed),
        local_shortage: false,
        reused: false,
        answer_begun: false,
        non_idempotent: false,
        body_replayable: true,
        client_owes_bytes: false,
        tries_allowed: 2,
        out_of_time: false,
    }
}

#[test]
fn a_request_goes_through_the_phases_in_their_order() {
    let locations = "location / { proxy_pass http://127.0.0.1:9; } location = /n { }
        location /r { return 204; } location /silent { return 444; }
        location /small { client_max_body_size 10; return 200 x; }";
    for (server, target, announced, expected) in [
        ("", "/", None, "proxy 127.0.0.1:9"),
        ("", "", None, "proxy 127.0.0.1:9"),
        ("", "/x/../r", None, "return 204"),
        ("", "/%72", None, "return 204"),
        ("", "/silent", None, "close"),
        ("location /p/ { proxy_pass http://127.0.0.1:9; }", "/p", None, "return 301 /p/"),
        ("location /p/ { internal; proxy_pass http://127.0.0.1:9; }", "/p", None, "404 not_found"),
        ("", "/../r", None, "400 bad_request"),
        ("", "*", None, "400 bad_request"),
        ("", "/small", Some(10), "return 200 x"),
        ("", "/small", Some(11), "413 body_too_large"),
        ("", "/r", Some(2 << 20), "413 body_too_large"),
        ("return 301 /;", "/r", None, "return 301 /"),
        ("return 301 /;", "/small", Some(11), "return 301 /"),
        ("return 301 /;", "/..", None, "400 bad_request"),
        ("return 444;", "/", None, "close"),
    ] {
        let rig = Rig::of(&format!("server {{ listen 81; {server} {locations} }}"));
        let mut state = State::default();
        let asked = Asked { announced, ..Asked::of(target) };
        let step = rig.begin(&mut state, &asked);
        assert_eq!(said(&step), expected, "{server} {target} {announced:?}");
        assert_eq!(state.ending.silent, expected == "close");
        assert_eq!(state.ending.generated.is_none(), expected.starts_with("proxy"), "{target}");
    }
}

#[test]
fn a_uri_that_makes_no_sense_is_answered_by_the_addresss_default_server() {
    let rig = Rig::of("server { listen 81; server_name other; } server { listen 81; server_name t; }");
    for (target, server) in [("/x", 1), ("/..", 0)] {
        let mut state = State::default();
        rig.begin(&mut state, &Asked::of(target));
        assert_eq!(state.routed().map(|routed| routed.server), Some(ServerId(server)), "{target}");
    }
}

#[test]
fn without_anything_to_do_files_are_looked_for() {
    let rig = Rig::of("server { listen 81; }");
    assert_eq!(said(&rig.begin(&mut State::default(), &Asked::of("/"))), "ask /html/index.html");
}

#[test]
fn a_listener_that_the_snapshot_does_not_know_is_a_fault() {
    let rig = Rig::of(TWO);
    let mut state = State::default();
    let asked = Asked::of("/");
    let around = Around { rules: Rules { listener: None, ..rig.rules() }, outside: &asked };
    assert_eq!(said(&state.step(Event::Begin(None), around, Instant::now())), "500 internal");
    assert!(state.routed().is_none());
}

#[test]
fn no_request_reaches_an_upstream_without_a_location() {
    let rig = Rig::of(TWO);
    let target = |state: &State| {
        let target = &state.proxying().unwrap().target;
        ProxyTarget { proxy: target.proxy.clone(), upstream: target.upstream.clone(), connection_group: 1 }
    };
    let routed = rig.proxying(0);
    let mut state = State::default();
    assert!(!state.enter_upstream(target(&routed)) && state.proxying().is_none());
}

#[test]
fn the_header_of_an_answer_is_taken_note_of_and_passed_on() {
    let rig = Rig::of(TWO);
    let mut state = rig.proxying(1);
    let picked = state.tries()[0].started;
    let head = Event::UpstreamHead(UpstreamHead { status: StatusCode::NOT_FOUND, accel_redirect: None });
    let asked = Asked::of("/");
    let step = state.step(head, rig.around(&asked), picked + Duration::from_millis(7));
    assert_eq!(said(&step), "pass on");
    let Try { header, status, .. } = &state.tries()[0];
    assert_eq!((*header, *status), (Some(Duration::from_millis(7)), Some(StatusCode::NOT_FOUND)));
}

#[test]
fn a_failed_try_is_booked_and_followed_by_another_or_not() {
    use Settlement::{LocalShortage, ServerBlameless, ServerFailed};
    let rig = Rig::of(TWO);
    let base = closed();
    let up = |kind| TryFailed { failure: Failure::Upstream(kind), ..base };
    let owes = |kind| TryFailed { client_owes_bytes: true, ..up(kind) };
    for (name, tries, event, blamed, verdict) in [
        ("closed", 1, base, true, Verdict::NextServer),
        ("the last", 2, base, true, Verdict::GiveUp(GiveUp::NoServerLeft)),
        ("stale", 1, TryFailed { reused: true, ..base }, false, Verdict::Forgive),
        ("refused", 1, up(FailureKind::Connect), true, Verdict::NextServer),
        ("silent", 1, up(FailureKind::ReadTimeout), true, Verdict::NextServer),
        (
            "the client is silent",
            1,
            owes(FailureKind::ReadTimeout),
            false,
            Verdict::GiveUp(GiveUp::ClientStalled),
        ),
        ("closed on a silent client", 1, owes(FailureKind::Closed), false, Verdict::NextServer),
    ] {
        let mut state = rig.proxying(tries);
        let ServerFailed(failed, said) = rig.fail(&mut state, event) else { panic!("{name}") };
        assert_eq!((failed.blames_server(), said), (blamed, verdict), "{name}");
        let last = state.tries().last().unwrap();
        assert!(last.finished.is_some() && last.in_flight.is_none() && last.status.is_some(), "{name}");
        assert_eq!(state.proxying().unwrap().forgiven, verdict == Verdict::Forgive, "{name}");
    }
    for (name, event, settlement, status) in [
        ("client gone", TryFailed { failure: Failure::ClientGone, ..base }, ServerBlameless, None),
        ("too large", TryFailed { failure: Failure::Status(413), ..base }, ServerBlameless, None),
        (
            "no descriptors",
            TryFailed { local_shortage: true, ..base },
            LocalShortage,
            Some(Failure::Internal),
        ),
    ] {
        let mut state = rig.proxying(1);
        assert_eq!(rig.fail(&mut state, event), settlement, "{name}");
        assert_eq!(state.ending.failure, status, "{name}");
        assert!(state.tries()[0].finished.is_some(), "{name}");
    }
}

#[test]
fn a_stale_connection_costs_no_try_and_is_forgiven_once() {
    let rig = Rig::of(TWO);
    let mut state = rig.proxying(1);
    let stale = TryFailed { reused: true, ..closed() };
    assert!(matches!(rig.fail(&mut state, stale), Settlement::ServerFailed(_, Verdict::Forgive)));
    let proxying = state.proxying_mut().unwrap();
    assert_eq!(proxying.tries_left(2), 2);
    let picked = proxying.target.upstream.pick(&mut proxying.tried, &Ask::at(Now::from_millis(2))).unwrap();
    proxying.begin_try(picked, Instant::now());
    assert!(matches!(rig.fail(&mut state, stale), Settlement::ServerFailed(_, Verdict::NextServer)));
}

#[test]
fn a_failure_that_ends_the_request_has_its_status() {
    let rig = Rig::of(TWO);
    for (name, failure, answer_begun, expected) in [
        ("closed", Failure::Upstream(FailureKind::Closed), false, "502 upstream_closed"),
        ("silent", Failure::Upstream(FailureKind::ReadTimeout), false, "504 upstream_timeout"),
        ("in the midst of an answer", Failure::Upstream(FailureKind::Closed), true, "close"),
        ("the client is slow", Failure::ClientTimeout, false, "408 client_timeout"),
        ("the client is gone", Failure::ClientGone, false, "close"),
        ("too large", Failure::Status(413), false, "413 body_too_large"),
    ] {
        let mut state = rig.proxying(1);
        let event = Event::Failed { failure, answer_begun };
        assert_eq!(said(&state.step(event, rig.around(&Asked::of("/")), Instant::now())), expected, "{name}");
        assert_eq!(state.ending.failure, Some(failure), "{name}");
    }
}

#[test]
fn no_live_upstream_comes_before_the_failure_that_led_to_it() {
    let rig = Rig::of(TWO);
    let mut state = rig.proxying(1);
    assert_eq!(
        said(&state.step(Event::NoServer, rig.around(&Asked::of("/")), Instant::now())),
        "502 no_live_upstream"
    );
    let event = Event::Failed { failure: Failure::Status(502), answer_begun: false };
    assert_eq!(said(&state.step(event, rig.around(&Asked::of("/")), Instant::now())), "502 no_live_upstream");
}

#[test]
fn a_stalled_client_gets_408_whatever_the_error_says() {
    let rig = Rig::of(TWO);
    let mut state = rig.proxying(1);
    let timeout = Failure::Upstream(FailureKind::ReadTimeout);
    rig.fail(&mut state, TryFailed { failure: timeout, client_owes_bytes: true, ..closed() });
    let event = Event::Failed { failure: timeout, answer_begun: false };
    assert_eq!(said(&state.step(event, rig.around(&Asked::of("/")), Instant::now())), "408 client_timeout");
}
