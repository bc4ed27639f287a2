//! The connection loop from outside: real sockets, Pingora's `HttpProxy`, a backend that counts.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use super::connection_support::*;
use tokio::io::AsyncWriteExt;

#[tokio::test(flavor = "multi_thread")]
async fn requests_follow_each_other_on_one_connection() {
    let house = House::open().await;
    let mut client = house.connect().await;
    for target in ["/a", "/b?c", "/~%7e//../x"] {
        let answer = client.get(target).await;
        assert_eq!((answer.status, answer.text()), (200, target));
        assert!(!answer.closes());
    }
    let mut other = house.connect().await;
    other.get("/d").await;
    eventually("four requests are logged", || house.proxy_seen().len() == 4).await;
    let seen: Vec<_> = house.proxy_seen().iter().map(|seen| (seen.serial, seen.number)).collect();
    assert_eq!(seen, [(1, 1), (1, 2), (1, 3), (2, 1)]);
    assert_eq!(house.proxy_seen()[1].line, "GET /b?c HTTP/1.1");
    assert_eq!(house.refused(), []);
    let totals = house.drain.totals();
    assert_eq!((totals.accepted, totals.requests, totals.active, totals.waiting), (2, 4, 2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order_however_they_are_cut() {
    let house = House::open().await;
    let bytes = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789GET /2 HTTP/1.1\r\nHost: h\r\n\r\n\
        \r\nPOST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for cut in 1..bytes.len() {
        let mut client = house.connect().await;
        client.send(&bytes[..cut]).await;
        // Long enough for the loop to meet each part alone, most of the time; right in any case.
        tokio::time::sleep(Duration::from_millis(2)).await;
        client.send(&bytes[cut..]).await;
        let bodies =
            [client.answer().await, client.answer().await, client.answer().await].map(|answer| answer.body);
        assert_eq!(bodies, [b"0123456789".to_vec(), b"/2".to_vec(), b"abc".to_vec()], "cut at {cut}");
    }
    assert_eq!(house.backend.count(), 3 * (bytes.len() - 1));
    assert_eq!(house.refused(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sent_while_the_one_before_is_served_waits_its_turn() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.send("GET /hang HTTP/1.1\r\nHost: h\r\n\r\n").await;
    eventually("the backend has it", || house.backend.hanging.load(SeqCst) == 1).await;
    client.send("GET /next HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: a b\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    house.backend.release.notify_one();
    assert_eq!(client.answer().await.text(), "released");
    assert_eq!(client.answer().await.text(), "/next");
    // The third is judged like any other.
    let third = client.answer().await;
    assert_eq!(third.status, 400);
    assert!(third.closes());
    assert_eq!(client.rest().await.unwrap(), b"");
    assert_eq!(house.backend.count(), 2);
    let report = house.refused().pop().unwrap();
    assert_eq!((report.status, report.line.as_str(), report.number), (400, "GET / HTTP/1.1", 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_far_ahead_is_held_back_and_loses_nothing() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.send("GET /hang HTTP/1.1\r\nHost: h\r\n\r\n").await;
    eventually("the backend has it", || house.backend.hanging.load(SeqCst) == 1).await;
    let (mut read, mut write) = client.0.into_split();
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let sender = tokio::spawn(async move {
        write.write_all(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n").await.unwrap();
        for _ in 0..100 {
            write.write_all(&[b'x'; 10_000]).await.unwrap();
            counted.fetch_add(10_000, SeqCst);
        }
        write
    });
    // More than is held for a client.
    eventually("it is far ahead", || sent.load(SeqCst) >= 100_000).await;
    house.backend.release.notify_one();
    assert_eq!(read_message(&mut read).await.unwrap().1, b"released");
    assert_eq!(read_message(&mut read).await.unwrap().1.len(), 1_000_000);
    sender.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_let_in_gets_our_page_and_is_reported() {
    let house = House::open().await;
    house.set_limits(|limits| {
        limits.header.line_bytes = 100;
        limits.header.total_bytes = 300;
    });
    let long = "l".repeat(200);
    let fields = "X: 7890123456789012345678901234567890\r\n".repeat(9);
    for (request, status, title) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400, "400 Bad Request"),
        ("get / HTTP/1.1\r\n\r\n".into(), 400, "400 Bad Request"),
        ("GET / HTTP/2.0\r\n\r\n".into(), 505, "505 HTTP Version Not Supported"),
        ("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n".into(), 405, "405 Not Allowed"),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n".into(), 501, "501 Not Implemented"),
        (format!("GET /{long} HTTP/1.1\r\n"), 414, "414 Request-URI Too Large"),
        (format!("GET / HTTP/1.1\r\nX: {long}\r\n"), 400, "400 Request Header Or Cookie Too Large"),
        (format!("GET / HTTP/1.1\r\n{fields}"), 400, "400 Request Header Or Cookie Too Large"),
    ] {
        let mut client = house.connect().await;
        client.send(&request).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status, "{request:?}");
        assert!(answer.text().contains(&format!("<title>{title}</title>")), "{answer:?}");
        assert!(answer.head.contains("\r\nServer: cirque\r\n") && answer.closes(), "{answer:?}");
        assert_eq!(client.rest().await.unwrap(), b"");
        let report = house.front.refused.lock().unwrap().pop().expect("the refusal is reported");
        assert_eq!(report.status, status);
        assert_eq!(report.body_bytes_sent as usize, answer.body.len());
        assert_eq!(report.bytes_sent as usize, answer.head.len() + answer.body.len());
    }
    let mut client = house.connect().await;
    client.send("HEAD / HTTP/1.1\r\n\r\n").await;
    let answer = client.rest().await.unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 400 ") && answer.ends_with(b"\r\n\r\n"),
        "{}",
        answer.escape_ascii()
    );
    assert_eq!(house.backend.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_dawdles_is_cut_on_any_request() {
    let house = House::open().await;
    house.set_limits(|limits| limits.header_timeout = Duration::from_millis(200));
    for earlier in 0..2 {
        let mut client = house.connect().await;
        for _ in 0..earlier {
            client.get("/").await;
        }
        let started = Instant::now();
        client.send("GET /slow HTTP/1.1\r\nHost: h\r\n").await;
        let mut answer = Box::pin(client.0.readable());
        // Every byte would restart a timer that ran from read to read.
        while tokio::time::timeout(Duration::from_millis(20), &mut answer).await.is_err() {
            client.0.try_write(b"a").unwrap();
            assert!(started.elapsed() < PATIENCE);
        }
        drop(answer);
        assert_eq!(client.answer().await.status, 408);
        assert!(started.elapsed() >= Duration::from_millis(150), "{:?}", started.elapsed());
        let report = house.refused().pop().unwrap();
        assert_eq!((report.status, report.line.as_str()), (408, "GET /slow HTTP/1.1"));
    }
    assert_eq!(house.backend.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_ends_without_a_word() {
    let house = House::open().await;
    house.set_limits(|limits| {
        limits.first_request_timeout = Duration::from_millis(50);
        limits.header_timeout = Duration::from_millis(50);
    });
    let mut silent = house.connect().await;
    assert_eq!(silent.rest().await.unwrap(), b"");
    let mut line_ends = house.connect().await;
    line_ends.send("\r\n\r\n").await;
    assert_eq!(line_ends.rest().await.unwrap(), b"");

    *house.state.idle_timeout.lock().unwrap() = Some(Duration::from_millis(100));
    let mut idle = house.connect().await;
    assert!(!idle.get("/").await.closes());
    let started = Instant::now();
    assert_eq!(idle.rest().await.unwrap(), b"");
    assert!(started.elapsed() >= Duration::from_millis(80), "{:?}", started.elapsed());
    assert_eq!(house.refused(), []);
    eventually("all are gone", || house.drain.totals().active == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_within_a_header_is_reported_and_not_answered() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.send("GET /half HTTP/1.1\r\nHos").await;
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await.unwrap(), b"");
    let report = house.refused().pop().unwrap();
    assert_eq!((report.status, report.line.as_str(), report.bytes_sent), (400, "GET /half HTTP/1.1", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_is_noticed_while_the_backend_works() {
    let house = House::open().await;
    for (index, ahead) in ["", "GET /never HTTP/1.1\r\nHost: h\r\n\r\n"].into_iter().enumerate() {
        for half_close in [false, true] {
            let aborted = house.backend.aborted.load(SeqCst);
            let mut client = house.connect().await;
            client.send(format!("GET /hang HTTP/1.1\r\nHost: h\r\n\r\n{ahead}")).await;
            eventually("the backend has it", || house.backend.hanging.load(SeqCst) == 1).await;
            // As for NGINX, a client that closes its side has left.
            let mut client = Some(client);
            match (half_close, &mut client) {
                (true, Some(client)) => client.0.shutdown().await.unwrap(),
                _ => drop(client.take()),
            }
            eventually("the backend is let go", || house.backend.aborted.load(SeqCst) == aborted + 1).await;
        }
        assert_eq!(house.backend.count(), 2 * (index + 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_arrive_whole() {
    let house = House::open().await;
    let mut client = house.connect().await;
    let body: Vec<u8> = (0..300_000u32).map(|byte| (byte % 251) as u8).collect();
    client.send(format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len())).await;
    client.send(&body).await;
    assert!(client.answer().await.body == body);

    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for chunk in body.chunks(7_919) {
        client.send(format!("{:x}\r\n", chunk.len())).await;
        client.send(chunk).await;
        client.send("\r\n").await;
    }
    client.send("0\r\n\r\n").await;
    assert!(client.answer().await.body == body);
    assert_eq!(client.get("/after").await.text(), "/after");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_chunked_body_is_the_next_request_wherever_the_bytes_are_cut() {
    let house = House::open().await;
    let upload =
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n";
    let bytes = [upload, "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
    let mut client = house.connect().await;
    let head = upload.find("\r\n\r\n").unwrap() + 4;
    for cut in (head..=upload.len() + 3).chain([bytes.len()]) {
        let (first, second) = bytes.split_at(cut);
        client.send(first).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        client.send(second).await;
        assert_eq!(client.answer().await.body, b"a", "cut at {cut}");
        assert_eq!(client.answer().await.text(), "/2", "cut at {cut}");
    }
    let pairs = upload.len() + 3 - head + 2;
    assert_eq!(house.backend.count(), 2 * pairs);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_survives_an_upload_that_nobody_reads() {
    let house = House::open().await;
    for head in [
        // Refused by the loop, and answered by the proxy without reading.
        "POST / HTTP/1.1\r\nHost: a b\r\nContent-Length: 4000000\r\n\r\n",
        "POST /forbidden HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n",
        "POST /forbidden HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3d0900\r\n",
    ] {
        let (mut read, mut write) = house.connect().await.0.into_split();
        let sender = tokio::spawn(async move {
            write.write_all(head.as_bytes()).await.unwrap();
            // The client sends on, whatever comes; it reads when it is done.
            let body = vec![b'x'; 4_000_000];
            let result = write.write_all(&body).await;
            (write, result)
        });
        let (_write, sent) = sender.await.unwrap();
        sent.unwrap_or_else(|error| panic!("{error} after {head:?}"));
        let (answer, _) = read_message(&mut read).await.expect("an answer, not a reset");
        assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
    }
    assert_eq!(house.backend.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_that_pingora_cannot_carry_arrive_encoded() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.send(b"GET /<\xE9>?\"x\" HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(client.answer().await.text(), "/%3C%E9%3E?%22x%22");
    client.send("GET http://other/p HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(client.answer().await.text(), "/p");
    let line = house.proxy_seen()[0].line.clone();
    assert_eq!(line, "GET /<\u{fffd}>?\"x\" HTTP/1.1", "what is logged is what was sent");
}
