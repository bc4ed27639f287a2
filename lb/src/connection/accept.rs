//! From a listening socket to a task per connection.
//!
//! One task per socket accepts; each connection then lives on one worker thread, chosen at random, and its
//! socket is registered with that thread's own reactor. (A socket accepted by tokio belongs to the reactor of
//! the accepting thread for good: every event of every connection would cross threads.)

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pingora::apps::HttpServerApp;
use pingora::server::ShutdownWatch;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::closing;
use super::drain::{Drain, Event, Hold};
use super::facts::{ClientAddress, ConnectionFacts};
use super::front::Front;
use super::listeners::{Addresses, ListeningSocket, system_error};
use super::plan;
use super::serve::connection;

/// How long an accept loop waits when the system is out of descriptors or memory; NGINX's figure.
const PAUSE: Duration = Duration::from_millis(500);
/// At most one log line about that in this time.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// What every connection needs: the rest of the house, Pingora's application, and the count of who is here.
/// Cheap to clone.
#[derive(Debug)]
pub struct Entrance<F, A>(Arc<Shared<F, A>>);

#[derive(Debug)]
struct Shared<F, A> {
    front: Arc<F>,
    app: Arc<A>,
    drain: Drain,
    serials: AtomicU64,
}

impl<F, A> Clone for Entrance<F, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F: Front, A: HttpServerApp + Send + Sync + 'static> Entrance<F, A> {
    /// Connections will ask `front` and be served by `app`: Pingora's `HttpProxy`.
    pub fn new(front: Arc<F>, app: Arc<A>, drain: Drain) -> Self {
        Self(Arc::new(Shared { front, app, drain, serials: AtomicU64::new(0) }))
    }

    pub(super) fn front(&self) -> &F {
        &self.0.front
    }

    pub(super) fn app(&self) -> &Arc<A> {
        &self.0.app
    }

    pub(super) fn drain(&self) -> &Drain {
        &self.0.drain
    }
}

/// A socket that no reactor knows yet.
#[derive(Debug)]
pub(super) enum Accepted {
    Tcp(std::net::TcpStream, SocketAddr),
    Unix(std::os::unix::net::UnixStream),
}

impl ListeningSocket {
    fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(socket) => socket.accept().map(|(socket, client)| Accepted::Tcp(socket, client)),
            Self::Unix(socket, _) => socket.accept().map(|(socket, _)| Accepted::Unix(socket)),
        }
    }
}

/// Accepts until `stop` or the graceful stop, then takes what the kernel has already completed, closes the
/// socket, and ends the connections of its addresses.
pub(super) async fn accept_loop<F, A>(
    socket: Arc<ListeningSocket>,
    addresses: Arc<ArcSwap<Addresses>>,
    mut stop: ShutdownWatch,
    entrance: Entrance<F, A>,
    _hold: Hold,
) where
    F: Front,
    A: HttpServerApp + Send + Sync + 'static,
{
    let mut stopping = entrance.drain().watch();
    #[expect(
        deprecated,
        reason = "its successor is unsafe; ListeningSocket keeps its descriptor open and the same"
    )]
    let socket = match AsyncFd::with_interest(socket, Interest::READABLE) {
        Ok(socket) => socket,
        Err(error) => return log::error!("epoll_ctl() failed ({})", system_error(&error)),
    };
    let mut complaint = Complaint::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = closing(&mut stopping) => break,
            () = closing(&mut stop) => break,
            accepted = socket.async_io(Interest::READABLE, |socket| socket.accept()) => accepted,
        };
        match accepted {
            Ok(accepted) => welcome(accepted, &addresses, &entrance),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if let Some(unsaid) = complaint.at(Instant::now()) {
                    log::error!("accept4() failed ({}), {unsaid} more in silence", system_error(&error));
                }
                tokio::select! {
                    () = closing(&mut stopping) => break,
                    () = closing(&mut stop) => break,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }
    // Their clients are connected as far as they know; closing the socket would reset them.
    loop {
        match socket.get_ref().accept() {
            Ok(accepted) => welcome(accepted, &addresses, &entrance),
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => break,
        }
    }
    drop(socket);
    for served in addresses.load().iter() {
        served.closing.send_replace(true);
    }
}

/// Errors that say nothing of the next connection.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted)
}

/// Decides when to speak of an error that repeats.
#[derive(Debug, Default)]
struct Complaint {
    last: Option<Instant>,
    unsaid: u64,
}

impl Complaint {
    /// How many errors went unsaid since the last line, if it is time for one.
    fn at(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < LOG_INTERVAL) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

fn welcome<F, A>(accepted: Accepted, addresses: &ArcSwap<Addresses>, entrance: &Entrance<F, A>)
where
    F: Front,
    A: HttpServerApp + Send + Sync + 'static,
{
    let addresses = addresses.load();
    let (client, local) = match &accepted {
        Accepted::Tcp(socket, client) => {
            // A specific address is its connections' local end; only a wildcard has to ask.
            let bound = addresses.bound.as_ref().map(|served| &served.facts.address);
            let local = match bound.and_then(plan::inet) {
                Some(bound) if !bound.ip().is_unspecified() && bound.port() != 0 => Some(bound),
                _ => socket.local_addr().ok(),
            };
            (ClientAddress::Inet(*client), local)
        }
        Accepted::Unix(_) => (ClientAddress::Unix, None),
    };
    let Some(served) = addresses.meant_by(local) else {
        return;
    };
    let drain = entrance.drain();
    let hold = drain.hold();
    let serial = entrance.0.serials.fetch_add(1, Relaxed) + 1;
    let facts = ConnectionFacts::new(serial, client, local, served.facts.clone(), served.closing.subscribe());
    drain.book(Event::Accepted);
    pingora_runtime::current_handle().spawn(connection(accepted, Arc::new(facts), entrance.clone(), hold));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_repeats_is_told_once_per_interval_with_the_count() {
        let (mut complaint, start) = (Complaint::default(), Instant::now());
        let told: Vec<_> = [0, 1, 5, 9, 10, 11, 25]
            .map(|second| complaint.at(start + Duration::from_secs(second)))
            .into_iter()
            .collect();
        assert_eq!(told, [Some(0), None, None, None, Some(3), None, Some(1)]);
    }
}
