//! How connections and streams end: idle, old, slow, given up, told to stop.

use std::time::Duration;

use super::super::support::{Backend, Balancer, Behaviour, Client, eventually};
use super::client::{Http2Client, get as request};
use super::raw::{
    CANCEL, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, INTERNAL_ERROR, NO_ERROR, PREFACE, RST_STREAM,
    Raw, block, frame, get, post,
};
use super::{http2, logged};

#[test]
fn an_idle_connection_ends_politely() {
    let balancer =
        Balancer::start("server { listen LISTEN; http2 on; keepalive_timeout 1s; return 200 ok; }");
    let mut raw = Raw::connect(balancer.address);
    assert_eq!(raw.goaway(), Some(NO_ERROR), "before a request");
    let mut raw = Raw::connect(balancer.address);
    assert!(raw.send(&get(1, "/")));
    assert_eq!(raw.goaway(), Some(NO_ERROR), "after one");
}

#[test]
fn a_client_that_stops_within_a_header_is_not_waited_for() {
    let http = "server { listen LISTEN; http2 on; client_header_timeout 1s; return 200 ok; }";
    let balancer = Balancer::start(http);
    let mut raw = Raw::connect(balancer.address);
    assert!(raw.send(&frame(HEADERS, END_STREAM, 1, &block(&[(":method", "GET")]))));
    assert_eq!(raw.goaway(), Some(NO_ERROR), "a header without its end");
    let mut raw = Raw::connect(balancer.address);
    assert!(raw.send(&get(1, "/")[..12]));
    assert_eq!(raw.goaway(), Some(NO_ERROR), "half a frame");
    let mut client = Client::connect(balancer.address);
    client.send(&PREFACE[..10]);
    assert!(client.read(100).is_empty(), "half a preface");
}

#[test]
fn a_client_that_stops_within_a_body_is_not_waited_for() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, "client_body_timeout 1s;"));
    let mut raw = Raw::connect(balancer.address);
    assert!(raw.send(&[post(1, "/up"), frame(DATA, 0, 1, b"abc")].concat()));
    assert!(raw.wait_for(|frame| frame.is(HEADERS, 1)).is_some());
    assert!(logged(&balancer, 1)[0].starts_with("408 POST /up HTTP/2.0"));
    // The connection goes on.
    assert!(raw.send(&get(3, "/")));
    assert_eq!(raw.wait_for(|frame| frame.is(DATA, 3)).unwrap().payload, b"one");
}

#[test]
fn so_many_requests_and_no_more() {
    let http = "server { listen LISTEN; http2 on; keepalive_requests 3; return 200 ok; }";
    let balancer = Balancer::start(http);
    let mut raw = Raw::connect(balancer.address);
    for stream in [1, 3] {
        assert!(raw.send(&get(stream, "/")));
        let ended = |frame: &super::raw::Frame| frame.kind == GOAWAY || frame.is(DATA, stream);
        assert_eq!(raw.wait_for(ended).unwrap().kind, DATA);
    }
    assert!(raw.send(&get(5, "/")));
    let mut kinds = Vec::new();
    raw.wait_for(|frame| {
        kinds.push(frame.kind);
        kinds.contains(&GOAWAY) && kinds.contains(&DATA)
    });
    assert_eq!(raw.goaway(), Some(NO_ERROR));
}

#[test]
fn a_client_that_takes_no_notice_is_not_served_for_ever() {
    let http = "server { listen LISTEN; http2 on; keepalive_requests 1; http2_max_concurrent_streams 10; return 200 ok; }";
    let balancer = Balancer::start(http);
    let mut raw = Raw::connect(balancer.address);
    let mut answers = 0;
    for stream in 0..100 {
        raw.send(&get(stream * 2 + 1, "/"));
        let Some(_) = raw.wait_for(|frame| frame.is(DATA, stream * 2 + 1)) else { break };
        answers += 1;
    }
    assert!((1..=12).contains(&answers), "{answers} answers");
}

#[test]
fn a_connection_grows_old() {
    let http = "server { listen LISTEN; http2 on; keepalive_time 1ms; return 200 ok; }";
    let balancer = Balancer::start(http);
    let mut raw = Raw::connect(balancer.address);
    assert!(raw.wait_for(|frame| frame.kind == 4).is_some());
    std::thread::sleep(Duration::from_millis(2));
    assert!(raw.send(&get(1, "/")));
    assert_eq!(raw.goaway(), Some(NO_ERROR));
    // So does one of HTTP/1, which is accepted some time after its client has connected.
    let mut client = Client::connect(balancer.address);
    let mut ends = || {
        std::thread::sleep(Duration::from_millis(2));
        client.get("/").unwrap().headers["connection"] == "close"
    };
    assert!((0..1000).any(|_| ends()));
}

#[test]
fn a_stream_that_the_client_gives_up_ends_the_servers_request_and_blames_nobody() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, ""));
    backend.behave(Behaviour::Hang);
    let mut raw = Raw::connect(balancer.address);
    assert!(raw.send(&get(1, "/hang")));
    eventually("the request reaches the server", || backend.heads() == 1);
    assert!(raw.send(&frame(RST_STREAM, 0, 1, &CANCEL.to_be_bytes())));
    assert!(logged(&balancer, 1)[0].starts_with("499 GET /hang HTTP/2.0"));
    eventually("the server's connection ends", || backend.ended() == backend.connections());
    // Within a body.
    assert!(raw.send(&[post(3, "/up"), frame(DATA, 0, 3, &[b'x'; 1000]).repeat(100)].concat()));
    eventually("the body reaches the server", || backend.connections() > 1);
    assert!(raw.send(&frame(RST_STREAM, 0, 3, &CANCEL.to_be_bytes())));
    assert!(logged(&balancer, 2)[1].starts_with("499 POST /up HTTP/2.0"));
    backend.behave(Behaviour::Answer);
    assert!(raw.send(&get(5, "/")));
    assert_eq!(raw.wait_for(|frame| frame.is(DATA, 5)).unwrap().payload, b"one");
    assert!(!balancer.log().contains("temporarily disabled"));
}

#[test]
fn a_server_that_breaks_off_resets_the_stream() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, ""));
    backend.behave(Behaviour::HalfBody);
    let mut raw = Raw::connect(balancer.address);
    assert!(raw.send(&get(1, "/")));
    // As far as it came, and then the reset.
    assert!(raw.wait_for(|frame| frame.is(HEADERS, 1)).is_some());
    assert!(!raw.wait_for(|frame| frame.is(DATA, 1)).unwrap().payload.is_empty());
    let reset = raw.wait_for(|frame| frame.kind == RST_STREAM || frame.kind == DATA && frame.flags & 1 == 1);
    assert_eq!(reset.unwrap().code(), INTERNAL_ERROR);
}

#[test]
fn a_stop_lets_streams_end_and_then_ends_connections() {
    let backend = Backend::start("one");
    let mut balancer = Balancer::start(&http2(&backend, ""));
    let mut idle = Raw::connect(balancer.address);
    assert!(idle.wait_for(|frame| frame.kind == 4).is_some());
    backend.behave(Behaviour::Slow(Duration::from_millis(700)));
    let mut client = Http2Client::connect(balancer.address);
    let exchange = client.begin(request("/slow"), false);
    eventually("the request reaches the server", || backend.heads() == 1);
    balancer.signal("QUIT");
    assert_eq!(client.finish(exchange).unwrap().answer.body, "one");
    client.ended().unwrap();
    assert_eq!(idle.goaway(), Some(NO_ERROR));
    assert_eq!(balancer.wait().1, Some(0));
}

#[test]
fn an_address_that_is_removed_lets_streams_end() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, ""));
    backend.behave(Behaviour::Slow(Duration::from_millis(700)));
    let mut client = Http2Client::connect(balancer.address);
    let exchange = client.begin(request("/slow"), false);
    eventually("the request reaches the server", || backend.heads() == 1);
    balancer.write(&format!(
        "server {{ listen 127.0.0.1:{}; return 200 ok; }}",
        super::super::support::free_port()
    ));
    balancer.reload("success");
    assert_eq!(client.finish(exchange).unwrap().answer.body, "one");
    client.ended().unwrap();
}

#[test]
fn frames_are_no_longer_than_http2_chunk_size() {
    let backend = Backend::start("one");
    let http = http2(&backend, "location /small { http2_chunk_size 1000; proxy_pass http://BACKEND; }");
    let balancer = Balancer::start(&http.replace("BACKEND", &backend.address.to_string()));
    backend.behave(Behaviour::Large(20_000, super::Framing::Length));
    for (path, most) in [("/", 8192), ("/small", 1000)] {
        let mut raw = Raw::connect(balancer.address);
        assert!(raw.send(&get(1, path)));
        let mut lengths = Vec::new();
        raw.wait_for(|frame| {
            if frame.kind == DATA {
                lengths.push(frame.payload.len());
            }
            frame.kind == DATA && frame.flags & END_STREAM != 0
        });
        assert_eq!(lengths.iter().sum::<usize>(), 20_000);
        assert_eq!(lengths.iter().max(), Some(&most), "{lengths:?}");
    }
}

#[test]
fn a_body_is_sent_only_as_far_as_it_is_read() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, "http2_body_preread_size 1000;"));
    let mut raw = Raw::connect(balancer.address);
    let settings = raw.wait_for(|frame| frame.kind == 4).unwrap().payload;
    let value = |name: u8| {
        let found = settings.chunks(6).find(|one| one[..2] == [0, name]).unwrap();
        u32::from_be_bytes(found[2..].try_into().unwrap())
    };
    assert_eq!((value(4), value(3)), (1000, 128));
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on() {
    let backend = Backend::start("one");
    let balancer = Balancer::start(&http2(&backend, ""));
    let mut raw = Raw::connect(balancer.address);
    let mut fields = super::raw::request("POST", "/up").to_vec();
    fields.push(("expect", "100-continue"));
    assert!(raw.send(&frame(HEADERS, END_HEADERS, 1, &block(&fields))));
    let interim = raw.wait_for(|frame| frame.is(HEADERS, 1)).unwrap();
    assert_eq!(interim.flags & END_STREAM, 0);
    assert_eq!(backend.heads(), 0);
    assert!(raw.send(&frame(DATA, END_STREAM, 1, b"body")));
    assert_eq!(raw.wait_for(|frame| frame.is(DATA, 1)).unwrap().payload, b"one");
    assert_eq!(backend.seen()[0].body, b"body");
    assert!(!backend.seen()[0].headers.contains_key("expect"));
}

#[test]
fn early_hints_pass_where_they_are_wanted() {
    const ANSWER: &[&[u8]] = &[
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ];
    let backend = Backend::start("one");
    let http = http2(&backend, "location /hints { early_hints $http2; proxy_pass http://BACKEND; }");
    let balancer = Balancer::start(&http.replace("BACKEND", &backend.address.to_string()));
    backend.behave(Behaviour::Pieces(ANSWER));
    for (path, headers) in [("/", 1), ("/hints", 2)] {
        let mut raw = Raw::connect(balancer.address);
        assert!(raw.send(&get(1, path)));
        let mut seen = 0;
        let data = raw.wait_for(|frame| {
            seen += usize::from(frame.is(HEADERS, 1));
            frame.is(DATA, 1)
        });
        assert_eq!((data.unwrap().payload.as_slice(), seen), (&b"ok"[..], headers), "{path}");
    }
}
