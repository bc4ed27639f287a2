//! What a connection over TLS costs while nobody says anything: once it has had a request, and while its handshake is held.

use std::io::Write;
use std::net::TcpStream;

use super::support::{Balancer, eventually};
use super::tls_support::{Authority, TlsClient};

const CONNECTIONS: usize = 500;
/// What the project promises for an idle connection, in bytes.
const PROMISED: usize = 12 * 1024;
/// The same for a held handshake.
const PROMISED_HELD: usize = 24 * 1024;

/// What the process has written and shares with nobody: what it shares depends on who else runs.
fn own_bytes(balancer: &Balancer) -> usize {
    let pid = std::fs::read_to_string(balancer.path("lb.pid")).unwrap();
    let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", pid.trim())).unwrap();
    let kilobytes =
        rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:")?.trim().strip_suffix(" kB"));
    kilobytes.unwrap().trim().parse::<usize>().unwrap() * 1024
}

#[test]
fn idle_connections_and_held_handshakes_cost_what_is_promised() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Authority::new("test").issue(&["a.test"]).write(folder.path(), "a");
    let balancer = Balancer::start_with(
        "worker_processes 1;",
        &format!("server {{ listen LISTEN ssl; {certificate} return 200 ok; }}"),
    );
    let connect = || {
        let mut client = TlsClient::connect(balancer.address, "a.test");
        assert_eq!(client.get("a.test", "/").unwrap().body, "ok");
        client
    };
    // What the first connections bring along once is not their price.
    let mut idle: Vec<_> = (0..50).map(|_| connect()).collect();
    let before = own_bytes(&balancer);
    idle.extend((0..CONNECTIONS).map(|_| connect()));
    let each = own_bytes(&balancer).saturating_sub(before) / CONNECTIONS;
    println!("{each} bytes for each of {CONNECTIONS} idle connections");
    assert!(each < PROMISED, "{each} bytes each");

    let before = own_bytes(&balancer);
    let held: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let mut stream = TcpStream::connect(balancer.address).unwrap();
            stream.write_all(&[0x16, 3, 1, 2, 0, 1, 0]).unwrap();
            stream
        })
        .collect();
    let open = u64::try_from(held.len() + idle.len()).unwrap();
    eventually("all are accepted", || balancer.metric("lb_connections_accepted_total") >= open);
    let each = own_bytes(&balancer).saturating_sub(before) / CONNECTIONS;
    println!("{each} bytes for each of {CONNECTIONS} held handshakes");
    assert!(each < PROMISED_HELD, "{each} bytes each");
}
