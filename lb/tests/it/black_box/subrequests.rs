//! Subrequests, seen from outside: what they do to servers, connections and metrics. What nginx does the outside judge
//! holds (`nginx-compat/judge/cases/auth_request.py`, `mirror.py`).

use std::time::{Duration, Instant};

use super::secure_backend::{Authority, SecureBackend};
use super::support::*;

const REFUSES: &[&[u8]] =
    &[b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=a\r\nContent-Length: 9\r\n\r\nwho is it"];

/// A balancer that asks `guards` about each request for `backend`; `inside` stands in the location that does.
fn guarded(backend: &Backend, guards: &[&Backend], inside: &str) -> Balancer {
    let servers: String =
        guards.iter().map(|guard| format!("server {} max_fails=2;", guard.address)).collect();
    Balancer::start(&format!(
        "upstream app {{ server {}; }} upstream guard {{ health_check off; {servers} }}
         server {{ listen LISTEN; auth_request /auth; client_max_body_size 10m;
             location / {{ proxy_pass http://app; }}
             location = /auth {{ internal; {inside} proxy_pass http://guard; }} }}",
        backend.address
    ))
}

#[test]
fn a_server_that_is_asked_keeps_its_connection_and_is_counted() {
    let (app, guard) = (Backend::start("app"), Backend::start("guard"));
    let balancer = guarded(&app, &[&guard], "");
    let mut client = Client::connect(balancer.address);
    for _ in 0..5 {
        assert_eq!(client.get("/x").unwrap().body, "app");
    }
    guard.behave(Behaviour::Pieces(REFUSES));
    for _ in 0..5 {
        let answer = client.get("/x").unwrap();
        assert_eq!((answer.status, answer.headers["www-authenticate"].as_str()), (401, "Basic realm=a"));
    }
    assert_eq!((app.count(), guard.count(), guard.connections()), (5, 10, 1));
    let answers = |code: &str| {
        let labels = format!("upstream=\"guard\",server=\"{}\",code=\"{code}\"", guard.address);
        balancer.metric(&format!("lb_upstream_requests_total{{{labels}}}"))
    };
    assert_eq!((answers("2xx"), answers("4xx")), (5, 5));
    // Of the client's requests alone: it has had five refusals.
    assert_eq!(balancer.metric("lb_http_requests_total{code=\"4xx\"}"), 5);
    assert_eq!(balancer.metric("lb_http_requests_total{code=\"2xx\"}"), 5);
}

#[test]
fn a_server_that_is_asked_and_fails_is_followed_by_another() {
    let (app, first, second) = (Backend::start("app"), Backend::start("first"), Backend::start("second"));
    let balancer = guarded(&app, &[&first, &second], "");
    first.behave(Behaviour::Close);
    for _ in 0..6 {
        assert_eq!(get(balancer.address, "/").status, 200);
    }
    // Two failures take it out of use.
    assert_eq!((first.count(), second.count()), (2, 6));
    balancer.says("subrequest: \"/auth\", upstream: \"http://");
    second.kill();
    first.kill();
    assert_eq!(get(balancer.address, "/").status, 500);
    balancer.says("auth request unexpected status: 502, client: 127.0.0.1");
}

#[test]
fn a_long_body_waits_for_the_permission_and_goes_on() {
    let (app, guard) = (Backend::start("app"), Backend::start("guard"));
    let balancer = guarded(&app, &[&guard], "");
    let body = text(1_000_000);
    let mut client = Client::connect(balancer.address);
    for _ in 0..2 {
        client.send(format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        assert_eq!(client.receive().unwrap().body, "app");
    }
    assert!(app.seen().iter().all(|request| request.body == body.as_bytes()));
    for asked in guard.seen() {
        assert_eq!((asked.line.as_str(), asked.headers.get("content-length")), ("GET /auth HTTP/1.1", None));
    }
}

#[test]
fn an_answer_that_is_too_long_to_be_dropped_is_left() {
    let (app, guard) = (Backend::start("app"), Backend::start("guard"));
    let balancer = guarded(&app, &[&guard], "");
    guard.behave(Behaviour::Large(5_000_000, Framing::Length));
    for _ in 0..3 {
        assert_eq!(get(balancer.address, "/").body, "app");
    }
    assert!(guard.connections() >= 3, "a connection with half an answer is not used again");
}

#[test]
fn a_server_is_asked_over_tls() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("authority"));
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    let guard = SecureBackend::start("guard", &authority.certify(&["a.example"]));
    let app = Backend::start("app");
    let balancer = Balancer::start(&format!(
        "upstream a.example {{ health_check off; server {}; }} server {{ listen LISTEN; auth_request /auth;
         location / {{ proxy_pass http://{}; }} location = /auth {{ proxy_pass https://a.example;
         proxy_ssl_verify on; proxy_ssl_server_name on; proxy_ssl_trusted_certificate {}/ca.pem; }} }}",
        guard.address,
        app.address,
        folder.path().display()
    ));
    let mut client = Client::connect(balancer.address);
    for _ in 0..3 {
        assert_eq!(client.get("/x").unwrap().body, "app", "{}", balancer.log());
    }
    assert_eq!((guard.greetings().len(), guard.requests().len()), (1, 3));
}

/// A balancer that copies each request for `backend` to `copy`.
fn mirrored(backend: &Backend, copy: &Backend) -> Balancer {
    Balancer::start(&format!(
        "server {{ listen LISTEN; client_max_body_size 0; location / {{ mirror /copy; proxy_pass http://{}; }}
         location = /copy {{ internal; proxy_read_timeout 2s; proxy_pass http://{}$request_uri; }} }}",
        backend.address, copy.address
    ))
}

#[test]
fn a_copy_has_the_whole_body() {
    let (app, copy) = (Backend::start("app"), Backend::start("copy"));
    let balancer = mirrored(&app, &copy);
    let mut client = Client::connect(balancer.address);
    let bodies = [text(10), text(60_000), text(100_000), text(3_000_000)];
    for body in &bodies {
        client.send(format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        assert_eq!(client.receive().unwrap().body, "app");
        let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        client.send(format!("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"));
        assert_eq!(client.receive().unwrap().body, "app");
    }
    eventually("all copies have come", || copy.count() == 2 * bodies.len());
    for server in [&app, &copy] {
        let mut lengths: Vec<usize> = server.seen().iter().map(|request| request.body.len()).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [10, 10, 60_000, 60_000, 100_000, 100_000, 3_000_000, 3_000_000]);
        for request in server.seen() {
            assert!(request.body == text(request.body.len()).as_bytes());
        }
    }
}

#[test]
fn nobody_waits_for_a_copy() {
    let (app, copy) = (Backend::start("app"), Backend::start("copy"));
    let balancer = mirrored(&app, &copy);
    copy.behave(Behaviour::Hang);
    let mut client = Client::connect(balancer.address);
    let started = Instant::now();
    for _ in 0..5 {
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(client.receive().unwrap().body, "app");
    }
    assert!(started.elapsed() < Duration::from_secs(2), "the copies take that long");
    eventually("all copies are under way", || copy.heads() == 5);
    balancer
        .says("upstream timed out (110: Connection timed out) while reading response header from upstream");
    assert_eq!(client.get("/x").unwrap().body, "app");
}

#[test]
fn a_body_that_breaks_off_is_no_whole_one_for_a_copy() {
    let (app, copy) = (Backend::start("app"), Backend::start("copy"));
    let balancer = mirrored(&app, &copy);
    let mut client = Client::connect(balancer.address);
    let piece = text(100_000);
    client.send(format!(
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{piece}\r\n",
        piece.len()
    ));
    eventually("the copy is under way", || copy.heads() == 1);
    drop(client);
    eventually("the copy is cut", || copy.cut_bodies() == 1);
    assert_eq!(copy.count(), 0);
}
