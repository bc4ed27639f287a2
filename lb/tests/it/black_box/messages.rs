//! What passes without any setting, and what the log shows of it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::support::{Backend, Balancer, Client, PATIENCE, eventually, get};
use super::tls_support::Authority;

/// A server that gives its one connection to `serve` once a header was read.
fn scripted(serve: impl FnOnce(TcpStream, String) + Send + 'static) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read(&mut byte) {
                    Ok(1) => head.push(byte[0]),
                    _ => break,
                }
            }
            // A probe connects and leaves.
            if !head.is_empty() {
                serve(stream, String::from_utf8_lossy(&head).into_owned());
                return;
            }
        }
    });
    address
}

fn proxy(address: std::net::SocketAddr) -> String {
    format!("server {{ listen LISTEN; location / {{ proxy_pass http://{address}; }} }}")
}

#[test]
fn a_websocket_passes_both_ways() {
    let address = scripted(|mut stream, head| {
        assert!(head.to_ascii_lowercase().contains("upgrade: websocket"), "{head}");
        stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            )
            .unwrap();
        let mut heard = [0; 4];
        while stream.read_exact(&mut heard).is_ok() {
            stream.write_all(&heard.map(|byte| byte.to_ascii_uppercase())).unwrap();
        }
    });
    let balancer = Balancer::start(&proxy(address));
    let mut stream = upgrade(&balancer);
    for word in [b"ping", b"pong"] {
        stream.write_all(word).unwrap();
        let mut heard = [0; 4];
        stream.read_exact(&mut heard).unwrap();
        assert_eq!(heard, word.to_ascii_uppercase()[..]);
    }
}

/// Asks for a WebSocket and returns the connection behind the 101.
fn upgrade(balancer: &Balancer) -> TcpStream {
    let mut stream = TcpStream::connect(balancer.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(
            b"GET /ws HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: \
              dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        )
        .unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream
}

const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

#[test]
fn a_websocket_that_breaks_is_neither_tried_again_nor_answered_nor_held_against_its_server() {
    let other = Backend::start("other");
    for silent in [false, true] {
        let address = scripted(move |mut stream, _| {
            stream.write_all(SWITCHING).unwrap();
            if silent {
                thread::sleep(Duration::from_secs(2));
            }
        });
        // The scripted server is the one primary, so that a second try would go to the other one.
        let balancer = Balancer::start(&format!(
            "proxy_read_timeout 300ms;
             upstream u {{ server {address} fail_timeout=30s; server {} backup; #lb: health_check off;\n }}
             server {{ listen LISTEN; location / {{ proxy_pass http://u; }} }}",
            other.address
        ));
        let mut stream = upgrade(&balancer);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(String::from_utf8_lossy(&rest), "", "nothing is written into a broken tunnel");
        assert_eq!(other.count(), 0, "silent: {silent}");
        let ejected = format!("lb_upstream_ejections_total{{upstream=\"u\",server=\"{address}\"}}");
        assert_eq!(balancer.metric(&ejected), 0, "silent: {silent}");
        assert_eq!(get(balancer.admin, "/healthz").status, 200);
    }
}

#[test]
fn a_websocket_is_no_request_body() {
    let address = scripted(|mut stream, _| {
        stream.write_all(SWITCHING).unwrap();
        let mut all = vec![0; 100_000];
        stream.read_exact(&mut all).unwrap();
        // Longer than a client of HTTP may be silent here.
        thread::sleep(Duration::from_millis(800));
        stream.write_all(b"done").unwrap();
    });
    let balancer =
        Balancer::start(&format!("client_max_body_size 1k; client_body_timeout 300ms;\n{}", proxy(address)));
    let mut stream = upgrade(&balancer);
    stream.write_all(&vec![7; 100_000]).unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"done");
}

#[test]
fn events_arrive_as_they_are_sent_and_the_servers_end_is_noticed() {
    let (hang_up, hung_up) = std::sync::mpsc::channel();
    let (hear, heard) = std::sync::mpsc::channel();
    let address = scripted(move |mut stream, _| {
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            )
            .unwrap();
        for _ in 0..5 {
            stream.write_all(b"9\r\ndata: x\n\n\r\n").unwrap();
            // The next is sent when the client has this one: it waits for no other.
            heard.recv_timeout(PATIENCE).expect("the client hears it");
        }
        // The client leaves: the connection to us ends too.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        hang_up.send(()).unwrap();
    });
    let balancer = Balancer::start(&proxy(address));
    let mut stream = TcpStream::connect(balancer.address).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: t\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 1024]);
    for event in 1..=5 {
        while text.matches("data: x\n\n").count() < event {
            let bytes = stream.read(&mut buffer).expect("an event is passed on before the next comes");
            assert!(bytes > 0);
            text.push_str(&String::from_utf8_lossy(&buffer[..bytes]));
        }
        hear.send(()).unwrap();
    }
    drop(stream);
    hung_up.recv_timeout(PATIENCE).expect("the server hears that the client left");
}

#[test]
fn an_http_1_0_client_gets_a_body_without_chunks() {
    let address = scripted(|mut stream, _| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            .unwrap();
    });
    let balancer = Balancer::start(&proxy(address));
    let mut stream = TcpStream::connect(balancer.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
    assert_eq!(body, "hello");
}

#[test]
fn the_log_shows_every_try_with_address_status_and_times() {
    let (dead, good) = (Backend::start("dead"), Backend::start("good"));
    let http = |log: &str| {
        format!(
            "log_format tries '$request|$status|$upstream_addr|$upstream_status|$upstream_response_time|$upstream_connect_time|$http_x_q|$request_length';
             upstream backend {{ server {} max_fails=0; server {}; #lb: health_check off;\n }}
             server {{ listen LISTEN; {log} location / {{ proxy_pass http://backend; }} }}",
            dead.address, good.address
        )
    };
    let balancer = Balancer::start(&http("access_log access.log tries;"));
    let (dead_address, good_address) = (dead.address, good.address);
    dead.kill();
    let mut client = Client::connect(balancer.address);
    client.send("GET /x?y=1 HTTP/1.1\r\nHost: t\r\nX-Q: \"quoted\"\r\n\r\n");
    assert_eq!(client.receive().unwrap().body, "good");
    let log = balancer.path("access.log");
    eventually("the line is written", || {
        std::fs::read_to_string(&log).is_ok_and(|text| text.ends_with('\n'))
    });
    let line = std::fs::read_to_string(&log).unwrap();
    let fields: Vec<_> = line.trim_end().split('|').collect();
    assert_eq!(fields[..2], ["GET /x?y=1 HTTP/1.1", "200"]);
    assert_eq!(fields[2], format!("{dead_address}, {good_address}"));
    assert_eq!(fields[3], "502, 200");
    assert_eq!(fields[4].matches('.').count(), 2, "{line}");
    assert!(fields[5].starts_with("-, 0."), "{line}");
    assert_eq!(fields[6], r"\x22quoted\x22");
    assert_eq!(fields[7], "47");
    balancer.says(&format!(
        "connect() failed (111: Connection refused) while connecting to upstream, client: 127.0.0.1, server: , \
         request: \"GET /x?y=1 HTTP/1.1\", upstream: \"http://{dead_address}/x?y=1\", host: \"t\""
    ));
}

#[test]
fn what_is_malformed_is_refused_by_us_logged_and_counted() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&format!(
        "log_format short '$status \"$request\"'; server {{ listen LISTEN; access_log access.log short; location / {{ proxy_pass http://{}; }} }}",
        backend.address
    ));
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ] {
        let mut client = Client::connect(balancer.address);
        client.send(request);
        let answer = client.receive().expect("an answer");
        assert_eq!(answer.status, status, "{request:?}");
        assert!(answer.headers["server"].starts_with("cirque"), "{request:?}");
    }
    assert_eq!(backend.count(), 0);
    assert_eq!(balancer.metric("lb_http_requests_refused_total"), 5);
    let log = balancer.path("access.log");
    eventually("all are logged", || std::fs::read_to_string(&log).unwrap_or_default().lines().count() == 5);
    assert!(std::fs::read_to_string(&log).unwrap().contains("405 \"TRACE / HTTP/1.1\""));
}

#[test]
fn a_client_that_expects_100_continue_gets_exactly_one() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&proxy(backend.address));
    let mut client = Client::connect(balancer.address);
    client.send("POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(client.receive().unwrap().status, 100);
    client.send("hi");
    assert_eq!(client.receive().unwrap().status, 200);
    assert!(!backend.seen()[0].headers.contains_key("expect"));
}

#[test]
fn the_metrics_page_has_the_frozen_names() {
    let backend = Backend::start("a");
    let folder = tempfile::tempdir().unwrap();
    let certificate = Authority::new("test").issue(&["tls"]).write(folder.path(), "tls");
    let tls = format!("server {{ listen LISTEN; server_name tls; {certificate} }}");
    let balancer = Balancer::start(&format!("{}\n{tls}", proxy(backend.address)));
    get(balancer.address, "/");
    let page = get(balancer.admin, "/metrics").body;
    let mut names: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    names.retain(|name| name.starts_with("lb_"));
    names.sort_unstable();
    assert_eq!(names, include_str!("metric_names.txt").lines().collect::<Vec<_>>());
}

#[test]
fn names_go_out_as_the_configuration_writes_them() {
    let address = scripted(|mut stream, head| {
        for name in
            ["\r\nX-Real-IP: ", "\r\nx-MiXed: ", "\r\nHost: ", "\r\nX-forWarded-For: ", "\r\nuser-AGENT: "]
        {
            assert!(head.contains(name), "{name:?} in {head}");
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-FROM-Server: 1\r\n\r\n").unwrap();
    });
    let balancer = Balancer::start(&format!(
        "proxy_set_header X-Real-IP $remote_addr; proxy_set_header x-MiXed 1; keepalive_timeout 75s 7s;
         proxy_set_header X-forWarded-For $proxy_add_x_forwarded_for; add_header ETag-Like 1 always; add_header x-LOW-Up $host;
         server {{ listen LISTEN; location / {{ proxy_pass http://{address}; }} location /r {{ return 301 /x; }} }}"
    ));
    let head_of = |path: &str| {
        let mut stream = TcpStream::connect(balancer.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: t\r\nuser-AGENT: a\r\n\r\n").unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        head.lines().filter_map(|line| Some(line.split_once(": ")?.0.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(
        head_of("/r"),
        [
            "Server",
            "Content-Type",
            "Content-Length",
            "Location",
            "Keep-Alive",
            "ETag-Like",
            "x-LOW-Up",
            "Date",
            "Connection"
        ]
    );
    let mut passed = head_of("/");
    passed.sort();
    assert_eq!(
        passed,
        [
            "Connection",
            "Content-Length",
            "Date",
            "ETag-Like",
            "Keep-Alive",
            "Server",
            "x-FROM-Server",
            "x-LOW-Up"
        ]
    );
}

/// A server whose every answer asks for an internal redirect.
fn redirecting(requests: usize) -> std::net::SocketAddr {
    scripted(move |mut stream, _| {
        for _ in 0..requests {
            let answer = b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /files/x\r\nContent-Length: 4\r\n\r\nbody";
            stream.write_all(answer).unwrap();
        }
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

#[test]
fn an_internal_redirect_that_a_server_asks_for_is_followed_unless_ignored() {
    let backend = redirecting(1);
    let balancer = Balancer::start(&format!(
        "server {{ listen LISTEN; location / {{ proxy_pass http://{backend}; }}
         location /files {{ internal; return 200 $uri; }} }}"
    ));
    let answer = get(balancer.address, "/");
    assert_eq!((answer.status, answer.body.as_str()), (200, "/files/x"));
    assert_eq!(get(balancer.address, "/files/x").status, 404);
    let ignoring = Balancer::start(&format!(
        "proxy_ignore_headers Expires x-accel-redirect;\n{}",
        proxy(redirecting(1))
    ));
    let answer = get(ignoring.address, "/");
    assert_eq!((answer.status, answer.body.as_str()), (200, "body"));
    assert!(!answer.headers.contains_key("x-accel-redirect"));
}
