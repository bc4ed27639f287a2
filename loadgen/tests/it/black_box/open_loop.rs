//! Requests by a schedule: latency from the planned time, what could not be sent, and whether the generator
//! kept up.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::scripted::{Server, finish, loadgen, run, run_json, signal, start};
use serde_json::{Value, json};

/// Answers every request after this time.
fn slow(time: Duration) -> Server {
    Server::start(move |mut client| {
        while client.request().is_some() {
            thread::sleep(time);
            client.answer(200, "b1");
        }
    })
}

/// A machine that is busy with something else may keep the generator from its schedule, which then says so. What could
/// not be sent makes the status 1.
fn assert_went_well(status: i32, result: &Value) {
    let is_saturated = !result["generator"]["saturated"].as_array().unwrap().is_empty();
    let expected = i32::from(result["requests"]["unsent"] != 0);
    assert_eq!(status, if is_saturated { 5 } else { expected }, "{result:#}");
    assert_eq!(result["requests"]["failed"], 0, "{result:#}");
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Requests that were due, if none is unfinished.
fn planned(result: &Value) -> u64 {
    let requests = &result["requests"];
    requests["total"].as_u64().unwrap() + requests["unsent"].as_u64().unwrap()
}

/// Something else on the machine may spoil any measurement of time, but not ten in a row.
fn within_ten_tries(mut attempt: impl FnMut() -> Result<(), String>) {
    let failures: Vec<_> = (0..10).map_while(|_| attempt().err()).collect();
    assert!(failures.len() < 10, "{}", failures.join("\n"));
}

#[test]
fn a_server_that_stalls_shows_as_the_schedule_implies() {
    const STALL: Duration = Duration::from_millis(200);
    // One request in five meets a stall and waits for what is left of it, from 0 to 200 ms, one as likely as
    // another. So 1 % of all wait longer than x where 20 % · (1 − x / 200 ms) = 1 %.
    let expected_ms = 200.0 * (1.0 - 0.01 / 0.2);
    within_ten_tries(|| {
        let started = Instant::now();
        let server = Server::start(move |mut client| {
            while client.request().is_some() {
                let in_second = Duration::from_nanos(started.elapsed().subsec_nanos().into());
                thread::sleep(STALL.saturating_sub(in_second));
                client.answer(200, "b1");
            }
        });
        // Whole seconds, so that it does not matter where in a second the run begins.
        let (status, result) = run_json(&server, "-r 500 -d 4s -c 250");
        assert_went_well(status, &result);
        assert_eq!(planned(&result), 2000);
        assert_eq!(result["requests"]["total"], server.requests());
        let p99_ms = number(&result["latency_ms"]["p99"]);
        let is_close = (p99_ms / expected_ms - 1.0).abs() <= 0.05;
        (is_close && result["requests"]["unsent"] == 0)
            .then_some(())
            .ok_or_else(|| format!("expected a p99 of {expected_ms} ms within 5 %: {result:#}"))
    });
}

#[test]
fn what_finds_no_free_connection_is_unsent() {
    let server = slow(Duration::from_millis(90));
    // One request every 50 ms over a connection that is busy for 90 ms: every other one, also where this machine makes the
    // generator up to 40 ms late.
    let (status, result) = run_json(&server, "-r 20 -d 2s -c 1");
    assert_went_well(status, &result);
    let requests = &result["requests"];
    assert_eq!(planned(&result), 40, "{result:#}");
    let total = requests["total"].as_u64().unwrap();
    assert!((10..=20).contains(&total), "{result:#}");
    assert_eq!(server.requests(), total);
    // Nothing waited for a connection.
    assert!(number(&result["latency_ms"]["p50"]) < 110.0, "{result:#}");
}

#[test]
fn catching_up_sends_everything_and_counts_the_wait() {
    let server = slow(Duration::from_millis(20));
    let (status, result) = run_json(&server, "-r 100 -n 50 -c 1 --catch-up");
    assert_went_well(status, &result);
    assert_eq!((&result["requests"]["total"], &result["requests"]["unsent"]), (&json!(50), &json!(0)));
    assert_eq!((server.requests(), server.connections()), (50, 1));
    // Each one is another 10 ms behind: the last is planned at 490 ms and can be sent at 980 ms.
    assert!(number(&result["elapsed_s"]) >= 1.0, "{result:#}");
    let (latency_ms, service_ms) = (&result["latency_ms"], &result["service_ms"]);
    assert!(number(&latency_ms["max"]) >= 490.0, "{result:#}");
    assert!(number(&latency_ms["p50"]) >= 240.0, "{result:#}");
    assert!((20.0..60.0).contains(&number(&service_ms["p50"])), "{result:#}");
    // That was the target's doing, so it is no lag.
    assert!(number(&result["generator"]["lag_us"]["p50"]) < 20_000.0, "{result:#}");
}

#[test]
fn stages_are_followed() {
    within_ten_tries(|| {
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&arrivals);
        let server = Server::start(move |mut client| {
            while client.request().is_some() {
                log.lock().unwrap().push(Instant::now());
                client.answer(200, "b1");
            }
        });
        // Up from zero, nothing for a second, then a step.
        let (status, result) = run_json(&server, "--stages 0:0,1s:100,1s:0,2s:0,2s:20,3s:20 --threads 2");
        assert_went_well(status, &result);
        assert_eq!((planned(&result), &result["requests"]["total"]), (70, &json!(server.requests())));
        let points = [(0.0, 0.0), (1.0, 100.0), (1.0, 0.0), (2.0, 0.0), (2.0, 20.0), (3.0, 20.0)];
        let stages = points.map(|(at_s, rate)| json!({ "at_s": at_s, "rate": rate }));
        assert_eq!(result["load"], json!({ "model": "open", "stages": stages }));
        // The last is planned at 2.95 s.
        assert!(number(&result["elapsed_s"]) >= 2.95, "{result:#}");

        // The first is planned for the very start.
        let arrivals = arrivals.lock().unwrap();
        let first = arrivals.iter().min().unwrap();
        let since_first = |time: &Instant| time.duration_since(*first).as_millis();
        let count = |from_ms, to_ms| {
            arrivals.iter().filter(|time| (from_ms..to_ms).contains(&since_first(time))).count()
        };
        // Half the time of the ramp is a quarter of its 50 requests.
        let seen = [count(0, 500), count(1200, 1800), count(1800, 4000)];
        ((9..18).contains(&seen[0]) && seen[1] == 0 && seen[2] == 20)
            .then_some(())
            .ok_or_else(|| format!("expected 13, 0 and 20 requests, got {seen:?}"))
    });
}

#[test]
fn the_connection_used_last_is_taken_first() {
    let server = Server::of_backends(&["b1"]);
    // Nothing answers as slowly as these follow each other, unless the machine is very busy.
    let (status, result) = run_json(&server, "-r 10 -n 15 -c 15 --threads 1");
    assert_went_well(status, &result);
    assert_eq!(result["requests"]["total"], 15);
    assert!(server.connections() <= 5, "{result:#}");
}

#[test]
fn a_refusal_fails_and_the_schedule_goes_on() {
    // Answers one request and is gone.
    let server = Server::start(|mut client| {
        client.request();
        client.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    });
    let url = server.url();
    let child = start(&mut loadgen(&["--json", "-r", "100", "-d", "1s", "-u", &url]));
    server.wait_for_requests(1);
    drop(server);
    let result = finish(child).json();
    assert_eq!(planned(&result), 100, "{result:#}");
    assert!(result["requests"]["failed"].as_u64().unwrap() > 50, "{result:#}");
    assert!(result["errors"]["refused"].as_u64().unwrap() > 50, "{result:#}");
}

#[test]
fn an_interrupted_open_loop_still_reports() {
    let server = slow(Duration::from_millis(5));
    let child = start(&mut loadgen(&["--json", "--stages", "0:200,1h:200", "-u", &server.url()]));
    server.wait_for_requests(100);
    signal(&child, "INT");
    let finished = finish(child);
    let result = finished.json();
    assert_went_well(finished.status, &result);
    assert_eq!(result["interrupted"], true);
    assert_eq!(result["requests"]["total"], server.requests());
    assert_eq!(result["requests"]["unfinished"], 0);
    assert!(number(&result["latency_ms"]["p50"]) >= 5.0, "{result:#}");
}

#[test]
fn an_interruption_counts_what_waited_for_a_connection_as_unsent() {
    let server = Server::start(|mut client| {
        client.request();
        client.wait_for_close();
    });
    let words = ["--json", "-r", "100", "-d", "1h", "-c", "2", "--catch-up", "-u", &server.url()];
    let child = start(&mut loadgen(&words));
    server.wait_for_requests(2);
    thread::sleep(Duration::from_millis(500));
    signal(&child, "INT");
    let result = finish(child).json();
    assert_eq!((&result["requests"]["total"], &result["requests"]["unfinished"]), (&json!(0), &json!(2)));
    assert!((40..400).contains(&result["requests"]["unsent"].as_u64().unwrap()), "{result:#}");
}

#[test]
fn a_generator_that_could_not_keep_its_schedule_has_status_5() {
    let server = Server::of_backends(&["b1"]);
    let child = start(&mut loadgen(&["--json", "-r", "500", "-d", "2s", "-u", &server.url()]));
    server.wait_for_requests(200);
    signal(&child, "STOP");
    thread::sleep(Duration::from_millis(600));
    signal(&child, "CONT");
    let finished = finish(child);
    let result = finished.json();
    assert_eq!(finished.status, 5, "{result:#}");
    let reasons = result["generator"]["saturated"].as_array().unwrap();
    assert!(reasons[0].as_str().unwrap().contains("after its time"), "{result:#}");
    assert_eq!(planned(&result), 1000, "{result:#}");
}

/// What the whole process slept through, at 500 requests per second, and with connections for all of it: how many were
/// unsent, and the status.
fn stopped_for_600_ms(options: &[&str]) -> (Value, i32) {
    let server = Server::of_backends(&["b1"]);
    let url = server.url();
    let mut words = vec!["--json", "-r", "500", "-d", "2s", "-c", "500", "-u", &url];
    words.extend(options);
    let child = start(&mut loadgen(&words));
    server.wait_for_requests(200);
    signal(&child, "STOP");
    thread::sleep(Duration::from_millis(600));
    signal(&child, "CONT");
    let finished = finish(child);
    let result = finished.json();
    assert_eq!(planned(&result), 1000, "{result:#}");
    assert_eq!(result["requests"]["total"], server.requests());
    (result, finished.status)
}

#[test]
fn a_pause_of_the_generator_is_no_burst_afterwards() {
    let (result, status) = stopped_for_600_ms(&[]);
    // All of its 300 but those of the last 100 ms.
    let unsent = result["requests"]["unsent"].as_u64().unwrap();
    assert!((200..400).contains(&unsent), "{result:#}");
    assert_eq!(status, 5, "{result:#}");
    let reasons = result["generator"]["saturated"].to_string();
    assert!(
        reasons.contains("requests were not sent, as loadgen itself was more than 100 ms late"),
        "{reasons}"
    );

    let (result, _) = stopped_for_600_ms(&["--catch-up"]);
    assert_eq!(result["requests"]["unsent"], 0, "{result:#}");
}

/// The exact figures are in docs/decisions/005-pacing.md. The runtime's own timers alone, which count whole
/// milliseconds, would make half of all requests later than the first of these limits; at 10k, a machine that is busy
/// with other tests takes turns of some milliseconds.
#[test]
fn the_lag_is_told_and_small() {
    let server = Server::of_backends(&["b1"]);
    for (words, limit_us) in [("-r 1k -d 2s", 400.0), ("-r 10k -d 2s", 4000.0)] {
        within_ten_tries(|| {
            let (_, result) = run_json(&server, words);
            let generator = &result["generator"];
            println!("{words}: lag in µs {}, processor {}", generator["lag_us"], generator["cpu_share"]);
            let is_small = number(&generator["lag_us"]["p50"]) < limit_us;
            is_small.then_some(()).ok_or_else(|| format!("half above {limit_us} µs: {generator:#}"))
        });
    }
    let (_, closed) = run_json(&server, "-n 100");
    assert_eq!(closed["generator"]["lag_us"], Value::Null);
    assert_eq!((&closed["service_ms"], &closed["load"]), (&Value::Null, &json!({ "model": "closed" })));
}

#[test]
fn schedules_that_cannot_be_have_status_2() {
    let table: &[(&[&str], &str)] = &[
        (&["-r", "fast"], "'fast' for '--rate'"),
        (&["-r", "0"], "'0' for '--rate'"),
        (&["-r", "20m"], "'20m' for '--rate'"),
        (&["-r", "1k", "--stages", "0:1,5:1"], "--stages"),
        (&["--stages", "0:1,5:1", "-n", "5"], "--stages"),
        (&["--stages", "0:1,5:1", "-d", "5s"], "--stages"),
        (&["--stages", "0:1k"], "'0:1k' for '--stages'"),
        (&["--stages", "5s:1k,10s:1k"], "at 0"),
        (&["--stages", "0:1k,10s:1k,5s:1k"], "rise"),
        (&["--stages", "0:0,10s:0"], "never above zero"),
        (&["--stages", "0,10s"], "'0' is no point"),
        (&["--catch-up"], "--catch-up"),
        (&["-r", "0.000001", "-n", "1000"], "a year"),
    ];
    for (words, expected) in table {
        let finished = run(words);
        assert_eq!((finished.status, finished.stdout.as_str()), (2, ""), "{words:?}");
        assert!(finished.stderr.contains(expected), "{words:?}: {}", finished.stderr);
    }
}
