//! A server that does as it is told, and the program run against it.
//!
//! The server counts what reaches it, so that the program's figures can be held against the truth.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// No run of a test takes longer unless something hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a port of its own; ends with the value.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    requests: AtomicU64,
    stopping: AtomicBool,
}

/// What carries a connection's bytes.
enum Wire {
    Plain(TcpStream),
    /// The handshake is done by the first read or write.
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// One accepted connection, from the server's side.
pub(crate) struct Client {
    stream: BufReader<Wire>,
    /// How many connections came before.
    pub(crate) index: u64,
    counts: Arc<Counts>,
}

/// One request as it arrived.
pub(crate) struct Request {
    /// Request line and headers, with their line ends.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// How many requests came before, on all connections.
    pub(crate) index: u64,
}

impl Server {
    /// Starts a server that lets `behaviour` deal with every connection, each in its own thread.
    pub(crate) fn start(behaviour: impl Fn(Client) + Send + Sync + 'static) -> Self {
        Self::start_with(|_, stream| Wire::Plain(stream), behaviour)
    }

    /// The same with TLS; `config` answers with the server's side of it by the number of the connection,
    /// `None` for one without TLS.
    pub(crate) fn start_tls(
        config: impl Fn(u64) -> Option<Arc<ServerConfig>> + Send + 'static,
        behaviour: impl Fn(Client) + Send + Sync + 'static,
    ) -> Self {
        let wire = move |index, stream| match config(index) {
            None => Wire::Plain(stream),
            Some(config) => {
                let connection = ServerConnection::new(config).unwrap();
                Wire::Tls(Box::new(StreamOwned::new(connection, stream)))
            }
        };
        Self::start_with(wire, behaviour)
    }

    fn start_with(
        wire: impl Fn(u64, TcpStream) -> Wire + Send + 'static,
        behaviour: impl Fn(Client) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let behaviour = Arc::new(behaviour);
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stopping.load(Ordering::SeqCst) {
                    return;
                }
                let index = shared.connections.fetch_add(1, Ordering::SeqCst);
                let stream = BufReader::new(wire(index, stream.unwrap()));
                let client = Client { stream, index, counts: Arc::clone(&shared) };
                let behaviour = Arc::clone(&behaviour);
                thread::spawn(move || behaviour(client));
            }
        });
        Self { address, counts, acceptor: Some(acceptor) }
    }

    /// A server that answers every request with 200 and the next of these names.
    pub(crate) fn of_backends(names: &'static [&'static str]) -> Self {
        Self::start(move |mut client| {
            while let Some(request) = client.request() {
                client.answer(200, names[request.index as usize % names.len()]);
            }
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// Waits until so many requests have come.
    pub(crate) fn wait_for_requests(&self, count: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.requests() < count {
            assert!(Instant::now() < deadline, "only {} of {count} requests came", self.requests());
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.counts.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Client {
    /// The next request; `None` when the peer has closed.
    pub(crate) fn request(&mut self) -> Option<Request> {
        let (head, length) = self.head()?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).ok()?;
        Some(Request { head, body, index: self.counts.requests.fetch_add(1, Ordering::SeqCst) })
    }

    /// The next request's head, with the length of the body that it announces.
    pub(crate) fn head(&mut self) -> Option<(String, usize)> {
        let mut head = String::new();
        let mut length = 0;
        loop {
            let start = head.len();
            if self.stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
            if let Some(value) = head[start..].strip_prefix("Content-Length: ") {
                length = value.trim().parse().unwrap();
            }
            if &head[start..] == "\r\n" {
                return Some((head, length));
            }
        }
    }

    /// From here on, a peer that sends nothing for so long counts as gone.
    pub(crate) fn give_up_after(&self, silence: Duration) {
        self.stream.get_ref().socket().set_read_timeout(Some(silence)).unwrap();
    }

    pub(crate) fn send(&mut self, text: &str) {
        // A client that has gone away is the test's own affair.
        let _ = self.stream.get_mut().write_all(text.as_bytes()).and_then(|()| self.stream.get_mut().flush());
    }

    /// Says that nothing follows, as TLS wants it; without it the connection just ends.
    pub(crate) fn notify_close(&mut self) {
        if let Wire::Tls(stream) = self.stream.get_mut() {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    }

    /// The name that the client asked for, once the handshake is done.
    pub(crate) fn asked_name(&self) -> Option<String> {
        match self.stream.get_ref() {
            Wire::Plain(_) => None,
            Wire::Tls(stream) => stream.conn.server_name().map(str::to_owned),
        }
    }

    pub(crate) fn answer(&mut self, status: u16, backend: &str) {
        self.send(&format!("HTTP/1.1 {status} X\r\nX-Backend: {backend}\r\nContent-Length: 2\r\n\r\nok"));
    }

    /// Waits until something has arrived, and closes without reading it, which makes the kernel reset.
    pub(crate) fn reset_unread(self) {
        let mut byte = [0];
        let _ = self.stream.get_ref().socket().peek(&mut byte);
    }

    /// Reads whatever comes first, TLS or not.
    pub(crate) fn some_bytes(&mut self) {
        let mut socket = self.stream.get_ref().socket();
        let _ = socket.read(&mut [0; 64 * 1024]);
    }

    /// Sends bytes that TLS knows nothing of.
    pub(crate) fn send_beneath_tls(&mut self, text: &str) {
        let mut socket = self.stream.get_ref().socket();
        let _ = socket.write_all(text.as_bytes());
    }

    /// Waits until the peer closes.
    pub(crate) fn wait_for_close(&mut self) {
        let _ = std::io::copy(&mut self.stream, &mut std::io::sink());
    }
}

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Standard output as JSON, all of it.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

/// The program with these words.
pub(crate) fn loadgen(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(words);
    command
}

/// Runs the program to its end.
pub(crate) fn run(words: &[&str]) -> Finished {
    finish(start(&mut loadgen(words)))
}

/// Runs the program against a server, with `--json`; words are separated by blanks.
pub(crate) fn run_json(server: &Server, words: &str) -> (i32, Value) {
    let url = server.url();
    let mut all = vec!["--json", "--url", &url];
    all.extend(words.split_whitespace());
    let finished = run(&all);
    (finished.status, finished.json())
}

/// Every backend of a summary: name, answers, share, errors.
pub(crate) fn backends(result: &Value) -> Vec<(&str, u64, f64, u64)> {
    let number = |backend: &Value, key: &str| backend[key].as_u64().unwrap();
    let all = result["backends"].as_array().unwrap().iter();
    all.map(|backend| {
        let (name, share) = (backend["name"].as_str().unwrap(), backend["share"].as_f64().unwrap());
        (name, number(backend, "answers"), share, number(backend, "errors"))
    })
    .collect()
}

pub(crate) fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for the program; one that hangs is ended, and the test with it.
pub(crate) fn finish(mut child: Child) -> Finished {
    let stdout = reader(child.stdout.take().unwrap());
    let stderr = reader(child.stderr.take().unwrap());
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("still running after {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(2));
    };
    Finished {
        status: status.code().unwrap_or(-1),
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    }
}

fn reader(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    })
}

/// Sends a signal such as `INT` to the program.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}
