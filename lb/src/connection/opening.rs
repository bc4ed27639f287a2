//! A connection from its acceptance to the loop of its protocol.
//!
//! What happens before the first request has its place here, in this order: the socket is registered with the reactor
//! of the worker's thread; a PROXY protocol header is read, which tells the client's address; the TLS handshake is
//! done, which tells the protocol. Only then are the facts of the connection settled, and the loop of the protocol serves
//! the requests. What changes the facts makes new ones: they are behind an `Arc` from the start, because the future of
//! this task exists as long as its connection, mostly waiting in the loop, and by value they would make it larger.
//! Whatever comes before the loop is boxed for the same reason.

use std::sync::Arc;

use pingora::apps::HttpServerApp;

use super::acceptor::{Acceptor, Place};
use super::drain::{Drain, Event};
use super::facts::ConnectionFacts;
use super::h1::requests::{OtherProtocol, requests};
use super::h1::stream::ClientStream;
use super::h2;
use super::host::ConnectionHost;
use super::transport::Accepted;

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
    match accepted.register() {
        Ok(transport) => {
            let stream = Box::new(ClientStream::new(transport, acceptor.drain().clone()));
            if let Some(other) = requests(stream, &facts, &acceptor).await {
                Box::pin(http2(other, facts, &acceptor)).await;
            }
        }
        Err(error) => log::error!("a connection could not be registered: {error}"),
    }
}

/// Goes on with HTTP/2.
async fn http2<F, A>(other: OtherProtocol, facts: Arc<ConnectionFacts>, acceptor: &Acceptor<F, A>)
where
    F: ConnectionHost,
    A: HttpServerApp + Send + Sync + 'static,
{
    let OtherProtocol { stream, ahead, limits } = other;
    h2::requests::requests(stream.into_transport(), ahead, facts, acceptor, limits).await;
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
    use std::time::Duration;

    use async_trait::async_trait;
    use pingora::apps::ReusedHttpStream;
    use pingora::protocols::http::ServerSession;
    use pingora::server::ShutdownWatch;

    use super::*;
    use crate::config::model::{HeaderLimits, ListenAddress};
    use crate::connection::acceptor::Worker;
    use crate::connection::facts::{ClientAddress, ListenerFacts};
    use crate::connection::host::{Http2Limits, Limits, Refused};

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

        fn http2(&self, (): &(), _: &ListenerFacts) -> Option<Http2Limits> {
            None
        }

        fn refused(&self, _: &Arc<()>, _: &Arc<ConnectionFacts>, _: &Refused<'_>) {}
    }

    #[tokio::test]
    async fn the_task_of_a_connection_stays_small() {
        let (ours, _client) = std::os::unix::net::UnixStream::pair().unwrap();
        let listener = ListenerFacts::new(0, ListenAddress::Unix("/run/test".into()));
        let drain = Drain::default();
        let facts = ConnectionFacts::new(1, ClientAddress::Unix, None, Arc::new(listener), drain.watch());
        let worker = Worker::new(tokio::runtime::Handle::current(), Arc::new(Nothing));
        let acceptor = Acceptor::new(Arc::new(Nothing), vec![worker], drain);
        let (acceptor, place) = acceptor.place(1);
        let task = connection(Accepted::Unix(ours), Arc::new(facts), acceptor, place);
        let bytes = size_of_val(&task);
        assert!(bytes <= 1024, "{bytes} bytes");
    }
}
