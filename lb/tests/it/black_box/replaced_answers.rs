//! Answers that the program gives in the place of a server's (`error_page`, `X-Accel-Redirect`): the client gets them byte
//! for byte, and its connection goes on, whatever the server's own answer was.

use super::support::*;

const WITH_LENGTH: &[&[u8]] = &[b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\ngone!"];
const IN_CHUNKS: &[&[u8]] =
    &[b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ngone!\r\n0\r\n\r\n"];
const IN_TWO_PIECES: &[&[u8]] = &[b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\ngone!", b"gone!"];
const WITHOUT_BODY: &[&[u8]] = &[b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"];
const NEVER_WHOLE: &[&[u8]] = &[b"HTTP/1.1 404 Not Found\r\nContent-Length: 1000000\r\n\r\ngone!"];
const TO_TEXT: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /text\r\nContent-Length: 3\r\n\r\nown"];
const TO_TEXT_OF_204: &[&[u8]] = &[b"HTTP/1.1 204 No Content\r\nX-Accel-Redirect: /text\r\n\r\n"];
const TO_TEXT_OF_304: &[&[u8]] = &[b"HTTP/1.1 304 Not Modified\r\nX-Accel-Redirect: /text\r\n\r\n"];
const TO_NOTHING: &[&[u8]] =
    &[b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /nothing\r\nContent-Length: 3\r\n\r\nown"];
const TO_LARGE: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /large\r\nContent-Length: 3\r\n\r\nown"];
const TO_LARGE_OF_HEAD: &[&[u8]] =
    &[b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /large\r\nContent-Length: 3\r\n\r\n"];

/// A balancer before `backend` that has a large file, too.
fn balancer(backend: &Backend) -> (tempfile::TempDir, Balancer) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("large"), text(1_000_000)).unwrap();
    let balancer = Balancer::start(&format!(
        "upstream up {{ server {}; keepalive 4; }}
         proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_read_timeout 1s;
         server {{ listen LISTEN; root {}; error_page 404 /missing;
             location / {{ proxy_pass http://up; proxy_intercept_errors on; }}
             location = /missing {{ internal; return 200 \"nothing here\"; }}
             location = /text {{ internal; return 200 \"the text\"; }}
             location = /nothing {{ internal; return 204; }}
             location = /large {{ internal; }}
         }}",
        backend.address,
        directory.path().display()
    ));
    (directory, balancer)
}

#[test]
fn the_clients_connection_goes_on() {
    let backend = Backend::start("a");
    let (_directory, balancer) = balancer(&backend);
    let mut client = Client::connect(balancer.address);
    let large = text(1_000_000);
    for (name, pieces, status, body) in [
        ("with a length", WITH_LENGTH, 404, "nothing here"),
        ("in chunks", IN_CHUNKS, 404, "nothing here"),
        ("in two pieces", IN_TWO_PIECES, 404, "nothing here"),
        ("length 0", WITHOUT_BODY, 404, "nothing here"),
        ("a body that never ends", NEVER_WHOLE, 404, "nothing here"),
        ("a text", TO_TEXT, 200, "the text"),
        ("a text for 204", TO_TEXT_OF_204, 200, "the text"),
        ("a text for 304", TO_TEXT_OF_304, 200, "the text"),
        ("204", TO_NOTHING, 204, ""),
        ("a large file", TO_LARGE, 200, &large),
    ] {
        backend.behave(Behaviour::Pieces(pieces));
        for _ in 0..2 {
            let answer = client.get("/x").unwrap_or_else(|| panic!("{name}: the connection has ended"));
            assert_eq!(
                (answer.status, answer.headers["connection"].as_str()),
                (status, "keep-alive"),
                "{name}"
            );
            assert!(answer.body == body, "{name}: {}", answer.body);
        }
        backend.behave(Behaviour::Answer);
        assert_eq!(client.get("/x").map(|answer| answer.body).as_deref(), Some("a"), "{name}");
    }
    assert_eq!(backend.count(), 30);
    let log = balancer.log();
    assert!(!log.contains("[warn]") && !log.contains("[error]"), "{log}");
}

#[test]
fn a_head_has_the_header_alone() {
    let backend = Backend::start("a");
    let (_directory, balancer) = balancer(&backend);
    let mut client = Client::connect(balancer.address);
    for (pieces, length) in [(TO_LARGE_OF_HEAD, "1000000"), (WITHOUT_BODY, "12")] {
        backend.behave(Behaviour::Pieces(pieces));
        client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(client.read(1));
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains(&format!("\r\nContent-Length: {length}\r\n")), "{head}");
        backend.behave(Behaviour::Answer);
        assert_eq!(client.get("/x").map(|answer| answer.body).as_deref(), Some("a"));
    }
}

#[test]
fn the_servers_connection_is_kept_where_its_answer_was_read() {
    let backend = Backend::start("a");
    let (_directory, balancer) = balancer(&backend);
    let opened =
        format!("lb_upstream_connect_seconds_count{{upstream=\"up\",server=\"{}\"}}", backend.address);
    let mut client = Client::connect(balancer.address);
    backend.behave(Behaviour::Pieces(WITH_LENGTH));
    for _ in 0..10 {
        assert_eq!(client.get("/x").map(|answer| answer.body).as_deref(), Some("nothing here"));
    }
    assert_eq!((backend.count(), balancer.metric(&opened)), (10, 1));
}
