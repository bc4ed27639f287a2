//! What is seen of backends over time: which died when, what was done to them, and what they say themselves.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::scripted::{Client, Server, backends, finish, loadgen, run, run_json, signal, start};

const MILLISECOND: Duration = Duration::from_millis(1);

/// A balancer with three backends whose second dies some time after the first request: until `noticed_ms` its
/// requests come to nothing, then they are spread over the other two.
fn with_a_death(died_ms: u64, noticed_ms: u64, fail: fn(&mut Client)) -> Server {
    let begun = OnceLock::new();
    Server::start(move |mut client| {
        while let Some(request) = client.request() {
            let elapsed_ms = begun.get_or_init(Instant::now).elapsed().as_millis() as u64;
            thread::sleep(MILLISECOND);
            match request.index % 3 {
                1 if (died_ms..noticed_ms).contains(&elapsed_ms) => fail(&mut client),
                1 if elapsed_ms >= noticed_ms => {
                    client.answer(200, ["b1", "b3"][request.index as usize / 3 % 2])
                }
                turn => client.answer(200, ["b1", "b2", "b3"][turn as usize]),
            }
        }
    })
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// Whether what is to happen at a time did. A machine with other work to do may delay either side, so a run that
/// missed its times is run again; a fault misses them every time.
fn until_on_time(mut run: impl FnMut() -> Result<(), String>) {
    let mut missed = Vec::new();
    while missed.len() < 8 {
        match run() {
            Ok(()) => return,
            Err(why) => missed.push(why),
        }
    }
    panic!("not once on time: {missed:#?}");
}

#[test]
fn a_backend_that_dies_shows_in_its_slot_under_its_name() {
    until_on_time(run_with_a_death);
}

/// Judges what holds whenever things happen, and returns what was late.
fn run_with_a_death() -> Result<(), String> {
    let server = with_a_death(1000, 1300, |client| {
        client.send("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    });
    let (status, result) = run_json(&server, "-d 3s -c 4 --threads 2");
    assert_eq!(status, 1);
    let failovers = result["failovers"].as_array().unwrap();
    // A pause of the whole machine looks like another one.
    let [failover] = failovers.as_slice() else { return Err(format!("{failovers:?}")) };
    assert_eq!(failover["backend"], "b2");
    let at_ms = number(&failover["at_ms"]);
    let gap_ms = number(&failover["gap_ms"]);
    assert_eq!(failover["errors"], result["statuses"]["502"], "{failover}");
    assert_eq!(failover["back_after_ms"], Value::Null);
    let even_after_ms = failover["even_after_ms"].as_f64().unwrap_or(f64::INFINITY);
    let mut on_time =
        (900.0..1150.0).contains(&at_ms) && (150.0..450.0).contains(&gap_ms) && even_after_ms < 1000.0;

    let timeline = &result["timeline"];
    assert_eq!((&timeline["slot_ms"], &timeline["backends"]), (&json!(100.0), &json!(["b1", "b2", "b3"])));
    let slots = timeline["slots"].as_array().unwrap();
    let slot_of_death = (at_ms / 100.0) as usize;
    for (index, slot) in slots.iter().enumerate() {
        let of_dead = slot["backends"][1].as_u64().unwrap();
        on_time &= (of_dead > 0) == (index <= slot_of_death);
    }
    // Nothing is lost on the way from the threads to the slots.
    let sum = |key: &str| slots.iter().map(|slot| slot[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("sent"), result["requests"]["total"].as_u64().unwrap());
    assert_eq!(sum("successful"), result["requests"]["successful"].as_u64().unwrap());
    for (index, (name, answers, _, _)) in backends(&result).into_iter().enumerate() {
        let of_slots: u64 = slots.iter().map(|slot| slot["backends"][index].as_u64().unwrap()).sum();
        assert_eq!(of_slots, answers, "{name}");
    }
    if on_time { Ok(()) } else { Err(format!("{failover} {timeline}")) }
}

#[test]
fn a_request_that_hangs_is_booked_where_it_was_planned() {
    let server = Server::start(|mut client| {
        while let Some(request) = client.request() {
            thread::sleep(if request.index == 100 { 700 * MILLISECOND } else { MILLISECOND });
            client.answer(200, "b1");
        }
    });
    let (_, result) = run_json(&server, "-d 1500ms --slot 50ms");
    let slots = result["timeline"]["slots"].as_array().unwrap();
    let slow: Vec<_> = slots
        .iter()
        .enumerate()
        .filter(|(_, slot)| slot["latency_ms"]["max"].as_f64().is_some_and(|ms| ms > 600.0))
        .collect();
    let [(index, _)] = slow.as_slice() else { panic!("{slow:?}") };
    // In a closed loop nothing was planned while it hung; its own slot is where the silence begins.
    assert!(slots[index + 1..index + 13].iter().all(|slot| slot["sent"] == 0), "{slots:?}");
    assert_eq!(result["failovers"], json!([]));
}

#[test]
fn a_service_that_fails_as_a_whole_is_told_too() {
    let begun = OnceLock::new();
    let server = Server::start(move |mut client| {
        while client.request().is_some() {
            thread::sleep(MILLISECOND);
            let elapsed_ms = begun.get_or_init(Instant::now).elapsed().as_millis();
            let status = if (600..900).contains(&elapsed_ms) { "503 X" } else { "200 OK" };
            client.send(&format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    let (_, result) = run_json(&server, "-d 1800ms -c 2");
    assert_eq!(result["failovers"][0]["backend"], "(all)", "{:#}", result["failovers"]);
    assert_eq!(result["failovers"][0]["errors"], result["statuses"]["503"]);
    assert_eq!(result["failovers"].as_array().unwrap().len(), 1);
}

#[test]
fn faults_are_run_at_their_times_and_stamped() {
    let server = Server::of_backends(&["b1"]);
    let url = server.url();
    let finished = run(&[
        "--json",
        "-d",
        "900ms",
        "-u",
        &url,
        "--at",
        "300ms",
        "echo hello; exit 3",
        "--at",
        "100ms",
        "true",
        "--at",
        "400ms",
        "sleep 60",
    ]);
    // One of them went wrong, so that the run proves nothing.
    assert_eq!(finished.status, 1, "{finished:?}");
    let result = finished.json();
    let marks = result["timeline"]["marks"].as_array().unwrap();
    let expected = [
        ("true", 100.0, json!(0)),
        ("echo hello; exit 3", 300.0, json!(3)),
        ("sleep 60", 400.0, Value::Null),
    ];
    assert_eq!(marks.len(), expected.len(), "{marks:?}");
    for (mark, (command, at_ms, status)) in marks.iter().zip(expected) {
        assert_eq!((mark["command"].as_str(), &mark["status"]), (Some(command), &status));
        let late_ms = number(&mark["at_ms"]) - at_ms;
        assert!((0.0..150.0).contains(&late_ms), "{mark}");
        assert_eq!(mark["ended_ms"].is_null(), command == "sleep 60", "{mark}");
    }
    assert_eq!(marks[0]["error"], Value::Null);
    for line in [
        "[at 100ms] runs 'true'",
        "[at 300ms] hello",
        "[at 300ms] 'echo hello; exit 3' FAILED with status 3",
        "[at 400ms] 'sleep 60' STOPPED, it was still running when the run ended",
    ] {
        assert!(finished.stderr.lines().any(|actual| actual == line), "no {line:?} in {}", finished.stderr);
    }
    let finished = run(&["-d", "300ms", "-u", &url, "--at", "100ms", "sleep 60"]);
    assert_eq!(finished.status, 0, "what lasts as long as the run is no failure: {finished:?}");
    assert!(finished.stdout.contains("STOPPED, still running at the end"), "{finished:?}");
    let finished = run(&["--json", "-n", "5", "-u", &url, "--at", "1h", "true"]);
    assert_eq!(finished.status, 1, "{finished:?}");
    assert!(finished.stderr.contains("[at 3600s] 'true' NEVER RUN, the run ended before"), "{finished:?}");
    assert_eq!(finished.json()["timeline"]["marks"][0]["ended_ms"], Value::Null);
}

/// A backend that counts what it is asked at `/`, several times over, and tells it as docs/wire.md says.
fn counting(times: u64) -> Server {
    let total = Arc::new(AtomicU64::new(1_000));
    Server::start(move |mut client| {
        while let Some(request) = client.request() {
            let is_stream = request.head.starts_with("GET /rps ");
            let count = || {
                if is_stream {
                    total.load(Ordering::SeqCst)
                } else {
                    total.fetch_add(times, Ordering::SeqCst) + times
                }
            };
            let reading =
                |count: u64| format!("{{\"server\":\"b1\",\"current_rps\":0,\"total_requests\":{count}}}");
            if !is_stream {
                let body = reading(count());
                client.send(&format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Backend: b1\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                ));
                continue;
            }
            client.send(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            );
            // The first reading is of the past, and so is none.
            for event in
                ["retry: 1000\n\n".to_owned(), format!("data: {}\n\n", reading(7)), ":\n\n".to_owned()]
            {
                client.send(&format!("{:x}\r\n{event}\r\n", event.len()));
            }
            thread::sleep(20 * MILLISECOND);
            let event = format!("data: {}\n\n", reading(count()));
            client.send(&format!("{:x}\r\n{event}\r\n", event.len()));
            client.wait_for_close();
        }
    })
}

#[test]
fn the_backends_own_counts_show_repeated_requests() {
    for (times, path, amplification) in [(1, "", 1.0), (3, "/rps", 3.0), (1, "/", 1.0)] {
        let server = counting(times);
        let truth = format!("{}{path}", server.url());
        let (status, result) = run_json(&server, &format!("-n 200 -c 2 --truth {truth}"));
        assert_eq!(status, 0, "{result:#}");
        let expected = json!({
            "sources": [{ "url": truth, "server": "b1", "counted": 200 * times, "error": null }],
            "counted": 200 * times,
            "amplification": amplification,
        });
        assert_eq!(result["truth"], expected, "{path}");
    }
}

#[test]
fn a_backend_that_cannot_be_asked_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let server = counting(1);
    let (status, result) = run_json(&server, &format!("-n 20 --truth {} --truth {gone}", server.url()));
    assert_eq!(status, 0);
    let truth = &result["truth"];
    assert_eq!((&truth["counted"], &truth["amplification"]), (&json!(20), &Value::Null), "{truth:#}");
    let error = truth["sources"][1]["error"].as_str().unwrap();
    assert!(error.contains("Connection refused"), "{error}");
    assert_eq!(truth["sources"][1]["counted"], Value::Null);
}

#[test]
fn a_backend_that_does_not_tell_its_count_can_be_interrupted() {
    let server = Server::of_backends(&["b1"]);
    for answers in [0, 1] {
        let silent = Server::start(move |mut client| {
            while client.index < answers && client.request().is_some() {
                let body = "{\"total_requests\":1}";
                client.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
            }
            client.wait_for_close();
        });
        let (url, truth) = (server.url(), format!("{}/", silent.url()));
        let before = server.requests();
        let child = start(&mut loadgen(&["--json", "-n", "20", "-u", &url, "--truth", &truth]));
        let deadline = Instant::now() + Duration::from_secs(4);
        while silent.connections() <= answers {
            assert!(Instant::now() < deadline, "the backend was not asked");
            thread::sleep(MILLISECOND);
        }
        // It listens for signals before it asks.
        let interrupted = Instant::now();
        signal(&child, "INT");
        let finished = finish(child);
        assert!(interrupted.elapsed() < Duration::from_secs(2), "{:?}", interrupted.elapsed());
        if answers == 0 {
            assert_eq!((finished.status, server.requests() - before), (1, 0), "{finished:?}");
            assert!(finished.stderr.contains("nothing was sent"), "{finished:?}");
        } else {
            assert_eq!(finished.status, 0, "{finished:?}");
            let error = &finished.json()["truth"]["sources"][0]["error"];
            assert_eq!(error, "after the run: interrupted before it answered");
        }
    }
}

#[test]
fn the_backend_may_name_itself_in_another_header() {
    let server = Server::start(|mut client| {
        while let Some(request) = client.request() {
            let field = if request.index % 4 == 0 { "Via: proxy" } else { "Via: proxy\r\nX-Served-By: s1" };
            client.send(&format!("HTTP/1.1 200 OK\r\n{field}\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    let (_, result) = run_json(&server, "-n 40 --backend-header x-served-by --backend-header via");
    assert_eq!(backends(&result), [("proxy", 10, 0.25, 0), ("s1", 30, 0.75, 0)]);
    let (_, result) = run_json(&server, "-n 40");
    assert_eq!((backends(&result), &result["answers_without_backend"]), (vec![], &json!(40)));
}

#[test]
fn shares_are_judged_by_equal_or_given_weights() {
    let server = Server::of_backends(&["b1", "b2", "b1", "b1"]);
    let verdict = |words: &str| run_json(&server, &format!("-n 400 {words}")).1["shares"].clone();
    let equal = verdict("");
    assert_eq!((&equal["even"], &equal["expected"]), (&json!(false), &json!([0.5, 0.5])));
    assert_eq!((number(&equal["max_to_min"]), number(&equal["chi_square"])), (3.0, 100.0));
    let weighted = verdict("--expect-shares b1=3,b2=1");
    assert_eq!((&weighted["even"], &weighted["expected"]), (&json!(true), &json!([0.75, 0.25])));
    assert_eq!((number(&weighted["max_to_min"]), number(&weighted["p_value"])), (1.0, 1.0));
    let missing = verdict("--expect-shares b1=3,b2=1,b3=1");
    assert_eq!((&missing["even"], &missing["max_to_min"]), (&json!(false), &Value::Null));
}
