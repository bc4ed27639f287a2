//! Scripted servers, the balancer under test, and a client that sees every byte.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) use crate::free_port::free_port;

/// How long anything may take before a test gives up: no promise, so long enough for the busiest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` holds; panics with `what` when it does not in time.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Measures until it takes less than `limit`. Other work on the machine makes some runs long, a fault all of them.
pub(crate) fn takes_less_than(limit: Duration, mut measure: impl FnMut() -> Duration) {
    let mut times = Vec::new();
    while times.len() < 20 {
        times.push(measure());
        if times.last() < Some(&limit) {
            return;
        }
    }
    panic!("not once within {limit:?}: {times:?}");
}

/// What a scripted server does with a request.
#[derive(Clone, Copy)]
pub(crate) enum Behaviour {
    /// Answers 200 with its name.
    Answer,
    /// Closes without an answer once the request was read.
    Close,
    /// Sends nothing, for ever.
    Hang,
    /// Answers this long after the request.
    Slow(Duration),
    /// Answers something that is not HTTP.
    Garbage,
    /// Answers the header and half of the body, then closes.
    HalfBody,
    /// Answers so many bytes of [`text`].
    Large(usize, Framing),
    /// Answers 101 to a request with `Upgrade` and gives every byte back from then on; answers others with its name.
    SwitchIfAsked,
    /// Announces so many bytes of [`text`], sends fewer, and closes.
    LargeCut(usize, usize),
    /// Sends exactly these bytes, with a pause between two pieces.
    Pieces(&'static [&'static [u8]]),
}

/// Between two [`Behaviour::Pieces`].
const PAUSE: Duration = Duration::from_millis(50);

/// How the end of a body is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Framing {
    /// By its length.
    Length,
    /// In chunks of these sizes, again and again.
    Chunks(&'static [usize]),
    /// By the end of the connection.
    Close,
}

/// A body that tells where a piece of it is missing, doubled or misplaced.
pub(crate) fn text(bytes: usize) -> String {
    (0..bytes).map(|at| char::from(b'a' + ((at + at / 26 + at / 4096 + at / 65_536) % 26) as u8)).collect()
}

/// A request as a server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The request line.
    pub(crate) line: String,
    /// Fields by lower-case name.
    pub(crate) headers: HashMap<String, String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

struct Shared {
    name: String,
    behaviour: Mutex<Behaviour>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    heads: AtomicUsize,
    cut_bodies: AtomicUsize,
    ended: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

/// A server on a port of its own that counts what reaches it.
pub(crate) struct Backend {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Backend {
    /// A server that answers.
    pub(crate) fn start(name: &str) -> Self {
        Self::bind(name, "127.0.0.1:0".parse().unwrap())
    }

    /// The same on a given address, such as that of one that was stopped.
    pub(crate) fn bind(name: &str, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            behaviour: Mutex::new(Behaviour::Answer),
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            heads: AtomicUsize::new(0),
            cut_bodies: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            open: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stopped.load(SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                accepting.connections.fetch_add(1, SeqCst);
                accepting.open.lock().unwrap().push(stream.try_clone().unwrap());
                let shared = accepting.clone();
                thread::spawn(move || {
                    converse(&shared, stream);
                    shared.ended.fetch_add(1, SeqCst);
                });
            }
        });
        Self { address, shared }
    }

    /// From now on.
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().unwrap() = behaviour;
    }

    /// What has reached it, probes (which send nothing) left out.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How many requests have reached it.
    pub(crate) fn count(&self) -> usize {
        self.shared.seen.lock().unwrap().len()
    }

    /// How many request headers have reached it, the bodies whole or not.
    pub(crate) fn heads(&self) -> usize {
        self.shared.heads.load(SeqCst)
    }

    /// How many request bodies ended with the connection before they were whole.
    pub(crate) fn cut_bodies(&self) -> usize {
        self.shared.cut_bodies.load(SeqCst)
    }

    /// How many connections, probes' included.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(SeqCst)
    }

    /// How many of its connections have ended, probes' included.
    pub(crate) fn ended(&self) -> usize {
        self.shared.ended.load(SeqCst)
    }

    /// Stops listening and cuts every connection, like a process that was killed.
    pub(crate) fn kill(self) -> SocketAddr {
        self.shared.stopped.store(true, SeqCst);
        // Wakes the accept loop, which then drops the listening socket.
        let _ = TcpStream::connect(self.address);
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let address = self.address;
        eventually("the killed server's port refuses", || TcpStream::connect(address).is_err());
        address
    }
}

fn converse(shared: &Shared, stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(seen) = read_request(shared, &mut reader) {
        shared.seen.lock().unwrap().push(seen.clone());
        let behaviour = *shared.behaviour.lock().unwrap();
        match behaviour {
            Behaviour::Answer => {}
            Behaviour::SwitchIfAsked if !seen.headers.contains_key("upgrade") => {}
            Behaviour::SwitchIfAsked => {
                let head =
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
                let _ = writer.write_all(head.as_bytes());
                let _ = std::io::copy(&mut reader, &mut writer);
                return;
            }
            Behaviour::Slow(time) => thread::sleep(time),
            Behaviour::Hang => {
                let mut rest = Vec::new();
                let _ = reader.read_to_end(&mut rest);
                return;
            }
            Behaviour::Close => {
                let _ = writer.shutdown(Shutdown::Both);
                return;
            }
            Behaviour::Garbage => {
                let _ = writer.write_all(b"this is not HTTP\r\n\r\n");
                return;
            }
            Behaviour::HalfBody => {
                let _ = writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
                let _ = writer.shutdown(Shutdown::Both);
                return;
            }
            Behaviour::Large(bytes, framing) => {
                let goes_on = write_large(&mut writer, &seen.line, bytes, framing);
                if goes_on.is_ok_and(|goes_on| goes_on) {
                    continue;
                }
                let _ = writer.shutdown(Shutdown::Both);
                return;
            }
            Behaviour::Pieces(pieces) => {
                for (number, piece) in pieces.iter().enumerate() {
                    if number > 0 {
                        thread::sleep(PAUSE);
                    }
                    if writer.write_all(piece).is_err() {
                        return;
                    }
                }
                continue;
            }
            Behaviour::LargeCut(announced, sent) => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {announced}\r\n\r\n");
                let _ = writer.write_all((head + &text(sent)).as_bytes());
                let _ = writer.shutdown(Shutdown::Both);
                return;
            }
        }
        let name = &shared.name;
        let head = format!("HTTP/1.1 200 OK\r\nX-Backend: {name}\r\nContent-Length: {}\r\n\r\n", name.len());
        let body = if seen.line.starts_with("HEAD ") { "" } else { name.as_str() };
        if writer.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

/// Whether the connection goes on behind it.
fn write_large(writer: &mut TcpStream, line: &str, bytes: usize, framing: Framing) -> std::io::Result<bool> {
    let field = match framing {
        Framing::Length => format!("Content-Length: {bytes}\r\n"),
        Framing::Chunks(_) => "Transfer-Encoding: chunked\r\n".to_owned(),
        Framing::Close => "Connection: close\r\n".to_owned(),
    };
    write!(writer, "HTTP/1.1 200 OK\r\n{field}\r\n")?;
    if line.starts_with("HEAD ") {
        return Ok(true);
    }
    let body = text(bytes);
    let Framing::Chunks(sizes) = framing else {
        writer.write_all(body.as_bytes())?;
        return Ok(matches!(framing, Framing::Length));
    };
    let mut left = body.as_str();
    for size in sizes.iter().cycle() {
        let (chunk, rest) = left.split_at((*size).min(left.len()));
        write!(writer, "{:x}\r\n{chunk}\r\n", chunk.len())?;
        left = rest;
        if chunk.is_empty() {
            break;
        }
    }
    Ok(true)
}

fn read_request(shared: &Shared, reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
    let headers = read_headers(reader)?;
    shared.heads.fetch_add(1, SeqCst);
    let Some(body) = read_body(reader, &headers, false) else {
        shared.cut_bodies.fetch_add(1, SeqCst);
        return None;
    };
    Some(Seen { line: line.trim_end().to_owned(), headers, body })
}

fn read_headers(reader: &mut impl BufRead) -> Option<HashMap<String, String>> {
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Some(headers) };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

fn read_body(reader: &mut impl BufRead, headers: &HashMap<String, String>, to_end: bool) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().ok()?, 0);
        reader.read_exact(&mut body).ok()?;
    } else if headers.contains_key("transfer-encoding") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    } else if to_end {
        reader.read_to_end(&mut body).ok()?;
    }
    Some(body)
}

/// An answer as a client sees it.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Fields by lower-case name.
    pub(crate) headers: HashMap<String, String>,
    /// The body.
    pub(crate) body: String,
}

/// A client connection.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    /// Over a connection that is there.
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    /// Connects from another address of this machine.
    pub(crate) fn connect_from(source: Ipv4Addr, address: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        socket.connect(&address.into()).unwrap();
        Self::over(TcpStream::from(socket))
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// The answer's header, and then whatever comes until the connection ends.
    pub(crate) fn receive_until_closed(&mut self) -> (HashMap<String, String>, Vec<u8>) {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let headers = read_headers(&mut self.0).unwrap();
        let mut rest = Vec::new();
        // A reset ends it, too.
        let _ = self.0.read_to_end(&mut rest);
        (headers, rest)
    }

    /// How many bytes have come that nobody has read, up to a large number.
    pub(crate) fn waiting_bytes(&self) -> usize {
        let stream = self.0.get_ref();
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let waiting = stream.peek(&mut vec![0; 1 << 20]).unwrap_or(0);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        waiting
    }

    /// The next `count` bytes, whatever they are; fewer when the connection ends before.
    pub(crate) fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.0.by_ref().take(count as u64).read_to_end(&mut bytes);
        bytes
    }

    /// Reads one answer; `None` when the connection ended instead.
    pub(crate) fn receive(&mut self) -> Option<Answer> {
        read_answer(&mut self.0)
    }

    /// One GET on this connection.
    pub(crate) fn get(&mut self, path: &str) -> Option<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.receive()
    }

    /// Whether the other end has closed, without waiting longer than `patience`.
    pub(crate) fn is_closed_within(&mut self, patience: Duration) -> bool {
        self.0.get_ref().set_read_timeout(Some(patience)).unwrap();
        let ended = matches!(self.0.fill_buf(), Ok([]));
        self.0.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        ended
    }
}

/// Reads one answer; `None` when the connection ended instead.
pub(crate) fn read_answer(reader: &mut impl BufRead) -> Option<Answer> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let headers = read_headers(reader)?;
    let body =
        if matches!(status, 100..=199 | 204 | 304) { Vec::new() } else { read_body(reader, &headers, true)? };
    Some(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// A GET on a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    Client::connect(address).get(path).expect("an answer")
}

/// Runs `lb` to its end.
pub(crate) fn lb(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lb")).args(arguments).env_remove("LB_ADMIN").output().unwrap()
}

/// The balancer under test, in a directory of its own.
pub(crate) struct Balancer {
    /// Where its first listener is.
    pub(crate) address: SocketAddr,
    /// Its admin listener.
    pub(crate) admin: SocketAddr,
    directory: TempDir,
    child: Child,
}

impl Balancer {
    /// Starts with an `http` block. `LISTEN` in it stands for an address of its own.
    pub(crate) fn start(http: &str) -> Self {
        Self::start_with("", http)
    }

    /// The same, with directives of the main context.
    pub(crate) fn start_with(main: &str, http: &str) -> Self {
        let mut balancer = Self::launch(main, http);
        let pid = balancer.path("lb.pid");
        eventually("the pid file appears", || {
            assert!(balancer.is_running(), "ended: {}", balancer.log());
            pid.exists()
        });
        balancer
    }

    /// Runs it and waits for nothing.
    pub(crate) fn launch(main: &str, http: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
        write_configuration(directory.path(), address, main, http);
        let child = Command::new(env!("CARGO_BIN_EXE_lb"))
            .args([
                "-p",
                directory.path().to_str().unwrap(),
                "-c",
                "nginx.conf",
                "--admin",
                &admin.to_string(),
            ])
            .env_remove("LB_ADMIN")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { address, admin, directory, child }
    }

    /// Replaces the `http` block on disk; takes effect with a reload.
    pub(crate) fn write(&self, http: &str) {
        write_configuration(self.directory.path(), self.address, "", http);
    }

    /// A file in its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its error log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("error.log")).unwrap_or_default()
    }

    /// Waits until the error log, which is written behind the work, says `text`.
    pub(crate) fn says(&self, text: &str) {
        eventually(&format!("the log says {text:?}"), || self.log().contains(text));
    }

    /// Sends a signal, by number.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Reloads and waits until the outcome is counted.
    pub(crate) fn reload(&self, result: &str) {
        let metric = format!("lb_config_reloads_total{{result=\"{result}\"}}");
        let before = self.metric(&metric);
        self.signal("HUP");
        eventually(&format!("{metric} grows; log:\n{}", self.log()), || self.metric(&metric) > before);
    }

    /// One sample of `/metrics`, by its name and labels; 0 when it is not there.
    pub(crate) fn metric(&self, sample: &str) -> u64 {
        let page = get(self.admin, "/metrics").body;
        page.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok()).unwrap_or(0)
    }

    /// Waits for its end and returns how long that took and the exit code.
    pub(crate) fn wait(&mut self) -> (Duration, Option<i32>) {
        let started = Instant::now();
        let mut code = None;
        eventually("the process ends", || match self.child.try_wait().unwrap() {
            Some(status) => {
                code = status.code();
                true
            }
            None => false,
        });
        (started.elapsed(), code)
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("lb: {:?}, log:\n{}", self.child.try_wait(), self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_configuration(directory: &Path, address: SocketAddr, main: &str, http: &str) {
    let http = http.replace("LISTEN", &address.to_string());
    let text = format!(
        "daemon off;\npid lb.pid;\nerror_log error.log info;\n{main}\nevents {{}}\nhttp {{\n    access_log off;\n{http}\n}}\n"
    );
    std::fs::write(directory.join("nginx.conf"), text).unwrap();
}

/// An upstream named `backend` and a server that proxies everything to it.
pub(crate) fn proxy_to(backends: &[&Backend], parameters: &str) -> String {
    let servers: String =
        backends.iter().map(|backend| format!("server {} {parameters};\n", backend.address)).collect();
    format!(
        "upstream backend {{\n{servers}}}\nserver {{ listen LISTEN; location / {{ proxy_pass http://backend; }} }}"
    )
}
