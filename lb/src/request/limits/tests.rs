use std::time::Instant;

use crate::config::model::{Severity, ZoneId};
use crate::limits::{ConnectionVerdict, RequestVerdict};
use crate::request::testing::{Asked, Rig, said};
use crate::request::{Event, Note, State, Step};

const ZONES: &str = "limit_req_zone $arg_a zone=a:1m rate=1r/s; limit_req_zone $arg_b zone=b:1m rate=1r/s;
    limit_conn_zone $arg_c zone=c:1m;";

fn rig(location: &str) -> Rig {
    Rig::of(&format!(
        "{ZONES} server {{ listen 81; location / {{ {location} try_files /none @out; }} location @out {{ {location} return 200 $limit_req_status/$limit_conn_status; }} }}"
    ))
}

/// The steps of a request whose verdicts are these.
fn run(
    rig: &Rig,
    target: &str,
    requests: RequestVerdict,
    connections: ConnectionVerdict,
) -> (State, Vec<String>) {
    let asked = Asked::of(target);
    let around = rig.around(&asked);
    let mut state = State::default();
    let mut step = rig.begin(&mut state, &asked);
    let mut steps = Vec::new();
    loop {
        steps.push(said(&step));
        let event = match step {
            Step::CountRequest(_) => Event::RequestCounted(requests),
            Step::CountConnection(_) => Event::ConnectionCounted(connections),
            Step::Wait(_) => Event::Waited,
            Step::Ask(_) => Event::Found(crate::request::FileKind::Missing),
            _ => return (state, steps),
        };
        step = state.step(event, around, Instant::now());
    }
}

const ALL: &str = "limit_req zone=a; limit_req zone=b burst=3; limit_conn c 1;";
const ZONE: ZoneId = ZoneId(0);

#[test]
fn a_request_is_counted_once_whatever_locations_it_comes_to() {
    let (_, steps) = run(&rig(ALL), "/?a=1&b=2&c=3", RequestVerdict::Passed, ConnectionVerdict::Passed);
    assert_eq!(
        steps,
        ["count request 1 2", "count connection 3", "ask /html/none", "return 200 PASSED/PASSED"]
    );
    let (_, steps) = run(&rig(ALL), "/?b=2", RequestVerdict::Passed, ConnectionVerdict::Passed);
    assert_eq!(steps, ["count request  2", "ask /html/none", "return 200 PASSED/"]);
    let (_, steps) = run(&rig(ALL), "/", RequestVerdict::Passed, ConnectionVerdict::Passed);
    assert_eq!(steps, ["ask /html/none", "return 200 /"]);
    let (_, steps) = run(&rig(""), "/?a=1&c=1", RequestVerdict::Passed, ConnectionVerdict::Passed);
    assert_eq!(steps, ["ask /html/none", "return 200 /"]);
}

#[test]
fn verdicts_become_waits_and_statuses() {
    let delayed = RequestVerdict::Delayed { milliseconds: 250, excess: 1250, zone: ZONE };
    let (mut state, steps) = run(&rig(ALL), "/?a=1", delayed, ConnectionVerdict::Passed);
    assert_eq!(steps, ["count request 1 ", "wait 250ms", "ask /html/none", "return 200 DELAYED/"]);
    assert!(matches!(
        &state.take_notes()[..],
        [Note::DelayingRequest { level: Severity::Warn, dry_run: false, excess: 1250, zone }] if &**zone == "a"
    ));
    let rejected = RequestVerdict::Rejected { excess: 3001, zone: ZONE };
    let (mut state, steps) = run(&rig(ALL), "/?a=1", rejected, ConnectionVerdict::Passed);
    assert_eq!(steps, ["count request 1 ", "503 limit_req"]);
    assert!(matches!(
        &state.take_notes()[..],
        [Note::LimitingRequests { level: Severity::Error, dry_run: false, excess: 3001, .. }]
    ));
    let own = format!(
        "{ALL} limit_req_status 429; limit_conn_status 599; limit_conn_log_level info; limit_req_log_level info;"
    );
    let (_, steps) =
        run(&rig(&own), "/?a=1", RequestVerdict::NoRoom { zone: ZONE }, ConnectionVerdict::Passed);
    assert_eq!(steps, ["count request 1 ", "429 limit_req"]);
    let refused = ConnectionVerdict::Rejected { zone: ZoneId(2) };
    let (mut state, steps) = run(&rig(&own), "/?c=1", RequestVerdict::Passed, refused);
    assert_eq!(steps, ["count connection 1", "599 limit_conn"]);
    assert!(matches!(
        &state.take_notes()[..],
        [Note::LimitingConnections { level: Severity::Info, zone, .. }] if &**zone == "c"
    ));
}

#[test]
fn a_dry_run_refuses_nothing() {
    let dry = format!("{ALL} limit_req_dry_run on; limit_conn_dry_run on;");
    let delayed = RequestVerdict::Delayed { milliseconds: 250, excess: 1250, zone: ZONE };
    let rejected = RequestVerdict::Rejected { excess: 1250, zone: ZONE };
    for (requests, expected) in [(delayed, "DELAYED_DRY_RUN"), (rejected, "REJECTED_DRY_RUN")] {
        let refused = ConnectionVerdict::Rejected { zone: ZoneId(2) };
        let (_, steps) = run(&rig(&dry), "/?a=1&c=1", requests, refused);
        let answer = format!("return 200 {expected}/REJECTED_DRY_RUN");
        assert_eq!(steps, ["count request 1 ", "count connection 1", "ask /html/none", &*answer]);
    }
}

#[test]
fn keys_that_are_too_long_do_not_limit() {
    let long = "x".repeat(256);
    let (mut state, steps) =
        run(&rig(ALL), &format!("/?c={long}"), RequestVerdict::Passed, ConnectionVerdict::Passed);
    assert_eq!(steps, ["ask /html/none", "return 200 /"]);
    let notes = state.take_notes();
    assert!(notes.iter().all(|note| matches!(note, Note::LongLimitKey { longest: 255, .. })), "{notes:?}");
    assert!(!notes.is_empty());
}
