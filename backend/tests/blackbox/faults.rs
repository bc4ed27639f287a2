use std::time::{Duration, Instant};

use crate::{
    client::{Connection, fetch, request},
    server::Server,
};

#[test]
fn without_the_switch_nothing_can_be_broken() {
    let server = Server::start(&[]);
    for path in ["/?error=1", "/?close", "/?hang", "/?delay=1m", "/?delay=nonsense", "/bytes/10?error=1"] {
        assert_eq!(fetch(server.address, path).status, 200, "{path}");
    }
    for method in ["GET", "PUT", "DELETE"] {
        assert_eq!(request(server.address, method, "/faults", b"{}").status, 404, "{method}");
    }
}

#[test]
fn a_request_can_ask_for_its_own_fault() {
    let server = Server::start(&["--faults", "--name", "one"]);
    for path in ["/", "/bytes/10"] {
        let begin = Instant::now();
        assert_eq!(fetch(server.address, &format!("{path}?delay=250ms")).status, 200);
        assert!(begin.elapsed() >= Duration::from_millis(250), "{path} took {:?}", begin.elapsed());

        let answer = fetch(server.address, &format!("{path}?error=1"));
        assert_eq!((answer.status, answer.header("x-backend")), (500, Some("one")), "{path}");
        assert_eq!(fetch(server.address, &format!("{path}?error=0")).status, 200);
        assert_eq!(fetch(server.address, &format!("{path}?error=2")).status, 400);
        assert_eq!(fetch(server.address, path).status, 200, "the next request is not affected");
    }
    for path in ["/health?error=1", "/rps-display?close", "/faults?hang"] {
        assert_eq!(fetch(server.address, path).status, 200, "{path}");
    }
    assert_eq!(server.counted(), 2 * 5, "faults are counted");
}

#[test]
fn close_sends_not_one_byte() {
    let server = Server::start(&["--faults"]);
    for (method, body) in [("GET", vec![]), ("POST", vec![b'x'; 300_000])] {
        let mut connection = Connection::open(server.address);
        connection.send("GET", "/", b"");
        assert_eq!(connection.read_answer("GET").status, 200);
        connection.send(method, "/?close", &body);
        assert_eq!(connection.read_to_close(), b"", "{method}");
    }
}

#[test]
fn hang_answers_nothing_and_holds_nobody_else_up() {
    let server = Server::start(&["--faults", "--workers", "1"]);
    let mut hanging: Vec<_> = (0..10)
        .map(|_| {
            let mut connection = Connection::open(server.address);
            connection.send("GET", "/?hang", b"");
            connection
        })
        .collect();
    assert!(hanging[0].is_silent_for(Duration::from_millis(300)));
    assert_eq!(fetch(server.address, "/").json()["total_requests"], 11);
    assert!(hanging.iter_mut().all(|connection| connection.is_silent_for(Duration::from_millis(1))));
}

#[test]
fn a_client_that_gives_up_is_noticed() {
    let server = Server::start(&["--faults"]);
    let before = server.open_files();
    for path in ["/?hang", "/?delay=10m", "/rps"] {
        // Many, so that the files which the server opens for itself meanwhile do not matter.
        let waiting: Vec<_> = (0..50)
            .map(|_| {
                let mut connection = Connection::open(server.address);
                connection.send("GET", path, b"");
                connection
            })
            .collect();
        server.poll_until(|server| server.open_files() > before + 40);
        drop(waiting);
        server.poll_until(|server| server.open_files() < before + 20);
    }
}

#[test]
fn a_server_can_be_made_bad_and_good_again() {
    let server = Server::start(&["--faults", "--workers", "2"]);
    let set = |faults: &str| request(server.address, "PUT", "/faults", faults.as_bytes());

    let answer = set(r#"{"error_share":1,"delay_ms":20}"#);
    assert_eq!(answer.text(), r#"{"delay_ms":20,"error_share":1.0,"hang":false,"close":false}"#);
    assert_eq!(fetch(server.address, "/faults").text(), answer.text());
    // Each of several connections, so that all workers know.
    for _ in 0..4 {
        let begin = Instant::now();
        assert_eq!(fetch(server.address, "/").status, 500);
        assert!(begin.elapsed() >= Duration::from_millis(20));
        assert_eq!(fetch(server.address, "/?error=0").status, 200, "a request can except itself");
        assert_eq!(fetch(server.address, "/health").status, 200);
    }

    set(r#"{"close":true}"#);
    let mut connection = Connection::open(server.address);
    connection.send("GET", "/bytes/10", b"");
    assert_eq!(connection.read_to_close(), b"");

    let too_long = " ".repeat(1_000_000);
    for (wrong, status) in [
        ("", 400),
        ("{", 400),
        (r#"{"delay":1}"#, 400),
        (r#"{"error_share":2}"#, 400),
        (r#"{"hang":"yes"}"#, 400),
        (&too_long, 413),
    ] {
        let answer = set(wrong);
        assert_eq!(answer.status, status, "{wrong}");
        assert_eq!(answer.json()["status"], "error", "{wrong}");
    }
    assert_eq!(fetch(server.address, "/faults").json()["close"], true, "what is refused changes nothing");

    assert_eq!(request(server.address, "DELETE", "/faults", b"").json()["close"], false);
    assert_eq!(fetch(server.address, "/").status, 200);
}

#[test]
fn a_share_of_errors_is_a_share() {
    let server = Server::start(&["--faults"]);
    let mut connection = Connection::open(server.address);
    let failed = (0..1000)
        .filter(|_| {
            connection.send("GET", "/?error=0.3", b"");
            connection.read_answer("GET").status == 500
        })
        .count();
    // Seven standard deviations to each side: once in a hundred thousand million runs outside of it.
    assert!((200..=400).contains(&failed), "{failed} of 1000");
}
