//! HTTP/2 to clients, with prior knowledge.

pub(super) mod client;
mod floods;
mod hygiene;
mod lifetimes;
mod over_tls;
mod random;
mod raw;

use h2::client::Builder;
use http::Request;

use self::client::{Http2Client, get, post};
use super::support::{Backend, Balancer, Behaviour, Client, Framing, eventually, text};

/// A server that proxies everything to `backend`, with HTTP/2.
fn http2(backend: &Backend, settings: &str) -> String {
    format!(
        "log_format seen '$status $request $server_protocol $http2 $connection_requests $body_bytes_sent \
         $request_length'; 
         server {{ listen LISTEN; http2 on; access_log access.log seen; {settings}

         location / {{ proxy_pass http://{}; proxy_set_header X-Http2 $http2; }} }}",
        backend.address
    )
}

/// The access log, once it has so many lines.
fn logged(balancer: &Balancer, lines: usize) -> Vec<String> {
    let read = || std::fs::read_to_string(balancer.path("access.log")).unwrap_or_default();
    eventually(&format!("{lines} lines in the access log: {}", read()), || read().lines().count() >= lines);
    read().lines().map(str::to_owned).collect()
}

#[test]
fn requests_go_to_a_server_of_http_1() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, ""));
    let mut client = Http2Client::connect(balancer.address);
    let answer = client.get("/a?b=c");
    assert_eq!((answer.status, answer.body.as_str()), (200, "one"));
    assert_eq!(answer.headers.get("connection"), None);
    let request = Request::get("http://test/cookies").header("cookie", "a=1").header("cookie", "b=2");
    let exchange = client.begin(request.body(()).unwrap(), false);
    assert_eq!(client.finish(exchange).unwrap().answer.status, 200);

    let seen = backend.seen();
    assert_eq!(seen[0].line, "GET /a?b=c HTTP/1.1");
    assert_eq!(seen[0].headers["host"], backend.address.to_string());
    assert_eq!(seen[0].headers["x-http2"], "h2c");
    assert_eq!(seen[1].headers["cookie"], "a=1; b=2");
    let log = logged(&balancer, 2);
    assert!(log[0].starts_with("200 GET /a?b=c HTTP/2.0 HTTP/2.0 h2c 1 3 "), "{log:?}");
    assert!(log[1].contains(" HTTP/2.0 h2c 2 3 "), "{log:?}");
}

#[test]
fn bodies_go_both_ways_whatever_their_framing() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, "client_max_body_size 0;"));
    let mut client = Http2Client::connect(balancer.address);
    let body = text(200_000);
    for (length, bytes, piece) in [
        (false, 10, 10),
        (true, 10, 3),
        (false, 70_000, 9000),
        (true, 200_000, 16384),
        (false, 200_000, 100_000),
    ] {
        let mut request = Request::post("http://test/up");
        if length {
            request = request.header("content-length", bytes);
        }
        let whole = client.post(request.body(()).unwrap(), &body.as_bytes()[..bytes], piece).unwrap();
        assert_eq!(whole.answer.status, 200, "{bytes} bytes");
        let seen = backend.seen();
        let last = seen.last().unwrap();
        assert!(
            last.body == body.as_bytes()[..bytes],
            "{bytes} bytes, length {length}: {} {:?}",
            last.body.len(),
            seen.iter().map(|one| (&one.line, one.body.len())).collect::<Vec<_>>()
        );
        assert_eq!(last.headers.contains_key("content-length"), length, "{bytes} bytes");
    }
    for framing in [Framing::Length, Framing::Chunks(&[7, 4000, 65_536]), Framing::Close] {
        backend.behave(Behaviour::Large(1_000_000, framing));
        assert!(client.get("/down").body == text(1_000_000), "{framing:?}");
    }
}

#[test]
fn an_answer_is_larger_than_the_window_and_others_go_on_beside_it() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, "location /own { return 200 own; }"));
    let mut options = Builder::new();
    options.initial_window_size(20_000);
    let mut client = Http2Client::connect_with(balancer.address, &options);
    backend.behave(Behaviour::Large(1_000_000, Framing::Length));
    let stalled = client.begin(get("/down"), false);
    let head = client.within(stalled.answer).unwrap();
    let mut body = head.into_body();
    let mut read = client.within(client::read(&mut body, 10_000)).unwrap();
    assert_eq!(client.get("/own").body, "own");
    read.extend(client.within(client::read(&mut body, usize::MAX)).unwrap());
    assert!(read == text(1_000_000).as_bytes());
}

#[test]
fn http_1_is_spoken_beside_it() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, ""));
    let mut client = Client::connect(balancer.address);
    // As long as it might be the preface, nobody knows.
    client.send("P");
    client.send("OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
    assert_eq!(client.receive().unwrap().body, "one");
    assert_eq!(client.get("/").unwrap().body, "one");
    assert!(logged(&balancer, 2)[1].starts_with("200 GET / HTTP/1.1 HTTP/1.1  2"));
}

#[test]
fn without_http2_the_preface_is_an_invalid_request() {
    let balancer = Balancer::start("server { listen LISTEN; return 200 ok; }");
    let mut client = Client::connect(balancer.address);
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(client.receive().unwrap().status, 400);
}

#[test]
fn the_older_word_in_listen_does_the_same() {
    let balancer = Balancer::start("server { listen LISTEN http2; return 200 ok; }");
    assert_eq!(Http2Client::connect(balancer.address).get("/").body, "ok");
    balancer.says("the \"listen ... http2\" directive is deprecated, use the \"http2\" directive instead");
}

#[test]
fn a_body_that_is_too_large_is_refused_while_it_comes() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, "client_max_body_size 100k;"));
    let mut client = Http2Client::connect(balancer.address);
    // Its length is told: no server is asked.
    let announced = Request::post("http://test/").header("content-length", 200_000).body(()).unwrap();
    let exchange = client.begin(announced, true);
    assert_eq!(client.finish(exchange).unwrap().answer.status, 413);
    assert_eq!(backend.heads(), 0);
    let mut exchange = client.begin(post("/"), true);
    for _ in 0..20 {
        // The answer may have come in between.
        let _ = client.send(&mut exchange, &[b'x'; 10_000]);
    }
    assert_eq!(client.finish(exchange).unwrap().answer.status, 413);
    eventually("the server's request ended in the midst", || backend.cut_bodies() == 1);
    assert_eq!(client.get("/").body, "one");
}
