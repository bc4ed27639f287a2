//! Objectives and the exit statuses that follow from them.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::scripted::{Finished, Server, run};

fn judge(server: &Server, words: &str, objectives: &[&str]) -> Finished {
    let url = server.url();
    let mut all = vec!["--json", "--url", &url];
    all.extend(words.split_whitespace());
    all.extend(objectives.iter().flat_map(|objective| ["--slo", objective]));
    run(&all)
}

fn verdicts(finished: &Finished) -> Vec<(String, String)> {
    let result = finished.json();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let judged = result["objectives"].as_array().unwrap();
    judged.iter().map(|judged| (word(&judged["objective"]), word(&judged["verdict"]))).collect()
}

/// Three backends of which one gets half; every fourth request fails, and one takes 300 ms.
fn flawed() -> Server {
    Server::start(|mut client| {
        while let Some(request) = client.request() {
            if request.index == 500 {
                thread::sleep(Duration::from_millis(300));
            }
            let status = if request.index % 4 == 3 { 500 } else { 200 };
            client.answer(status, ["b1", "b2", "b1", "b3"][request.index as usize % 4]);
        }
    })
}

#[test]
fn every_objective_can_be_met() {
    let objectives = [
        "p50<5s",
        "p90<5s",
        "p95<5s",
        "p99 < 5 s",
        "p99.9<5s",
        "max<20s",
        "mean<5s",
        "errors<26%",
        "unsent<0.1%",
        "share.max/share.min<=2.01",
        "gap<20s",
        "rate>1",
    ];
    let finished = judge(&flawed(), "-n 15000", &objectives);
    let expected: Vec<_> = objectives.map(|text| (text.to_owned(), "met".to_owned())).to_vec();
    assert_eq!(verdicts(&finished), expected, "{:#}", finished.json()["failovers"]);
    // A quarter failed, as the objective allows.
    assert_eq!(finished.status, 0);
}

#[test]
fn every_objective_can_be_missed() {
    let objectives = [
        "p50<1us",
        "p90<1us",
        "p95<1us",
        "p99<1us",
        "p99.9<1us",
        "max<250ms",
        "mean<1us",
        "errors<1%",
        "unsent>1%",
        "share.max/share.min<1.2",
        "gap<250ms",
        "rate>100m",
    ];
    let usage = judge(&flawed(), "-n 10", &objectives);
    assert_eq!(usage.status, 2);
    assert!(
        usage.stderr.contains("'rate>100m' for '--slo': the limit '100m' of rate is not a number"),
        "{usage:?}"
    );

    let objectives: Vec<_> =
        objectives.into_iter().filter(|text| *text != "rate>100m").chain(["rate>9000k"]).collect();
    let finished = judge(&flawed(), "-n 15000", &objectives);
    let expected: Vec<_> = objectives.iter().map(|text| ((*text).to_owned(), "missed".to_owned())).collect();
    assert_eq!(verdicts(&finished), expected);
    assert_eq!(finished.status, 3);
    // Each alone suffices.
    let server = flawed();
    for objective in ["mean<1us", "errors<1%"] {
        assert_eq!(judge(&server, "-n 1000", &["p50<5s", objective]).status, 3, "{objective}");
    }
}

#[test]
fn an_objective_says_what_it_measured() {
    let finished = judge(&Server::of_backends(&["b1", "b2"]), "-n 1000", &["share.max/share.min < 1.2"]);
    assert_eq!(
        finished.json()["objectives"],
        json!([{
            "objective": "share.max/share.min < 1.2", "measure": "share.max/share.min", "value": 1.0,
            "samples": 1000, "minimum_samples": 200, "verdict": "met",
        }])
    );
}

#[test]
fn too_few_samples_are_no_proof() {
    let server = Server::of_backends(&["b1"]);
    let finished = judge(&server, "-n 999", &["p99<10s", "p95<10s"]);
    assert_eq!(finished.status, 3);
    let verdicts: Vec<_> = verdicts(&finished).into_iter().map(|(_, verdict)| verdict).collect();
    assert_eq!(verdicts, ["too_few_samples", "met"]);
    // One backend has no shares to compare.
    assert_eq!(judge(&server, "-n 999", &["share.max/share.min<2"]).status, 3);
}

#[test]
fn failures_decide_only_where_no_objective_does() {
    let server = flawed();
    let table: &[(&[&str], i32)] = &[
        (&[], 1),
        (&["p50<5s"], 1),
        (&["errors<26%"], 0),
        (&["errors<26%", "p50<5s"], 0),
        (&["errors<24%"], 3),
    ];
    for (objectives, status) in table {
        assert_eq!(judge(&server, "-n 1000", objectives).status, *status, "{objectives:?}");
    }
}
