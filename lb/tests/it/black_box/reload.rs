//! HUP: another configuration in the same process, or none at all.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use super::support::{Backend, Balancer, Client, PATIENCE, eventually, free_port, get, proxy_to};

#[test]
fn twenty_reloads_under_load_lose_no_request_and_no_connection() {
    let backends: Vec<_> = ["a", "b"].map(Backend::start).into();
    // However many requests a slow machine lets them send, none is the last of its connection.
    let http = format!("keepalive_requests 1000000;\n{}", proxy_to(&backends.iter().collect::<Vec<_>>(), ""));
    let balancer = Balancer::start(&http);
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (stop, answered, address) = (stop.clone(), answered.clone(), balancer.address);
            thread::spawn(move || {
                let mut client = Client::connect(address);
                while !stop.load(SeqCst) {
                    assert_eq!(client.get("/").expect("the connection lives on").status, 200);
                    answered.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    for round in 0..20 {
        let before = answered.load(SeqCst);
        balancer.write(&format!("client_max_body_size {}m;\n{http}", round + 1));
        balancer.reload("success");
        eventually("the load goes on", || answered.load(SeqCst) >= before + 8);
    }
    stop.store(true, SeqCst);
    clients.into_iter().for_each(|client| client.join().unwrap());
    let answered = answered.load(SeqCst);
    assert_eq!(backends.iter().map(Backend::count).sum::<usize>(), answered, "no request was sent twice");
    assert_eq!(balancer.metric("lb_config_reloads_total{result=\"success\"}"), 20);
}

/// How the connections of clients ended, that each carried one request.
#[derive(Default)]
struct Endings {
    answered: AtomicUsize,
    /// The connection was refused, reset, or ended without an answer.
    cut: AtomicUsize,
    /// The answer was not 200.
    refused: AtomicUsize,
}

impl Endings {
    fn book(&self, answer: std::io::Result<String>) {
        let counter = match answer {
            Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => &self.answered,
            Ok(answer) if answer.starts_with("HTTP/1.1 ") => &self.refused,
            _ => &self.cut,
        };
        counter.fetch_add(1, SeqCst);
    }
}

fn one_request(address: std::net::SocketAddr) -> std::io::Result<String> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_hundred_reloads_between_an_address_and_its_wildcard_cut_no_connection() {
    let on = |listen: &str| format!("server {{ listen {listen}; return 200 ok; }}");
    let balancer = Balancer::start_with("worker_processes 4;", &on("LISTEN"));
    let (stop, endings) = (Arc::new(AtomicBool::new(false)), Arc::new(Endings::default()));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (stop, endings, address) = (stop.clone(), endings.clone(), balancer.address);
            thread::spawn(move || {
                while !stop.load(SeqCst) {
                    endings.book(one_request(address));
                }
            })
        })
        .collect();
    let wildcard = balancer.address.port().to_string();
    for round in 0..100 {
        balancer.write(&if round % 2 == 0 { on(&wildcard) } else { on("LISTEN") });
        balancer.reload("success");
    }
    stop.store(true, SeqCst);
    clients.into_iter().for_each(|client| client.join().unwrap());
    let count = |counter: &AtomicUsize| counter.load(SeqCst);
    assert!(count(&endings.answered) > 1_000, "the load was there: {}", count(&endings.answered));
    assert_eq!((count(&endings.cut), count(&endings.refused)), (0, 0), "cut and refused");
}

#[test]
fn a_bad_file_changes_nothing_and_says_why() {
    let (old, new) = (Backend::start("old"), Backend::start("new"));
    let balancer = Balancer::start(&proxy_to(&[&old], ""));
    balancer.write(&format!("{}\nserver {{ listne 80; }}", proxy_to(&[&new], "")));
    balancer.reload("failure");
    assert_eq!(get(balancer.address, "/").body, "old");
    balancer.says("[emerg]");
    balancer.says("unknown directive \"listne\"");
    balancer.write(&proxy_to(&[&new], ""));
    balancer.reload("success");
    assert_eq!(get(balancer.address, "/").body, "new");
}

#[test]
fn listeners_come_and_go_in_the_same_process() {
    let backend = Backend::start("a");
    let http = proxy_to(&[&backend], "");
    let balancer = Balancer::start(&http);
    let second = free_port();
    let mut kept = Client::connect(balancer.address);
    kept.get("/").unwrap();
    balancer.write(&format!("{http}\nserver {{ listen 127.0.0.1:{second}; return 200 second; }}"));
    balancer.reload("success");
    let second_address = ([127, 0, 0, 1], second).into();
    assert_eq!(get(second_address, "/").body, "second");
    let mut on_second = Client::connect(second_address);
    on_second.get("/").unwrap();
    balancer.write(&http);
    balancer.reload("success");
    eventually("the removed address refuses", || std::net::TcpStream::connect(second_address).is_err());
    assert!(on_second.is_closed_within(std::time::Duration::from_secs(5)), "its connections end with it");
    assert_eq!(kept.get("/").expect("a connection of a kept address lives on").status, 200);
}

#[test]
fn an_address_that_cannot_be_bound_refuses_the_whole_reload() {
    let backend = Backend::start("a");
    let http = proxy_to(&[&backend], "");
    let balancer = Balancer::start(&http);
    balancer.write(&format!("{http}\nserver {{ listen {}; return 200 stolen; }}", backend.address));
    balancer.reload("failure");
    balancer.says(&format!("bind() to {} failed (98: Address already in use)", backend.address));
    assert_eq!(get(balancer.address, "/").status, 200);
}

#[test]
fn servers_keep_their_counts_and_their_state() {
    let (a, b) = (Backend::start("a"), Backend::start("b"));
    let balancer = Balancer::start(&proxy_to(&[&a, &b], "fail_timeout=30s"));
    for _ in 0..10 {
        get(balancer.address, "/");
    }
    let dead = b.kill();
    get(balancer.address, "/");
    get(balancer.address, "/");
    let sample =
        format!("lb_upstream_requests_total{{upstream=\"backend\",server=\"{}\",code=\"2xx\"}}", a.address);
    let before = balancer.metric(&sample);
    balancer.write(&format!(
        "client_max_body_size 2m;\n{}",
        proxy_to(&[&a, &Backend::bind("b", dead)], "fail_timeout=30s")
    ));
    balancer.reload("success");
    assert!(balancer.metric(&sample) >= before && before >= 5);
}
