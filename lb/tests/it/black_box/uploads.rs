//! Uploads: a client that pauses costs nobody a server, and every body arrives whole.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use super::support::{Backend, Balancer, Client, get, proxy_to, text};

/// Servers' time runs out long before the client's.
const TIMES: &str = "proxy_read_timeout 200ms; client_body_timeout 900ms;\n";

fn ejections(balancer: &Balancer, server: SocketAddr) -> u64 {
    balancer.metric(&format!("lb_upstream_ejections_total{{upstream=\"backend\",server=\"{server}\"}}"))
}

/// Sends `begun` and no more. Says what the client gets; meanwhile others are served.
fn stall(balancer: &Balancer, begun: &[u8]) -> u16 {
    let mut client = Client::connect(balancer.address);
    client.send(begun);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(600) {
        assert_eq!(get(balancer.address, "/other").status, 200);
        thread::sleep(Duration::from_millis(20));
    }
    client.receive().unwrap().status
}

#[test]
fn a_client_that_pauses_in_its_upload_takes_no_server_out() {
    let large =
        [&b"POST /stalled HTTP/1.1\r\nHost: t\r\nContent-Length: 200000\r\n\r\n"[..], &[b'x'; 100_000]]
            .concat();
    let outgrown = [
        &b"POST /stalled HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n"[..],
        &[b'x'; 100_000],
        b"\r\n5\r\nab",
    ]
    .concat();
    for (name, begun, reaches_a_server) in [
        ("announced", &b"GET /stalled HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n"[..], false),
        ("begun", b"PUT /stalled HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n01234", false),
        (
            "in chunks",
            b"PUT /stalled HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            false,
        ),
        ("more than is kept", &large, true),
        ("more than is kept, in chunks", &outgrown, true),
    ] {
        let backends: Vec<_> = ["a", "b", "c", "d"].map(Backend::start).into();
        let all: Vec<_> = backends.iter().collect();
        let balancer = Balancer::start(&format!("{TIMES}{}", proxy_to(&all, "max_fails=1 fail_timeout=30s")));
        assert_eq!(stall(&balancer, begun), 408, "{name}");
        for backend in &backends {
            assert_eq!(ejections(&balancer, backend.address), 0, "{name}");
            assert!(backend.count() > 0, "{name}: every server has its part of the others");
        }
        // A server that waits for the rest of a body has not seen the request whole, and is not counted.
        let seen = backends.iter().flat_map(|backend| backend.seen());
        assert_eq!(seen.filter(|seen| seen.line.contains("/stalled")).count(), 0, "{name}");
        let connections: usize = backends.iter().map(Backend::connections).sum();
        assert!(reaches_a_server || connections > 0);
        assert_eq!(balancer.metric("lb_responses_generated_total{reason=\"client_timeout\"}"), 1, "{name}");
    }
}

/// A server that closes on a request with a body, once its header is there, and answers any other.
fn closes_on_uploads() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                if head.starts_with(b"GET") {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                }
            });
        }
    });
    address
}

#[test]
fn a_server_that_closes_on_a_stalled_upload_is_not_held_to_blame() {
    let servers = [closes_on_uploads(), closes_on_uploads()];
    let balancer = Balancer::start(&format!(
        "{TIMES} upstream backend {{ server {} fail_timeout=30s; server {} fail_timeout=30s; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://backend; }} }}",
        servers[0], servers[1]
    ));
    let begun =
        [&b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 200000\r\n\r\n"[..], &[b'x'; 10_000]].concat();
    let mut client = Client::connect(balancer.address);
    client.send(begun);
    assert_eq!(client.receive().unwrap().status, 502);
    for server in servers {
        assert_eq!(ejections(&balancer, server), 0);
    }
    assert_eq!(get(balancer.address, "/").status, 200);
}

#[test]
fn a_silent_server_is_still_to_blame_once_the_body_is_there() {
    let (good, silent) = (Backend::start("good"), Backend::start("silent"));
    silent.behave(super::support::Behaviour::Hang);
    let balancer =
        Balancer::start(&format!("{TIMES}{}", proxy_to(&[&silent, &good], "max_fails=1 fail_timeout=30s")));
    for _ in 0..2 {
        let mut client = Client::connect(balancer.address);
        client.send("PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(client.receive().unwrap().body, "good");
    }
    assert_eq!((silent.count(), ejections(&balancer, silent.address)), (1, 1));
}

#[test]
fn bodies_of_every_length_and_framing_arrive_whole() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let kept = 64 * 1024;
    let mut sent = 0;
    for bytes in [0, 1, 1000, kept - 1, kept, kept + 1, 3 * kept, 10 * kept] {
        for chunk in [None, Some(7), Some(30_000), Some(kept), Some(200_000)] {
            if chunk.is_some_and(|chunk| bytes / chunk > 2000) {
                continue;
            }
            let body = text(bytes);
            let mut client = Client::connect(balancer.address);
            match chunk {
                None => {
                    client.send(format!("PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: {bytes}\r\n\r\n{body}"))
                }
                Some(chunk) => {
                    let mut request =
                        String::from("PUT / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
                    for piece in body.as_bytes().chunks(chunk) {
                        request +=
                            &format!("{:x}\r\n{}\r\n", piece.len(), std::str::from_utf8(piece).unwrap());
                    }
                    client.send(request + "0\r\n\r\n");
                }
            }
            assert_eq!(client.receive().unwrap().status, 200, "{bytes} bytes, chunks {chunk:?}");
            sent += 1;
            let seen = backend.seen();
            assert_eq!(seen.len(), sent);
            assert!(seen[sent - 1].body == body.as_bytes(), "{bytes} bytes, chunks {chunk:?}");
            assert_eq!(client.get("/").unwrap().status, 200, "the connection goes on");
            sent += 1;
        }
    }
}

#[test]
fn a_body_in_chunks_that_was_read_ahead_goes_to_another_server_whole() {
    let (good, dead) = (Backend::start("good"), Backend::start("dead"));
    let balancer = Balancer::start(&format!(
        "upstream backend {{ server {} max_fails=0; server {} max_fails=0; #lb: health_check off;\n }}
         server {{ listen LISTEN; location / {{ proxy_pass http://backend; }} }}",
        dead.address, good.address
    ));
    dead.kill();
    for bytes in [1000, 60_000, 200_000] {
        let body = text(bytes);
        for _ in 0..2 {
            let mut client = Client::connect(balancer.address);
            client.send(format!(
                "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n{body}\r\n0\r\n\r\n"
            ));
            assert_eq!(client.receive().unwrap().status, 200, "{bytes}");
        }
        assert!(good.seen().iter().rev().take(2).all(|seen| seen.body == body.as_bytes()));
    }
}

#[test]
fn a_body_is_streamed_where_the_configuration_says_so() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&format!("proxy_request_buffering off;\n{}", proxy_to(&[&backend], "")));
    let mut client = Client::connect(balancer.address);
    client.send("PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nab");
    super::support::eventually("the server has the beginning", || backend.heads() == 1);
    client.send("cd");
    assert_eq!(client.receive().unwrap().status, 200);
    assert_eq!(backend.seen()[0].body, b"abcd");
}
