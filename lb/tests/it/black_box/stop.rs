//! The ends of the process: QUIT, TERM, INT; and the signals that are not an end.

use std::thread;
use std::time::{Duration, Instant};

use super::support::{Backend, Balancer, Behaviour, Client, eventually, get, proxy_to, takes_less_than};

#[test]
fn an_idle_process_quits_within_100_ms_even_with_idle_connections() {
    takes_less_than(Duration::from_millis(100), time_to_quit_idle);
}

fn time_to_quit_idle() -> Duration {
    let backend = Backend::start("a");
    let mut balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let mut clients: Vec<_> = (0..50).map(|_| Client::connect(balancer.address)).collect();
    for client in &mut clients {
        client.get("/").unwrap();
    }
    eventually("all are idle", || balancer.metric("lb_connections{state=\"waiting\"}") >= 50);
    let asked = Instant::now();
    balancer.signal("QUIT");
    let (_, code) = balancer.wait();
    let took = asked.elapsed();
    assert_eq!(code, Some(0));
    assert!(!balancer.path("lb.pid").exists(), "the pid file is gone");
    took
}

#[test]
fn quit_lets_what_is_in_flight_end_and_goes_within_a_second_of_it() {
    takes_less_than(Duration::from_secs(1), time_to_quit_behind_the_last);
}

fn time_to_quit_behind_the_last() -> Duration {
    let backend = Backend::start("a");
    backend.behave(Behaviour::Slow(Duration::from_millis(700)));
    let mut balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let clients: Vec<_> = (0..10)
        .map(|_| {
            let address = balancer.address;
            thread::spawn(move || {
                let answer = get(address, "/");
                (answer.status, answer.headers.get("connection").cloned(), Instant::now())
            })
        })
        .collect();
    eventually("all are in flight", || backend.count() == 10);
    balancer.signal("QUIT");
    eventually("nobody new is let in", || std::net::TcpStream::connect(balancer.address).is_err());
    let ended: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    let (_, code) = balancer.wait();
    let gone = Instant::now();
    for (status, connection, _) in &ended {
        assert_eq!((*status, connection.as_deref()), (200, Some("close")));
    }
    let last = ended.iter().map(|(_, _, at)| *at).max().unwrap();
    assert_eq!(code, Some(0));
    gone - last
}

#[test]
fn a_busy_keep_alive_client_is_told_to_close_and_not_cut() {
    let backend = Backend::start("a");
    let mut balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let address = balancer.address;
    let clients: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(move || {
                let mut client = Client::connect(address);
                loop {
                    let answer = client.get("/").expect("an answer to every request that was sent");
                    assert_eq!(answer.status, 200);
                    if answer.headers.get("connection").is_some_and(|value| value == "close") {
                        return;
                    }
                }
            })
        })
        .collect();
    eventually("the load is there", || backend.count() > 200);
    balancer.signal("QUIT");
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(balancer.wait().1, Some(0));
}

#[test]
fn worker_shutdown_timeout_bounds_the_graceful_stop() {
    takes_less_than(Duration::from_secs(2), time_to_quit_within_500_ms);
}

fn time_to_quit_within_500_ms() -> Duration {
    let backend = Backend::start("a");
    backend.behave(Behaviour::Hang);
    let mut balancer = Balancer::start_with("worker_shutdown_timeout 500ms;", &proxy_to(&[&backend], ""));
    let mut client = Client::connect(balancer.address);
    client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    eventually("it is in flight", || backend.count() == 1);
    let asked = Instant::now();
    balancer.signal("QUIT");
    assert_eq!(balancer.wait().1, Some(0));
    let took = asked.elapsed();
    assert!(took >= Duration::from_millis(500), "{took:?}");
    took
}

#[test]
fn term_and_int_do_not_wait() {
    for signal in ["TERM", "INT"] {
        takes_less_than(Duration::from_secs(1), || time_to_end_by(signal));
    }
}

fn time_to_end_by(signal: &str) -> Duration {
    let backend = Backend::start("a");
    backend.behave(Behaviour::Hang);
    let mut balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let mut client = Client::connect(balancer.address);
    client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    eventually("it is in flight", || backend.count() == 1);
    let asked = Instant::now();
    balancer.signal(signal);
    assert_eq!(balancer.wait().1, Some(0), "{signal}");
    let took = asked.elapsed();
    assert!(!balancer.path("lb.pid").exists());
    took
}

#[test]
fn usr1_opens_the_logs_again() {
    let http = "log_format short '$request $status'; access_log access.log short;
                server { listen LISTEN; return 200 ok; }";
    let balancer = Balancer::start(&http.replace("access_log access.log short;", ""));
    // The default of the harness is `access_log off` in the http block; a server's own takes its place.
    balancer.write(
        "log_format short '$request $status';
         server { listen LISTEN; access_log access.log short; return 200 ok; }",
    );
    balancer.reload("success");
    get(balancer.address, "/first");
    let (log, rotated) = (balancer.path("access.log"), balancer.path("access.log.1"));
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default();
    eventually("the first line is written", || read(&log).contains("GET /first HTTP/1.1 200\n"));
    std::fs::rename(&log, &rotated).unwrap();
    balancer.signal("USR1");
    eventually("the file is there again", || log.exists());
    get(balancer.address, "/second");
    eventually("the second line is in the new file", || read(&log).contains("GET /second HTTP/1.1 200\n"));
    assert!(!read(&rotated).contains("second"));
}

#[test]
fn unknown_signals_of_nginx_are_answered_in_the_log() {
    let mut balancer = Balancer::start("server { listen LISTEN; return 200 ok; }");
    balancer.signal("USR2");
    balancer.says("SIGUSR2 ignored");
    assert!(balancer.is_running());
}
