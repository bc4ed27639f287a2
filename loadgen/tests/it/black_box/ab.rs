//! `loadgen ab` from the command line to the exit status, against servers whose difference is known.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use super::scripted::{Finished, Server, finish, loadgen, run, signal, start};
use serde_json::{Value, json};

/// A server that takes this long for every answer.
fn server(service_us: u64) -> Server {
    Server::start(move |mut client| {
        while client.request().is_some() {
            thread::sleep(Duration::from_micros(service_us));
            client.answer(200, "b1");
        }
    })
}

/// Short slices, so that the least number of pairs takes seconds, and few connections, so that the machine
/// has time to spare.
fn compare(slice: &str, words: &[&str]) -> Finished {
    let mut all = vec!["ab", "-c", "4", "--seed", "5", "--slice", slice];
    all.extend(words);
    run(&all)
}

fn estimate<'a>(part: &'a Value, measure: &str) -> &'a Value {
    let estimates = part["estimates"].as_array().unwrap();
    estimates.iter().find(|estimate| estimate["measure"] == measure).unwrap()
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("no number {key} in {value:#}"))
}

/// Runs a comparison up to three times, until its result is as it must be nearly always. On a machine that is
/// busy with other tests, one server's threads may be held up for seconds on end while the other's are not,
/// and then the comparison is right to say so.
fn eventually(words: &[&str], is_expected: impl Fn(&Value) -> bool) -> Value {
    let mut results = Vec::new();
    for _ in 0..3 {
        let finished = compare("150ms", words);
        assert_eq!(finished.status, 0, "{finished:?}");
        // A line for each pair, while it goes on.
        let pairs: Vec<_> = finished.stderr.lines().filter(|line| line.starts_with("pair ")).collect();
        assert_eq!(pairs.len(), 20, "{finished:?}");
        assert!(pairs[19].starts_with("pair 20 of 20: A "), "{}", pairs[19]);
        let result = finished.json();
        if is_expected(&result) {
            return result;
        }
        results.push(result);
    }
    panic!("{results:#?}");
}

#[test]
fn a_target_that_is_ten_per_cent_slower_is_found_out() {
    let (a, b) = (server(10_000), server(11_000));
    let result = eventually(&["--json", &a.url(), &b.url()], |result| {
        let (rate, p50) = (estimate(&result["comparison"], "rate"), estimate(&result["comparison"], "p50"));
        result["comparison"]["finding"] == "worse"
            && number(rate, "high") < 1.0
            && (0.8..1.0).contains(&number(rate, "ratio"))
            && number(p50, "low") > 1.0
    });
    assert_eq!((&result["seed"], &result["pairs_asked"]), (&json!(5), &json!(20)));
    assert_eq!((&result["interrupted"], &result["noise_floor"]), (&json!(false), &Value::Null));
    for side in ["a", "b"] {
        assert_eq!(result["comparison"][side]["failed"], 0, "{result:#}");
    }
}

#[test]
fn a_target_is_no_better_than_itself() {
    let a = server(10_000);
    let result = eventually(&["--json", "--aa", &a.url()], |result| {
        let rate = estimate(&result["noise_floor"], "rate");
        result["noise_floor"]["finding"] == "no_difference" && (0.95..1.05).contains(&number(rate, "ratio"))
    });
    assert_eq!((&result["url_b"], &result["comparison"]), (&Value::Null, &Value::Null));
}

#[test]
fn the_text_says_what_is_compared_and_connections_stay_open() {
    let (a, b) = (server(1000), server(1000));
    let finished = compare("20ms", &[&a.url(), &b.url()]);
    let head = format!("Comparing A {}\n     with B {}\n20 pairs of slices of 20ms, ", a.url(), b.url());
    assert!(finished.stdout.starts_with(&head), "{finished:?}");
    for expected in ["\nRandom order, --seed 5\nConcurrency: 4\n", "\nrate   ", "\nVerdict: "] {
        assert!(finished.stdout.contains(expected), "no {expected:?} in {finished:?}");
    }
    for server in [a, b] {
        // What proved that the targets are there comes on top.
        assert_eq!(server.connections(), 1 + 4, "{finished:?}");
    }
    let itself = self::server(1000);
    let finished = compare("20ms", &["--aa", &itself.url()]);
    assert!(finished.stdout.contains(" with itself\n"), "{finished:?}");
    assert!(finished.stdout.contains("\nNoise floor: "), "{finished:?}");
}

#[test]
fn the_noise_floor_comes_before_the_comparison() {
    let (a, b) = (server(2000), server(8000));
    let result = compare("30ms", &["--json", "--aa", &a.url(), &b.url()]).json();
    assert!(number(estimate(&result["comparison"], "rate"), "high") < 0.8, "{result:#}");
    let floor = number(estimate(&result["noise_floor"], "rate"), "ratio");
    assert!((0.7..1.4).contains(&floor), "{result:#}");
}

#[test]
fn only_one_target_is_sent_to_at_a_time() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// Answers slowly, and counts how often the other target was busy meanwhile.
    fn watched(own: &Arc<AtomicI64>, other: &Arc<AtomicI64>, overlaps: &Arc<AtomicI64>) -> Server {
        let (own, other, overlaps) = (Arc::clone(own), Arc::clone(other), Arc::clone(overlaps));
        Server::start(move |mut client| {
            while client.request().is_some() {
                own.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(15));
                overlaps.fetch_add(i64::from(other.load(Ordering::SeqCst) > 0), Ordering::SeqCst);
                own.fetch_sub(1, Ordering::SeqCst);
                client.answer(200, "b1");
            }
        })
    }
    let [busy_a, busy_b, overlaps] = [(); 3].map(|()| Arc::new(AtomicI64::new(0)));
    let a = watched(&busy_a, &busy_b, &overlaps);
    let b = watched(&busy_b, &busy_a, &overlaps);
    let finished = compare("60ms", &[&a.url(), &b.url()]);
    assert_eq!((finished.status, overlaps.load(Ordering::SeqCst)), (0, 0), "{finished:?}");
    assert!(finished.stdout.contains("For a verdict on p99, slices must have 100 answers"), "{finished:?}");
}

#[test]
fn connections_that_a_target_closes_in_the_others_turn_are_no_failures() {
    let a = server(1000);
    let b = Server::start(|mut client| {
        client.give_up_after(Duration::from_millis(20));
        while client.request().is_some() {
            client.answer(200, "b1");
        }
    });
    let finished = compare("40ms", &["--json", &a.url(), &b.url()]);
    assert_eq!(finished.status, 0, "{finished:?}");
    // All four, whenever A's turn was between two of B's: three times in four.
    assert!(b.connections() >= 10 * 4, "{} connections", b.connections());
    assert_eq!(finished.json()["comparison"]["b"]["failed"], 0);
}

#[test]
fn failures_are_reported_and_make_the_exit_status_1() {
    let a = server(1000);
    let b = Server::start(|mut client| {
        while let Some(request) = client.request() {
            thread::sleep(Duration::from_millis(1));
            client.answer(if request.index % 10 == 3 { 503 } else { 200 }, "b1");
        }
    });
    let finished = compare("30ms", &[&a.url(), &b.url()]);
    assert_eq!(finished.status, 1, "{finished:?}");
    assert!(finished.stdout.contains("\nB failed "), "{finished:?}");
    assert!(finished.stdout.contains("\n    status not 2xx: "), "{finished:?}");
}

#[test]
fn a_target_that_goes_silent_ends_the_comparison() {
    let a = server(1000);
    let b = Server::start(|mut client| {
        while let Some(request) = client.request() {
            if request.index > 200 {
                return;
            }
            client.answer(200, "b1");
        }
    });
    let finished = compare("30ms", &["--json", &a.url(), &b.url()]);
    assert_eq!(finished.status, 1, "{finished:?}");
    let comparison = &finished.json()["comparison"];
    assert_eq!(comparison["finding"], "too_few_pairs", "{comparison:#}");
    let reason = comparison["ended_early"].as_str().unwrap();
    assert_eq!(reason, format!("{} was silent for 3 slices in a row", b.url()));
    assert!(number(&comparison["b"], "silent_slices") >= 3.0, "{comparison:#}");
}

#[test]
fn an_interrupted_comparison_says_what_it_has() {
    let (a, b) = (server(1000), server(1000));
    let words = ["ab", "-c", "2", "--slice", "50ms", "--pairs", "10000", &a.url(), &b.url()];
    let child = start(&mut loadgen(&words));
    b.wait_for_requests(300);
    let interrupted = Instant::now();
    signal(&child, "INT");
    let finished = finish(child);
    assert!(interrupted.elapsed() < Duration::from_secs(2), "{:?}", interrupted.elapsed());
    assert_eq!(finished.status, 0, "{finished:?}");
    assert!(finished.stdout.contains("\nInterrupted.\n"), "{finished:?}");
    assert!(finished.stdout.contains("Verdict: none, as it takes 20 pairs"), "{finished:?}");
}

#[test]
fn a_comparison_that_is_interrupted_before_its_first_pair_has_status_1() {
    let (a, b) = (server(1000), server(1000));
    let child = start(&mut loadgen(&["ab", "--slice", "10s", &a.url(), &b.url()]));
    a.wait_for_requests(10);
    signal(&child, "INT");
    let finished = finish(child);
    assert_eq!(finished.status, 1, "{finished:?}");
    assert!(finished.stdout.contains("\nInterrupted.\n"), "{finished:?}");
}

#[test]
fn a_second_target_that_is_not_there_has_status_4_before_anything_is_sent() {
    let a = server(1000);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let finished = compare("100ms", &["--json", &a.url(), &format!("http://{address}")]);
    assert_eq!((finished.status, finished.stdout.as_str()), (4, ""));
    assert!(finished.stderr.contains(&format!("cannot connect to {address}: ")), "{finished:?}");
    assert_eq!(a.requests(), 0);
}

#[test]
fn usage_errors_have_status_2_and_name_what_is_wrong() {
    let table: &[(&[&str], &str)] = &[
        (&["ab"], "URL_A"),
        (&["ab", "http://a"], "URL_B is missing"),
        (&["ab", "http://a", "ftp://b"], "'ftp://b' for 'URL_B'"),
        (&["ab", "http://a", "http://b", "--pairs", "19"], "'19' for '--pairs'"),
        (&["ab", "http://a", "http://b", "--slice", "0s"], "'0s' for '--slice'"),
        (&["ab", "http://a", "http://b", "-n", "5"], "-n"),
        (&["-c", "5", "ab", "http://a", "http://b"], "ab"),
    ];
    for (words, expected) in table {
        let finished = run(words);
        assert_eq!((finished.status, finished.stdout.as_str()), (2, ""), "{words:?}: {finished:?}");
        assert!(finished.stderr.contains(expected), "{words:?}: {}", finished.stderr);
    }
}

#[test]
fn help_says_what_the_verdict_rests_on() {
    let help = run(&["--help"]).stdout;
    for expected in ["\nSends requests to an HTTP server", "\n    ab             Compares two targets"] {
        assert!(help.contains(expected), "no {expected:?} in {help}");
    }
    let help = run(&["ab", "--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (0, ""));
    for expected in ["URL_A", "--pairs", "--slice", "--aa", "--seed", "95 % confidence", "EXIT STATUS"] {
        assert!(help.stdout.contains(expected), "no {expected} in {}", help.stdout);
    }
    assert!(help.stdout.lines().all(|line| line.chars().count() <= 80), "{}", help.stdout);
}
