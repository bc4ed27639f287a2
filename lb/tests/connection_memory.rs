//! What an idle client connection costs: the proportional set size of a process of its own, before and after
//! 2,000 connections have sent one request each.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

#[path = "it/connection_support.rs"]
mod connection_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering::SeqCst;

use connection_support::House;

// In malloc's place, as in the program itself.
use mimalloc as _;

const CONNECTIONS: usize = 2_000;
/// What the project promises, in bytes.
const PROMISED: usize = 4_096;
const ROLE: &str = "LB_TEST_MEMORY_SERVER";

#[test]
fn an_idle_connection_costs_less_than_4_kb() {
    let limit = nix::sys::resource::Resource::RLIMIT_NOFILE;
    let (_, hard) = nix::sys::resource::getrlimit(limit).unwrap();
    nix::sys::resource::setrlimit(limit, hard, hard).unwrap();
    if std::env::var_os(ROLE).is_some() {
        return serve();
    }
    let mut server = Server::start();
    // What one connection brings along once (lazy tables, a thread's first heap pages) is not its price.
    let mut connections = vec![server.connection_after_a_request()];
    let before = server.pss_bytes();
    connections.extend((0..CONNECTIONS).map(|_| server.connection_after_a_request()));
    let each = server.pss_bytes().saturating_sub(before) / CONNECTIONS;
    println!("{each} bytes for each of {CONNECTIONS} idle connections");
    assert!(each < PROMISED, "{each} bytes each");
    drop(connections);
    server.process.kill().unwrap();
    server.process.wait().unwrap();
}

/// The server's part: one worker thread; ends with its standard input.
#[expect(clippy::print_stdout, reason = "it is how the other process learns the port")]
fn serve() {
    let runtime = pingora_runtime::Runtime::new_no_steal(1, "memory");
    runtime.get_handle().spawn(async {
        let house = House::open().await;
        house.state.forgetful.store(true, SeqCst);
        println!("port {}", house.address().port());
        std::future::pending::<()>().await;
        drop(house);
    });
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "an_idle_connection_costs_less_than_4_kb", "--nocapture"])
            .env(ROLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.map(Result::unwrap).find_map(|line| {
            // The test harness may have begun the line.
            line.rsplit_once("port ").map(|(_, port)| port.parse().unwrap())
        });
        Self { process, port: port.expect("the server says its port") }
    }

    fn connection_after_a_request(&self) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(b"GET /unwritten HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let mut bytes = [0; 4096];
        let mut length = 0;
        while !bytes[..length].ends_with(b"\r\n\r\nok") {
            let count = stream.read(&mut bytes[length..]).unwrap();
            assert_ne!(count, 0, "the server closed a connection");
            length += count;
        }
        stream
    }

    fn pss_bytes(&self) -> usize {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.process.id())).unwrap();
        let kilobytes = rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB"));
        kilobytes.unwrap().trim().parse::<usize>().unwrap() * 1024
    }
}
