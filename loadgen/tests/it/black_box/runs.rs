//! Runs from the command line to the exit status, against servers that count.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::scripted::{Server, backends, finish, loadgen, run, run_json, signal, start};
use serde_json::json;

#[test]
fn the_output_is_that_of_the_original() {
    let server = Server::of_backends(&["b1"]);
    let finished = run(&["--n", "20", "--c", "5", "--u", &server.url()]);
    assert_eq!((finished.status, finished.stderr.as_str()), (0, ""));
    let rule = "-".repeat(60);
    let lines: Vec<_> = finished.stdout.lines().collect();
    assert_eq!(lines[0], format!("Sending 20 requests to {}", server.url()));
    assert_eq!(
        lines[1..7],
        ["Concurrency: 5", &rule, &rule, "Total requests: 20", "Successful: 20", "Failed: 0",]
    );
    let number = |line: &str, prefix, suffix, decimals| {
        let number: &str = line.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix)).expect(line);
        assert_eq!(number.split_once('.').expect(line).1.len(), decimals, "{line}");
        number.parse::<f64>().expect(line)
    };
    let average = number(lines[7], "Average response time: ", "s", 3);
    let total = number(lines[8], "Total time: ", "s", 3);
    let rate = number(lines[9], "Requests per second: ", "", 2);
    assert!(average <= total && rate > 0.0, "{lines:?}");
}

#[test]
fn verbose_prints_the_originals_line_for_every_request() {
    let server = Server::start(|mut client| {
        while let Some(request) = client.request() {
            client.answer(if request.index == 2 { 500 } else { 200 }, "b1");
        }
    });
    let finished = run(&["-n", "50", "-u", &server.url(), "--verbose"]);
    assert_eq!(finished.status, 1);
    let lines: Vec<_> = finished.stdout.lines().skip(3).take(51).collect();
    for (index, line) in lines[..50].iter().enumerate() {
        let status = if index == 2 { 500 } else { 200 };
        let prefix = format!("Request {}: Status {status}, Time: ", index + 1);
        let seconds = line.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix('s')).expect(line);
        assert_eq!(seconds.split_once('.').expect(line).1.len(), 3, "{line}");
    }
    assert_eq!(lines[50], "-".repeat(60));
}

#[test]
fn exactly_as_many_requests_arrive_as_were_asked_for() {
    for (number, concurrent, threads) in [(1, 1, 1), (1000, 7, 2), (3, 10, 2), (2500, 40, 4), (999, 1, 8)] {
        let server = Server::of_backends(&["b1"]);
        let (status, result) = run_json(&server, &format!("-n {number} -c {concurrent} --threads {threads}"));
        assert_eq!(status, 0, "{result:#}");
        assert_eq!(server.requests(), number, "{result:#}");
        // Fewer when some were so quick that nothing was left for the others.
        assert!((1..=u64::min(number, concurrent)).contains(&server.connections()), "{result:#}");
        let opened = server.connections();
        let connections = json!({ "asked": concurrent, "opened": opened, "peak": opened });
        assert_eq!(result["connections"], connections);
        assert_eq!(
            result["requests"],
            json!({ "total": number, "successful": number, "failed": 0, "unfinished": 0, "hung": 0, "unconnected": 0, "unsent": 0, "resent": 0 })
        );
        assert_eq!(result["statuses"], json!({ "200": number }));
    }
}

#[test]
fn shares_are_those_that_the_backends_served() {
    let server = Server::of_backends(&["b1", "b2", "b1", "b3"]);
    let (_, result) = run_json(&server, "-n 400 -c 8 --threads 2");
    let shares: Vec<_> = backends(&result);
    assert_eq!(shares, [("b1", 200, 0.5, 0), ("b2", 100, 0.25, 0), ("b3", 100, 0.25, 0)]);
    assert_eq!(result["backends"][0]["classes"], json!({ "2xx": 200 }));
    let text = run(&["-n", "400", "-u", &server.url()]).stdout;
    for line in ["b1                200   50.00%         0", "b3                100   25.00%         0"] {
        assert!(text.lines().any(|actual| actual.starts_with(line)), "no {line:?} in {text}");
    }
}

#[test]
fn a_timed_run_ends_in_time_and_waits_for_what_is_in_flight() {
    let server = Server::start(|mut client| {
        while client.request().is_some() {
            thread::sleep(Duration::from_millis(30));
            client.answer(200, "b1");
        }
    });
    let (status, result) = run_json(&server, "-d 200ms -c 4");
    assert_eq!(status, 0, "{result:#}");
    assert_eq!(result["requests"]["total"], server.requests());
    assert_eq!(result["requests"]["unfinished"], 0);
    let elapsed_s = result["elapsed_s"].as_f64().unwrap();
    assert!((0.2..1.0).contains(&elapsed_s), "{result:#}");
}

#[test]
fn every_framing_is_read_to_its_end_on_one_connection() {
    let server = Server::start(|mut client| {
        while let Some(request) = client.request() {
            client.send(match request.index {
                0 => "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                1 => {
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n"
                }
                2 => "HTTP/1.1 204 No Content\r\n\r\n",
                3 => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                _ => {
                    client.send("HTTP/1.1 200 OK\r\n\r\nuntil the end");
                    return;
                }
            });
        }
    });
    let (status, result) = run_json(&server, "-n 6");
    assert_eq!(status, 0, "{result:#}");
    assert_eq!((server.requests(), server.connections()), (6, 2));
    assert_eq!(result["requests"]["resent"], 0);
}

#[test]
fn an_answer_to_head_ends_with_its_head() {
    let server = Server::start(|mut client| {
        while client.request().is_some() {
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n");
        }
    });
    let (status, _) = run_json(&server, "-n 5 --method HEAD");
    assert_eq!((status, server.requests(), server.connections()), (0, 5, 1));
}

#[test]
fn the_request_is_what_the_options_say() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let server = Server::start(move |mut client| {
        while let Some(request) = client.request() {
            log.lock().unwrap().push((request.head, request.body));
            client.answer(200, "b1");
        }
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from a file").unwrap();
    let url = format!("{}/path?q=1", server.url());
    let body = file.path().to_str().unwrap();
    run(&[
        "-n",
        "1",
        "-u",
        &url,
        "--method",
        "put",
        "--body",
        body,
        "--header",
        "Host: a.test",
        "-H",
        "A: b",
    ]);
    run(&["-n", "1", "-u", &url, "--body", "100k"]);
    run(&["-n", "1", "-u", &url]);

    let seen = seen.lock().unwrap();
    let (head, body) = &seen[0];
    assert!(head.starts_with("PUT /path?q=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nHost: a.test\r\n") && !head.contains(&server.address.to_string()), "{head}");
    assert!(head.contains("\r\nA: b\r\n"), "{head}");
    assert_eq!(body, b"from a file");
    let (head, body) = &seen[1];
    assert!(head.starts_with("POST /path?q=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(body.len(), 100 * 1024);
    let (head, _) = &seen[2];
    assert!(head.starts_with("GET /path?q=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nHost: {}\r\n", server.address)), "{head}");
}

#[test]
fn an_answer_that_comes_before_the_body_is_read_counts() {
    let server = Server::start(|mut client| {
        client.head();
        client.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
        // Not one byte of the body is read while the client is there.
        thread::sleep(Duration::from_millis(500));
    });
    let (status, result) = run_json(&server, "-n 2 --body 64m");
    assert_eq!(status, 1);
    assert_eq!(result["statuses"], json!({ "413": 2 }), "{result:#}");
    // What is left of a body must not pass for the next request.
    assert_eq!(server.connections(), 2);
}

#[test]
fn the_longest_gap_is_the_silence_between_two_successes() {
    let server = Server::start(|mut client| {
        while let Some(request) = client.request() {
            if request.index == 20 {
                thread::sleep(Duration::from_millis(300));
            }
            client.answer(200, "b1");
        }
    });
    let (_, result) = run_json(&server, "-n 100");
    let gap_ms = result["longest_gap_ms"].as_f64().unwrap();
    assert!((300.0..600.0).contains(&gap_ms), "{result:#}");
    // With another connection going on meanwhile there is none.
    let server = Server::start(|mut client| {
        while client.request().is_some() {
            thread::sleep(Duration::from_millis(if client.index == 0 { 400 } else { 5 }));
            client.answer(200, "b1");
        }
    });
    let (_, result) = run_json(&server, "-d 500ms -c 2 --threads 2");
    let gap_ms = result["longest_gap_ms"].as_f64().unwrap();
    // Only until the slow connection's second answer, when the timed run is over for the other.
    assert!((1.0..350.0).contains(&gap_ms), "{result:#}");
}

#[test]
fn progress_is_a_line_a_second_where_stderr_is_no_terminal() {
    let server = Server::start(|mut client| {
        while client.request().is_some() {
            thread::sleep(Duration::from_millis(10));
            client.answer(200, "b1");
        }
    });
    let finished = run(&["--json", "-d", "2500ms", "-u", &server.url()]);
    let lines: Vec<_> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{finished:?}");
    assert!(
        lines.iter().all(|line| line.contains("requests (") && line.contains("  0 failed  p99 ")),
        "{lines:?}"
    );
    assert_eq!(finished.json()["requests"]["failed"], 0);
}

#[test]
fn an_interrupted_run_finishes_what_is_in_flight_and_reports() {
    for name in ["INT", "TERM"] {
        let server = Server::start(|mut client| {
            while client.request().is_some() {
                thread::sleep(Duration::from_millis(5));
                client.answer(200, "b1");
            }
        });
        let child = start(&mut loadgen(&["--json", "-d", "1h", "-c", "4", "-u", &server.url()]));
        server.wait_for_requests(40);
        signal(&child, name);
        let finished = finish(child);
        assert_eq!(finished.status, 0, "{finished:?}");
        let result = finished.json();
        assert_eq!(result["interrupted"], true);
        assert_eq!(result["requests"]["total"], server.requests());
        assert_eq!(result["requests"]["unfinished"], 0);
    }
}

#[test]
fn an_interrupted_run_gives_up_on_answers_that_do_not_come() {
    let server = Server::start(|mut client| {
        client.request();
        client.wait_for_close();
    });
    for signals in [1, 2] {
        let before = server.requests();
        let child = start(&mut loadgen(&["-n", "100", "-c", "3", "-u", &server.url()]));
        server.wait_for_requests(before + 3);
        let interrupted = Instant::now();
        signal(&child, "INT");
        if signals == 2 {
            // Two signals at once are one: wait until the first has been dealt with.
            thread::sleep(Duration::from_millis(100));
            signal(&child, "INT");
        }
        let finished = finish(child);
        let waited = interrupted.elapsed();
        assert!(finished.stdout.contains("\nTotal requests: 0\n"), "{finished:?}");
        assert!(
            finished.stdout.contains("\nInterrupted; unfinished requests: 3, of which hung: 3\n"),
            "{finished:?}"
        );
        // Nothing succeeded.
        assert_eq!(finished.status, 1);
        let is_early = waited < Duration::from_millis(900);
        assert_eq!(is_early, signals == 2, "{signals} signals, {waited:?}");
    }
}

#[test]
fn a_run_whose_output_nobody_reads_can_be_ended() {
    let server = Server::of_backends(&["b1"]);
    // Lines of 2,500 requests are more than a pipe holds, and few enough for the rest to wait within the program: the
    // one run is over but for its lines, the other is not.
    for (options, requests) in [(["-n", "2500"], 2500), (["-d", "60s"], 2500)] {
        let before = server.requests();
        let mut words = vec!["--verbose", "-u"];
        let url = server.url();
        words.push(&url);
        words.extend(options);
        let mut child = start(&mut loadgen(&words));
        let _unread = child.stdout.take();
        server.wait_for_requests(before + requests);
        thread::sleep(Duration::from_millis(200));
        for name in ["INT", "INT", "TERM"] {
            signal(&child, name);
            thread::sleep(Duration::from_millis(100));
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                child.kill().unwrap();
                panic!("still running after three signals");
            }
            thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(status.code(), Some(1));
    }
}

#[test]
fn usage_errors_have_status_2_and_name_the_option() {
    let table: &[(&[&str], &str)] = &[
        (&["-n", "0"], "--number"),
        (&["-n", "many"], "many"),
        (&["-n", "5", "-d", "1s"], "--duration"),
        (&["-u", "ftp://localhost"], "'ftp://localhost' for '--url'"),
        (&["-u", "http://a", "--url-weights", "1,2"], "'1,2' for '--url-weights'"),
        (&["-u", "http://a", "--url-weights", "0"], "'0' for '--url-weights'"),
        (&["-u", "http://a", "--url-weights", "x"], "'x' for '--url-weights'"),
        (&["--requests-per-connection", "0"], "--requests-per-connection"),
        (&["--requests-per-connection", "x"], "'x' is not a whole number"),
        (&["-u", "https://a", "--ca-file", "/nowhere.pem"], "'/nowhere.pem' for '--ca-file'"),
        (&["-u", "https://a", "--ca-file", "/dev/null"], "'/dev/null' for '--ca-file'"),
        (&["-u", "https://a", "--ca-file", "a", "--insecure"], "--insecure"),
        (&["-u", "https://a", "--server-name", "a..b"], "'a..b' for '--server-name'"),
        (&["-u", "https://a..b"], "'https://a..b' for '--url'"),
        (&["-u", "http://a", "--insecure"], "'--insecure' needs an https URL"),
        (&["-u", "http://a", "--server-name", "b"], "'--server-name' needs an https URL"),
        (&["-u", "http://a", "--ca-file", "/dev/null"], "'--ca-file' needs an https URL"),
        (&["--header", "no colon"], "'no colon' for '--header'"),
        (&["--timeout", "never"], "'never' for '--timeout'"),
        (&["--nonsense"], "--nonsense"),
        (&["extra"], "extra"),
    ];
    for (words, expected) in table {
        let finished = run(words);
        assert_eq!((finished.status, finished.stdout.as_str()), (2, ""), "{words:?}");
        assert!(finished.stderr.contains(expected), "{words:?}: {}", finished.stderr);
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let help = run(&["--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (0, ""));
    for option in ["--number", "--concurrent", "--url", "--duration", "--json", "EXIT STATUS"] {
        assert!(help.stdout.contains(option), "no {option} in {}", help.stdout);
    }
    let version = run(&["--version"]);
    assert_eq!((version.status, version.stdout.trim()), (0, concat!("loadgen ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn a_target_that_cannot_be_reached_has_status_4() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for (url, expected) in [
        (format!("http://{address}"), format!("cannot connect to {address}: {address}: Connection refused")),
        ("http://a..b/".to_owned(), "cannot resolve a..b: ".to_owned()),
    ] {
        let finished = run(&["--json", "-u", &url]);
        assert_eq!((finished.status, finished.stdout.as_str()), (4, ""), "{url}");
        assert!(finished.stderr.contains(&expected), "{url}: {}", finished.stderr);
    }
}

#[test]
fn an_output_that_is_gone_has_status_1() {
    let server = Server::of_backends(&["b1"]);
    let mut command = std::process::Command::new("sh");
    let script = "exec \"$0\" -n 5 -u \"$1\" >/dev/full";
    command.args(["-c", script, env!("CARGO_BIN_EXE_loadgen"), &server.url()]);
    let finished = finish(start(&mut command));
    assert_eq!(finished.status, 1);
    assert!(finished.stderr.contains("failed to write to stdout"), "{finished:?}");
}
