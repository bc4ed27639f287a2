//! How failures of servers are survived, counted at the servers.

use std::time::{Duration, Instant};

use super::support::{Backend, Balancer, Behaviour, Client, eventually, get, proxy_to, takes_less_than};

#[test]
fn a_refusing_server_costs_no_request_and_is_left_out() {
    let backends: Vec<_> = ["a", "b"].map(Backend::start).into();
    let dead = Backend::start("dead");
    let balancer =
        Balancer::start(&proxy_to(&[&backends[0], &dead, &backends[1]], "max_fails=1 fail_timeout=30s"));
    dead.kill();
    for _ in 0..30 {
        assert_eq!(get(balancer.address, "/").status, 200);
    }
    assert_eq!(backends.iter().map(Backend::count).sum::<usize>(), 30);
}

#[test]
fn a_killed_server_is_back_soon_after_its_return_despite_fail_timeout() {
    takes_less_than(Duration::from_secs(2), time_to_be_back);
}

fn time_to_be_back() -> Duration {
    let (a, b) = (Backend::start("a"), Backend::start("b"));
    let balancer = Balancer::start(&proxy_to(&[&a, &b], "max_fails=1 fail_timeout=30s"));
    let address = b.kill();
    for _ in 0..10 {
        assert_eq!(get(balancer.address, "/").body, "a");
    }
    let b = Backend::bind("b", address);
    let returned = Instant::now();
    eventually("the returned server gets traffic", || {
        get(balancer.address, "/");
        b.count() > 0
    });
    returned.elapsed()
}

#[test]
fn a_client_that_leaves_does_not_keep_a_returned_server_out() {
    takes_less_than(Duration::from_millis(800), time_to_be_back_behind_a_client_that_left);
}

fn time_to_be_back_behind_a_client_that_left() -> Duration {
    let (good, bad) = (Backend::start("good"), Backend::start("bad"));
    let text = proxy_to(&[&good, &bad], "max_fails=1 fail_timeout=1s");
    let balancer =
        Balancer::start(&text.replace("upstream backend {", "upstream backend {\n#lb: health_check off;\n"));
    bad.behave(Behaviour::Close);
    for _ in 0..4 {
        assert_eq!(get(balancer.address, "/").body, "good");
    }
    // The one request that tries it again hangs, and its client leaves.
    bad.behave(Behaviour::Hang);
    std::thread::sleep(Duration::from_millis(1500));
    let before = bad.count();
    let mut clients = Vec::new();
    eventually("the returned server is tried", || {
        let mut client = Client::connect(balancer.address);
        client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
        clients.push(client);
        bad.count() > before
    });
    drop(clients);
    bad.behave(Behaviour::Answer);
    let left = Instant::now();
    eventually("it has its part again", || get(balancer.address, "/").body == "bad");
    left.elapsed()
}

#[test]
fn a_get_is_tried_again_when_its_server_closes_and_a_post_is_not() {
    let (good, bad) = (Backend::start("good"), Backend::start("bad"));
    bad.behave(Behaviour::Close);
    // max_fails=0, so that the bad one stays in the rotation.
    let balancer = Balancer::start(&proxy_to(&[&bad, &good], "max_fails=0"));
    for _ in 0..6 {
        assert_eq!(get(balancer.address, "/").body, "good");
    }
    let mut statuses: Vec<_> = (0..4)
        .map(|_| {
            let mut client = Client::connect(balancer.address);
            client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nhi");
            client.receive().unwrap().status
        })
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 502, 502]);
    let posts =
        |backend: &Backend| backend.seen().iter().filter(|seen| seen.line.starts_with("POST")).count();
    assert_eq!((posts(&good), posts(&bad)), (2, 2), "no POST was sent twice");
}

#[test]
fn a_post_on_a_stale_connection_is_not_held_against_its_server() {
    let backend = Backend::start("a");
    let other = Backend::start("b");
    let balancer = Balancer::start(&proxy_to(&[&backend, &other], "max_fails=1 fail_timeout=30s"));
    let mut client = Client::connect(balancer.address);
    // Both have a kept connection by now, which each closes upon its next request.
    client.get("/").unwrap();
    client.get("/").unwrap();
    backend.behave(Behaviour::Close);
    other.behave(Behaviour::Close);
    client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.receive().unwrap().status, 502);
    for backend in [&backend, &other] {
        backend.behave(Behaviour::Answer);
        let ejected =
            format!("lb_upstream_ejections_total{{upstream=\"backend\",server=\"{}\"}}", backend.address);
        assert_eq!(balancer.metric(&ejected), 0);
    }
}

#[test]
fn a_post_that_was_never_sent_goes_to_another_server_whole() {
    let (good, dead) = (Backend::start("good"), Backend::start("dead"));
    let balancer = Balancer::start(&format!(
        "upstream backend {{ server {} max_fails=0; server {} max_fails=0; #lb: health_check off;\n }}
         server {{ listen LISTEN; location / {{ proxy_pass http://backend; }} }}",
        dead.address, good.address
    ));
    dead.kill();
    let body = "x".repeat(30_000);
    for _ in 0..4 {
        let mut client = Client::connect(balancer.address);
        client.send(format!("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        assert_eq!(client.receive().unwrap().status, 200);
    }
    assert_eq!(good.count(), 4);
    assert!(good.seen().iter().all(|seen| seen.body == body.as_bytes()));
}

#[test]
fn a_silent_server_times_out_and_another_answers() {
    let (good, silent) = (Backend::start("good"), Backend::start("silent"));
    silent.behave(Behaviour::Hang);
    let balancer = Balancer::start(&format!(
        "proxy_read_timeout 300ms;\n{}",
        proxy_to(&[&silent, &good], "max_fails=1 fail_timeout=30s")
    ));
    let started = Instant::now();
    assert_eq!(get(balancer.address, "/").body, "good");
    assert!(started.elapsed() >= Duration::from_millis(300));
    for _ in 0..5 {
        assert_eq!(get(balancer.address, "/").body, "good");
    }
    assert_eq!(silent.count(), 1, "taken out after one failure, though it accepts connections");
}

#[test]
fn without_another_server_the_failure_has_its_status() {
    for (behaviour, status, reason) in [
        (Behaviour::Hang, 504, "upstream_timeout"),
        (Behaviour::Close, 502, "upstream_closed"),
        (Behaviour::Garbage, 502, "invalid_answer"),
    ] {
        let backend = Backend::start("a");
        backend.behave(behaviour);
        let balancer = Balancer::start(&format!("proxy_read_timeout 200ms;\n{}", proxy_to(&[&backend], "")));
        assert_eq!(get(balancer.address, "/").status, status, "{reason}");
        // A request is counted at its end, which comes after the client has its answer.
        let metric = format!("lb_responses_generated_total{{reason=\"{reason}\"}}");
        eventually(reason, || balancer.metric(&metric) == 1);
    }
}

#[test]
fn an_upstream_without_live_servers_is_502_and_keeps_the_clients_connection() {
    let backends: Vec<_> = ["a", "b"].map(Backend::start).into();
    let balancer = Balancer::start(&proxy_to(&backends.iter().collect::<Vec<_>>(), ""));
    backends.into_iter().for_each(|backend| {
        backend.kill();
    });
    let reason = "lb_responses_generated_total{reason=\"no_live_upstream\"}";
    eventually("probes or failures take both out", || {
        get(balancer.address, "/");
        balancer.metric(reason) > 0
    });
    let mut client = Client::connect(balancer.address);
    assert_eq!(client.get("/").unwrap().status, 502);
    assert_eq!(client.get("/").unwrap().status, 502, "on the same connection");
    balancer.says("no live upstreams while connecting to upstream");
}

#[test]
fn an_answer_cut_short_is_cut_short_for_the_client_and_not_tried_again() {
    let (a, b) = (Backend::start("a"), Backend::start("b"));
    a.behave(Behaviour::HalfBody);
    b.behave(Behaviour::HalfBody);
    let balancer = Balancer::start(&proxy_to(&[&a, &b], ""));
    let mut client = Client::connect(balancer.address);
    client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    assert!(client.receive().is_none(), "the body never came to its announced end");
    assert_eq!(a.count() + b.count(), 1);
}

#[test]
fn backups_serve_only_when_no_primary_is_left() {
    let (primary, backup) = (Backend::start("primary"), Backend::start("backup"));
    let balancer = Balancer::start(&format!(
        "upstream backend {{ server {}; server {} backup; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://backend; }} }}",
        primary.address, backup.address
    ));
    for _ in 0..5 {
        assert_eq!(get(balancer.address, "/").body, "primary");
    }
    primary.kill();
    for _ in 0..5 {
        assert_eq!(get(balancer.address, "/").body, "backup");
    }
}

#[test]
fn a_too_large_body_is_413_before_any_server_sees_it() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&format!("client_max_body_size 10;\n{}", proxy_to(&[&backend], "")));
    let mut client = Client::connect(balancer.address);
    client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\n01234567890");
    assert_eq!(client.receive().unwrap().status, 413);
    let mut client = Client::connect(balancer.address);
    client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n0123456789");
    assert_eq!(client.receive().unwrap().status, 200);
    assert_eq!(backend.count(), 1);
}

#[test]
fn a_chunked_body_that_grows_too_large_is_413_and_told() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&format!("client_max_body_size 10;\n{}", proxy_to(&[&backend], "")));
    let mut client = Client::connect(balancer.address);
    client.send(
        "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n",
    );
    assert_eq!(client.receive().unwrap().status, 413);
    balancer.says("client intended to send too large body: 11 bytes, client: 127.0.0.1");
}
