//! What nginx's phases need of Pingora, proven with a service of this test's own: leaving a server's answer for another
//! location (`error_page`, `X-Accel-Redirect`), and asking a server while the request waits (`auth_request`).
//! `docs/decisions/013-leaving-an-answer-and-subrequests.md` says what follows from it.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use lb::config::model::ListenAddress;
use lb::connection::{Acceptor, Drain, Listeners, RequestFacts, Worker};
use pingora::connectors::http::Connector;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::prelude::HttpPeer;
use pingora::proxy::{ProxyHttp, Session, http_proxy};
use pingora::server::configuration::ServerConf;
use pingora::{Error, ErrorType, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::connection_support::{Client, House, TestFront, inet, wanted};

const OWN: &str = "a page of the program's own";

/// Leaves answers to `/leave`, replaces answers to `/replace`, and asks first where `X-Guard` is there.
struct Phases {
    backend: SocketAddr,
    guard: SocketAddr,
    connector: Connector,
}

#[derive(Default)]
struct Request {
    /// The location that the request has been sent to inside.
    inner: Option<&'static str>,
}

impl Phases {
    /// A subrequest: its status is what comes of it.
    async fn ask(&self, main: &RequestHeader) -> Result<u16> {
        let peer = HttpPeer::new(self.guard, false, String::new());
        let (mut ask, _reused) = self.connector.get_http_session(&peer).await?;
        let mut header = RequestHeader::build("GET", b"/guard", None)?;
        header.insert_header("Host", "guard")?;
        if let Some(cookie) = main.headers.get("cookie") {
            header.insert_header("Cookie", cookie)?;
        }
        ask.write_request_header(Box::new(header)).await?;
        ask.finish_request_body().await?;
        ask.read_response_header().await?;
        let status = ask.response_header().map_or(502, |answer| answer.status.as_u16());
        while ask.read_response_body().await?.is_some() {}
        self.connector.release_http_session(ask, &peer, None).await;
        Ok(status)
    }
}

#[async_trait]
impl ProxyHttp for Phases {
    type CTX = Request;

    fn new_ctx(&self) -> Request {
        drop(RequestFacts::<&'static str>::take());
        Request::default()
    }

    async fn request_filter(&self, session: &mut Session, _: &mut Request) -> Result<bool> {
        session.set_ignore_info_resp(true);
        if !session.req_header().headers.contains_key("x-guard") {
            return Ok(false);
        }
        // As in `lb`: the connection loop knows where a body ends that nobody has read.
        session.set_close_on_response_before_downstream_finish(false);
        let status = self.ask(session.req_header()).await?;
        if status < 300 {
            return Ok(false);
        }
        let mut answer = ResponseHeader::build(status, None)?;
        answer.insert_header("Content-Length", "0")?;
        session.write_response_header(Box::new(answer), true).await?;
        Ok(true)
    }

    async fn upstream_peer(&self, _: &mut Session, _: &mut Request) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.backend, false, String::new())))
    }

    async fn upstream_request_filter(
        &self,
        _: &mut Session,
        upstream_request: &mut RequestHeader,
        request: &mut Request,
    ) -> Result<()> {
        match request.inner {
            Some(target) => upstream_request.set_raw_path(target.as_bytes()),
            None => Ok(()),
        }
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        request: &mut Request,
    ) -> Result<()> {
        match session.req_header().uri.path() {
            "/leave" if request.inner.is_none() => {
                request.inner = Some("/inside");
                Error::e_explain(ErrorType::InternalError, "another location answers")
            }
            "/replace" => {
                let mut own = ResponseHeader::build(404, None)?;
                own.set_content_length(OWN.len())?;
                session.write_response_header(Box::new(own), false).await?;
                session.write_response_body(Some(Bytes::from_static(OWN.as_bytes())), true).await?;
                answer.set_status(StatusCode::PROCESSING)
            }
            _ => Ok(()),
        }
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        _: &mut Session,
        mut error: Box<Error>,
        request: &mut Request,
        _: bool,
    ) -> Box<Error> {
        error.set_retry(request.inner.is_some());
        error
    }
}

/// Counts questions and connections; says yes to one cookie.
#[derive(Default)]
struct Guard {
    asked: AtomicUsize,
    connections: AtomicUsize,
}

impl Guard {
    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let mut head = Vec::new();
        while let Ok(byte) = stream.read_u8().await {
            head.push(byte);
            if head.ends_with(b"\r\n\r\n") {
                self.asked.fetch_add(1, SeqCst);
                let text = String::from_utf8_lossy(&head).to_lowercase();
                let status =
                    if text.contains("cookie: let=in") { "204 No Content" } else { "401 Unauthorized" };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
                head.clear();
            }
        }
    }
}

struct Stage {
    house: House,
    guard: Arc<Guard>,
    address: SocketAddr,
    _listeners: Listeners,
}

async fn stage() -> Stage {
    let house = House::open().await;
    let guard = Arc::new(Guard::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let guard_address = listener.local_addr().unwrap();
    let serving = guard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serving.connections.fetch_add(1, SeqCst);
            tokio::spawn(serving.clone().serve(stream));
        }
    });
    let phases =
        Phases { backend: house.state.backend, guard: guard_address, connector: Connector::new(None) };
    let proxy = Arc::new(http_proxy(&Arc::new(ServerConf::default()), phases));
    let worker = Worker::new(pingora_runtime::current_handle(), proxy);
    let acceptor = Acceptor::new(Arc::new(TestFront::default()), vec![worker], Drain::default());
    let mut listeners = Listeners::bind(&wanted(&[inet("127.0.0.1:0")])).unwrap();
    listeners.start(&acceptor);
    let address = match listeners.local_addresses()[0].1 {
        ListenAddress::Inet(address) => address,
        ListenAddress::Unix(_) => panic!("not a TCP listener"),
    };
    Stage { house, guard, address, _listeners: listeners }
}

#[tokio::test]
async fn a_servers_answer_is_left_for_another_location_and_the_connection_goes_on() {
    let stage = stage().await;
    let mut client = Client(TcpStream::connect(stage.address).await.unwrap());
    for _ in 0..3 {
        let answer = client.get("/leave").await;
        assert_eq!((answer.status, answer.text(), answer.closes()), (200, "/inside", false));
        assert_eq!(client.get("/plain").await.text(), "/plain");
    }
    // The body is kept for the second location.
    client.send("POST /leave HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody").await;
    assert_eq!(client.answer().await.text(), "/inside");
    assert_eq!(stage.house.backend.count(), 3 * 3 + 2);
}

#[tokio::test]
async fn a_servers_answer_is_replaced_by_one_of_the_program_and_both_connections_go_on() {
    let stage = stage().await;
    let mut client = Client(TcpStream::connect(stage.address).await.unwrap());
    for _ in 0..3 {
        let answer = client.get("/replace").await;
        assert_eq!((answer.status, answer.text(), answer.closes()), (404, OWN, false));
        assert_eq!(client.get("/plain").await.text(), "/plain");
    }
}

#[tokio::test]
async fn a_request_waits_for_what_another_server_says_of_it() {
    let stage = stage().await;
    let mut client = Client(TcpStream::connect(stage.address).await.unwrap());
    let post = |cookie: &str| {
        format!(
            "POST /echo HTTP/1.1\r\nHost: h\r\nX-Guard: 1\r\nCookie: {cookie}\r\nContent-Length: 4\r\n\r\nbody"
        )
    };
    for (cookie, status, body) in [("let=in", 200, "body"), ("let=out", 401, ""), ("let=in", 200, "body")] {
        client.send(post(cookie)).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text(), answer.closes()), (status, body, false), "{cookie}");
    }
    assert_eq!(stage.guard.asked.load(SeqCst), 3);
    assert_eq!(stage.guard.connections.load(SeqCst), 1, "the connection to the guard is kept");
    assert_eq!(stage.house.backend.count(), 2, "a refused request reaches no server");
}
