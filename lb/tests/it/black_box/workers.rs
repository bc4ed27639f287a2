//! `worker_processes` of two and more: threads that share nothing per request.

use std::thread;

use super::support::{Backend, Balancer, Client, proxy_to};

#[test]
fn two_workers_keep_their_connections_to_servers() {
    const REQUESTS: usize = 2_000;
    let backend = Backend::start("a");
    // Probes are connections too, and how many come is a matter of time.
    let http = format!("keepalive_requests 1000000;\n{}", proxy_to(&[&backend], "max_fails=0"))
        .replace("upstream backend {", "upstream backend { #lb: health_check off;\n");
    let balancer = Balancer::start_with("worker_processes 2;", &http);
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let address = balancer.address;
            thread::spawn(move || {
                let mut client = Client::connect(address);
                for _ in 0..REQUESTS {
                    assert_eq!(client.get("/").expect("an answer").status, 200);
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(backend.count(), 2 * REQUESTS);
    // nginx's `keepalive_requests` of an upstream, 1000, ends a connection now and then.
    let opened = backend.connections();
    assert!(opened <= 12, "{opened} connections for {} requests", 2 * REQUESTS);
    assert!(!balancer.log().contains("failed to acquire reusable stream"), "{}", balancer.log());
}
