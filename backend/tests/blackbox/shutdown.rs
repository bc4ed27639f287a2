use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal::{self, SIGINT, SIGQUIT, SIGTERM};

use crate::{
    client::{Connection, fetch},
    server::{Server, program},
};

/// Less than the second after which Actix looks whether its workers are done.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Much less than the 30 s for which a stop waits for begun requests.
const SOON: Duration = Duration::from_secs(5);

const STOP_SIGNALS: [Signal; 3] = [SIGQUIT, SIGTERM, SIGINT];

#[test]
fn an_idle_server_is_gone_at_once() {
    let mut times = Vec::new();
    for signal in STOP_SIGNALS {
        let mut server = Server::start(&[]);
        server.signal(signal);
        let (status, time) = server.wait();
        assert!(status.success(), "{signal}: {status}");
        times.push(time);
        let log = server.read_rest_of_log();
        assert!(log.ends_with("stopped\n"), "{signal}: the last line is written: {log:?}");
    }
    assert_at_once(&times);
}

#[test]
fn streams_end_at_once_and_begun_requests_are_finished() {
    let (mut stream_ends, mut exits) = (Vec::new(), Vec::new());
    for signal in STOP_SIGNALS {
        let mut server = Server::start(&["--faults"]);
        let mut idle = Connection::open(server.address);
        idle.send("GET", "/", b"");
        idle.read_answer("GET");
        let mut fresh = Connection::open(server.address);
        let mut streams: Vec<_> = (0..5)
            .map(|_| {
                let mut stream = Connection::open(server.address);
                stream.send("GET", "/rps", b"");
                stream.read_head();
                stream.read_event().unwrap();
                stream
            })
            .collect();
        let mut begun = Connection::open(server.address);
        // Ends a while before Actix looks, which it does one and two seconds after the signal.
        let asked = Instant::now();
        begun.send("GET", "/?delay=1300ms", b"");
        // Before it is counted, it might still lie in the socket.
        server.poll_until(|server| server.counted() >= 2);

        server.signal(signal);
        let stopped = Instant::now();
        for stream in &mut streams {
            while stream.read_event().is_some() {}
            assert_eq!(stream.read_to_close(), b"");
        }
        assert_eq!(idle.read_to_close(), b"");
        assert_eq!(fresh.read_to_close(), b"");
        stream_ends.push(stopped.elapsed());
        while TcpStream::connect(server.address).is_ok() {
            assert!(stopped.elapsed() < SOON, "{signal}: new connections are still accepted");
        }

        let answer = begun.read_answer("GET");
        assert_eq!(answer.status, 200, "{signal}");
        assert_eq!(answer.header("connection"), Some("close"), "{signal}");
        assert!(asked.elapsed() >= Duration::from_millis(1300), "{signal}: it was finished, not cut short");
        let (status, time) = server.wait();
        assert!(status.success(), "{signal}: {status}");
        exits.push(time);
    }
    assert_at_once(&stream_ends);
    assert_at_once(&exits);
}

#[test]
fn a_large_answer_is_sent_to_its_end() {
    const LENGTH: usize = 300_000_000;
    let mut server = Server::start(&[]);
    let mut connection = Connection::open(server.address);
    connection.send("GET", &format!("/bytes/{LENGTH}"), b"");
    let head = connection.read_head();
    assert_eq!(head.header("content-length"), Some(&*LENGTH.to_string()));
    server.signal(SIGQUIT);
    assert_eq!(connection.read_to_close().len(), LENGTH);
    assert!(server.wait().0.success());
}

#[test]
fn a_hanging_request_does_not_hold_the_stop_up() {
    let mut server = Server::start(&["--faults"]);
    let mut hanging = Connection::open(server.address);
    hanging.send("GET", "/?hang", b"");
    server.poll_until(|server| server.counted() >= 1);
    server.signal(SIGQUIT);
    assert_eq!(hanging.read_to_close(), b"");
    let (status, time) = server.wait();
    assert!(status.success() && time < SOON, "{status} after {time:?}");
}

#[test]
fn a_second_signal_cuts_off_what_is_left() {
    let mut server = Server::start(&["--faults"]);
    let mut begun = Connection::open(server.address);
    begun.send("GET", "/?delay=10m", b"");
    server.poll_until(|server| server.counted() >= 1);
    server.signal(SIGTERM);
    while !server.read_log().contains("SIGTERM: finishing") {}
    server.signal(SIGTERM);
    let (status, time) = server.wait();
    assert!(status.success() && time < SOON, "{status} after {time:?}");
    assert_eq!(begun.read_to_close(), b"");
}

#[test]
fn a_port_is_free_again_after_a_stop() {
    // An address of its own, so that no other test is given the port in between.
    const BIND: &str = "127.0.0.77";
    let mut server = Server::start_with(&mut program(), BIND, &["--name", "first"]);
    let mut connection = Connection::open(server.address);
    connection.send("GET", "/", b"");
    connection.read_answer("GET");
    server.signal(SIGTERM);
    server.wait();
    let port = server.address.port().to_string();
    let next = Server::start_with(&mut program(), BIND, &["--name", "second", "--port", &port]);
    assert_eq!(fetch(next.address, "/health").json()["server"], "second");
}

/// The fastest counts: what else the machine does can only add to a time.
fn assert_at_once(times: &[Duration]) {
    assert!(times.iter().min().is_some_and(|time| *time < AT_ONCE), "{times:?}");
}
