use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    client::{Connection, fetch},
    server::{Server, program},
};

fn listen(server: &Server) -> Connection {
    let mut connection = Connection::open(server.address);
    connection.send("GET", "/rps", b"");
    assert_eq!(connection.read_head().status, 200);
    connection
}

fn parsed(event: &str) -> (u64, u64) {
    let event: Value = serde_json::from_str(event).unwrap();
    (event["current_rps"].as_u64().unwrap(), event["total_requests"].as_u64().unwrap())
}

#[test]
fn a_stream_begins_at_once_and_goes_on_each_second() {
    let server = Server::start(&["--name", "one"]);
    let mut connection = Connection::open(server.address);
    connection.send("GET", "/rps", b"");
    let head = connection.read_head();
    for (header, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache"),
        ("x-accel-buffering", "no"),
        ("x-backend", "one"),
    ] {
        assert_eq!(head.header(header), Some(value));
    }
    assert_eq!(connection.read_event().unwrap(), r#"{"server":"one","current_rps":0,"total_requests":0}"#);

    connection.read_event();
    let second = Instant::now();
    for _ in 0..2 {
        connection.read_event();
    }
    let two_more = second.elapsed();
    assert!((1300..3500).contains(&two_more.as_millis()), "two events took {two_more:?}");
}

#[test]
fn a_new_listener_need_not_wait_for_the_next_second() {
    let server = Server::start(&[]);
    let mut clock = listen(&server);
    clock.read_event();
    // Just after a new reading, the next is a whole second away. A busy machine may spoil a try, not each of five.
    let mut tries = (0..5).map(|_| {
        clock.read_event();
        let begin = Instant::now();
        listen(&server).read_event();
        begin.elapsed()
    });
    assert!(tries.any(|time| time < Duration::from_millis(500)));
}

#[test]
fn the_rates_add_up_to_the_load() {
    let server = Server::start(&[]);
    let mut stream = listen(&server);
    let readings = std::thread::spawn(move || {
        let mut sum = 0;
        loop {
            let (rate, total) = parsed(&stream.read_event().unwrap());
            sum += rate;
            if total == 300 && rate == 0 {
                return sum;
            }
        }
    });
    let mut load = Connection::open(server.address);
    for _ in 0..3 {
        for _ in 0..100 {
            load.send("GET", "/bytes/10", b"");
            load.read_answer("GET");
        }
        std::thread::sleep(Duration::from_millis(400));
    }
    let sum = readings.join().unwrap();
    // On a busy machine windows last longer than a second; rates are averages over them, so their sum is smaller.
    assert!((150..=301).contains(&sum), "300 requests showed as {sum}");
    assert_eq!(fetch(server.address, "/").json()["current_rps"], 0);
}

#[test]
fn all_listeners_get_the_same_readings() {
    let server = Server::start(&["--workers", "2"]);
    let mut listeners: Vec<_> = (0..100).map(|_| listen(&server)).collect();
    fetch(server.address, "/");
    // The first reading that holds the request is the same for all, whenever each of them came.
    let readings: Vec<_> = listeners
        .iter_mut()
        .map(|listener| {
            loop {
                let event = listener.read_event().unwrap();
                if parsed(&event).1 == 1 {
                    break event;
                }
            }
        })
        .collect();
    assert!(readings.iter().all(|reading| *reading == readings[0]), "{readings:?}");
}

#[test]
fn the_log_has_a_line_a_second() {
    let mut server = Server::start(&[]);
    fetch(server.address, "/bytes/1");
    let mut rates = Vec::new();
    while rates.len() < 3 || !rates.contains(&1) {
        let line = server.read_log();
        // [2025-11-08 10:30:45] Current RPS: 1234
        let shape: String = line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "[0000-00-00 00:00:00] Current RPS: 0\n", "{line}");
        rates.push(line.trim_end().rsplit(' ').next().unwrap().parse::<u64>().unwrap());
        assert!(rates.len() < 10, "{rates:?}");
    }
    assert_eq!(rates.iter().sum::<u64>(), 1, "{rates:?}");
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    // Every request logs about a dozen lines here, and nobody reads the pipe, which holds 64 KiB.
    let mut server = Server::start_with(program().env("RUST_LOG", "trace"), "127.0.0.1", &["--workers", "1"]);
    let mut stream = listen(&server);
    let mut load = Connection::open(server.address);
    for _ in 0..1000 {
        load.send("GET", "/", b"");
        assert_eq!(load.read_answer("GET").status, 200);
    }
    while parsed(&stream.read_event().unwrap()).1 < 1000 {}
    server.signal(Signal::SIGTERM);
    while stream.read_event().is_some() {}
    assert!(server.wait().0.success());
    let log = server.read_rest_of_log();
    assert!(log.len() > 60_000, "the pipe was not full: {} bytes", log.len());
}
