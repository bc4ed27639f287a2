//! A connection from its acceptance to the loop of its protocol.
//!
//! What happens before the first request has its place here, in this order: the socket is registered with the reactor
//! of the worker's thread; a PROXY protocol header is read, which tells the client's address; the TLS handshake is
//! done, which tells the protocol. Only then are the facts of the connection settled, and the loop of the protocol serves
//! the requests. What changes the facts makes new ones: they are behind an `Arc` from the start, because the future of
//! this task exists as long as its connection, mostly waiting in the loop, and by value they would make it larger.
//! Whatever comes before the loop is boxed for the same reason.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use pingora::apps::HttpServerApp;

use super::acceptor::{Acceptor, Place};
use super::closing;
use super::drain::{Drain, Event, LAST_CALL};
use super::facts::ConnectionFacts;
use super::h1::requests::{OtherProtocol, requests};
use super::h1::stream::ClientStream;
use super::h2;
use super::handshake::{Spoken, handshake, kind, reason};
use super::host::{ConnectionHost, Http2Limits};
use super::proxy_protocol::{self, ReadError};
use super::transport::{Accepted, Transport};
use crate::observe::handshakes::HandshakeFailure;
use crate::tls::Security;

/// Serves one connection until it ends.
pub(super) async fn connection<F, A>(
    accepted: Accepted,
    facts: Arc<ConnectionFacts>,
    acceptor: Acceptor<F, A>,
    _place: Place<F, A>,
) where
    F: ConnectionHost,
    A: HttpServerApp + Send + Sync + 'static,
{
    let _closed = Closed(acceptor.drain().clone());
    let mut transport = match accepted.register() {
        Ok(transport) => transport,
        Err(error) => return log::error!("a connection could not be registered: {error}"),
    };
    let asks = asks(&facts, &acceptor);
    let facts = if asks.proxy_protocol {
        match Box::pin(proxied(&mut transport, facts, &acceptor)).await {
            Some(facts) => facts,
            None => return,
        }
    } else {
        facts
    };
    if !asks.tls {
        let stream = Box::new(ClientStream::new(transport, acceptor.drain().clone()));
        if let Some(other) = requests(stream, &facts, &acceptor).await {
            http2(*other, &facts, &acceptor).await;
        }
        return;
    }
    let Some(Opened { protocol, transport, facts, first }) =
        Box::pin(secure(transport, facts, &acceptor)).await
    else {
        return;
    };
    match protocol {
        Protocol::Http1 => {
            let stream = Box::new(ClientStream::after(first, transport, acceptor.drain().clone()));
            requests(stream, &facts, &acceptor).await;
        }
        Protocol::Http2(limits) => {
            let ahead = BytesMut::new();
            Box::pin(h2::requests::requests(transport, ahead, facts, &acceptor, limits)).await;
        }
    }
}

/// How long a graceful stop waits for handshakes: clients that hold theirs would keep it for a minute.
const LAST_HANDSHAKES: Duration = Duration::from_secs(1);

/// Goes on with HTTP/2. Not an async function, so that what it begins with is not laid out in the future of every waiting
/// connection.
fn http2<'a, F, A>(
    other: OtherProtocol,
    facts: &ConnectionFacts,
    acceptor: &'a Acceptor<F, A>,
) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>
where
    F: ConnectionHost,
    A: HttpServerApp + Send + Sync + 'static,
{
    let OtherProtocol { stream, ahead, limits } = other;
    let facts = Arc::new(facts.with_security(Security::Plain).speaking_http2());
    Box::pin(h2::requests::requests(stream.into_transport(), ahead, facts, acceptor, limits))
}

/// What the configuration in force asks of a connection before its first request.
struct Asks {
    proxy_protocol: bool,
    tls: bool,
}

fn asks<F, A>(facts: &ConnectionFacts, acceptor: &Acceptor<F, A>) -> Asks
where
    F: ConnectionHost,
    A: HttpServerApp + Send + Sync + 'static,
{
    let host = acceptor.host();
    let snapshot = host.snapshot(&facts.listener);
    Asks {
        proxy_protocol: host.reads_proxy_protocol(&snapshot, &facts.listener),
        tls: host.speaks_tls(&snapshot, &facts.listener),
    }
}

/// Reads the PROXY protocol header within the time for a request's header, as nginx; the facts with what it says, or
/// nothing where the connection is to end. A graceful stop leaves a header on its way the time that it leaves a request.
async fn proxied<F, A>(
    transport: &mut Transport,
    facts: Arc<ConnectionFacts>,
    acceptor: &Acceptor<F, A>,
) -> Option<Arc<ConnectionFacts>>
where
    F: ConnectionHost,
    A: HttpServerApp + Send + Sync + 'static,
{
    let host = acceptor.host();
    let patience = host.limits(&host.snapshot(&facts.listener), &facts.listener).header_timeout;
    let mut stopping = acceptor.drain().watch();
    let reading = proxy_protocol::read(transport);
    tokio::pin!(reading);
    let read = tokio::select! {
        biased;
        read = &mut reading => Some(read),
        () = closing(&mut stopping) => tokio::time::timeout(LAST_CALL, reading).await.ok(),
        () = tokio::time::sleep(patience) => None,
    };
    let tail = || format!("while reading PROXY protocol{}", facts.circumstances());
    match read {
        Some(Ok(None)) => return Some(facts),
        Some(Ok(Some(proxied))) => return Some(Arc::new(facts.behind_proxy(proxied))),
        Some(Err(ReadError::Broken(error))) => log::error!("{error} {}", tail()),
        Some(Err(error)) => log::info!("{error} {}", tail()),
        None => log::info!("client timed out (110: Connection timed out) {}", tail()),
    }
    None
}

/// The protocol of a connection's requests.
enum Protocol {
    Http1,
    Http2(Http2Limits),
}

/// A connection that is ready for its first request.
struct Opened {
    protocol: Protocol,
    transport: Transport,
    facts: Arc<ConnectionFacts>,
    /// What was read already.
    first: Vec<u8>,
}

/// Does the TLS handshake, within the time that a client has for its first header, as in nginx. None where it fails.
async fn secure<F, A>(
    transport: Transport,
    facts: Arc<ConnectionFacts>,
    acceptor: &Acceptor<F, A>,
) -> Option<Opened>
where
    F: ConnectionHost,
    A: HttpServerApp + Send + Sync + 'static,
{
    let host = acceptor.host();
    let snapshot = host.snapshot(&facts.listener);
    let patience = host.limits(&snapshot, &facts.listener).first_request_timeout;
    let shaking = handshake(transport, |name| host.tls(&snapshot, &facts.listener, name));
    let shaking = tokio::time::timeout(patience, shaking);
    tokio::pin!(shaking);
    let mut stopping = acceptor.drain().watch();
    let outcome = tokio::select! {
        biased;
        outcome = &mut shaking => outcome,
        () = closing(&mut stopping) => match tokio::time::timeout(LAST_HANDSHAKES, shaking).await {
            Ok(outcome) => outcome,
            Err(_) => return None,
        },
    };
    let (transport, security, first) = match outcome {
        Ok(Ok(Spoken::Tls(transport, session))) => {
            host.handshake_ended(Ok(kind(&session)));
            (transport, Security::Tls(session), Vec::new())
        }
        Ok(Ok(Spoken::Plain(transport, first))) => {
            host.handshake_ended(Err(HandshakeFailure::PlainHttp));
            (transport, Security::PlainWhereTlsIsSpoken, first)
        }
        Ok(Err(error)) => {
            host.handshake_ended(Err(reason(&error)));
            log::info!("SSL_do_handshake() failed ({error}) while SSL handshaking{}", facts.circumstances());
            return None;
        }
        Err(_) => {
            host.handshake_ended(Err(HandshakeFailure::TimedOut));
            log::info!("client timed out while SSL handshaking{}", facts.circumstances());
            return None;
        }
    };
    let http2 = match &security {
        Security::Tls(session) if session.alpn() == Some(b"h2") => {
            host.http2(&snapshot, &facts.listener, session.name())
        }
        _ => None,
    };
    let protocol = http2.map_or(Protocol::Http1, Protocol::Http2);
    let mut facts = facts.with_security(security);
    if matches!(protocol, Protocol::Http2(_)) {
        facts = facts.speaking_http2();
    }
    Some(Opened { protocol, transport, facts: Arc::new(facts), first })
}

/// Counts the end of a connection.
struct Closed(Drain);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.book(Event::Closed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use async_trait::async_trait;
    use pingora::apps::ReusedHttpStream;
    use pingora::protocols::http::ServerSession;
    use pingora::server::ShutdownWatch;

    use super::*;
    use crate::config::model::{HeaderLimits, ListenAddress};
    use crate::connection::acceptor::Worker;
    use crate::connection::facts::{ClientAddress, ListenerFacts};
    use crate::connection::host::{Limits, Refused};

    struct Nothing;

    #[async_trait]
    impl HttpServerApp for Nothing {
        async fn process_new_http(
            self: &Arc<Self>,
            _: ServerSession,
            _: &ShutdownWatch,
        ) -> Option<ReusedHttpStream> {
            None
        }
    }

    impl ConnectionHost for Nothing {
        type Snapshot = ();

        fn current(&self) -> Arc<()> {
            Arc::new(())
        }

        fn limits(&self, (): &(), _: &ListenerFacts) -> Limits {
            Limits {
                header_timeout: Duration::from_secs(1),
                first_request_timeout: Duration::from_secs(1),
                idle_timeout: Duration::from_secs(1),
                header: HeaderLimits { line_bytes: 8192, total_bytes: 33792 },
                max_fields: 256,
                server_tokens: true,
            }
        }

        fn refused(&self, _: &Arc<()>, _: &Arc<ConnectionFacts>, _: &Refused<'_>) {}
    }

    #[tokio::test]
    async fn the_task_of_a_connection_stays_small() {
        let (ours, _client) = std::os::unix::net::UnixStream::pair().unwrap();
        let listener = ListenerFacts::new(0, ListenAddress::Unix("/run/test".into()));
        let drain = Drain::default();
        let facts = ConnectionFacts::new(
            1,
            ClientAddress::Unix,
            None,
            Arc::new(listener),
            drain.watch(),
            drain.clone(),
        );
        let worker = Worker::new(tokio::runtime::Handle::current(), Arc::new(Nothing));
        let acceptor = Acceptor::new(Arc::new(Nothing), vec![worker], drain);
        let (acceptor, place) = acceptor.place(1);
        let task = connection(Accepted::Unix(ours), Arc::new(facts), acceptor, place);
        let bytes = size_of_val(&task);
        assert!(bytes <= 1024, "{bytes} bytes");
    }
}
