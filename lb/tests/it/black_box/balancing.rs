//! Who gets how much, and what the servers see.

use super::support::{Backend, Balancer, Client, eventually, get, proxy_to};

#[test]
fn round_robin_is_even_to_one_request() {
    let backends: Vec<_> = ["a", "b", "c", "d"].map(Backend::start).into();
    let balancer = Balancer::start(&proxy_to(&backends.iter().collect::<Vec<_>>(), ""));
    let mut client = Client::connect(balancer.address);
    for _ in 0..41 {
        assert_eq!(client.get("/").unwrap().status, 200);
    }
    let mut counts: Vec<_> = backends.iter().map(Backend::count).collect();
    for (backend, count) in backends.iter().zip(&counts) {
        let sample = format!(
            "lb_upstream_requests_total{{upstream=\"backend\",server=\"{}\",code=\"2xx\"}}",
            backend.address
        );
        // A request is counted at its end, which comes after the client has its answer.
        eventually(&sample, || balancer.metric(&sample) == *count as u64);
    }
    counts.sort_unstable();
    assert_eq!(counts, [10, 10, 10, 11]);
    eventually("all are counted", || balancer.metric("lb_http_requests_total{code=\"2xx\"}") == 41);
}

#[test]
fn weights_follow_the_smooth_order() {
    let backends: Vec<_> = ["a", "b", "c"].map(Backend::start).into();
    let [a, b, c] = &backends[..] else { unreachable!() };
    let balancer = Balancer::start(&format!(
        "upstream backend {{ server {} weight=5; server {}; server {}; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://backend; }} }}",
        a.address, b.address, c.address
    ));
    let mut client = Client::connect(balancer.address);
    let order: String = (0..7).map(|_| client.get("/").unwrap().body).collect();
    assert_eq!(order, "aabacaa");
}

#[test]
fn the_server_sees_what_nginx_would_send() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&format!(
        "server {{
            listen LISTEN;
            location /exact/ {{ proxy_pass http://{0}; proxy_set_header X-Real-IP $remote_addr; proxy_set_header Host $host; }}
            location /replaced/ {{ proxy_pass http://{0}/new/; }}
        }}",
        backend.address
    ));
    let mut client = Client::connect(balancer.address);
    client.send(
        "POST /exact/%7Ea//b/../c%2f?x=%E4{}^| HTTP/1.1\r\nHost: Example.ORG:8080\r\nX-MiXed-CaSe: v\r\n\
         Connection: X-Hop\r\nX-Hop: 1\r\nContent-Length: 5\r\n\r\nhello",
    );
    assert_eq!(client.receive().unwrap().status, 200);
    assert_eq!(client.get("/replaced/a%20b?q").unwrap().status, 200);
    let seen = backend.seen();
    assert_eq!(seen[0].line, "POST /exact/%7Ea//b/../c%2f?x=%E4{}^| HTTP/1.1");
    assert_eq!(seen[0].body, b"hello");
    let header = |name: &str| seen[0].headers.get(name).map(String::as_str);
    assert_eq!(header("host"), Some("example.org"));
    assert_eq!(header("x-real-ip"), Some("127.0.0.1"));
    assert_eq!(header("x-mixed-case"), Some("v"));
    assert_eq!(header("x-hop"), None);
    assert_eq!(seen[1].line, "GET /new/a%20b?q HTTP/1.1");
    assert_eq!(seen[1].headers["host"], backend.address.to_string());
    let redirect = client.get("/replaced?q").unwrap();
    assert_eq!(redirect.status, 301);
    assert_eq!(redirect.headers["location"], format!("http://test:{}/replaced/?q", balancer.address.port()));
}

#[test]
fn fields_that_concern_the_clients_connection_alone_stay_here() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    for fields in [
        "Connection: keep-alive\r\n",
        "connection: Keep-Alive\r\nConnection: keep-alive\r\n",
        "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\n",
        "Connection: keep-alive\r\nConnection: x-hop\r\nX-Hop: 1\r\n",
        "Keep-Alive: timeout=5\r\n",
        "TE: trailers\r\nTrailer: X-Sum\r\n",
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nConnection: upgrade, http2-settings\r\n",
        "Proxy-Connection: keep-alive\r\nProxy-Authenticate: Basic\r\nProxy-Authorization: Basic YTpi\r\n",
    ] {
        let mut client = Client::connect(balancer.address);
        client.send(format!("GET / HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n{fields}\r\n"));
        assert_eq!(client.receive().unwrap().status, 200, "{fields:?}");
        let seen = backend.seen();
        let mut names: Vec<&str> = seen.last().unwrap().headers.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "host"], "{fields:?}");
    }
}

#[test]
fn connections_to_servers_are_kept() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let mut client = Client::connect(balancer.address);
    for _ in 0..50 {
        client.get("/").unwrap();
    }
    let sample =
        format!("lb_upstream_connect_seconds_count{{upstream=\"backend\",server=\"{}\"}}", backend.address);
    assert_eq!(balancer.metric(&sample), 1, "one connection carried all");
}

#[test]
fn keepalive_requests_of_an_upstream_bound_what_a_connection_carries() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&format!(
        "upstream backend {{ server {}; keepalive 8; keepalive_requests 10; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://backend; }} }}",
        backend.address
    ));
    let mut client = Client::connect(balancer.address);
    for _ in 0..50 {
        assert_eq!(client.get("/").unwrap().status, 200);
    }
    let closes = backend
        .seen()
        .iter()
        .filter(|seen| seen.headers.get("connection").is_some_and(|v| v == "close"))
        .count();
    assert_eq!(closes, 5);
}

#[test]
fn virtual_servers_locations_and_returns() {
    let balancer = Balancer::start(
        r#"
        server { listen LISTEN default_server; server_name _; return 404; }
        server {
            listen LISTEN; server_name a.example *.b.example;
            add_header X-Site $host always;
            location / { return 200 "root $uri\n"; }
            location = /exact { return 200 exact; }
            location /old { return 301 /new$is_args$args; }
            location /gone { return 444; }
        }"#,
    );
    let ask = |host: &str, path: &str| {
        let mut client = Client::connect(balancer.address);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        client.receive()
    };
    assert_eq!(ask("other", "/").unwrap().status, 404);
    assert_eq!(ask("A.example:80", "/x/../y").unwrap().body, "root /y\n");
    let answer = ask("x.b.example", "/exact").unwrap();
    assert_eq!((answer.body.as_str(), answer.headers["x-site"].as_str()), ("exact", "x.b.example"));
    let answer = ask("a.example", "/old?q=1").unwrap();
    assert_eq!(answer.status, 301);
    assert_eq!(answer.headers["location"], format!("http://a.example:{}/new?q=1", balancer.address.port()));
    assert!(ask("a.example", "/gone").is_none());
    assert_eq!(get(balancer.admin, "/healthz").status, 200);
}

#[test]
fn pipelined_requests_are_all_answered_in_order() {
    let backends: Vec<_> = ["a", "b"].map(Backend::start).into();
    let balancer = Balancer::start(&proxy_to(&backends.iter().collect::<Vec<_>>(), ""));
    let mut client = Client::connect(balancer.address);
    client.send("GET /1 HTTP/1.1\r\nHost: t\r\n\r\n".repeat(6));
    let order: String = (0..6).map(|_| client.receive().unwrap().body).collect();
    assert_eq!(order, "ababab");
}

/// The timers of the open connections to a port of 127.0.0.1, as the kernel names them: `02` is `SO_KEEPALIVE`'s.
fn timers_of_connections_to(port: u16) -> Vec<String> {
    let peer = format!("0100007F:{port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let columns = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    columns
        .filter(|columns| columns[2] == peer && columns[3] == "01")
        .map(|columns| columns[5].split(':').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn proxy_socket_keepalive_has_the_system_probe_idle_connections() {
    for (written, timer) in
        [("", "00"), ("proxy_socket_keepalive off;", "00"), ("proxy_socket_keepalive on;", "02")]
    {
        let backend = Backend::start("a");
        let balancer = Balancer::start(&format!("{written}\n{}", proxy_to(&[&backend], "")));
        assert_eq!(get(balancer.address, "/").status, 200);
        // The connection is kept. Before its last byte is acknowledged it has another timer for a moment, and a health
        // check may be under way.
        eventually(&format!("{written:?} gives the timer {timer}"), || {
            timers_of_connections_to(backend.address.port()) == [timer]
        });
    }
}
