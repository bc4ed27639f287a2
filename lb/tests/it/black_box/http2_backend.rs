//! Servers that speak HTTP/2, with prior knowledge or over TLS, and tell what they have seen.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use super::secure_backend::{Certified, server_config};

/// What a server does with a request; the path says it.
///
/// | path | answer |
/// |---|---|
/// | `/refused` | the stream is refused, the first time |
/// | `/reset` | the stream is reset |
/// | `/trailers` | 200, a body, and trailers |
/// | `/silent` | none |
/// | other | 200, and the request's body |
#[derive(Default)]
struct Shared {
    connections: AtomicUsize,
    refused: AtomicUsize,
    resets: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

/// A server that speaks HTTP/2.
pub(crate) struct Http2Backend {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

impl Http2Backend {
    /// It expects HTTP/2 without a word before; over TLS where it has a certificate.
    pub(crate) fn start(certified: Option<&Certified>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = certified.map(|certified| {
            let mut config = server_config(certified, None);
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            TlsAcceptor::from(Arc::new(config))
        });
        let shared = Arc::<Shared>::default();
        let accepting = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, acceptor) = (Arc::clone(&accepting), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => converse(&shared, stream).await,
                        Some(acceptor) => {
                            let Ok(stream) = acceptor.accept(stream).await else { return };
                            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                            converse(&shared, stream).await;
                        }
                    }
                });
            }
        });
        Self { address, shared, _runtime: runtime }
    }

    /// How many connections spoke HTTP/2.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(SeqCst)
    }

    /// How many streams the client has reset.
    pub(crate) fn resets(&self) -> usize {
        self.shared.resets.load(SeqCst)
    }

    /// Each request: its URI, and its fields.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }
}

async fn converse(shared: &Arc<Shared>, stream: impl AsyncRead + AsyncWrite + Unpin) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    shared.connections.fetch_add(1, SeqCst);
    while let Some(Ok((request, respond))) = connection.accept().await {
        let fields = request.headers().iter();
        let fields: String =
            fields.map(|(name, value)| format!("|{name}: {}", value.to_str().unwrap())).collect();
        let told = format!("{} {}{fields}", request.method(), request.uri());
        shared.requests.lock().unwrap().push(told);
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let _ = answer(&shared, request, respond).await;
        });
    }
}

async fn answer(
    shared: &Shared,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    match request.uri().path() {
        "/refused" if shared.refused.fetch_add(1, SeqCst) == 0 => {
            respond.send_reset(Reason::REFUSED_STREAM);
            return Ok(());
        }
        "/reset" => {
            respond.send_reset(Reason::INTERNAL_ERROR);
            return Ok(());
        }
        "/silent" => {
            std::future::poll_fn(|cx| respond.poll_reset(cx)).await?;
            shared.resets.fetch_add(1, SeqCst);
            return Ok(());
        }
        _ => {}
    }
    let trailers = request.uri().path() == "/trailers";
    let mut body = request.into_body();
    let mut sender = respond.send_response(Response::new(()), false)?;
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        sender.send_data(piece, false)?;
    }
    if trailers {
        sender.send_data(Bytes::from_static(b"before"), false)?;
        let mut fields = HeaderMap::new();
        fields.insert("x-trailer", HeaderValue::from_static("behind"));
        return sender.send_trailers(fields);
    }
    sender.send_data(Bytes::new(), true)
}
