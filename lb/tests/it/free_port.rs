//! Ports for tests to listen on by number: nginx's language has no port 0.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Mutex;

/// Below the range that the system gives to outgoing connections and to listeners of port 0.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

/// What reserves the ports of this process, until it ends.
static RESERVED: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A port that no other test listens on, of this process or of another. It stays so when nobody listens there yet, or
/// for a while: a socket with the port in its name, of a kind that leaves no file, reserves it.
pub(crate) fn free_port() -> u16 {
    let start = std::process::id() * 61;
    let mut reserved = RESERVED.lock().unwrap();
    for number in 0..COUNT {
        let port = (FIRST + start.wrapping_add(number) % COUNT) as u16;
        let name = SocketAddr::from_abstract_name(format!("cirque-test-port-{port}")).unwrap();
        let Ok(reservation) = UnixListener::bind_addr(&name) else { continue };
        // Somebody else's. Not bound for long, and on every address.
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            reserved.push(reservation);
            return port;
        }
    }
    panic!("no port is free");
}

#[test]
fn no_port_is_given_twice_and_none_that_is_taken() {
    let first = free_port();
    assert_ne!(free_port(), first, "although nobody listens on the first");
    let of_others = SocketAddr::from_abstract_name(format!("cirque-test-port-{first}")).unwrap();
    assert!(UnixListener::bind_addr(&of_others).is_err(), "nor to another process");
}
