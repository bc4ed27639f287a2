//! The settings of the proxy module, seen from outside. What nginx does with them the outside judge holds
//! (`nginx-compat/judge/cases/proxy_settings.py`); here stands what needs no nginx.

use super::support::{Backend, Balancer, Behaviour, Client, get};

const UNAVAILABLE: Behaviour =
    Behaviour::Pieces(&[b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"]);

fn start(settings: &str, servers: &[&Backend]) -> Balancer {
    let servers: String = servers.iter().map(|server| format!("server {};", server.address)).collect();
    Balancer::start(&format!(
        "upstream backend {{ health_check off; {servers} }}
         server {{ listen LISTEN; location / {{ proxy_pass http://backend; {settings} }} }}"
    ))
}

#[test]
fn a_listed_status_sends_the_request_and_its_body_to_another_server() {
    let [busy, free] = ["busy", "free"].map(Backend::start);
    busy.behave(UNAVAILABLE);
    let balancer = start("proxy_next_upstream http_503;", &[&busy, &free]);
    let mut client = Client::connect(balancer.address);
    let body = "x".repeat(40_000);
    client.send(format!("PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let answer = client.receive().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "free"));
    assert_eq!(free.seen()[0].body, body.as_bytes());
    assert_eq!(client.get("/again").unwrap().status, 200, "the connection goes on");
    assert_eq!(balancer.metric("lb_retries_total{reason=\"listed_status\"}"), 1);
    assert_eq!(busy.count(), 1, "the failure took it out of use");
}

#[test]
fn the_last_answer_is_passed_on() {
    let [one, other] = ["one", "other"].map(Backend::start);
    one.behave(UNAVAILABLE);
    other.behave(UNAVAILABLE);
    let balancer = start("proxy_next_upstream http_503;", &[&one, &other]);
    let answer = get(balancer.address, "/");
    assert_eq!((answer.status, answer.body.as_str()), (503, "busy"));
    assert_eq!((one.count(), other.count()), (1, 1));
}

#[test]
fn a_body_of_ones_own_takes_the_place_of_a_long_one() {
    let backend = Backend::start("a");
    let balancer = start("proxy_set_body \"of $request_method\"; proxy_method POST;", &[&backend]);
    let mut client = Client::connect(balancer.address);
    let chunk = "y".repeat(70_000);
    client.send(format!(
        "PUT / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{chunk}\r\n0\r\n\r\n",
        chunk.len()
    ));
    assert_eq!(client.receive().unwrap().status, 200);
    let seen = &backend.seen()[0];
    assert!(seen.line.starts_with("POST / "), "{}", seen.line);
    assert_eq!((seen.body.as_slice(), seen.headers["content-length"].as_str()), (&b"of PUT"[..], "6"));
}

#[test]
fn a_request_names_its_server() {
    let [one, other] = ["one", "other"].map(Backend::start);
    let balancer = Balancer::start(&format!(
        "upstream named {{ server {}; }} server {{ listen LISTEN; location / {{ proxy_pass http://$arg_to; }} }}",
        one.address
    ));
    let mut client = Client::connect(balancer.address);
    for (to, body) in [("named", "one"), (&other.address.to_string(), "other"), ("NAMED", "one")] {
        let answer = client.get(&format!("/?to={to}")).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{to}");
    }
    assert_eq!(other.seen()[0].headers["host"], other.address.to_string());
    assert_eq!(client.get(&format!("/?to={}", other.address)).unwrap().status, 200);
    assert_eq!(other.connections(), 1, "it is kept");
    assert_eq!(get(balancer.address, "/?to=unknown.example").status, 502);
    balancer.says("no resolver defined to resolve unknown.example");
    assert_eq!(get(balancer.address, "/?to=").status, 500);
    balancer.says("no host in upstream");
}
