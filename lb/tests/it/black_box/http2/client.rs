//! A client of HTTP/2, with the h2 crate: for what a well-behaved client sees.

use std::collections::HashMap;
use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::super::support::{Answer, PATIENCE};
use super::over_tls::http2_only;

/// A connection with prior knowledge.
pub(in crate::black_box) struct Http2Client {
    runtime: Runtime,
    send: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// A request that was sent.
pub(super) struct Exchange {
    pub(super) answer: ResponseFuture,
    pub(super) body: SendStream<Bytes>,
}

/// What came back.
pub(super) struct Whole {
    pub(super) answer: Answer,
}

impl Http2Client {
    pub(in crate::black_box) fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, &Builder::new())
    }

    pub(super) fn connect_with(address: SocketAddr, options: &Builder) -> Self {
        let runtime = runtime();
        let stream = runtime.block_on(TcpStream::connect(address)).unwrap();
        Self::over(runtime, stream, options)
    }

    /// Over TLS, asking for the server of this name.
    pub(super) fn connect_tls(address: SocketAddr, name: &'static str) -> Self {
        let runtime = runtime();
        let stream = runtime.block_on(async {
            let stream = TcpStream::connect(address).await.unwrap();
            let name = rustls::pki_types::ServerName::try_from(name).unwrap();
            tokio_rustls::TlsConnector::from(http2_only()).connect(name, stream).await.unwrap()
        });
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        // Answers that are not read yet take no room from the one that is.
        Self::over(runtime, stream, Builder::new().initial_connection_window_size(16 << 20))
    }

    fn over<S>(runtime: Runtime, stream: S, options: &Builder) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (send, connection) = runtime.block_on(options.handshake::<_, Bytes>(stream)).unwrap();
        let connection = runtime.spawn(connection);
        Self { runtime, send, connection }
    }

    /// Sends a header; a body follows if `has_body`.
    pub(super) fn begin(&mut self, request: Request<()>, has_body: bool) -> Exchange {
        let mut send = self.runtime.block_on(self.send.clone().ready()).unwrap();
        let (answer, body) = send.send_request(request, !has_body).unwrap();
        Exchange { answer, body }
    }

    /// Waits for the whole answer.
    pub(super) fn finish(&self, exchange: Exchange) -> Result<Whole, h2::Error> {
        self.within(async {
            let response = exchange.answer.await?;
            let (head, mut body) = response.into_parts();
            let bytes = read(&mut body, usize::MAX).await?;
            let headers = head.headers.iter().map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            });
            let answer = Answer {
                status: head.status.as_u16(),
                headers: headers.collect::<HashMap<_, _>>(),
                body: String::from_utf8_lossy(&bytes).into_owned(),
            };
            Ok(Whole { answer })
        })
    }

    /// One request without a body.
    pub(in crate::black_box) fn get(&mut self, path: &str) -> Answer {
        let exchange = self.begin(get(path), false);
        self.finish(exchange).unwrap().answer
    }

    /// One request with a body, sent in pieces of this size.
    pub(super) fn post(
        &mut self,
        request: Request<()>,
        body: &[u8],
        piece: usize,
    ) -> Result<Whole, h2::Error> {
        let mut exchange = self.begin(request, true);
        for piece in body.chunks(piece) {
            self.send(&mut exchange, piece)?;
        }
        exchange.body.send_data(Bytes::new(), true)?;
        self.finish(exchange)
    }

    /// Sends a piece of a body as the window lets it.
    pub(super) fn send(&self, exchange: &mut Exchange, piece: &[u8]) -> Result<(), h2::Error> {
        let mut piece = Bytes::copy_from_slice(piece);
        self.within(async {
            while !piece.is_empty() {
                exchange.body.reserve_capacity(piece.len());
                let capacity = std::future::poll_fn(|cx| exchange.body.poll_capacity(cx)).await;
                // The answer has come before the body's end.
                let Some(capacity) = capacity else { break };
                let capacity = capacity?;
                exchange.body.send_data(piece.split_to(capacity.min(piece.len())), false)?;
            }
            Ok(())
        })
    }

    /// Waits for what a test waits for, with patience.
    pub(super) fn within<T>(&self, future: impl Future<Output = T>) -> T {
        let waited = async { tokio::time::timeout(PATIENCE, future).await };
        self.runtime.block_on(waited).expect("it takes no longer")
    }

    /// Waits until the connection has ended.
    pub(super) fn ended(self) -> Result<(), h2::Error> {
        let Self { runtime, send, connection } = self;
        let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, connection).await });
        drop(send);
        ended.expect("it takes no longer").unwrap()
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A request to the host `test`.
pub(super) fn get(path: &str) -> Request<()> {
    Request::get(format!("http://test{path}")).body(()).unwrap()
}

/// The same with a body.
pub(super) fn post(path: &str) -> Request<()> {
    Request::post(format!("http://test{path}")).body(()).unwrap()
}

/// Reads up to `most` bytes, and opens the window for as many.
pub(super) async fn read(body: &mut RecvStream, most: usize) -> Result<Vec<u8>, h2::Error> {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        let Some(data) = body.data().await else { break };
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}
