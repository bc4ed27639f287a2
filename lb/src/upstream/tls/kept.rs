//! Idle connections of one worker, to be used again.
//!
//! As in nginx, an upstream keeps a number of them; a further one takes the place of the one that has been idle longest.
//! Each is watched: a server that closes it, or says anything, ends it at once, and so does `keepalive_timeout`.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::noop_waker_ref;
use parking_lot::Mutex;
use tokio::io::{AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio_rustls::client::TlsStream;

use super::identity::Key;
use super::transport::{Transport, poll_read};

type Connection = TlsStream<Transport>;

/// The idle connections, by the group that they are counted in, the longest idle first.
#[derive(Debug, Default)]
pub struct Kept {
    groups: Mutex<HashMap<u64, VecDeque<Idle>>>,
}

/// How many are kept, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) group: u64,
    pub(super) connections: usize,
    pub(super) idle_timeout: Duration,
}

/// What a connection is used for and has been.
#[derive(Debug, Clone)]
pub(super) struct Usage {
    pub(super) key: Key,
    pub(super) limits: Limits,
    pub(super) requests: u64,
}

#[derive(Debug)]
struct Idle {
    key: Key,
    requests: u64,
    place: Arc<Place>,
}

/// Where an idle connection is; whoever takes it leaves the place empty.
#[derive(Debug)]
struct Place {
    connection: Mutex<Option<Connection>>,
    left: Notify,
}

impl Place {
    fn take(&self) -> Option<Connection> {
        let taken = self.connection.lock().take();
        self.left.notify_one();
        taken
    }

    fn end(&self) {
        if let Some(connection) = self.take() {
            close(connection);
        }
    }

    /// Ready when the server has ended the connection, or nobody needs to know any more.
    fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        let quiet = self.connection.lock().as_mut().is_some_and(|connection| is_quiet(connection, cx));
        if quiet { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Kept {
    /// A connection of this group and key, the one that has been idle shortest, and how many requests it has carried.
    pub(super) fn take(&self, group: u64, key: &Key) -> Option<(Connection, u64)> {
        loop {
            let idle = {
                let mut groups = self.groups.lock();
                let group = groups.get_mut(&group)?;
                let index = group.iter().rposition(|idle| idle.key == *key)?;
                group.remove(index)?
            };
            let Some(mut connection) = idle.place.take() else { continue };
            // The watch may not have had its turn since the server closed it.
            if is_quiet(&mut connection, &mut Context::from_waker(noop_waker_ref())) {
                return Some((connection, idle.requests));
            }
        }
    }

    /// Keeps a connection.
    pub(super) fn put(self: &Arc<Self>, connection: Connection, usage: Usage) {
        let Usage { key, limits, requests } = usage;
        let place = Arc::new(Place { connection: Mutex::new(Some(connection)), left: Notify::new() });
        let surplus = {
            let mut groups = self.groups.lock();
            let group = groups.entry(limits.group).or_default();
            group.push_back(Idle { key, requests, place: Arc::clone(&place) });
            let surplus = group.len().saturating_sub(limits.connections);
            group.drain(..surplus).collect::<Vec<_>>()
        };
        for idle in surplus {
            idle.place.end();
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(watch(Arc::downgrade(self), limits, place));
        }
    }

    fn forget(&self, group: u64, place: &Arc<Place>) {
        let mut groups = self.groups.lock();
        let Some(idle) = groups.get_mut(&group) else { return };
        idle.retain(|idle| !Arc::ptr_eq(&idle.place, place));
        if idle.is_empty() {
            groups.remove(&group);
        }
    }
}

/// Ends with the connection's time in its place.
async fn watch(kept: Weak<Kept>, limits: Limits, place: Arc<Place>) {
    tokio::select! {
        () = place.left.notified() => return,
        () = poll_fn(|cx| place.poll_ended(cx)) => {}
        _ = pingora_timeout::timeout(limits.idle_timeout, std::future::pending::<()>()) => {}
    }
    if let Some(kept) = kept.upgrade() {
        kept.forget(limits.group, &place);
    }
    place.end();
}

/// Whether the server has neither said anything nor closed the connection.
fn is_quiet(connection: &mut Connection, cx: &mut Context<'_>) -> bool {
    let mut byte = [0; 1];
    poll_read(Pin::new(connection), cx, &mut ReadBuf::new(&mut byte)).is_pending()
}

/// Tells the server, as far as that can be done at once.
fn close(mut connection: Connection) {
    let _ = Pin::new(&mut connection).poll_shutdown(&mut Context::from_waker(noop_waker_ref()));
}
