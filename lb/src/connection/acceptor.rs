//! What every connection needs, from the accept loop to its last request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pingora::apps::HttpServerApp;

use super::drain::Drain;
use super::host::ConnectionHost;

/// What every connection needs: the callbacks, the Pingora application and the drain handle. Cheap to clone.
#[derive(Debug)]
pub struct Acceptor<F, A>(Arc<Shared<F, A>>);

#[derive(Debug)]
struct Shared<F, A> {
    host: Arc<F>,
    app: Arc<A>,
    drain: Drain,
    serials: AtomicU64,
}

impl<F, A> Clone for Acceptor<F, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F: ConnectionHost, A: HttpServerApp + Send + Sync + 'static> Acceptor<F, A> {
    /// Connections will ask `host` and be served by `app`: Pingora's `HttpProxy`.
    pub fn new(host: Arc<F>, app: Arc<A>, drain: Drain) -> Self {
        Self(Arc::new(Shared { host, app, drain, serials: AtomicU64::new(0) }))
    }

    pub(in crate::connection) fn host(&self) -> &F {
        &self.0.host
    }

    pub(in crate::connection) fn app(&self) -> &Arc<A> {
        &self.0.app
    }

    pub(in crate::connection) fn drain(&self) -> &Drain {
        &self.0.drain
    }

    /// The serial number of the next connection, from 1.
    pub(in crate::connection) fn next_serial(&self) -> u64 {
        self.0.serials.fetch_add(1, Relaxed) + 1
    }
}
