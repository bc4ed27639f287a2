//! Nothing is allocated per request, in a closed loop as in an open one: many times the requests cost no more
//! allocations but for what every tick hands over. A test binary of its own, since it counts for the whole process.

#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use loadgen::cli::Arguments;
use loadgen::engine::{Engine, Event};
use loadgen::{plan, reach};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use structopt::StructOpt;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Three backends in turn, so that names are looked up; one answer in eight is a failure.
const ANSWERS: [&[u8]; 4] = [
    b"HTTP/1.1 200 OK\r\nX-Backend: b1\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX-Backend: b2\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 200 OK\r\nX-Backend: b3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
];

/// What a thread may allocate for one tick: the lists of two slots or three, their growth, and their way to the
/// collector.
const PER_TICK: usize = 64;

/// Serves without allocating; ends with the test.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut request = [0; 4096];
    for answer in ANSWERS.iter().cycle() {
        // A request is small enough to come at once.
        if !stream.read(&mut request).is_ok_and(|length| length > 0) || stream.write_all(answer).is_err() {
            return;
        }
    }
}

/// A closed loop.
const CLOSED: &[&str] = &[];

/// An open one that is over in seconds. What finds no free connection is sent later, so that all requests are sent
/// however busy the machine is.
const OPEN: &[&str] = &["-r", "8k", "--catch-up"];

/// An open one that leaves out what finds no free connection, or what comes too late.
const OPEN_WITH_UNSENT: &[&str] = &["-r", "8k"];

/// How many allocations, reallocations included, and how many ticks a run of so many requests takes.
fn run(address: SocketAddr, pacing: &[&str], requests: u64) -> (usize, usize) {
    let (url, number) = (format!("http://{address}"), requests.to_string());
    let words = ["loadgen", "-c", "8", "--threads", "2", "-u", &url, "-n", &number];
    let words = words.iter().chain(pacing);
    let plan =
        Arc::new(plan::check(Arguments::from_iter_safe(words).unwrap(), 2, |_| unreachable!()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let region = Region::new(ALLOCATOR);
    let reached = reach::reach(&plan).unwrap();
    let mut engine = Engine::start(plan, reached).unwrap();
    let (mut ticks, mut ended) = (0, 0);
    while let Some(event) = runtime.block_on(engine.next()) {
        match event {
            Event::Tick { .. } => ticks += 1,
            Event::Finished { record, .. } => ended += record.succeeded + record.failed() + record.unsent,
            Event::Request { .. } => unreachable!("nobody asked for single requests"),
        }
    }
    engine.join().unwrap();
    assert_eq!(ended, requests);
    let change = region.change();
    (change.allocations + change.reallocations, ticks)
}

/// One test, as the count is that of the whole process.
#[test]
fn requests_allocate_nothing() {
    let address = serve();
    // What is set up once in a process.
    run(address, CLOSED, 1000);
    for (pacing, fewer, more) in
        [(CLOSED, 2000, 40_000), (OPEN, 1000, 24_000), (OPEN_WITH_UNSENT, 1000, 24_000)]
    {
        let (few, _) = run(address, pacing, fewer);
        let (many, ticks) = run(address, pacing, more);
        let grown = many.saturating_sub(few);
        let allowed = ticks * PER_TICK;
        println!("{pacing:?}: {few} and {many} allocations in {ticks} ticks");
        // One allocation in two requests would be seen.
        let is_telling = allowed < (more - fewer) as usize / 2;
        assert!(is_telling, "{pacing:?}: {ticks} ticks, the machine was too slow for this test to tell");
        assert!(
            grown <= allowed,
            "{pacing:?}: {few} allocations for {fewer} requests, {many} for {more} in {ticks} ticks"
        );
    }
}
