//! Large answers, which pass through in pieces that nobody joins: every byte, once, in order, and the connection after.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::support::{
    Backend, Balancer, Behaviour, Client, Framing, PATIENCE, eventually, get, proxy_to, text,
};

const SIZES: [usize; 6] = [30_000, 65_536, 70_000, 100_000, 1_000_003, 6_000_000];
const FRAMINGS: [Framing; 5] = [
    Framing::Length,
    Framing::Chunks(&[1_000_000]),
    Framing::Chunks(&[65_536, 1, 40_000]),
    Framing::Chunks(&[17_000]),
    Framing::Close,
];

/// The configuration with an access log of status, bytes and target.
fn logged(http: &str) -> String {
    let format = "log_format sent '$status $body_bytes_sent $request_uri';\n";
    format.to_owned() + &http.replace("listen LISTEN;", "listen LISTEN; access_log access.log sent;")
}

fn access_log(balancer: &Balancer) -> String {
    std::fs::read_to_string(balancer.path("access.log")).unwrap_or_default()
}

#[test]
fn they_arrive_whole_and_the_connection_goes_on() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let mut client = Client::connect(balancer.address);
    for framing in FRAMINGS {
        for bytes in SIZES {
            backend.behave(Behaviour::Large(bytes, framing));
            let answer = client.get("/").unwrap();
            let told = answer.headers.get("content-length").map(String::as_str);
            assert_eq!(
                told.is_some(),
                matches!(framing, Framing::Length),
                "{framing:?}: {:?}",
                answer.headers
            );
            assert!(answer.status == 200 && answer.body == text(bytes), "{framing:?}, {bytes} bytes");
            backend.behave(Behaviour::Answer);
            assert_eq!(client.get("/").unwrap().body, "a", "behind {framing:?}, {bytes} bytes");
        }
    }
    assert_eq!(backend.count(), 2 * FRAMINGS.len() * SIZES.len());
}

#[test]
fn the_servers_connection_is_kept_behind_them() {
    let backend = Backend::start("a");
    let http = proxy_to(&[&backend], "");
    let balancer =
        Balancer::start(&http.replace("upstream backend {", "upstream backend {\n#lb: health_check off;\n"));
    backend.behave(Behaviour::Large(1_000_000, Framing::Length));
    for _ in 0..5 {
        assert_eq!(get(balancer.address, "/").body.len(), 1_000_000);
    }
    assert_eq!((backend.count(), backend.connections()), (5, 1));
}

#[test]
fn a_client_that_reads_late_gets_them_whole() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    // More than the sockets between here and there take.
    let bytes = 24_000_000;
    for framing in [Framing::Length, Framing::Chunks(&[100_000])] {
        backend.behave(Behaviour::Large(bytes, framing));
        let mut client = Client::connect(balancer.address);
        client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
        eventually("it has come as far as it can without being read", || client.waiting_bytes() >= 50_000);
        assert!(client.receive().unwrap().body == text(bytes), "{framing:?}");
    }
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let backend = Backend::start("a");
    backend.behave(Behaviour::Large(500_000, Framing::Length));
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let mut client = Client::connect(balancer.address);
    client.send("GET /1 HTTP/1.1\r\nHost: t\r\n\r\nGET /2 HTTP/1.1\r\nHost: t\r\n\r\nGET /3 HTTP/1.1\r\nHost: t\r\n\r\n");
    for _ in 0..3 {
        assert!(client.receive().unwrap().body == text(500_000));
    }
    let lines: Vec<_> = backend.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines, ["GET /1 HTTP/1.1", "GET /2 HTTP/1.1", "GET /3 HTTP/1.1"]);
}

#[test]
fn connection_close_and_http_1_0_end_the_connection_behind_them() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    for framing in [Framing::Length, Framing::Close] {
        backend.behave(Behaviour::Large(300_000, framing));
        let mut client = Client::connect(balancer.address);
        client.send("GET / HTTP/1.0\r\n\r\n");
        let (headers, body) = client.receive_until_closed();
        assert_eq!(headers.get("connection").map(String::as_str), Some("close"), "{framing:?}");
        assert!(body == text(300_000).as_bytes(), "{framing:?}: {} bytes", body.len());
    }
    backend.behave(Behaviour::Large(300_000, Framing::Length));
    let mut client = Client::connect(balancer.address);
    client.send("GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    let (headers, body) = client.receive_until_closed();
    assert_eq!(headers.get("connection").map(String::as_str), Some("close"));
    assert!(body == text(300_000).as_bytes());
}

#[test]
fn one_cut_short_is_sent_as_far_as_it_came_counted_and_not_tried_again() {
    let (a, b) = (Backend::start("a"), Backend::start("b"));
    for backend in [&a, &b] {
        backend.behave(Behaviour::LargeCut(1_000_000, 400_000));
    }
    let balancer = Balancer::start(&logged(&proxy_to(&[&a, &b], "")));
    let mut client = Client::connect(balancer.address);
    client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    let (headers, body) = client.receive_until_closed();
    assert_eq!(headers.get("content-length").map(String::as_str), Some("1000000"));
    assert!(body == text(400_000).as_bytes(), "{} bytes", body.len());
    assert_eq!(a.count() + b.count(), 1);
    balancer.says("prematurely closed connection");
    eventually("it is logged", || access_log(&balancer).contains("200 400000 /"));
}

#[test]
fn a_head_request_has_none_of_it() {
    let backend = Backend::start("a");
    backend.behave(Behaviour::Large(1_000_000, Framing::Length));
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let mut client = Client::connect(balancer.address);
    client.send("HEAD / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    let (headers, body) = client.receive_until_closed();
    assert_eq!((headers.get("content-length").map(String::as_str), body.len()), (Some("1000000"), 0));
}

#[test]
fn a_client_that_leaves_within_one_is_logged_and_its_server_not_blamed() {
    let backend = Backend::start("a");
    backend.behave(Behaviour::Large(24_000_000, Framing::Length));
    let balancer = Balancer::start(&logged(&proxy_to(&[&backend], "max_fails=1 fail_timeout=30s")));
    let mut client = Client::connect(balancer.address);
    client.send("GET /left HTTP/1.1\r\nHost: t\r\n\r\n");
    eventually("part of the answer is there", || client.waiting_bytes() > 0);
    drop(client);
    eventually("it is logged", || access_log(&balancer).contains(" /left"));
    backend.behave(Behaviour::Answer);
    assert_eq!(get(balancer.address, "/").body, "a");
}

#[test]
fn a_graceful_stop_waits_for_one() {
    let backend = Backend::start("a");
    backend.behave(Behaviour::Large(24_000_000, Framing::Length));
    let mut balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let mut client = Client::connect(balancer.address);
    client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    eventually("the request is there", || backend.count() == 1);
    balancer.signal("QUIT");
    eventually("the stop has begun", || TcpStream::connect(balancer.address).is_err());
    assert!(balancer.is_running());
    assert!(client.receive().unwrap().body == text(24_000_000));
    assert_eq!(balancer.wait().1, Some(0));
}

/// A server of one connection that does as `talk` says; what it returns once it is over.
fn scripted<T: Send + 'static>(
    talk: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let talking = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        talk(stream)
    });
    (address, talking)
}

/// An upstream of it without probes, which would be taken for its one connection.
fn proxy_to_scripted(address: SocketAddr) -> String {
    format!(
        "upstream backend {{ server {address};\n#lb: health_check off;\n}}\n\
         server {{ listen LISTEN; client_max_body_size 0; location / {{ proxy_pass http://backend; }} }}"
    )
}

/// Reads through the empty line.
fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn a_body_that_is_still_coming_is_not_held_up_by_one() {
    const BYTES: usize = 3_000_000;
    let (address, server) = scripted(|mut stream| {
        read_head(&mut stream);
        // Nothing is read of the body before the answer is on its way.
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {BYTES}\r\n\r\n").unwrap();
        let mut answering = stream.try_clone().unwrap();
        let answer = std::thread::spawn(move || answering.write_all(text(BYTES).as_bytes()).unwrap());
        let mut body = vec![0; BYTES];
        stream.read_exact(&mut body).unwrap();
        answer.join().unwrap();
        body
    });
    let balancer = Balancer::start(&proxy_to_scripted(address));
    let mut stream = TcpStream::connect(balancer.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: {BYTES}\r\n\r\n").unwrap();
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 200 OK\r\n"));
    let mut answer = vec![0; BYTES];
    let (first, rest) = answer.split_at_mut(BYTES / 2);
    stream.read_exact(first).unwrap();
    // The body begins in the midst of the answer.
    let mut sending = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || sending.write_all(text(BYTES).as_bytes()).unwrap());
    stream.read_exact(rest).unwrap();
    sender.join().unwrap();
    assert!(answer == text(BYTES).as_bytes());
    assert!(server.join().unwrap() == text(BYTES).as_bytes());
}

#[test]
fn what_follows_an_upgrade_passes_both_ways() {
    const BYTES: usize = 2_000_000;
    let (address, server) = scripted(|mut stream| {
        read_head(&mut stream);
        let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        // In one piece with the first bytes of the other protocol.
        stream.write_all((switch.to_owned() + &text(BYTES)).as_bytes()).unwrap();
        let mut came = vec![0; BYTES];
        stream.read_exact(&mut came).unwrap();
        stream.write_all(&came).unwrap();
    });
    let balancer = Balancer::start(&proxy_to_scripted(address));
    let mut stream = TcpStream::connect(balancer.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").unwrap();
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 101 "));
    let mut bytes = vec![0; BYTES];
    stream.read_exact(&mut bytes).unwrap();
    assert!(bytes == text(BYTES).as_bytes());
    stream.write_all(text(BYTES).as_bytes()).unwrap();
    stream.read_exact(&mut bytes).unwrap();
    assert!(bytes == text(BYTES).as_bytes());
    server.join().unwrap();
}

#[test]
fn no_more_is_logged_than_was_sent_to_a_client_that_stalled() {
    let backend = Backend::start("a");
    backend.behave(Behaviour::Large(24_000_000, Framing::Length));
    let http = logged(&proxy_to(&[&backend], ""));
    let balancer = Balancer::start(&http.replace("listen LISTEN;", "listen LISTEN; send_timeout 1s;"));
    for round in 0..5 {
        let mut client = Client::connect(balancer.address);
        client.send(format!("GET /{round} HTTP/1.1\r\nHost: t\r\n\r\n"));
        let mut counted = 0;
        eventually("it is given up", || {
            counted = access_log(&balancer)
                .lines()
                .find_map(|line| line.strip_suffix(&format!(" /{round}"))?.strip_prefix("200 ")?.parse().ok())
                .unwrap_or(0);
            counted > 0
        });
        let (_, body) = client.receive_until_closed();
        assert!(counted <= body.len(), "{counted} logged, {} received", body.len());
        assert!(text(24_000_000).as_bytes().starts_with(&body));
    }
}
