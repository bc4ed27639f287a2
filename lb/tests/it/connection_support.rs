//! A house around the connection loop, as small as can be: a proxy to one backend, a front that writes down what
//! was refused, and a client that reads answers byte by byte.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]
#![allow(missing_docs, unreachable_pub, reason = "test support")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lb::config::model::{HeaderLimits, ListenAddress};
use lb::connection::{
    Acceptor, ConnectionFacts, ConnectionHost, Drain, Http2Limits, Limits, ListenerFacts, Listeners, Refused,
    RequestFacts, Wanted, Worker,
};
use pingora::http::ResponseHeader;
use pingora::prelude::HttpPeer;
use pingora::proxy::{FailToProxy, HttpProxy, ProxyHttp, Session, http_proxy};
use pingora::server::configuration::ServerConf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long anything may take before a test gives up: no promise, so long enough for the busiest machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What was reported of a refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub status: u16,
    pub line: String,
    pub number: u64,
    pub bytes_sent: u64,
    pub body_bytes_sent: u64,
}

pub struct TestFront {
    pub limits: Mutex<Limits>,
    /// The snapshot in force.
    pub snapshot: Mutex<&'static str>,
    pub refused: Mutex<Vec<Report>>,
    /// Whether HTTP/2 is spoken, and how.
    pub http2: Mutex<Option<Http2Limits>>,
}

impl Default for TestFront {
    fn default() -> Self {
        Self {
            limits: Mutex::new(Limits {
                header_timeout: PATIENCE,
                first_request_timeout: PATIENCE,
                idle_timeout: PATIENCE,
                header: HeaderLimits { line_bytes: 8192, total_bytes: 33792 },
                max_fields: 256,
                server_tokens: false,
            }),
            refused: Mutex::default(),
            http2: Mutex::default(),
            snapshot: Mutex::new("first"),
        }
    }
}

impl ConnectionHost for TestFront {
    type Snapshot = &'static str;

    fn current(&self) -> Arc<&'static str> {
        Arc::new(*self.snapshot.lock().unwrap())
    }

    fn limits(&self, _: &&'static str, _: &ListenerFacts) -> Limits {
        *self.limits.lock().unwrap()
    }

    fn http2(&self, _: &&'static str, _: &ListenerFacts, _: Option<&str>) -> Option<Http2Limits> {
        *self.http2.lock().unwrap()
    }

    fn refused(&self, _: &Arc<&'static str>, _: &Arc<ConnectionFacts>, refused: &Refused<'_>) {
        self.refused.lock().unwrap().push(Report {
            status: refused.status.as_u16(),
            line: String::from_utf8_lossy(refused.request_line).into_owned(),
            number: refused.number,
            bytes_sent: refused.bytes_sent,
            body_bytes_sent: refused.body_bytes_sent,
        });
    }
}

/// What the proxy saw of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub line: String,
    pub serial: u64,
    pub number: u64,
    pub slot: usize,
    pub status: u16,
    pub snapshot: &'static str,
}

pub struct TestProxy(pub Arc<ProxyState>);

pub struct ProxyState {
    pub backend: SocketAddr,
    pub idle_timeout: Mutex<Option<Duration>>,
    pub seen: Mutex<Vec<Seen>>,
    /// Nothing is written down: for tests that measure memory.
    pub forgetful: AtomicBool,
}

#[async_trait]
impl ProxyHttp for TestProxy {
    type CTX = Box<RequestFacts<&'static str>>;

    fn new_ctx(&self) -> Self::CTX {
        let facts = RequestFacts::<&'static str>::take();
        if let Some(timeout) = *self.0.idle_timeout.lock().unwrap() {
            facts.reply.set_idle_timeout(timeout);
        }
        facts
    }

    fn init_downstream_modules(&self, _: &mut pingora::modules::http::HttpModules) {}

    async fn request_filter(&self, session: &mut Session, _: &mut Self::CTX) -> pingora::Result<bool> {
        assert!(session.req_header().uri.path() != "/panic", "a panic was asked for");
        if session.req_header().uri.path() != "/forbidden" {
            return Ok(false);
        }
        // Without reading the body.
        let mut answer = ResponseHeader::build(403, None)?;
        answer.insert_header("content-length", "6")?;
        session.write_response_header(Box::new(answer), false).await?;
        session.write_response_body(Some("denied".into()), true).await?;
        Ok(true)
    }

    async fn upstream_peer(&self, _: &mut Session, _: &mut Self::CTX) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0.backend, false, String::new())))
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &pingora::Error,
        _: &mut Self::CTX,
    ) -> FailToProxy {
        let code = if error.esource() == &pingora::ErrorSource::Downstream { 0 } else { 502 };
        if code != 0 {
            session.respond_error(code).await.ok();
        }
        FailToProxy { error_code: code, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _: Option<&pingora::Error>, facts: &mut Self::CTX) {
        if self.0.forgetful.load(SeqCst) {
            return;
        }
        self.0.seen.lock().unwrap().push(Seen {
            line: String::from_utf8_lossy(facts.request_line()).into_owned(),
            serial: facts.connection.serial,
            number: facts.number,
            slot: facts.connection.listener.slot,
            status: session.response_written().map_or(0, |answer| answer.status.as_u16()),
            snapshot: *facts.snapshot,
        });
    }
}

/// A backend: `/unwritten` is answered and not written down, `/echo` gives the body back, `/hang` answers once [`Backend::release`] is called, anything else
/// gives the target back.
#[derive(Default)]
pub struct Backend {
    pub requests: Mutex<Vec<String>>,
    pub hanging: AtomicUsize,
    pub aborted: AtomicUsize,
    pub release: tokio::sync::Notify,
}

impl Backend {
    pub fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        while let Some((head, body)) = read_message(&mut stream).await {
            let target = head.split(' ').nth(1).unwrap().to_owned();
            if target == "/unwritten" {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                stream.write_all(answer).await.unwrap();
                continue;
            }
            self.requests.lock().unwrap().push(head.lines().next().unwrap().to_owned());
            let body = match target.as_str() {
                "/echo" => body,
                "/hang" => {
                    self.hanging.fetch_add(1, SeqCst);
                    let gone = tokio::select! {
                        () = self.release.notified() => false,
                        _ = stream.read_u8() => true,
                    };
                    self.hanging.fetch_sub(1, SeqCst);
                    if gone {
                        self.aborted.fetch_add(1, SeqCst);
                        return;
                    }
                    b"released".to_vec()
                }
                _ => target.into_bytes(),
            };
            let header = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            if stream.write_all(&[header.into_bytes(), body].concat()).await.is_err() {
                return;
            }
        }
    }
}

pub struct House {
    pub front: Arc<TestFront>,
    pub state: Arc<ProxyState>,
    pub backend: Arc<Backend>,
    pub drain: Drain,
    pub acceptor: Acceptor<TestFront, HttpProxy<TestProxy>>,
    pub listeners: Listeners,
}

impl House {
    /// Serves on one port of the loopback.
    pub async fn open() -> Self {
        Self::open_on(&[ListenAddress::Inet("127.0.0.1:0".parse().unwrap())]).await
    }

    pub async fn open_on(addresses: &[ListenAddress]) -> Self {
        let backend = Arc::new(Backend::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend_address = listener.local_addr().unwrap();
        tokio::spawn({
            let backend = backend.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(backend.clone().serve(stream));
                }
            }
        });
        let state = Arc::new(ProxyState {
            backend: backend_address,
            idle_timeout: Mutex::default(),
            seen: Mutex::default(),
            forgetful: AtomicBool::new(false),
        });
        let proxy = Arc::new(http_proxy(&Arc::new(ServerConf::default()), TestProxy(state.clone())));
        let (front, drain) = (Arc::new(TestFront::default()), Drain::default());
        let worker = Worker::new(pingora_runtime::current_handle(), proxy);
        let acceptor = Acceptor::new(front.clone(), vec![worker], drain.clone());
        let mut listeners = Listeners::bind(&wanted(addresses)).unwrap();
        listeners.start(&acceptor);
        Self { front, state, backend, drain, acceptor, listeners }
    }

    pub fn address(&self) -> SocketAddr {
        match self.listeners.local_addresses()[0].1 {
            ListenAddress::Inet(address) => address,
            ListenAddress::Unix(_) => panic!("not a TCP listener"),
        }
    }

    pub async fn connect(&self) -> Client<TcpStream> {
        Client(TcpStream::connect(self.address()).await.unwrap())
    }

    pub fn refused(&self) -> Vec<Report> {
        self.front.refused.lock().unwrap().clone()
    }

    pub fn set_limits(&self, change: impl FnOnce(&mut Limits)) {
        change(&mut self.front.limits.lock().unwrap());
    }
}

pub fn wanted(addresses: &[ListenAddress]) -> Vec<Wanted> {
    addresses.iter().map(|address| Wanted::admin(address.clone())).collect()
}

pub fn inet(text: &str) -> ListenAddress {
    ListenAddress::Inet(text.parse().unwrap())
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn closes(&self) -> bool {
        self.head.to_lowercase().contains("\r\nconnection: close\r\n")
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub struct Client<S>(pub S);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    pub async fn get(&mut self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        self.answer().await
    }

    /// The next answer; panics when the connection ends instead.
    pub async fn answer(&mut self) -> Answer {
        let message =
            tokio::time::timeout(PATIENCE, read_message(&mut self.0)).await.expect("no answer in time");
        let (head, body) = message.expect("the connection ended instead of an answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body }
    }

    /// What comes until the connection ends; an error when it is reset.
    pub async fn rest(&mut self) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.expect("no end in time")?;
        Ok(bytes)
    }
}

/// Head and body of the next message; `None` at the end of the stream.
pub async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let field = |name: &str| {
        let lower = head.to_lowercase();
        lower.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(|v| v.trim().to_owned()))
    };
    let mut body = Vec::new();
    if field("transfer-encoding").as_deref() == Some("chunked") {
        loop {
            let mut size = Vec::new();
            while !size.ends_with(b"\r\n") {
                size.push(stream.read_u8().await.ok()?);
            }
            let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
            let start = body.len();
            body.resize(start + size + 2, 0);
            stream.read_exact(&mut body[start..]).await.ok()?;
            body.truncate(start + size);
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = field("content-length") {
        body.resize(length.parse().unwrap(), 0);
        stream.read_exact(&mut body).await.ok()?;
    }
    Some((head, body))
}

impl House {
    pub fn proxy_seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }
}
