//! Clients that cost much and ask for little: the connection ends with the right code, memory and work stay bounded, and
//! others are served meanwhile.

use super::super::support::{Backend, Balancer, Behaviour, eventually, get as http1_get};
use super::http2;
use super::raw::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, INTERNAL_ERROR, PING, PRIORITY,
    REFUSED_STREAM, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, block, frame, get, post, request,
};

/// What one client may make the process grow by.
const MOST_GROWTH_KIB: u64 = 48 * 1024;

/// The memory of the process.
fn resident_kib(balancer: &Balancer) -> u64 {
    let pid = std::fs::read_to_string(balancer.path("lb.pid")).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Floods, and checks what has to hold of every flood.
fn flood(name: &str, most: usize, setup: &[u8], next: impl FnMut(usize) -> Vec<u8>) -> (Backend, usize) {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, "location /own { return 200 own; }"));
    assert_eq!(http1_get(balancer.address, "/own").body, "own");
    let before = resident_kib(&balancer);
    backend.behave(Behaviour::Hang);
    let mut raw = Raw::connect(balancer.address);
    assert!(raw.send(setup));
    let (times, code) = raw.flood(most, next);
    assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{name}: after {times} times");
    let growth = resident_kib(&balancer).saturating_sub(before);
    assert!(growth < MOST_GROWTH_KIB, "{name}: {growth} KiB more");
    assert_eq!(http1_get(balancer.address, "/own").body, "own", "{name}");
    (backend, times)
}

#[test]
fn rapid_reset() {
    let (backend, _) = flood("rapid reset", 100_000, &[], |time| {
        let stream = time as u32 * 2 + 1;
        [get(stream, "/hang"), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    });
    assert!(backend.heads() <= 300, "{} requests reached the server", backend.heads());
}

#[test]
fn frames_that_have_to_be_answered_or_mean_nothing() {
    for (name, next) in [
        ("ping", frame(PING, 0, 0, &[0; 8])),
        ("settings", frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])),
        ("priority", frame(PRIORITY, 0, 5, &[0, 0, 0, 0, 1])),
        ("unknown", frame(0xfa, 0, 0, &[])),
    ] {
        let batch = next.repeat(100);
        flood(name, 10_000, &[], |_| batch.clone());
    }
}

#[test]
fn empty_frames() {
    let empty = frame(DATA, 0, 1, &[]).repeat(100);
    flood("empty data", 10_000, &post(1, "/up"), |_| empty.clone());
    flood("empty headers", 100_000, &[], |time| {
        frame(HEADERS, END_HEADERS | END_STREAM, time as u32 * 2 + 1, &[])
    });
}

#[test]
fn tiny_pieces_of_a_body_that_nobody_reads() {
    // The server does not answer, and the body goes no further than the server's buffers.
    let tiny = frame(DATA, 0, 1, b"x").repeat(100);
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, "location /own { return 200 own; }"));
    let before = resident_kib(&balancer);
    backend.behave(Behaviour::Hang);
    let mut raw = Raw::connect(balancer.address);
    assert!(raw.send(&post(1, "/up")));
    for _ in 0..600 {
        if !raw.send(&tiny) {
            break;
        }
    }
    let growth = resident_kib(&balancer).saturating_sub(before);
    assert!(growth < MOST_GROWTH_KIB, "{growth} KiB more");
    assert_eq!(http1_get(balancer.address, "/own").body, "own");
}

#[test]
fn continuation() {
    let begun = frame(HEADERS, END_STREAM, 1, &block(&request("GET", "/")));
    for (name, piece) in [("empty", vec![]), ("full", block(&[("x", "y")]))] {
        let piece = frame(CONTINUATION, 0, 1, &piece).repeat(10);
        flood(&format!("{name} continuation"), 10_000, &begun, |_| piece.clone());
    }
}

#[test]
fn a_header_that_is_small_on_the_wire() {
    // A field of 4000 bytes goes into the table; every further byte is that field again.
    let mut bomb = block(&request("GET", "/"));
    bomb.extend([0x40, 1, b'x', 127, 0xa1, 0x1e]);
    bomb.extend(vec![b'y'; 4000]);
    bomb.extend(vec![0xbe; 10_000]);
    flood("bomb", 1000, &[], |time| frame(HEADERS, END_HEADERS | END_STREAM, time as u32 * 2 + 1, &bomb));
}

#[test]
fn windows_that_are_opened_for_nothing() {
    let open = frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]).repeat(1000);
    let (_, times) = flood("window", 10_000, &[], |_| open.clone());
    // Eight times the free mebibyte, and what was under way.
    assert!(times * open.len() < 16 << 20, "{times} times");
}

#[test]
fn more_streams_than_are_allowed() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, "http2_max_concurrent_streams 10;"));
    backend.behave(Behaviour::Hang);
    let mut raw = Raw::connect(balancer.address);
    for stream in 0..30 {
        assert!(raw.send(&get(stream * 2 + 1, "/hang")));
    }
    for stream in 10..30 {
        let reset = raw.wait_for(|frame| frame.kind == RST_STREAM).unwrap();
        assert_eq!((reset.stream, reset.code()), (stream * 2 + 1, REFUSED_STREAM));
    }
    eventually("ten requests reach the server", || backend.heads() == 10);
    balancer.says("concurrent streams exceeded 10, client: 127.0.0.1");
}

#[test]
fn a_client_whose_window_stays_closed() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, "send_timeout 1s;"));
    backend.behave(Behaviour::Large(1_000_000, super::Framing::Length));
    // SETTINGS_INITIAL_WINDOW_SIZE
    let mut raw = Raw::connect_with(balancer.address, &[(4, 0)]);
    for stream in 0..20 {
        assert!(raw.send(&get(stream * 2 + 1, "/large")));
    }
    for _ in 0..20 {
        let reset = raw.wait_for(|frame| frame.kind == RST_STREAM).unwrap();
        assert_eq!(reset.code(), INTERNAL_ERROR);
    }
    // The connection itself goes on.
    backend.behave(Behaviour::Answer);
    assert!(raw.send(&[get(101, "/"), frame(WINDOW_UPDATE, 0, 101, &[0, 0, 1, 0])].concat()));
    assert_eq!(raw.wait_for(|frame| frame.is(DATA, 101)).unwrap().payload, b"one");
}

#[test]
fn a_client_that_takes_nothing_from_its_socket() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, "send_timeout 1s; location /own { return 200 own; }"));
    let before = resident_kib(&balancer);
    backend.behave(Behaviour::Large(20_000_000, super::Framing::Length));
    // Windows as wide as they get, and nobody reads.
    let mut raw = Raw::connect_with(balancer.address, &[(4, 0x7fff_ffff)]);
    assert!(raw.send(&frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0])));
    for stream in 0..20 {
        assert!(raw.send(&get(stream * 2 + 1, "/large")));
    }
    eventually("the servers' requests end", || backend.heads() >= 20 && backend.ended() >= 20);
    let growth = resident_kib(&balancer).saturating_sub(before);
    assert!(growth < MOST_GROWTH_KIB, "{growth} KiB more");
    assert_eq!(http1_get(balancer.address, "/own").body, "own");
}
