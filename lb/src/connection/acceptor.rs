//! The acceptor: the values that every connection shares, and the choice of a worker for each connection.
//!
//! A connection belongs to one worker for its whole life: the worker's thread polls it, its socket is registered with
//! the thread's reactor, and its requests are carried by the worker's own Pingora application, whose pool of
//! connections to servers no other thread touches. Nothing of a request crosses threads.
//! `docs/decisions/011-workers.md` has the reasons and the figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use pingora::apps::HttpServerApp;
use tokio::runtime::Handle;

use super::drain::{Drain, Hold};
use super::host::ConnectionHost;

/// A thread that serves connections: its runtime, and the Pingora application (`HttpProxy`) that carries its requests.
#[derive(Debug)]
pub struct Worker<A> {
    runtime: Handle,
    app: Arc<A>,
    /// Open connections.
    connections: AtomicUsize,
}

impl<A> Worker<A> {
    /// Spawns connections on `runtime`, which should be a thread's own, and serves them with `app`.
    pub fn new(runtime: Handle, app: Arc<A>) -> Self {
        Self { runtime, app, connections: AtomicUsize::new(0) }
    }
}

/// The values that every connection needs: the callbacks, its worker and the drain handle. Cheap to clone.
#[derive(Debug)]
pub struct Acceptor<F, A> {
    shared: Arc<Shared<F, A>>,
    /// Index of this clone's worker.
    worker: usize,
}

#[derive(Debug)]
struct Shared<F, A> {
    host: Arc<F>,
    workers: Box<[Worker<A>]>,
    drain: Drain,
    serials: AtomicU64,
}

impl<F, A> Clone for Acceptor<F, A> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), worker: self.worker }
    }
}

impl<F: ConnectionHost, A: HttpServerApp + Send + Sync + 'static> Acceptor<F, A> {
    /// Connections use the callbacks of `host` and are spread over `workers`, which must not be empty.
    pub fn new(host: Arc<F>, workers: Vec<Worker<A>>, drain: Drain) -> Self {
        assert!(!workers.is_empty(), "an acceptor needs a worker");
        let shared = Shared { host, workers: workers.into(), drain, serials: AtomicU64::new(0) };
        Self { shared: Arc::new(shared), worker: 0 }
    }

    pub(in crate::connection) fn host(&self) -> &F {
        &self.shared.host
    }

    pub(in crate::connection) fn app(&self) -> &Arc<A> {
        &self.shared.workers[self.worker].app
    }

    pub(in crate::connection) fn drain(&self) -> &Drain {
        &self.shared.drain
    }

    /// The worker's runtime.
    pub(in crate::connection) fn runtime(&self) -> &Handle {
        &self.shared.workers[self.worker].runtime
    }

    /// The serial number of the next connection, from 1.
    pub(in crate::connection) fn next_serial(&self) -> u64 {
        self.shared.serials.fetch_add(1, Relaxed) + 1
    }

    /// This acceptor for the worker `number`, modulo the number of workers.
    pub(in crate::connection) fn of_worker(&self, number: usize) -> Self {
        Self { shared: self.shared.clone(), worker: number % self.shared.workers.len() }
    }

    /// This acceptor for the worker of the next connection, and the connection's place there.
    pub(in crate::connection) fn place(&self, serial: u64) -> (Self, Place<F, A>) {
        let counts = self.shared.workers.iter().map(|worker| worker.connections.load(Relaxed));
        let chosen = self.of_worker(least(counts, serial));
        chosen.shared.workers[chosen.worker].connections.fetch_add(1, Relaxed);
        let place = Place { acceptor: chosen.clone(), _hold: self.drain().hold() };
        (chosen, place)
    }
}

/// A connection's place on its worker: counted there, and awaited by the graceful stop.
#[derive(Debug)]
pub(in crate::connection) struct Place<F, A> {
    acceptor: Acceptor<F, A>,
    _hold: Hold,
}

impl<F, A> Drop for Place<F, A> {
    fn drop(&mut self) {
        self.acceptor.shared.workers[self.acceptor.worker].connections.fetch_sub(1, Relaxed);
    }
}

/// The index of the smallest of `counts`; `serial` breaks ties in turn.
///
/// Least connections and not round robin: clients decide when connections end, so that taking turns alone would leave
/// one worker busier than another for as long as connections live.
fn least(counts: impl ExactSizeIterator<Item = usize> + Clone, serial: u64) -> usize {
    let number = counts.len();
    let first = (serial % number as u64) as usize;
    let by_turn = |(index, count): &(usize, usize)| (*count, (index + number - first) % number);
    counts.enumerate().min_by_key(by_turn).map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_goes_where_there_are_fewest_and_by_turns_among_equals() {
        for (counts, chosen) in [
            (vec![0], [0, 0, 0]),
            (vec![3, 2], [1, 1, 1]),
            (vec![2, 2], [0, 1, 0]),
            (vec![1, 0, 0], [1, 1, 2]),
            (vec![5, 5, 5], [0, 1, 2]),
        ] {
            let by_serial = [0, 1, 2].map(|serial| least(counts.iter().copied(), serial));
            assert_eq!(by_serial, chosen, "{counts:?}");
        }
    }
}
