//! Several URLs, and connections that end after a number of requests.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::scripted::{Server, finish, loadgen, run, run_json, start};

/// Answers every request, and closes after the one that says so.
fn polite(backend: &'static str) -> Server {
    Server::start(move |mut client| {
        while let Some(request) = client.request() {
            client.answer(200, backend);
            if request.head.contains("\r\nConnection: close\r\n") {
                return;
            }
        }
    })
}

#[test]
fn each_url_gets_its_part_of_the_requests() {
    let servers = [polite("b1"), polite("b2")];
    let [one, two] = [servers[0].url(), servers[1].url() + "/two"];
    let finished = run(&[
        "--json",
        "-n",
        "400",
        "-c",
        "8",
        "--threads",
        "2",
        "-u",
        &one,
        "-u",
        &two,
        "--url-weights",
        "3,1",
    ]);
    assert_eq!(finished.status, 0, "{finished:?}");
    let result = finished.json();
    // Exact per connection; each may stop within its period.
    let requests = [servers[0].requests(), servers[1].requests()];
    assert_eq!(requests[0] + requests[1], 400);
    assert!((300 - 8..=300 + 8).contains(&requests[0]), "{requests:?}");
    let target = |url: &str, weight: u64, count: u64| json!({ "url": url, "weight": weight, "requests": count, "successful": count, "failed": 0 });
    assert_eq!(result["targets"], json!([target(&one, 3, requests[0]), target(&two, 1, requests[1])]));
    assert_eq!(result["url"], format!("{one}, {two}"));
    // Kept open to both, and beside them the one that proved the second reachable.
    assert!(servers[0].connections() <= 8 && servers[1].connections() <= 9, "{result:#}");
    let opened = result["connections"]["opened"].as_u64().unwrap();
    assert_eq!(opened, servers[0].connections() + servers[1].connections() - 1);
}

#[test]
fn one_connection_goes_through_the_urls_in_order() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let server = Server::start(move |mut client| {
        while let Some(request) = client.request() {
            let path = request.head.split(' ').nth(1).unwrap().to_owned();
            let status = if path == "/b" { 404 } else { 200 };
            log.lock().unwrap().push(path);
            client.answer(status, "b1");
        }
    });
    let urls = ["/a", "/b", "/c"].map(|path| server.url() + path);
    let words =
        ["--json", "-n", "8", "--url-weights", "2,1,1", "-u", &urls[0], "-u", &urls[1], "-u", &urls[2]];
    let finished = run(&words);
    assert_eq!(finished.status, 1);
    assert_eq!(*seen.lock().unwrap(), ["/a", "/b", "/a", "/c", "/a", "/b", "/a", "/c"]);
    assert_eq!(server.connections(), 1, "they share a place, and so a connection");
    let counts: Vec<_> = (0..3).map(|index| finished.json()["targets"][index]["failed"].clone()).collect();
    assert_eq!(counts, [json!(0), json!(2), json!(0)]);
}

#[test]
fn one_url_has_the_runs_own_counts() {
    let server = Server::start(|mut client| {
        while let Some(request) = client.request() {
            client.answer(if request.index < 3 { 500 } else { 200 }, "b1");
        }
    });
    let (_, result) = run_json(&server, "-n 10");
    assert_eq!(
        result["targets"],
        json!([{ "url": server.url(), "weight": 1, "requests": 10, "successful": 7, "failed": 3 }])
    );
}

#[test]
fn the_environment_names_the_url_where_the_command_line_does_not() {
    let (one, two) = (polite("b1"), polite("b2"));
    for (words, expected) in [(&["-n", "3"][..], (3, 0)), (&["-n", "5", "-u", &two.url()], (0, 5))] {
        let before = (one.requests(), two.requests());
        let finished = finish(start(loadgen(words).env("LOADGEN_URL", one.url())));
        assert_eq!(finished.status, 0, "{finished:?}");
        assert_eq!((one.requests() - before.0, two.requests() - before.1), expected);
    }
    let finished = finish(start(loadgen(&[]).env("LOADGEN_URL", "ftp://a")));
    assert_eq!(finished.status, 2);
    assert!(finished.stderr.contains("'ftp://a' for 'LOADGEN_URL'"), "{finished:?}");
}

#[test]
fn any_place_that_cannot_be_reached_ends_it() {
    let server = polite("b1");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let finished = run(&["-u", &server.url(), "-u", &format!("http://{address}")]);
    assert_eq!((finished.status, server.requests()), (4, 0));
    assert!(finished.stderr.contains(&format!("cannot connect to {address}: ")), "{finished:?}");
}

#[test]
fn connections_end_after_their_last_request_and_say_so() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let server = Server::start(move |mut client| {
        while let Some(request) = client.request() {
            let is_last = request.head.contains("\r\nConnection: close\r\n");
            log.lock().unwrap().push((client.index, is_last));
            // A server need not repeat it, nor obey.
            client.answer(200, "b1");
        }
    });
    let (status, result) = run_json(&server, "-n 7 --requests-per-connection 3");
    assert_eq!(status, 0, "{result:#}");
    let expected = [(0, false), (0, false), (0, true), (1, false), (1, false), (1, true), (2, false)];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(result["connections"], json!({ "asked": 1, "opened": 3, "peak": 1 }));
    assert_eq!(result["requests"]["resent"], 0);
}

#[test]
fn a_server_that_closes_sooner_is_obeyed() {
    for answer in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let server = Server::start(move |mut client| {
            // Whatever came on the same connection would be answered, and betray itself.
            while client.request().is_some() {
                client.send(answer);
            }
        });
        let (status, result) = run_json(&server, "-n 6 --requests-per-connection 3");
        assert_eq!(status, 0, "{result:#}");
        assert_eq!((server.requests(), server.connections()), (6, 6), "{answer:?}");
        assert_eq!(result["requests"]["resent"], 0);
    }
}

#[test]
fn a_connection_that_ends_is_left_to_the_server_to_close() {
    const COUNT: u64 = 20;
    let (opened, closed) = (AtomicU64::new(0), AtomicU64::new(0));
    let wait_for = |counter: &AtomicU64, count: u64| {
        while counter.load(Ordering::SeqCst) < count {
            thread::sleep(Duration::from_millis(1));
        }
    };
    // Closes a connection when the next is there, and answers on that one when it is done.
    let server = Server::start(move |mut client| {
        let index = client.index;
        opened.store(index + 1, Ordering::SeqCst);
        client.request();
        wait_for(&closed, index);
        client.answer(200, "b1");
        if index + 1 < COUNT {
            wait_for(&opened, index + 2);
        }
        drop(client);
        closed.store(index + 1, Ordering::SeqCst);
    });
    let (status, result) = run_json(&server, &format!("-n {COUNT} --requests-per-connection 1"));
    assert_eq!(status, 0, "{result:#}");
    assert_eq!(server.connections(), COUNT);
    // A connection waits (state 06) at whoever closed it first.
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", server.address.port());
    let waiting = |column: usize| {
        let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        fields.filter(|fields| fields[3] == "06" && fields[column].ends_with(&port)).count()
    };
    let (at_server, at_client) = (waiting(1), waiting(2));
    // Who closes the last of all is open.
    assert!(at_client <= 1 && at_server >= 19, "{at_client} here, {at_server} at the server");
}
