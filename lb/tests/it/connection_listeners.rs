//! Listening sockets that come and go while requests flow, and the graceful stop.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use super::connection_support::*;
use super::free_port::free_port;
use lb::config::model::ListenAddress;
use lb::connection::{Drained, Listeners};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};

#[test]
fn an_address_in_use_is_told_in_nginx_words_and_nothing_is_left_bound() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = ListenAddress::Inet(holder.local_addr().unwrap());
    let free = format!("127.0.0.1:{}", free_port());
    let error = Listeners::bind(&wanted(&[inet(&free), taken.clone()])).unwrap_err().to_string();
    assert_eq!(error, format!("bind() to {taken} failed (98: Address already in use)"));
    std::net::TcpListener::bind(&free).expect("what was bound is let go");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_change_leaves_everything_as_it_was() {
    let mut house = House::open().await;
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = ListenAddress::Inet(holder.local_addr().unwrap());
    let error = house.listeners.prepare(&wanted(&[inet("127.0.0.1:0"), taken])).unwrap_err();
    assert!(error.to_string().contains("98: Address already in use"), "{error}");
    let mut client = house.connect().await;
    assert_eq!(client.get("/").await.status, 200);
    assert_eq!(house.listeners.local_addresses().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_come_and_go_while_others_serve() {
    let mut house = House::open().await;
    let first = house.listeners.local_addresses()[0].0.clone();
    let second = inet(&format!("127.0.0.1:{}", free_port()));
    let mut on_first = house.connect().await;
    on_first.get("/").await;

    let change = house.listeners.prepare(&wanted(&[first.clone(), second.clone()])).unwrap();
    assert!(!change.is_empty());
    assert_eq!(house.listeners.slot(&second), Some(1), "known before it is served");
    house.listeners.commit(change, &house.acceptor, || {});
    let ListenAddress::Inet(second_address) = second else { unreachable!() };
    let mut on_second = Client(TcpStream::connect(second_address).await.unwrap());
    on_second.get("/").await;
    assert_eq!(house.proxy_seen().iter().map(|seen| seen.slot).collect::<Vec<_>>(), [0, 1]);

    // The second goes: its idle connection ends, its request in flight does not.
    let mut busy = Client(TcpStream::connect(second_address).await.unwrap());
    busy.send("GET /hang HTTP/1.1\r\nHost: h\r\n\r\n").await;
    eventually("the backend has it", || house.backend.hanging.load(SeqCst) == 1).await;
    let change = house.listeners.prepare(&wanted(std::slice::from_ref(&first))).unwrap();
    house.listeners.commit(change, &house.acceptor, || {});
    assert_eq!(on_second.rest().await.unwrap(), b"");
    eventually("nobody listens there", || std::net::TcpStream::connect(second_address).is_err()).await;
    house.backend.release.notify_one();
    assert_eq!(busy.answer().await.text(), "released");
    assert_eq!(busy.rest().await.unwrap(), b"");
    assert_eq!(on_first.get("/still").await.text(), "/still");

    // It comes back under its own number.
    let change = house.listeners.prepare(&wanted(&[first, inet(&second_address.to_string())])).unwrap();
    house.listeners.commit(change, &house.acceptor, || {});
    assert_eq!(house.listeners.slot(&inet(&second_address.to_string())), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn going_from_one_address_to_the_wildcard_and_back_refuses_nobody() {
    let port = free_port();
    let specific = inet(&format!("127.0.0.1:{port}"));
    let wildcard = inet(&format!("0.0.0.0:{port}"));
    let mut house = House::open_on(std::slice::from_ref(&specific)).await;
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, served) = (stop.clone(), served.clone());
            tokio::spawn(async move {
                while !stop.load(SeqCst) {
                    let mut client = Client(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
                    assert_eq!(client.get("/").await.status, 200);
                    served.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    for round in 0..10 {
        let next = if round % 2 == 0 { &wildcard } else { &specific };
        let before = served.load(SeqCst);
        let change = house.listeners.prepare(&wanted(std::slice::from_ref(next))).unwrap();
        house.listeners.commit(change, &house.acceptor, || {});
        eventually("requests flow on", || served.load(SeqCst) > before + 20).await;
    }
    stop.store(true, SeqCst);
    for client in clients {
        client.await.expect("no connection was refused or reset");
    }
    // The port is not left open to be shared.
    assert!(Listeners::bind(&wanted(&[specific])).is_err());
}

#[tokio::test]
async fn a_client_without_an_answer_yet_has_time_although_its_address_goes() {
    let port = free_port();
    let address = inet(&format!("127.0.0.1:{port}"));
    let mut house = House::open_on(std::slice::from_ref(&address)).await;
    let mut client = Client(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    eventually("it is accepted", || house.drain.totals().accepted == 1).await;
    let change = house.listeners.prepare(&wanted(&[])).unwrap();
    house.listeners.commit(change, &house.acceptor, || {});
    // Well past the time that an idle connection has.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(client.get("/").await.status, 200);
}

/// On one thread, so that the accept loop of the closed socket has not run when its address is bound again.
#[tokio::test]
async fn an_address_can_come_straight_back() {
    let port = free_port();
    let [specific, wildcard] = ["127.0.0.1", "0.0.0.0"].map(|ip| inet(&format!("{ip}:{port}")));
    for address in [&specific, &wildcard] {
        let mut house = House::open_on(std::slice::from_ref(address)).await;
        for next in [&[][..], std::slice::from_ref(address), &[], std::slice::from_ref(&wildcard)] {
            let change = house.listeners.prepare(&wanted(next)).unwrap();
            house.listeners.commit(change, &house.acceptor, || {});
        }
        // The closed sockets are gone, so that every connection meets the last one.
        tokio::task::yield_now().await;
        let mut client = Client(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        assert_eq!(client.get("/").await.status, 200);
        house.drain.begin();
        assert_eq!(house.drain.drained(Some(PATIENCE)).await, Drained::Completely);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_address_keeps_the_last_snapshot_that_knew_it() {
    let mut house = House::open().await;
    let first = house.listeners.local_addresses()[0].0.clone();
    let second_port = free_port();
    let second = inet(&format!("127.0.0.1:{second_port}"));
    // A connection that is to end still takes a request that comes at once; one that is not yet under way when the
    // address goes. On a busy machine the request may come too late, so there is more than one try.
    for _ in 0..20 {
        let put_in_force = |snapshot| *house.front.snapshot.lock().unwrap() = snapshot;
        put_in_force("first");
        let change = house.listeners.prepare(&wanted(&[first.clone(), second.clone()])).unwrap();
        house.listeners.commit(change, &house.acceptor, || put_in_force("knows both"));
        let before = house.drain.totals().accepted;
        let mut client = Client(TcpStream::connect(("127.0.0.1", second_port)).await.unwrap());
        eventually("it is accepted", || house.drain.totals().accepted > before).await;
        let change = house.listeners.prepare(&wanted(std::slice::from_ref(&first))).unwrap();
        house.listeners.commit(change, &house.acceptor, || put_in_force("knows one"));
        // Another reload, which does not touch the address, makes no difference.
        put_in_force("knows one, again");
        if client.0.write_all(b"GET /late HTTP/1.1\r\nHost: h\r\n\r\n").await.is_ok()
            && client.rest().await.is_ok_and(|answer| !answer.is_empty())
        {
            eventually("it is written down", || !house.proxy_seen().is_empty()).await;
            assert_eq!(house.proxy_seen()[0].snapshot, "knows both");
            house.connect().await.get("/").await;
            eventually("it is written down", || house.proxy_seen().len() == 2).await;
            assert_eq!(house.proxy_seen()[1].snapshot, "knows one, again");
            return;
        }
    }
    panic!("no request came in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_wildcard_a_connection_knows_the_address_it_meant() {
    let port = free_port();
    let addresses = [format!("0.0.0.0:{port}"), format!("127.0.0.2:{port}")].map(|address| inet(&address));
    let house = House::open_on(&addresses).await;
    assert_eq!(house.listeners.local_addresses().len(), 1, "one socket for both");
    for (before, (ip, slot)) in [("127.0.0.1", 0), ("127.0.0.2", 1), ("127.0.0.3", 0)].into_iter().enumerate()
    {
        let mut client = Client(TcpStream::connect((ip, port)).await.unwrap());
        client.get("/").await;
        // Written down behind the answer.
        eventually("the request is seen", || house.proxy_seen().len() > before).await;
        assert_eq!(house.proxy_seen().pop().unwrap().slot, slot, "{ip}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_open_to_everyone_and_goes_with_its_listener() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lb.sock");
    let address = ListenAddress::Unix(path.clone());
    let house = House::open_on(std::slice::from_ref(&address)).await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
    let mut client = Client(UnixStream::connect(&path).await.unwrap());
    assert_eq!(client.get("/a").await.text(), "/a");
    assert_eq!(client.get("/b").await.text(), "/b");

    let error = Listeners::bind(&wanted(&[address])).unwrap_err().to_string();
    assert_eq!(error, format!("bind() to unix:{} failed (98: Address already in use)", path.display()));
    assert!(path.exists(), "an attempt to bind leaves the socket of the living alone");

    house.drain.begin();
    assert_eq!(house.drain.drained(Some(PATIENCE)).await, Drained::Completely);
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_waits_for_requests_in_flight_and_says_close() {
    let mut times = Vec::new();
    while times.len() < 20 {
        let time = time_to_end_behind_the_last_request().await;
        times.push(time);
        // Other work on the machine makes some runs long, a fault all of them.
        if time < Duration::from_millis(500) {
            return;
        }
    }
    panic!("{times:?}");
}

async fn time_to_end_behind_the_last_request() -> Duration {
    let house = House::open().await;
    let mut early = house.connect().await;
    early.send("GET /hang HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut heading = house.connect().await;
    heading.send("GET /late HTTP/1.1\r\nHo").await;
    eventually("one is served, one is read", || {
        let totals = house.drain.totals();
        (totals.writing, totals.reading) == (1, 1)
    })
    .await;
    house.drain.begin();
    let timeout = Some(Duration::from_millis(200));
    assert_eq!(house.drain.drained(timeout).await, Drained::TimedOut { connections: 2 });
    heading.send("st: h\r\n\r\n").await;
    let answer = heading.answer().await;
    assert_eq!((answer.text(), answer.closes()), ("/late", true));
    house.backend.release.notify_one();
    assert_eq!(early.answer().await.text(), "released");
    let started = Instant::now();
    assert_eq!(house.drain.drained(Some(PATIENCE)).await, Drained::Completely);
    let time = started.elapsed();
    assert_eq!(early.rest().await.unwrap(), b"");
    time
}

#[tokio::test]
async fn a_panic_on_a_request_costs_its_connection_and_no_other() {
    let house = House::open().await;
    let mut bystander = house.connect().await;
    assert_eq!(bystander.get("/before").await.text(), "/before");
    for round in 0..3 {
        let mut unlucky = house.connect().await;
        assert_eq!(unlucky.get("/fine").await.status, 200);
        unlucky.send("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n").await;
        // Closed, or reset; without an answer.
        assert!(unlucky.rest().await.is_ok_and(|bytes| bytes.is_empty()), "round {round}");
        assert_eq!(bystander.get("/after").await.text(), "/after");
    }
    eventually("the counts are right", || {
        let totals = house.drain.totals();
        (totals.active, totals.reading, totals.writing) == (1, 0, 0)
    })
    .await;
    house.drain.begin();
    assert_eq!(house.drain.drained(Some(PATIENCE)).await, Drained::Completely);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_in_a_closed_loop_see_no_failure_when_the_process_stops() {
    let house = House::open().await;
    let address = house.address();
    let clients: Vec<_> = (0..32)
        .map(|_| {
            tokio::spawn(async move {
                let mut requests = 0;
                'connections: loop {
                    let Ok(stream) = TcpStream::connect(address).await else { return requests };
                    let mut client = Client(stream);
                    loop {
                        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
                        let answer = client.answer().await;
                        assert_eq!(answer.status, 200);
                        requests += 1;
                        if answer.closes() {
                            continue 'connections;
                        }
                    }
                }
            })
        })
        .collect();
    // In the midst of it: each of them many times, whatever the machine manages in a second.
    eventually("they are at it", || house.backend.count() > 32 * 20).await;
    house.drain.begin();
    let mut answered = 0;
    for client in clients {
        answered += client.await.expect("every request that was sent is answered");
    }
    assert_eq!(house.drain.drained(Some(PATIENCE)).await, Drained::Completely);
    assert_eq!(answered, house.backend.count());
}
