//! Every way a request can fail is told apart from every other, and a stale connection is no failure. What
//! can only happen with TLS stands in `tls`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use super::scripted::{Client, Server, backends, run, run_json};
use serde_json::{Value, json};

/// Checks that all failures of a run are of one kind.
pub(crate) fn assert_only(result: &Value, kind: &str, count: u64) {
    let mut expected = json!({
        "refused": 0, "reset": 0, "closed_early": 0, "stale": 0, "tls": 0,
        "timed_out": 0, "malformed": 0, "non_2xx": 0, "no_resources": 0, "other": 0,
    });
    expected[kind] = json!(count);
    assert_eq!(result["errors"], expected, "{result:#}");
    assert_eq!(result["requests"]["failed"], count);
}

/// A run of five requests against a server that treats every connection alike: all must fail alike.
fn fails_with(kind: &str, options: &str, behaviour: impl Fn(Client) + Send + Sync + 'static) -> Value {
    let server = Server::start(behaviour);
    let (status, result) = run_json(&server, &format!("-n 5 {options}"));
    assert_eq!(status, 1, "{result:#}");
    assert_only(&result, kind, 5);
    assert_eq!(result["requests"]["successful"], 0);
    assert_eq!(result["requests"]["resent"], 0);
    result
}

#[test]
fn a_connection_closed_before_any_byte_of_an_answer() {
    fails_with("closed_early", "", |mut client| {
        client.request();
    });
}

#[test]
fn an_answer_that_breaks_off() {
    for part in [
        "HTTP/1.1 200 OK\r\nContent-",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        fails_with("closed_early", "", move |mut client| {
            client.request();
            client.send(part);
        });
    }
}

#[test]
fn an_answer_that_breaks_off_is_booked_to_its_backend() {
    let result = fails_with("closed_early", "", |mut client| {
        client.request();
        client.send("HTTP/1.1 200 OK\r\nX-Backend: b7\r\nContent-Length: 9\r\n\r\nhello");
    });
    assert_eq!(backends(&result), [("b7", 0, 0.0, 5)]);
}

#[test]
fn a_reset() {
    fails_with("reset", "", |client| client.reset_unread());
}

#[test]
fn no_answer_in_time() {
    let result = fails_with("timed_out", "--timeout 50ms -c 5", |mut client| {
        client.request();
        client.wait_for_close();
    });
    assert!(result["elapsed_s"].as_f64().unwrap() >= 0.05, "{result:#}");
}

#[test]
fn an_answer_that_trickles_past_the_deadline() {
    fails_with("timed_out", "--timeout 60ms -c 5", |mut client| {
        client.request();
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        for _ in 0..1000 {
            client.send("x");
            thread::sleep(std::time::Duration::from_millis(5));
        }
    });
}

#[test]
fn answers_that_are_not_http() {
    for answer in [
        "220 mail.test ESMTP\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more",
    ] {
        fails_with("malformed", "", move |mut client| {
            client.request();
            client.send(answer);
            client.wait_for_close();
        });
    }
}

#[test]
fn statuses_other_than_2xx_fail_and_keep_their_connection() {
    let server = Server::start(|mut client| {
        while let Some(request) = client.request() {
            client.answer([200, 503, 404, 503, 201][request.index as usize % 5], "b1");
        }
    });
    let (status, result) = run_json(&server, "-n 10");
    assert_eq!(status, 1);
    assert_only(&result, "non_2xx", 6);
    assert_eq!(result["statuses"], json!({ "200": 2, "201": 2, "404": 2, "503": 4 }));
    assert_eq!(backends(&result), [("b1", 10, 1.0, 6)]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn refused_in_the_midst_of_a_run() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).unwrap() > 2 {}
        drop(listener);
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
    });
    let finished = run(&["--json", "-n", "4", "-u", &url]);
    server.join().unwrap();
    assert_eq!(finished.status, 1);
    assert_only(&finished.json(), "refused", 3);
    assert_eq!(finished.json()["requests"]["successful"], 1);
}

/// Answers two requests on each connection, reads a third, and closes or resets.
fn closes_after_two(reset: bool) -> Server {
    Server::start(move |mut client| {
        for _ in 0..2 {
            if client.request().is_none() {
                return;
            }
            client.answer(200, "b1");
        }
        if reset {
            client.reset_unread();
        } else {
            client.head();
        }
    })
}

#[test]
fn a_stale_connection_costs_one_more_request_and_no_failure() {
    for reset in [false, true] {
        let server = closes_after_two(reset);
        let (status, result) = run_json(&server, "-n 9");
        assert_eq!(status, 0, "{result:#}");
        let expected = json!({ "total": 9, "successful": 9, "failed": 0, "unfinished": 0, "hung": 0, "unconnected": 0, "unsent": 0, "resent": 4 });
        assert_eq!(result["requests"], expected, "reset: {reset}");
        assert_eq!((server.requests(), server.connections()), (9, 5));
        assert_eq!(result["connections"], json!({ "asked": 1, "opened": 5, "peak": 1 }));
    }
}

#[test]
fn a_stale_connection_is_a_failure_where_nothing_may_be_resent() {
    for options in ["--no-resend", "--method POST", "--body 10"] {
        let server = closes_after_two(false);
        let (status, result) = run_json(&server, &format!("-n 9 {options}"));
        assert_eq!(status, 1, "{options}");
        assert_only(&result, "stale", 3);
        assert_eq!(result["requests"]["resent"], 0, "{options}");
        assert_eq!(server.requests(), 6, "{options}");
    }
}

#[test]
fn a_request_is_resent_once_and_not_again() {
    let server = Server::start(|mut client| {
        client.request();
        if client.index == 0 {
            client.answer(200, "b1");
            client.request();
        }
    });
    let (status, result) = run_json(&server, "-n 2");
    assert_eq!(status, 1);
    assert_only(&result, "closed_early", 1);
    assert_eq!(result["requests"]["resent"], 1);
    assert_eq!((server.requests(), server.connections()), (3, 2));
}

#[test]
fn a_kept_alive_connection_that_breaks_within_an_answer_is_no_stale_one() {
    let server = Server::start(|mut client| {
        client.request();
        client.answer(200, "b1");
        client.request();
        client.send("HTTP/1.1 2");
    });
    let (status, result) = run_json(&server, "-n 2");
    assert_eq!(status, 1);
    assert_only(&result, "closed_early", 1);
    assert_eq!(result["requests"]["resent"], 0);
}
