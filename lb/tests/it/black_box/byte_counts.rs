//! The variables that count bytes: held against what client and server count on their sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use super::support::{Balancer, eventually};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
const ANSWER_HEAD: usize = ANSWER.len() - "5\r\nhello\r\n0\r\n\r\n".len();

/// Answers one request on each connection; tells how many bytes the request had. A connection without a request is a
/// probe.
fn serve(listener: TcpListener, ends_with: &'static [u8], counted: mpsc::Sender<usize>) {
    for connection in listener.incoming() {
        let (mut connection, counted) = (connection.expect("a connection"), counted.clone());
        thread::spawn(move || {
            let received = read_until(&mut connection, ends_with);
            if received > 0 {
                let _ = counted.send(received);
                let _ = connection.write_all(ANSWER);
                let _ = connection.read(&mut [0]);
            }
        });
    }
}

/// Reads until what came ends with `end`, or the connection does. Returns how many bytes came.
fn read_until(connection: &mut TcpStream, end: &[u8]) -> usize {
    let (mut bytes, mut one) = (Vec::new(), [0]);
    while !bytes.ends_with(end) && matches!(connection.read(&mut one), Ok(1)) {
        bytes.push(one[0]);
    }
    bytes.len()
}

fn counts(request: &str, request_end: &'static [u8]) -> (String, usize, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = listener.local_addr().expect("an address");
    let (counted, counts) = mpsc::channel();
    thread::spawn(move || serve(listener, request_end, counted));
    let balancer = Balancer::start(&format!(
        "log_format bytes \"$bytes_sent $body_bytes_sent $request_length $upstream_bytes_sent \
         $upstream_bytes_received $upstream_response_length\";
         server {{ listen LISTEN; access_log access.log bytes; location / {{ proxy_pass http://{server}; }} }}"
    ));
    let mut client = TcpStream::connect(balancer.address).expect("a connection");
    client.write_all(request.as_bytes()).expect("the request is sent");
    let received = read_until(&mut client, b"0\r\n\r\n");
    let sent_on = counts.recv().expect("the server has the request");
    let log = || std::fs::read_to_string(balancer.path("access.log")).unwrap_or_default();
    eventually("the request is logged", || log().ends_with('\n'));
    (log().trim().to_owned(), received, sent_on)
}

#[test]
fn heads_and_framing_count_in_both_directions() {
    for (request, end) in [
        ("GET / HTTP/1.1\r\nHost: t\r\n\r\n", &b"\r\n\r\n"[..]),
        (
            "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"abc\r\n0\r\n\r\n",
        ),
    ] {
        let (logged, received, sent_on) = counts(request, end);
        let body = "5\r\nhello\r\n0\r\n\r\n".len();
        // Of a chunked answer, what frames its chunks on the way from the server is not known here.
        let from_server = ANSWER_HEAD + "hello".len();
        let expected = format!("{received} {body} {} {sent_on} {from_server} 5", request.len());
        assert_eq!(logged, expected, "{request:?}");
    }
}
