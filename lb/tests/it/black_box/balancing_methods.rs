//! The balancing methods, seen from outside. Where the servers' order is nginx's to the request, the outside judge
//! (`nginx-compat/judge/cases/balancing_methods.py`) holds it; here stands what needs no nginx.

use super::support::{Backend, Balancer, Behaviour, Client, eventually};

fn start(method: &str, servers: &[&Backend]) -> Balancer {
    let servers: String = servers.iter().map(|server| format!("server {};", server.address)).collect();
    Balancer::start(&format!(
        "upstream backend {{ {method} {servers} }}
         server {{ listen LISTEN; location / {{ proxy_pass http://backend; }} }}"
    ))
}

#[test]
fn least_conn_leaves_out_the_busy_server() {
    let [busy, idle, other] = ["busy", "idle", "other"].map(Backend::start);
    busy.behave(Behaviour::Hang);
    let balancer = start("least_conn;", &[&busy, &idle, &other]);
    let mut held = Client::connect(balancer.address);
    held.send("GET /held HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually("the first server has the request", || busy.count() == 1);
    let mut client = Client::connect(balancer.address);
    for _ in 0..40 {
        assert_eq!(client.get("/").unwrap().status, 200);
    }
    assert_eq!((busy.count(), idle.count(), other.count()), (1, 20, 20));
}
