//! `lb healthcheck` against servers that answer, refuse, hang, trickle and talk nonsense.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use lb::healthcheck::{HealthcheckError, TIMEOUT, ask};

/// Serves one connection with `serve`, which gets the request's text.
fn server(serve: impl FnOnce(TcpStream, String) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the request ends early");
            request.extend_from_slice(&buffer[..count]);
        }
        serve(stream, String::from_utf8(request).unwrap());
    });
    address
}

fn answering(answer: &'static str) -> SocketAddr {
    server(move |mut stream, _| stream.write_all(answer.as_bytes()).unwrap())
}

#[test]
fn only_2xx_is_healthy() {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Ok(200)),
        ("HTTP/1.1 204 No Content\r\n\r\n", Ok(204)),
        ("HTTP/1.1 301 Moved Permanently\r\n\r\n", Err(301)),
        ("HTTP/1.0 503 Service Unavailable\r\n\r\n", Err(503)),
    ] {
        let url = format!("http://{}/healthz", answering(answer));
        match (ask(&url, TIMEOUT), expected) {
            (Ok(status), Ok(expected)) => assert_eq!(status, expected),
            (Err(HealthcheckError::Status { status, .. }), Err(expected)) => assert_eq!(status, expected),
            (result, expected) => panic!("{answer:?}: {result:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn the_request_is_one_that_every_server_takes() {
    let (send, receive) = std::sync::mpsc::channel();
    let address = server(move |mut stream, request| {
        send.send(request).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    });
    ask(&format!("http://{address}/a?b=c"), TIMEOUT).unwrap();
    let request = receive.recv().unwrap();
    assert!(request.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("\r\nHost: {address}\r\n")), "{request}");
    assert!(request.contains("\r\nConnection: close\r\n"), "{request}");
}

#[test]
fn nobody_there_is_said_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = ask(&format!("http://{address}/"), TIMEOUT).unwrap_err();
    assert!(matches!(error, HealthcheckError::Connect { .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!("{address} cannot be reached: ")), "{error}");
}

#[test]
fn silence_and_a_trickle_end_at_the_deadline() {
    let silent = server(|stream, _| {
        let _ = (&stream).read(&mut [0]);
    });
    let trickling = server(|mut stream, _| {
        while stream.write_all(b"H").is_ok() {
            thread::sleep(Duration::from_millis(150));
        }
    });
    for address in [silent, trickling] {
        let before = Instant::now();
        let error = ask(&format!("http://{address}/"), Duration::from_millis(400)).unwrap_err();
        let took = before.elapsed();
        assert!(error.to_string().ends_with("timed out"), "{error}");
        assert!((Duration::from_millis(350)..Duration::from_secs(3)).contains(&took), "{took:?}");
    }
}

#[test]
fn what_is_no_http_is_not_healthy() {
    let error = ask(&format!("http://{}/", answering("SSH-2.0-OpenSSH\r\n")), TIMEOUT).unwrap_err();
    assert!(matches!(error, HealthcheckError::NotHttp(_)), "{error:?}");
    let closing = server(|stream, _| drop(stream));
    let error = ask(&format!("http://{closing}/"), TIMEOUT).unwrap_err();
    assert!(matches!(error, HealthcheckError::Answer { .. }), "{error:?}");
    let error = ask("https://localhost/", TIMEOUT).unwrap_err();
    assert!(matches!(error, HealthcheckError::Url(_)), "{error:?}");
}
