//! What a target that hangs, dies or cannot be asked costs: no gate may take silence for health.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::scripted::{Finished, Server, finish, loadgen, run_json, signal, start};

const MILLISECOND: Duration = Duration::from_millis(1);

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Runs against a server with these objectives, and ends the run by a signal after a while if asked to.
fn judge(server: &Server, words: &str, objectives: &[&str], ended_after: Option<Duration>) -> Finished {
    let url = server.url();
    let mut all = vec!["--json", "--url", &url];
    all.extend(words.split_whitespace());
    all.extend(objectives.iter().flat_map(|objective| ["--slo", objective]));
    let child = start(&mut loadgen(&all));
    if let Some(time) = ended_after {
        thread::sleep(time);
        signal(&child, "TERM");
    }
    finish(child)
}

/// The verdict of every objective, in their order.
fn verdicts(result: &Value) -> Vec<&str> {
    let all = result["objectives"].as_array().unwrap().iter();
    all.map(|judged| judged["verdict"].as_str().unwrap()).collect()
}

/// Answers in a millisecond, but hangs for a while some time after the first request: whoever asks meanwhile is
/// answered at its end.
fn stalls(from: Duration, to: Duration) -> Server {
    let begun = OnceLock::new();
    Server::start(move |mut client| {
        while client.request().is_some() {
            let elapsed = begun.get_or_init(Instant::now).elapsed();
            thread::sleep(if elapsed < from {
                MILLISECOND
            } else {
                MILLISECOND.max(to.saturating_sub(elapsed))
            });
            client.answer(200, "b1");
        }
    })
}

/// Answers for a while after the first request, and never again; connections stay open.
fn hangs_after(answering: Duration) -> Server {
    let begun = OnceLock::new();
    Server::start(move |mut client| {
        while client.request().is_some() {
            if begun.get_or_init(Instant::now).elapsed() >= answering {
                return client.wait_for_close();
            }
            thread::sleep(MILLISECOND);
            client.answer(200, "b1");
        }
    })
}

#[test]
fn a_target_that_hangs_until_the_run_is_ended_passes_no_gate() {
    let server = hangs_after(500 * MILLISECOND);
    let objectives = ["rate>500", "p50<50ms", "errors<50%", "gap<500ms"];
    let finished = judge(&server, "-d 60s -c 4", &objectives, Some(2500 * MILLISECOND));
    let result = finished.json();
    assert_eq!(finished.status, 3, "{result:#}");
    assert_eq!((&result["requests"]["unfinished"], &result["requests"]["hung"]), (&json!(4), &json!(4)));
    // At most 4 answers per millisecond for half a second come to less than 500/s in the end, or nearly so.
    assert_eq!(verdicts(&result)[3], "missed", "{result:#}");
    let elapsed_s = number(&result["elapsed_s"]);
    assert!((2.0..3.4).contains(&elapsed_s), "{result:#}");
    let rate = number(&result["requests"]["total"]) / elapsed_s;
    assert!((number(&result["requests_per_second"]) / rate - 1.0).abs() < 1e-6, "{result:#}");
    assert!(number(&result["longest_gap_ms"]) > 1400.0, "{result:#}");
    let failover = &result["failovers"][0];
    assert_eq!((&failover["backend"], &failover["errors"]), (&json!("(all)"), &json!(4)), "{failover}");
    assert!(number(&failover["gap_ms"]) > 1400.0, "{failover}");
    // Without an objective too.
    let finished = judge(&hangs_after(100 * MILLISECOND), "-d 60s -c 2", &[], Some(500 * MILLISECOND));
    assert_eq!(finished.status, 1, "{finished:?}");
}

#[test]
fn what_is_merely_on_its_way_when_the_run_is_cut_off_is_no_failure() {
    // Answers take 1.5 s, and a run that is told to end waits for one.
    let server = Server::start(|mut client| {
        while client.request().is_some() {
            thread::sleep(1500 * MILLISECOND);
            client.answer(200, "b1");
        }
    });
    let finished = judge(&server, "-d 60s -c 2", &["errors<=0%"], Some(1700 * MILLISECOND));
    let result = finished.json();
    assert_eq!((&result["requests"]["unfinished"], &result["requests"]["hung"]), (&json!(2), &json!(0)));
    assert_eq!((finished.status, &result["failovers"]), (0, &json!([])), "{result:#}");
}

#[test]
fn a_run_without_a_success_is_none() {
    let server = Server::of_backends(&["b1"]);
    let (status, result) = run_json(&server, "-d 0.0001ms");
    assert_eq!((status, &result["requests"]["total"]), (1, &json!(0)), "{result:#}");
}

#[test]
fn a_closed_loop_that_waits_for_a_dead_service_sees_the_whole_gap() {
    let server = hangs_after(500 * MILLISECOND);
    let finished = judge(&server, "-d 1s -c 4 --timeout 1s", &["gap<500ms"], None);
    let result = finished.json();
    assert_eq!((finished.status, verdicts(&result)), (3, vec!["missed"]), "{result:#}");
    let failover = &result["failovers"][0];
    assert!((900.0..1500.0).contains(&number(&failover["gap_ms"])), "{failover}");
    assert!(number(&result["longest_gap_ms"]) > 900.0, "{result:#}");
}

#[test]
fn a_backend_that_hangs_before_it_is_given_up_costs_a_closed_loop_that_long() {
    // From 500 to 800 ms, b2's requests hang until 800 ms and are repeated on b1; then it is left out.
    let begun = OnceLock::new();
    let server = Server::start(move |mut client| {
        while let Some(request) = client.request() {
            let elapsed = begun.get_or_init(Instant::now).elapsed();
            let is_second = request.index % 2 == 1;
            let hangs = is_second && (500..800).contains(&elapsed.as_millis());
            thread::sleep(if hangs { 800 * MILLISECOND - elapsed } else { MILLISECOND });
            client.answer(200, if is_second && elapsed < 500 * MILLISECOND { "b2" } else { "b1" });
        }
    });
    let (_, result) = run_json(&server, "-d 2s -c 8");
    let failovers = result["failovers"].as_array().unwrap();
    let [failover] = failovers.as_slice() else { panic!("{failovers:?}") };
    assert_eq!((&failover["backend"], &failover["errors"]), (&json!("b2"), &json!(0)));
    // On a busy machine, a stray slow answer of the next second is counted to it.
    assert!((270.0..1500.0).contains(&number(&failover["gap_ms"])), "{failover}");
}

#[test]
fn what_could_not_be_sent_is_in_gap_percentiles_and_status() {
    let server = || stalls(1000 * MILLISECOND, 2000 * MILLISECOND);
    let objectives = ["p50<20ms", "p95<20ms", "gap<500ms", "unsent<90%"];
    let result = judge(&server(), "-r 200 -d 3s -c 5", &objectives, None).json();
    let unsent = number(&result["requests"]["unsent"]);
    assert!((150.0..300.0).contains(&unsent), "{result:#}");
    assert_eq!(verdicts(&result), ["met", "missed", "missed", "met"], "{result:#}");
    assert_eq!(result["objectives"][1]["value"], Value::Null);
    let failover = &result["failovers"][0];
    assert!((850.0..1150.0).contains(&number(&failover["gap_ms"])), "{failover}");
    // All that was sent succeeded, and yet.
    let finished = judge(&server(), "-r 200 -d 1500ms -c 5", &[], None);
    assert_eq!((finished.status, &finished.json()["requests"]["failed"]), (1, &json!(0)));
}

#[test]
fn what_was_refused_is_not_sent_to_anybody() {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let target = Server::start(move |mut client| {
        while client.request().is_some() {
            counted.fetch_add(1, Ordering::SeqCst);
            client.answer(200, "b1");
        }
    });
    let source = Server::start(move |mut client| {
        while client.request().is_some() {
            // The reading counts itself, as docs/wire.md says.
            let total = count.fetch_add(1, Ordering::SeqCst) + 1;
            let body = format!("{{\"server\":\"b1\",\"total_requests\":{total}}}");
            client.send(&format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
    });
    let truth = format!("{}/", source.url());
    let url = target.url();
    let words =
        ["--json", "-r", "100", "-d", "1s", "--requests-per-connection", "1", "-u", &url, "--truth", &truth];
    let child = start(&mut loadgen(&words));
    target.wait_for_requests(20);
    // From here on, connections are refused.
    drop(target);
    let result = finish(child).json();
    let refused = result["errors"]["refused"].as_u64().unwrap();
    assert!(refused > 30, "{result:#}");
    let requests = &result["requests"];
    let lost = requests["failed"].as_u64().unwrap() - requests["unconnected"].as_u64().unwrap();
    assert!(requests["unconnected"].as_u64().unwrap() >= refused && lost <= 2, "{result:#}");
    let amplification = number(&result["truth"]["amplification"]);
    assert!((0.9..=1.0).contains(&amplification), "{result:#}");
}
