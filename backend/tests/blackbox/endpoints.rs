use crate::{
    client::{Connection, fetch, request},
    server::Server,
};

#[test]
fn the_root_counts_and_names() {
    let server = Server::start(&["--name", "one"]);
    for expected in 1..=3 {
        let answer = fetch(server.address, "/");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("x-backend"), Some("one"));
        let rps = answer.json()["current_rps"].as_u64().unwrap();
        assert_eq!(
            answer.text(),
            format!(
                r#"{{"status":"ok","message":"Request received","current_rps":{rps},"total_requests":{expected},"server":"one"}}"#
            )
        );
    }
}

#[test]
fn bodies_are_read_and_thrown_away() {
    let server = Server::start(&[]);
    let mut connection = Connection::open(server.address);
    for (method, length, total) in [("POST", 0, 1), ("PUT", 5, 2), ("POST", 3_000_000, 3), ("GET", 10, 4)] {
        connection.send(method, "/", &vec![b'x'; length]);
        let answer = connection.read_answer(method);
        assert_eq!(answer.status, 200, "{method} with {length} bytes");
        assert_eq!(answer.json()["total_requests"], total, "the connection is still in step");
    }
}

#[test]
fn every_answer_carries_the_name() {
    let server = Server::start(&["--name", "one"]);
    for (method, path, status) in [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("DELETE", "/", 405),
        ("GET", "/bytes/10", 200),
        ("HEAD", "/bytes/10", 200),
        ("POST", "/bytes/10", 405),
        ("GET", "/bytes/ten", 400),
        ("GET", "/bytes/-1", 400),
        ("GET", "/bytes/1073741825", 400),
        ("GET", "/bytes/%ff", 400),
        ("GET", "/bytes/", 404),
        ("GET", "/bytes", 404),
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("PUT", "/health", 405),
        ("HEAD", "/rps", 200),
        ("POST", "/rps", 405),
        ("GET", "/rps-display", 200),
        ("HEAD", "/rps-display", 200),
        ("GET", "/favicon.ico", 404),
        ("OPTIONS", "/nowhere", 404),
    ] {
        let answer = request(server.address, method, path, b"");
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("x-backend"), Some("one"), "{method} {path}");
        if status >= 400 {
            assert_eq!(answer.json()["status"], "error", "{method} {path}");
        }
        if status == 405 {
            assert!(answer.header("allow").unwrap().starts_with("GET, HEAD"), "{method} {path}");
        }
    }
}

#[test]
fn head_answers_as_get_without_a_body() {
    let server = Server::start(&[]);
    let mut connection = Connection::open(server.address);
    for path in ["/health", "/rps-display", "/bytes/0", "/bytes/70000", "/bytes/1073741824"] {
        connection.send("HEAD", path, b"");
        let head = connection.read_answer("HEAD");
        if path != "/bytes/1073741824" {
            connection.send("GET", path, b"");
            let get = connection.read_answer("GET");
            assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
            assert_eq!(head.header("content-length"), Some(&*get.body.len().to_string()), "{path}");
        }
    }
    connection.send("HEAD", "/rps", b"");
    assert_eq!(connection.read_answer("HEAD").header("content-type"), Some("text/event-stream"));
    connection.send("GET", "/health", b"");
    assert_eq!(connection.read_answer("GET").status, 200, "the stream's HEAD left the connection usable");
}

#[test]
fn bytes_come_in_the_length_and_pattern_promised() {
    const PATTERN: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";
    let server = Server::start(&[]);
    for length in [0, 1, 60, 65_536, 65_537, 5_000_001] {
        let answer = fetch(server.address, &format!("/bytes/{length}"));
        assert_eq!(answer.body.len(), length);
        assert!(answer.body.iter().enumerate().all(|(index, byte)| *byte == PATTERN[index % 64]), "{length}");
    }
}

#[test]
fn only_load_is_counted() {
    let server = Server::start(&[]);
    let mut stream = Connection::open(server.address);
    stream.send("GET", "/rps", b"");
    assert_eq!(stream.read_head().status, 200);
    for path in ["/health", "/rps-display", "/nowhere", "/faults"] {
        fetch(server.address, path);
    }
    assert_eq!(server.counted(), 0);
    for path in ["/", "/?page=2", "/bytes/10", "/bytes/ten"] {
        fetch(server.address, path);
    }
    assert_eq!(server.counted(), 4);
}

#[test]
fn no_request_of_any_worker_is_lost_or_doubled() {
    let server = Server::start(&["--workers", "3"]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = Connection::open(server.address);
                for _ in 0..250 {
                    connection.send("GET", "/", b"");
                    assert_eq!(connection.read_answer("GET").status, 200);
                }
            });
        }
    });
    assert_eq!(server.counted(), 2000);
}

#[test]
fn the_page_is_html_that_is_not_cached_for_long() {
    let server = Server::start(&[]);
    let answer = fetch(server.address, "/rps-display");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert!(answer.text().starts_with("<!doctype html>"));
}
