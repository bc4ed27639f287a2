use structopt::StructOpt;

use super::*;
use crate::cli::Arguments;
use crate::collector::Collector;
use crate::objective::Verdict;
use crate::record::Outcome;
use crate::{exit_codes, plan};

fn plan(words: &[&str]) -> Plan {
    let arguments = Arguments::from_iter_safe(["loadgen", "-c", "4"].iter().chain(words)).unwrap();
    plan::check(arguments, 2, |_| unreachable!("no body is asked for")).unwrap()
}

/// How a request ended, who answered it, and after how many milliseconds.
type Ended = (Result<u16, ErrorKind>, Option<&'static [u8]>, u64);

fn record(outcomes: &[Ended]) -> Record {
    let mut record = Record::default();
    for (result, name, latency_ms) in outcomes {
        record.started += 1;
        let backend = name.map(|name| record.backends.intern(name));
        record.add(Outcome { result: *result, backend }, 0, 0, latency_ms * 1_000_000);
    }
    record
}

fn summary(words: &[&str], mut records: Vec<Record>, longest_gap_ns: u64, interrupted: bool) -> Summary {
    let plan = plan(words);
    let mut collector = Collector::new(records.len(), plan.slot.as_nanos() as u64);
    for (thread, record) in records.iter_mut().enumerate() {
        let told = record.hand_over(0);
        collector.add(thread, told.names, told.slots);
    }
    let timeline = collector.timeline(0, Vec::new());
    let observed =
        Observed { records: &records, timeline, longest_gap_ns, now_ns: 0, halted_ns: None, interrupted };
    Summary::new(&plan, observed)
}

#[test]
fn threads_are_added_up() {
    let mut first =
        record(&[(Ok(200), Some(b"b"), 2), (Ok(200), Some(b"a"), 4), (Err(ErrorKind::TimedOut), None, 1000)]);
    first.started += 1;
    first.resent = 1;
    let second = record(&[(Ok(503), Some(b"a"), 500), (Ok(200), Some(b"b"), 6), (Ok(204), None, 8)]);
    let summary = summary(&[], vec![first, second], 7_000_000, false);

    let expected = Requests {
        total: 6,
        successful: 4,
        failed: 2,
        unfinished: 1,
        hung: 0,
        unconnected: 0,
        unsent: 0,
        resent: 1,
    };
    assert_eq!(summary.requests, expected);
    assert_eq!(summary.errors.values().sum::<u64>(), summary.requests.failed);
    assert_eq!(summary.statuses, BTreeMap::from([(200, 3), (204, 1), (503, 1)]));
    let share = |name: &str, answers, share, errors| (name.to_owned(), answers, share, errors);
    let shares: Vec<_> =
        summary.backends.iter().map(|b| (b.name.clone(), b.answers, b.share, b.errors)).collect();
    assert_eq!(shares, [share("a", 2, 0.4, 1), share("b", 2, 0.4, 0)]);
    assert_eq!(summary.answers_without_backend, 1);
    assert_eq!((summary.elapsed_s, summary.requests_per_second), (1.0, 6.0));
    // From the last success to the timeout.
    assert_eq!(summary.longest_gap_ms, 992.0);
    let latency = summary.latency_ms.as_ref().unwrap();
    assert_eq!(latency.mean, 5.0);
    assert!((latency.p50 - 4.0).abs() < 0.01, "{latency:?}");
    assert!((latency.max - 8.0).abs() < 0.01, "{latency:?}");
    assert_eq!(summary.exit_code(), exit_codes::FAILED);
}

#[test]
fn backends_have_classes_and_latencies_of_their_own() {
    let first = record(&[(Ok(200), Some(b"a"), 2), (Ok(301), Some(b"a"), 9), (Ok(200), Some(b"b"), 40)]);
    let second = record(&[(Ok(200), Some(b"a"), 6), (Ok(200), None, 300)]);
    let summary = summary(&[], vec![first, second], 0, false);
    let [a, b] = summary.backends.as_slice() else { panic!("{summary:?}") };
    assert_eq!(a.classes, BTreeMap::from([("2xx".to_owned(), 2), ("3xx".to_owned(), 1)]));
    let latency =
        |backend: &BackendShare| backend.latency_ms.map(|l| [l.p50.round(), l.p99.round(), l.max.round()]);
    assert_eq!((latency(a), latency(b)), (Some([2.0, 6.0, 6.0]), Some([40.0, 40.0, 40.0])));
    let bars: u64 = summary.latency_histogram.iter().map(|(_, count)| count).sum();
    assert_eq!(bars, summary.requests.successful);
    assert!(summary.latency_histogram.is_sorted_by(|a, b| a.0 < b.0), "{:?}", summary.latency_histogram);
    assert!(summary.latency_histogram[0].1 > 0);
    assert_eq!(summary.service_ms, None);
}

#[test]
fn a_backend_that_was_expected_and_did_not_come_is_there() {
    let outcomes: Vec<Ended> =
        (0..60).map(|n| (Ok(200), Some(if n % 2 == 0 { &b"a"[..] } else { &b"b"[..] }), 1)).collect();
    let uneven = summary(&["--expect-shares", "a=1,b=1,c=1"], vec![record(&outcomes)], 0, false);
    let names: Vec<_> =
        uneven.backends.iter().map(|backend| (backend.name.as_str(), backend.answers)).collect();
    assert_eq!(names, [("a", 30), ("b", 30), ("c", 0)]);
    let verdict = uneven.shares.unwrap();
    assert!(!verdict.even && verdict.max_to_min.is_infinite(), "{verdict:?}");
    assert!(summary(&[], vec![record(&outcomes)], 0, false).shares.unwrap().even);
}

#[test]
fn nothing_done_divides_by_nothing() {
    let summary = summary(&[], vec![Record::default()], 0, true);
    assert_eq!(summary.requests_per_second, 0.0);
    assert_eq!(summary.latency_ms, None);
    assert_eq!(summary.exit_code(), exit_codes::FAILED, "no success is no success");
}

#[test]
fn what_no_connection_could_be_had_for_was_not_sent() {
    let mut record = record(&[(Ok(200), None, 1), (Err(ErrorKind::Refused), None, 1), (Ok(500), None, 1)]);
    record.unconnected = 1;
    record.resent = 3;
    record.started += 2;
    let summary = summary(&[], vec![record], 0, true);
    assert_eq!((summary.requests.total, summary.requests.unconnected, summary.sent()), (3, 1, 7));
}

#[test]
fn what_was_never_sent_ranks_behind_every_answer() {
    let mut latency_ns = latency_histogram();
    (1..=100).for_each(|ms| latency_ns.record(ms * 1_000_000).unwrap());
    let table = [
        (0, 0.5, 50.0),
        (0, 1.0, 100.0),
        // The median of 150 is the 75th.
        (50, 0.5, 75.0),
        (25, 0.8, 100.0),
        (25, 0.81, f64::INFINITY),
        (1, 0.99, 100.0),
        (1, 1.0, f64::INFINITY),
    ];
    for (endless, quantile, expected) in table {
        let actual = quantile_of_all_ms(&latency_ns, endless, quantile);
        let is_close = actual == expected || (actual / expected - 1.0).abs() < 2e-3;
        assert!(is_close, "{quantile} with {endless}: {actual}, not {expected}");
    }
}

#[test]
fn objectives_of_latency_know_what_was_never_sent() {
    let mut outcomes = record(&[(Ok(200), None, 1); 300]);
    (0..100).for_each(|number| outcomes.unsent(number));
    let words = ["--slo", "p50<20ms", "--slo", "p95<20ms", "--slo", "max<20ms", "--slo", "mean<20ms"];
    let summary = summary(&words, vec![outcomes], 0, false);
    let judged: Vec<_> = summary.objectives.iter().map(|judged| (judged.verdict, judged.value)).collect();
    let (met, missed) = ((Verdict::Met, Some(1.0)), (Verdict::Missed, None));
    let rounded: Vec<_> = judged.iter().map(|(verdict, value)| (*verdict, value.map(f64::round))).collect();
    assert_eq!(rounded, [met, missed, missed, met]);
    assert!(summary.latency_ms.unwrap().max < 1.1, "those that were answered");
}

#[test]
fn a_run_that_hangs_lasts_until_it_is_told_to_end() {
    const S: u64 = 1_000_000_000;
    fn observed(records: &[Record]) -> Observed<'_> {
        Observed {
            records,
            timeline: Collector::new(records.len(), S / 10).timeline(8 * S, Vec::new()),
            longest_gap_ns: 0,
            now_ns: 9 * S,
            halted_ns: Some(8 * S),
            interrupted: true,
        }
    }
    let plan = plan(&["--slo", "gap<500ms", "--slo", "errors<50%", "--slo", "rate>150"]);
    // Two seconds of 100 requests each, and four that never end, in one thread or two.
    for threads in [1, 2] {
        let mut records: Vec<_> = (0..threads).map(|_| Record::default()).collect();
        for number in 0..200 {
            let planned_ns = number * S / 100;
            let record = &mut records[number as usize % threads];
            record.started += 1;
            let outcome = Outcome { result: Ok(200), backend: None };
            record.add(outcome, planned_ns, planned_ns, planned_ns + S / 100);
        }
        records[0].started += 4;
        (0..4).for_each(|_| records[0].given_up(2 * S, 9 * S));
        let summary = Summary::new(&plan, observed(&records));
        assert_eq!((summary.elapsed_s, summary.requests_per_second), (8.0, 25.0));
        assert_eq!(summary.longest_gap_ms, 6000.0);
        assert_eq!((summary.requests.unfinished, summary.requests.hung), (4, 4));
        let verdicts: Vec<_> = summary.objectives.iter().map(|judged| judged.verdict).collect();
        assert_eq!(verdicts, [Verdict::Missed, Verdict::Met, Verdict::Missed]);
        // Nothing was on its way when the signal came: the run ended with its last answer.
        for record in &mut records {
            record.started = record.succeeded;
            record.hung = 0;
        }
        let summary = Summary::new(&plan, observed(&records));
        assert_eq!((summary.elapsed_s, summary.longest_gap_ms), (2.0, 0.0));
    }
}

#[test]
fn the_json_has_the_promised_fields() {
    let summary = summary(&[], vec![record(&[(Ok(500), Some(b"a"), 2)])], 0, false);
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "url": "http://localhost:80",
            "targets": [{
                "url": "http://localhost:80", "weight": 1, "requests": 1, "successful": 0, "failed": 1,
            }],
            "method": "GET",
            "connections": { "asked": 4, "opened": 0, "peak": 0 },
            "threads": 2,
            "interrupted": false,
            "requests": { "total": 1, "successful": 0, "failed": 1, "unfinished": 0, "hung": 0, "unconnected": 0, "unsent": 0, "resent": 0 },
            "elapsed_s": 0.002,
            "requests_per_second": 500.0,
            "latency_ms": null,
            "longest_gap_ms": 0.0,
            "errors": {
                "refused": 0, "reset": 0, "closed_early": 0, "stale": 0, "tls": 0,
                "timed_out": 0, "malformed": 0, "non_2xx": 1, "no_resources": 0, "other": 0,
            },
            "statuses": { "500": 1 },
            "backends": [{
                "name": "a", "answers": 1, "share": 1.0, "errors": 1, "classes": { "5xx": 1 }, "latency_ms": null,
            }],
            "answers_without_backend": 0,
            "load": { "model": "closed" },
            "service_ms": null,
            "latency_histogram": [],
            "shares": null,
            "shares_while_alive": null,
            "timeline": {
                "slot_ms": 100.0,
                "end_ms": 0.0,
                "backends": ["a"],
                "slots": [{
                    "sent": 1, "unsent": 0, "hung": 0, "successful": 0, "errors": { "non_2xx": 1 },
                    "latency_ms": null, "backends": [1],
                }],
                "marks": [],
            },
            "failovers": [],
            "generator": { "lag_us": null, "cpu_share": [0.0], "cpu_us_per_request": 0.0, "saturated": [] },
            "truth": null,
            "objectives": [],
        })
    );
}
