//! Connection counts and graceful shutdown.
//!
//! A graceful stop must know exactly when nothing is left that it would cut. Every accept loop, connection and
//! lingering close therefore takes a `Hold`, and the stop is over when none is left. Holds are per connection and not
//! per request, so that the request path pays no shared atomic for them; a connection ends by itself once its request
//! is answered, because its loop sees the stop.
//!
//! The other counts serve the metrics. They are events that only grow, kept in sharded cells; "active", "reading",
//! "writing" and "waiting" (NGINX's `stub_status`) are differences between them, computed when read.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};
use std::time::Duration;

use pingora::server::ShutdownWatch;
use tokio::sync::{Notify, watch};

use crate::observe::cells::CounterSet;

/// Time that an idle connection still waits for one more request once it is to end. A client that has just read its
/// answer sends the next request within this time; the request is then answered, with `Connection: close`, instead of
/// meeting a closed socket. Short enough that an idle process is gone within 100 ms.
pub(super) const LAST_CALL: Duration = Duration::from_millis(40);

/// The process's connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Drain(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    begun: watch::Sender<bool>,
    /// The same as a flag, for readers: every request asks, and a watch is read under a lock.
    has_begun: AtomicBool,
    holds: AtomicUsize,
    released: Notify,
    events: CounterSet<EVENTS>,
}

/// The events that [`Drain`] counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Accepted,
    Closed,
    HeadStarted,
    HeadEnded,
    RequestStarted,
    RequestEnded,
}

const EVENTS: usize = 6;

/// Connections and requests of the process, NGINX's `stub_status` and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionTotals {
    /// Connections accepted since the start. All are handled: there is no `worker_connections` to exceed.
    pub accepted: u64,
    /// Requests whose first byte arrived, refused ones included.
    pub requests: u64,
    /// Open connections.
    pub active: u64,
    /// Of these, reading a request header.
    pub reading: u64,
    /// Of these, with a request in flight.
    pub writing: u64,
    /// Of these, waiting for a request.
    pub waiting: u64,
}

/// nginx's page of `stub_status`, byte for byte.
impl fmt::Display for ConnectionTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, requests, active, reading, writing, waiting } = self;
        writeln!(f, "Active connections: {active} ")?;
        writeln!(f, "server accepts handled requests")?;
        writeln!(f, " {accepted} {accepted} {requests} ")?;
        writeln!(f, "Reading: {reading} Writing: {writing} Waiting: {waiting} ")
    }
}

/// The outcome of a graceful stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Everything ended by itself.
    Completely,
    /// The timeout passed while connections were open.
    TimedOut {
        /// Connections still open.
        connections: u64,
    },
}

/// Delays the end of the graceful stop until dropped.
#[derive(Debug)]
pub(super) struct Hold(Arc<Shared>);

impl Drop for Hold {
    fn drop(&mut self) {
        if self.0.holds.fetch_sub(1, AcqRel) == 1 {
            self.0.released.notify_waiters();
        }
    }
}

/// Counts one event now and another when dropped.
#[derive(Debug)]
pub(super) struct Span<'a> {
    drain: &'a Drain,
    ended: Event,
}

impl Drop for Span<'_> {
    fn drop(&mut self) {
        self.drain.book(self.ended);
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self(Arc::new(Shared {
            begun: watch::Sender::new(false),
            has_begun: AtomicBool::new(false),
            holds: AtomicUsize::new(0),
            released: Notify::new(),
            events: CounterSet::default(),
        }))
    }
}

impl Drain {
    /// Begins the graceful stop: listening sockets accept the connections that the kernel has already completed and
    /// close, idle connections end, requests in flight are answered with `Connection: close`. Cannot be undone.
    pub fn begin(&self) {
        self.0.has_begun.store(true, Release);
        self.0.begun.send_replace(true);
    }

    /// True once the stop has begun.
    pub fn has_begun(&self) -> bool {
        self.0.has_begun.load(Acquire)
    }

    /// A channel that turns true when the stop begins, of the type that Pingora expects.
    pub fn watch(&self) -> ShutdownWatch {
        self.0.begun.subscribe()
    }

    /// Waits until no hold is left, at most `timeout` (`worker_shutdown_timeout`).
    pub async fn drained(&self, timeout: Option<Duration>) -> Drained {
        let empty = async {
            loop {
                let released = self.0.released.notified();
                tokio::pin!(released);
                // Registered before the count is read, so that no release in between is missed.
                released.as_mut().enable();
                if self.0.holds.load(Acquire) == 0 {
                    return;
                }
                released.await;
            }
        };
        let Some(timeout) = timeout else {
            empty.await;
            return Drained::Completely;
        };
        match tokio::time::timeout(timeout, empty).await {
            Ok(()) => Drained::Completely,
            Err(_) => Drained::TimedOut { connections: self.totals().active },
        }
    }

    /// Current connection and request counts.
    pub fn totals(&self) -> ConnectionTotals {
        let counts = self.0.events.totals();
        let count = |event: Event| counts[event as usize];
        // The shards are not read at one instant, so that an end may be seen before its beginning.
        let active = count(Event::Accepted).saturating_sub(count(Event::Closed));
        let reading = count(Event::HeadStarted).saturating_sub(count(Event::HeadEnded));
        let writing = count(Event::RequestStarted).saturating_sub(count(Event::RequestEnded));
        ConnectionTotals {
            accepted: count(Event::Accepted),
            requests: count(Event::HeadStarted),
            active,
            reading,
            writing,
            waiting: active.saturating_sub(reading + writing),
        }
    }

    pub(super) fn hold(&self) -> Hold {
        self.0.holds.fetch_add(1, AcqRel);
        Hold(self.0.clone())
    }

    pub(super) fn book(&self, event: Event) {
        self.0.events.increment(event as usize);
    }

    /// Counts `started` now and `ended` when the span is dropped.
    pub(super) fn span(&self, started: Event, ended: Event) -> Span<'_> {
        self.book(started);
        Span { drain: self, ended }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stop_with_nobody_here_is_over_at_once() {
        let drain = Drain::default();
        drain.begin();
        assert_eq!(drain.drained(None).await, Drained::Completely);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_for_the_last_hold() {
        let drain = Drain::default();
        let (first, second) = (drain.hold(), drain.hold());
        drain.begin();
        let started = tokio::time::Instant::now();
        let waiting = tokio::spawn({
            let drain = drain.clone();
            async move { drain.drained(None).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(first);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        drop(second);
        assert_eq!(waiting.await.unwrap(), Drained::Completely);
        assert_eq!(started.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_when_its_time_is_up() {
        let drain = Drain::default();
        let _hold = drain.hold();
        drain.book(Event::Accepted);
        let timeout = Duration::from_secs(3);
        assert_eq!(drain.drained(Some(timeout)).await, Drained::TimedOut { connections: 1 });
    }

    #[test]
    fn the_watch_tells_of_a_stop_even_when_nobody_listened_before() {
        let drain = Drain::default();
        drain.begin();
        assert!(*drain.watch().borrow());
        assert!(drain.has_begun());
    }

    #[test]
    fn totals_are_differences_of_what_began_and_what_ended() {
        let drain = Drain::default();
        for _ in 0..3 {
            drain.book(Event::Accepted);
        }
        drain.book(Event::Closed);
        drop(drain.span(Event::HeadStarted, Event::HeadEnded));
        let _writing = drain.span(Event::RequestStarted, Event::RequestEnded);
        assert_eq!(
            drain.totals(),
            ConnectionTotals { accepted: 3, requests: 1, active: 2, reading: 0, writing: 1, waiting: 1 }
        );
    }
}
