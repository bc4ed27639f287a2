//! The admin listener: what it answers, and that it stands beside the traffic and not in it.

use std::net::TcpStream;

use super::support::*;

const ANSWERING: &str = "server { listen LISTEN; access_log access.log; return 200 ok; }";

#[test]
fn every_answer_keeps_the_connection_and_forbids_caching() {
    let balancer = Balancer::start(ANSWERING);
    let mut client = Client::connect(balancer.admin);
    for (method, path, body, status, content_type) in [
        ("GET", "/", "", 200, "text/plain; charset=utf-8"),
        ("GET", "/healthz?verbose", "", 200, "text/plain; charset=utf-8"),
        ("GET", "/metrics", "", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("GET", "/none", "", 404, "text/plain; charset=utf-8"),
        ("GET", "/healthz", "a body", 200, "text/plain; charset=utf-8"),
    ] {
        client.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let answer = client.receive().unwrap();
        let field = |name: &str| answer.headers.get(name).map(String::as_str);
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(field("content-type"), Some(content_type), "{method} {path}");
        assert_eq!(field("cache-control"), Some("no-store"), "{method} {path}");
        assert_eq!(field("connection"), Some("keep-alive"), "{method} {path}");
        assert!(
            field("date").is_some() && field("server").unwrap().starts_with("cirque/"),
            "{method} {path}"
        );
        assert!(!answer.body.is_empty(), "{method} {path}");
    }
}

#[test]
fn whoever_asks_while_it_starts_hears_that_it_is_healthy() {
    let balancer = Balancer::launch("", ANSWERING);
    // The address is bound long before the process serves.
    let mut client = None;
    eventually("the admin address is bound", || {
        client = TcpStream::connect(balancer.admin).ok();
        client.is_some()
    });
    let mut client = Client::over(client.unwrap());
    let answer = client.get("/healthz").unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    assert_eq!(get(balancer.address, "/").status, 200);
}

#[test]
fn a_body_that_nobody_reads_keeps_the_connection_whenever_it_comes() {
    let balancer = Balancer::start(ANSWERING);
    let mut client = Client::connect(balancer.admin);
    let head = "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n";
    let chunked = "GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    // What is sent before the answer is read, and what after.
    for (before, after) in [
        (head.to_owned(), "a body"),
        (format!("{head}a b"), "ody"),
        (format!("{head}a body"), ""),
        (chunked.to_owned(), "6\r\na body\r\n0\r\n\r\n"),
        (format!("{chunked}6\r\na b"), "ody\r\n0\r\n\r\n"),
        (format!("{chunked}6\r\na body\r\n0\r\n\r\n"), ""),
    ] {
        client.send(&before);
        let answer = client.receive().unwrap();
        assert_eq!((answer.status, answer.headers["connection"].as_str()), (200, "keep-alive"), "{before}");
        client.send(after);
        assert_eq!(client.get("/none").unwrap().status, 404, "after {before}");
    }
    // The next request in one piece with the body, and in one piece with the whole of this one.
    client.send(head);
    assert_eq!(client.receive().unwrap().status, 200);
    client.send(format!("a body{head}a bodyGET /none HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(client.receive().unwrap().status, 200);
    assert_eq!(client.receive().unwrap().status, 404);
}

#[test]
fn other_methods_are_refused_and_head_has_no_body() {
    let balancer = Balancer::start(ANSWERING);
    let mut client = Client::connect(balancer.admin);
    client.send("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    let refused = client.receive().unwrap();
    assert_eq!((refused.status, refused.headers["allow"].as_str()), (405, "GET, HEAD"));
    client.send("HEAD /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let (head, rest) = client.receive_until_closed();
    assert_eq!((head["content-length"].as_str(), head["connection"].as_str()), ("3", "close"));
    assert!(rest.is_empty());
}

#[test]
fn its_requests_are_in_no_count_and_no_access_log_of_the_traffic() {
    let balancer = Balancer::start(ANSWERING);
    assert_eq!(get(balancer.address, "/traffic").status, 200);
    for path in ["/", "/healthz", "/metrics", "/none"] {
        get(balancer.admin, path);
    }
    let mut malformed = Client::connect(balancer.admin);
    malformed.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(malformed.receive().unwrap().status, 400);
    assert_eq!(balancer.metric("lb_http_requests_total{code=\"2xx\"}"), 1);
    assert_eq!(balancer.metric("lb_http_requests_total{code=\"4xx\"}"), 0);
    assert_eq!(balancer.metric("lb_http_requests_refused_total"), 0);
    let log = || std::fs::read_to_string(balancer.path("access.log")).unwrap_or_default();
    eventually("the access log has the request", || log().contains("/traffic"));
    assert_eq!(log().lines().count(), 1, "{}", log());
}

#[test]
fn it_survives_a_reload_and_closes_with_a_graceful_stop() {
    let mut balancer = Balancer::start(ANSWERING);
    let mut client = Client::connect(balancer.admin);
    assert_eq!(client.get("/healthz").unwrap().status, 200);
    balancer.reload("success");
    assert_eq!(client.get("/healthz").unwrap().status, 200);
    balancer.signal("QUIT");
    assert!(client.is_closed_within(PATIENCE));
    assert_eq!(balancer.wait().1, Some(0));
}

#[test]
fn an_address_that_traffic_needs_is_refused_before_anything_is_bound() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("nginx.conf");
    let said = |listen: &str, admin: &str| {
        std::fs::write(&file, format!("events {{}} http {{ server {{ listen {listen}; return 200; }} }}"))
            .unwrap();
        let output = lb(&["-t", "-c", file.to_str().unwrap(), "--admin", admin]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (listen, admin, expected) in [
        ("127.0.0.1:9145", "127.0.0.1:9145", "is also a \"listen\""),
        ("9145", "127.0.0.1:9145", "overlaps with \"listen 0.0.0.0:9145\""),
        ("127.0.0.1:9145", "0.0.0.0:9145", "overlaps with \"listen 127.0.0.1:9145\""),
    ] {
        let (code, text) = said(listen, admin);
        assert_eq!(code, Some(1), "{listen} {admin}");
        assert!(text.contains(expected), "{listen} {admin}: {text}");
    }
    assert_eq!(said("127.0.0.1:9145", "127.0.0.2:9145").0, Some(0));
}
