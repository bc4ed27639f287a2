//! Requests that RFC 9113 or nginx does not let in: the answer, the log, and that no server sees them.

use super::super::support::{Backend, Balancer};
use super::raw::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PROTOCOL_ERROR, RST_STREAM, Raw, block, frame, get,
    request,
};
use super::{http2, logged};

/// What comes of a header: a reset, or an answer with this status.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Reset,
    Status(&'static str),
}

use Fate::{Reset, Status};

fn fate(fields: &[(&str, &str)]) -> Fate {
    const STATUSES: [&str; 6] = ["200", "400", "405", "414", "413", "501"];
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, "large_client_header_buffers 4 1k; max_headers 20;"));
    let mut raw = Raw::connect(balancer.address);
    assert!(raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(fields))));
    let answer = raw.wait_for(|frame| frame.stream == 1 && frame.kind != 8).unwrap();
    let line = logged(&balancer, 1).remove(0);
    let status =
        STATUSES.into_iter().find(|status| line.starts_with(status)).unwrap_or_else(|| panic!("{line}"));
    assert_eq!(backend.heads(), usize::from(status == "200"), "{fields:?}");
    // The connection goes on.
    assert!(raw.send(&get(3, "/")));
    assert!(raw.wait_for(|frame| frame.is(HEADERS, 3)).is_some(), "{fields:?}");
    if answer.kind == RST_STREAM {
        assert_eq!((answer.code(), status), (PROTOCOL_ERROR, "400"));
        balancer.says("client sent a malformed request");
        return Reset;
    }
    Status(status)
}

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    request("GET", "/").iter().chain(more).copied().collect()
}

#[test]
fn malformed_requests() {
    let long = "x".repeat(2000);
    let long_path = format!("/{long}");
    let many: Vec<(&str, &str)> = (0..21).map(|_| ("x-a", "y")).collect();
    let without =
        |name: &str| request("GET", "/").into_iter().filter(|(one, _)| *one != name).collect::<Vec<_>>();
    for (fields, expected) in [
        // Fields of a connection.
        (with(&[("connection", "close")]), Reset),
        (with(&[("keep-alive", "5")]), Reset),
        (with(&[("proxy-connection", "close")]), Reset),
        (with(&[("transfer-encoding", "chunked")]), Reset),
        (with(&[("upgrade", "h2c")]), Reset),
        (with(&[("te", "gzip")]), Reset),
        (with(&[("te", "trailers")]), Status("200")),
        // Pseudo-header fields.
        (without(":method"), Reset),
        (without(":scheme"), Reset),
        (without(":path"), Reset),
        (without(":authority"), Status("400")),
        (with(&[(":path", "/b")]), Reset),
        (with(&[("x-a", "y"), (":path", "/b")]), Reset),
        (with(&[(":status", "200")]), Reset),
        (request("GET", "").to_vec(), Reset),
        (request("GET", "a").to_vec(), Reset),
        (request("GET", "/%zz").to_vec(), Status("400")),
        (request("get", "/").to_vec(), Status("400")),
        (request("TRACE", "/").to_vec(), Status("405")),
        (vec![(":method", "CONNECT"), (":authority", "test:443")], Status("405")),
        (vec![(":method", "CONNECT"), (":authority", "test:443"), (":path", "/")], Reset),
        // Hosts.
        (with(&[("host", "test")]), Status("200")),
        (with(&[("host", "other")]), Status("400")),
        ([without(":authority"), vec![("host", "test")]].concat(), Status("200")),
        ([without(":authority"), vec![("host", "te/st")]].concat(), Status("400")),
        (
            vec![(":method", "GET"), (":scheme", "http"), (":authority", "u@test"), (":path", "/")],
            Status("400"),
        ),
        // Lengths.
        (with(&[("content-length", "1")]), Reset),
        (with(&[("content-length", "0"), ("content-length", "0")]), Status("400")),
        (with(&[("content-length", "0"), ("content-length", "1")]), Reset),
        (with(&[("content-length", "x")]), Reset),
        // Sizes.
        (request("GET", &long_path).to_vec(), Status("414")),
        (with(&[("x-a", &long)]), Status("400")),
        (with(&many), Status("400")),
    ] {
        assert_eq!(fate(&fields), expected, "{fields:?}");
    }
}

#[test]
fn a_body_of_another_length_than_announced() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, ""));
    for body in ["too long", "x"] {
        let mut raw = Raw::connect(balancer.address);
        let fields = with(&[("content-length", "3")]);
        assert!(raw.send(&frame(HEADERS, END_HEADERS, 1, &block(&fields))));
        assert!(raw.send(&frame(DATA, END_STREAM, 1, body.as_bytes())));
        let reset = raw.wait_for(|frame| frame.kind == RST_STREAM).unwrap();
        assert_eq!((reset.stream, reset.code()), (1, PROTOCOL_ERROR));
    }
    assert!(logged(&balancer, 2).iter().all(|line| line.starts_with("400 GET / HTTP/2.0 ")));
    assert_eq!(backend.count(), 0);
}

#[test]
fn what_is_no_frame_ends_the_connection() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, ""));
    for (name, bytes, code) in [
        ("too long a frame", frame(DATA, 0, 1, &vec![0; 20_000]), 6),
        ("data of no stream", frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
        ("data of an idle stream", frame(DATA, 0, 7, b"x"), PROTOCOL_ERROR),
        ("an even stream", frame(HEADERS, 5, 2, &block(&request("GET", "/"))), PROTOCOL_ERROR),
        ("a broken header block", frame(HEADERS, 5, 1, &[0xff; 8]), PROTOCOL_ERROR),
        // The h2 crate reads no further than these.
        ("a name in upper case", frame(HEADERS, 5, 1, &block(&with(&[("X-A", "y")]))), PROTOCOL_ERROR),
        ("a blank in a name", frame(HEADERS, 5, 1, &block(&with(&[("x a", "y")]))), PROTOCOL_ERROR),
        ("a line end in a value", frame(HEADERS, 5, 1, &block(&with(&[("x-a", "y\nz")]))), PROTOCOL_ERROR),
        ("an unknown pseudo-header", frame(HEADERS, 5, 1, &block(&with(&[(":new", "y")]))), PROTOCOL_ERROR),
        ("settings of a wrong length", frame(4, 0, 0, &[0; 5]), PROTOCOL_ERROR),
        ("a window that grows by nothing", frame(8, 0, 0, &[0; 4]), PROTOCOL_ERROR),
        (
            "another frame within a header",
            [frame(HEADERS, 1, 1, &[]), frame(6, 0, 0, &[0; 8])].concat(),
            PROTOCOL_ERROR,
        ),
    ] {
        let mut raw = Raw::connect(balancer.address);
        assert!(raw.send(&bytes));
        let goaway = raw.wait_for(|frame| frame.kind == GOAWAY).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(goaway.code(), code, "{name}");
        assert_eq!(raw.receive(), None, "{name}");
    }
    assert_eq!(backend.heads(), 0);
}
