//! A server under test.

use std::{
    cell::Cell,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::client::{PATIENCE, fetch};

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    process: Child,
    log: BufReader<ChildStdout>,
    asked: Cell<u64>,
}

/// The program, without what the tests' own environment might tell it.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backend"));
    for variable in ["APP_PORT", "BACKEND_NAME", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command
}

impl Server {
    /// Starts one on loopback and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(&mut program(), "127.0.0.1", arguments)
    }

    /// Starts `program`, with what was added to it, on the address `bind`.
    pub(crate) fn start_with(program: &mut Command, bind: &str, arguments: &[&str]) -> Self {
        let mut process = program
            .env("APP_PORT", "0")
            .args(["--bind", bind])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stdout.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the server does not start");
            if let Some((_, rest)) = line.split_once("listening on http://") {
                break rest.split(' ').next().and_then(|address| address.parse().ok()).unwrap();
            }
        };
        Self { address, process, log, asked: Cell::new(0) }
    }

    /// The next log line.
    pub(crate) fn read_log(&mut self) -> String {
        let mut line = String::new();
        self.log.read_line(&mut line).unwrap();
        line
    }

    /// What else it logged; only after its end.
    pub(crate) fn read_rest_of_log(&mut self) -> String {
        let mut rest = Vec::new();
        self.log.read_to_end(&mut rest).unwrap();
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// How many requests it has counted, except those by which this asks.
    pub(crate) fn counted(&self) -> u64 {
        self.asked.set(self.asked.get() + 1);
        fetch(self.address, "/").json()["total_requests"].as_u64().unwrap() - self.asked.get()
    }

    /// How many files and sockets it holds open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }

    pub(crate) fn poll_until(&self, condition: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !condition(self) {
            assert!(begin.elapsed() < PATIENCE, "it does not come to that");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end; returns how it ended and how long that took from now.
    pub(crate) fn wait(&mut self) -> (ExitStatus, Duration) {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return (status, begin.elapsed());
            }
            assert!(begin.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
