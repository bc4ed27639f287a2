//! Answers whose end a client could see in another place than the balancer, counted at the servers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::support::{Backend, Balancer, Behaviour, PATIENCE, eventually, get, proxy_to};

/// One GET that keeps the connection, and one that ends it.
const TWO: &str = "GET /1 HTTP/1.1\r\nHost: t\r\n\r\nGET /2 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
const ONE: &str = "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";

/// What a client gets until its connection ends.
fn exchange(address: SocketAddr, requests: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(requests.as_bytes()).unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).unwrap();
    String::from_utf8_lossy(&answers).into_owned()
}

/// A server without probes, so that its connections are the requests' alone, and a balancer before it.
fn one_server() -> (Backend, Balancer) {
    let backend = Backend::start("a");
    let text = proxy_to(&[&backend], "");
    let balancer =
        Balancer::start(&text.replace("upstream backend {", "upstream backend {\n#lb: health_check off;\n"));
    (backend, balancer)
}

/// Puts the answer of a smuggler behind `$head`.
macro_rules! smuggling {
    ($($head:literal)+) => {
        [$(&[concat!("HTTP/1.1 200 OK\r\n", $head, "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL").as_bytes()]),+]
    };
}

#[test]
fn an_answer_whose_framing_can_be_doubted_is_a_502() {
    static ANSWERS: [&[&[u8]]; 13] = smuggling!(
        "Transfer-Encoding: identity"
        "Transfer-Encoding: cow"
        "Transfer-Encoding: "
        "Transfer-Encoding: chunked, gzip"
        "Transfer-Encoding: gzip, chunked"
        "Transfer-Encoding: chunked\r\n , gzip"
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"
        "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked"
        "Content-Length: 2\r\nTransfer-Encoding: identity"
        "Content-Length: 5, 5"
        "Content-Length: 2\r\nContent-Length: 2"
        "Content-Length: 2\r\nContent-Length: 3"
        "Content-Length: +2"
    );
    let (backend, balancer) = one_server();
    for (number, answer) in ANSWERS.iter().enumerate() {
        backend.behave(Behaviour::Pieces(answer));
        let text = String::from_utf8_lossy(answer[0]);
        let received = exchange(balancer.address, ONE);
        assert!(received.starts_with("HTTP/1.1 502 "), "{text}\n{received}");
        assert_eq!(received.matches("HTTP/1.1 ").count(), 1, "{text}\n{received}");
        assert!(!received.contains("EVIL"), "{text}\n{received}");
        assert_eq!((backend.count(), backend.connections()), (number + 1, number + 1), "{text}");
    }
    for words in [
        "[error]",
        r#"upstream sent unknown "Transfer-Encoding": "cow" while reading response header from upstream"#,
        r#"upstream sent unknown "Transfer-Encoding": "" while"#,
        r#"upstream sent unknown "Transfer-Encoding": "chunked , gzip" while"#,
        r#"upstream sent duplicate header line: "Transfer-Encoding: chunked", previous value: "Transfer-Encoding: cow" while"#,
        r#"upstream sent duplicate header line: "Content-Length: 2", previous value: "Content-Length: 2" while"#,
        r#"upstream sent invalid "Content-Length" header: "Content-Length: 5, 5" while"#,
    ] {
        balancer.says(words);
    }
    assert_eq!(
        balancer.metric(r#"lb_responses_generated_total{reason="invalid_answer"}"#),
        ANSWERS.len() as u64
    );
}

#[test]
fn an_answer_that_is_refused_counts_as_a_failure_of_its_server() {
    let (good, bad) = (Backend::start("good"), Backend::start("bad"));
    let balancer = Balancer::start(&proxy_to(&[&bad, &good], "max_fails=1 fail_timeout=30s"));
    bad.behave(Behaviour::Pieces(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: cow\r\n\r\nmoo"]));
    let statuses: Vec<_> = (0..10).map(|_| get(balancer.address, "/").status).collect();
    // As with nginx, `proxy_next_upstream` does not list it: the one request fails.
    assert_eq!(statuses.iter().filter(|status| **status == 502).count(), 1, "{statuses:?}");
    assert_eq!((bad.count(), good.count()), (1, 9));
}

#[test]
fn a_length_or_chunks_pass_and_a_length_beside_chunks_goes() {
    static ANSWERS: [(&[&[u8]], &str); 4] = [
        (&[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"], "hi"),
        (&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n2\r\nhi\r\n0\r\n\r\n"], "2\r\nhi\r\n0\r\n\r\n"),
        (
            &[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"],
            "2\r\nhi\r\n0\r\n\r\n",
        ),
        // Of a version that knows no chunks: read as with nginx, and the connection is not used again.
        (&[b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"], "2\r\nhi\r\n0\r\n\r\n"),
    ];
    let (backend, balancer) = one_server();
    for (answer, body) in ANSWERS {
        backend.behave(Behaviour::Pieces(answer));
        let received = exchange(balancer.address, TWO);
        assert_eq!(received.matches(&format!("\r\n\r\n{body}")).count(), 2, "{received}");
        let lengths = received.to_ascii_lowercase().matches("content-length").count();
        assert_eq!(lengths, if body == "hi" { 2 } else { 0 }, "{received}");
    }
    // The first three kept one connection; the last ended it, and took another.
    assert_eq!(backend.connections(), 2);
}

#[test]
fn chunks_that_cannot_be_read_are_told_from_a_connection_that_closed() {
    static ANSWERS: [(&[&[u8]], &str); 4] = [
        (&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nzz\r\n"], "/size"),
        (&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nhiXX"], "/end"),
        (&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nhi\r\n0\r\n\rX"], "/last"),
        (
            &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"fffffffffffffffff\r\nhi\r\n"],
            "/large",
        ),
    ];
    let (backend, balancer) = one_server();
    for (answer, path) in ANSWERS {
        backend.behave(Behaviour::Pieces(answer));
        let received = exchange(balancer.address, &format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n"));
        assert!(!received.ends_with("0\r\n\r\n"), "{path} ends whole: {received}");
        let line = |log: &str| {
            log.lines().any(|line| {
                line.contains("upstream sent invalid chunked response while reading upstream")
                    && line.contains(&format!("\"GET {path} HTTP/1.1\""))
            })
        };
        eventually(&format!("a line for {path}"), || line(&balancer.log()));
    }
    assert!(!balancer.log().contains("prematurely closed"), "{}", balancer.log());
}

#[test]
fn what_follows_an_answer_reaches_no_client() {
    static ANSWERS: [(&str, &[&[u8]], &str); 5] = [
        ("GET", &[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"], "hi"),
        (
            "GET",
            &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"],
            "2\r\nhi\r\n0\r\n\r\n",
        ),
        ("GET", &[b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"], ""),
        ("GET", &[b"HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"], ""),
        ("HEAD", &[b"HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"], ""),
    ];
    let (backend, balancer) = one_server();
    let mut requests = 0;
    for (method, answer, body) in ANSWERS {
        backend.behave(Behaviour::Pieces(answer));
        let received = exchange(balancer.address, &TWO.replace("GET", method));
        assert_eq!(received.matches("HTTP/1.1 ").count(), 2, "{received}");
        assert!(!received.contains("EVIL") && received.ends_with(&format!("\r\n\r\n{body}")), "{received}");
        requests += 2;
        // Each request had a connection of its own: none was kept.
        assert_eq!((backend.count(), backend.connections()), (requests, requests), "{received}");
    }
}

#[test]
fn what_a_server_sends_on_an_idle_connection_reaches_no_client() {
    let (backend, balancer) = one_server();
    backend.behave(Behaviour::Pieces(&[
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    ]));
    for number in 1..4 {
        assert_eq!(get(balancer.address, "/").body, "hi");
        eventually("the connection is closed", || backend.ended() == number);
    }
    assert_eq!((backend.count(), backend.connections()), (3, 3));
}

/// What Pingora's parser decides.
#[test]
fn an_answer_that_is_not_http_is_a_502() {
    static HEADS: [&[&[u8]]; 28] = [
        &[b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"],
        &[b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1\t200 OK\r\nContent-Length: 0\r\n\r\n"],
        &[b" HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n"],
        &[b"ICY 200 OK\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\nX(A): 1\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\nX A: 1\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\nX\0A: 1\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\nX-\xe4: 1\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\n: 1\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\nX-None\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\n X: 1\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"],
        &[b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n 1\r\n\r\n"],
    ];
    let (backend, balancer) = one_server();
    for head in HEADS {
        backend.behave(Behaviour::Pieces(head));
        let received = exchange(balancer.address, ONE);
        assert!(
            received.starts_with("HTTP/1.1 502 ") && received.matches("HTTP/1.1 ").count() == 1,
            "{}\n{received}",
            head[0].escape_ascii()
        );
    }
    assert_eq!(backend.count(), HEADS.len());
    balancer.says("upstream sent invalid header while reading response header from upstream");
}

/// What Pingora's parser puts right.
#[test]
fn white_space_around_a_field_does_not_reach_the_client() {
    static HEADS: [(&[&[u8]], &str); 4] = [
        (&[b"HTTP/1.1 200 OK\r\nX-A : 1\r\nContent-Length: 0\r\n\r\n"], "\r\nX-A: 1\r\n"),
        (&[b"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n"], "\r\nX-A: 1 2\r\n"),
        (&[b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"], "\r\nContent-Length: 0\r\n"),
        (
            &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"],
            "\r\nTransfer-Encoding: chunked\r\n",
        ),
    ];
    let (backend, balancer) = one_server();
    for (head, line) in HEADS {
        backend.behave(Behaviour::Pieces(head));
        let received = exchange(balancer.address, ONE);
        assert!(received.starts_with("HTTP/1.1 200 ") && received.contains(line), "{received}");
    }
}

#[test]
fn an_answer_without_a_body_says_of_none() {
    static ANSWERS: [(&str, &[&[u8]], &str); 8] = [
        ("GET", &[b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"], ""),
        ("GET", &[b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"], ""),
        ("HEAD", &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"], ""),
        ("GET", &[b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"], ""),
        ("GET", &[b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"], "content-length: 0\r\n"),
        ("GET", &[b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"], "content-length: 5\r\n"),
        ("HEAD", &[b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"], "content-length: 5\r\n"),
        ("HEAD", &[b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"], ""),
    ];
    let (backend, balancer) = one_server();
    for (method, answer, kept) in ANSWERS {
        backend.behave(Behaviour::Pieces(answer));
        for version in ["1.1", "1.0"] {
            let requests = TWO
                .replace("GET", method)
                .replace("HTTP/1.1", &format!("HTTP/{version}"))
                .replacen("Host: t\r\n", "Host: t\r\nConnection: keep-alive\r\n", 1);
            let received = exchange(balancer.address, &requests).to_ascii_lowercase();
            // The connection is kept for the second request, by a client of HTTP/1.0 too.
            assert_eq!(received.matches("http/1.1 ").count(), 2, "{requests}{received}");
            assert!(!received.contains("transfer-encoding"), "{received}");
            let lengths = received.matches("content-length: ").count();
            assert_eq!(lengths, if kept.is_empty() { 0 } else { 2 }, "{received}");
            assert!(received.contains(kept), "{received}");
        }
    }
    assert_eq!((backend.count(), backend.connections()), (4 * ANSWERS.len(), 1));
}

#[test]
fn a_101_that_nobody_asked_for_is_a_502() {
    static SWITCHED: &[&[u8]] = &[
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    ];
    static BARE: &[&[u8]] = &[b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 4\r\n\r\nEVIL"];
    static OLD: &[&[u8]] = &[b"HTTP/1.0 101 Switching Protocols\r\n\r\nEVIL"];
    let websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let (backend, balancer) = one_server();
    let mut requests = 0;
    for (fields, answer) in [
        ("X: y", SWITCHED),
        ("X: y", BARE),
        ("Connection: Upgrade", SWITCHED),
        (websocket, OLD),
        // The server was not told: only WebSocket passes.
        ("Connection: Upgrade\r\nUpgrade: x", SWITCHED),
    ] {
        backend.behave(Behaviour::Pieces(answer));
        for version in ["1.1", "1.0"] {
            let request = format!("GET / HTTP/{version}\r\nHost: t\r\n{fields}\r\n\r\n");
            let received = exchange(balancer.address, &request);
            assert!(received.starts_with("HTTP/1.1 502 "), "{request}{received}");
            assert_eq!(received.matches("HTTP/1.1 ").count(), 1, "{request}{received}");
            requests += 1;
            assert_eq!(backend.count(), requests, "{request}");
        }
    }
    balancer.says("upstream sent invalid header: 101 to a request that asked for no upgrade while reading");
}

#[test]
fn a_101_that_was_asked_for_has_no_framing() {
    let (backend, balancer) = one_server();
    backend.behave(Behaviour::Pieces(&[
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 1\r\n\
          Transfer-Encoding: chunked\r\n\r\nhello",
    ]));
    let mut stream = TcpStream::connect(balancer.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(
            b"GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\nhello") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1);
        received.push(byte[0]);
    }
    let received = String::from_utf8_lossy(&received).to_ascii_lowercase();
    assert!(received.starts_with("http/1.1 101 "), "{received}");
    assert!(!received.contains("transfer-encoding") && !received.contains("content-length"), "{received}");
}

#[test]
fn interim_answers_are_read_over() {
    static ANSWERS: [&[&[u8]]; 5] = [
        &[b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"],
        &[b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"],
        &[b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"],
        &[b"HTTP/1.1 103 E\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"],
        &[b"HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"],
    ];
    let (backend, balancer) = one_server();
    for answer in ANSWERS {
        backend.behave(Behaviour::Pieces(answer));
        for request in [
            ONE,
            "GET / HTTP/1.0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
        ] {
            let received = exchange(balancer.address, request);
            assert!(received.starts_with("HTTP/1.1 200 ") && received.ends_with("\r\n\r\nhi"), "{received}");
            assert_eq!(received.matches("HTTP/1.1 ").count(), 1, "{request}{received}");
        }
        // Our own 100, and no other.
        let expecting = "POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi";
        let received = exchange(balancer.address, expecting);
        assert!(received.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "), "{received}");
        assert_eq!(received.matches("HTTP/1.1 ").count(), 2, "{received}");
    }
    assert_eq!((backend.count(), backend.connections()), (4 * ANSWERS.len(), 1));
}
