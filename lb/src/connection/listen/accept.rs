//! From a listening socket to a task per connection.
//!
//! One task per socket accepts, on one of the workers; each connection then lives on the worker that has fewest, and
//! its socket is registered with that thread's own reactor. (A socket accepted by tokio would stay with the reactor
//! of the accepting thread: every event of every connection would cross threads.)

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pingora::apps::HttpServerApp;
use pingora::server::ShutdownWatch;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::plan;
use super::served::Addresses;
use super::socket::ListeningSocket;
use crate::connection::acceptor::Acceptor;
use crate::connection::closing;
use crate::connection::drain::{Event, Hold};
use crate::connection::facts::{ClientAddress, ConnectionFacts};
use crate::connection::host::ConnectionHost;
use crate::connection::opening::connection;
use crate::connection::transport::Accepted;
use crate::observe::rate_limited::RateLimited;
use crate::system_error::SystemError;

/// Pause of an accept loop when the system is out of descriptors or memory; NGINX's figure.
const PAUSE: Duration = Duration::from_millis(500);
/// The shortest time between two log lines about that.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Accepts until `stop` or the graceful stop, then accepts the connections that the kernel has already completed and
/// closes the socket. At the graceful stop, it then tells the connections of its addresses to end.
pub(super) async fn accept_loop<F, A>(
    socket: Arc<ListeningSocket>,
    addresses: Arc<ArcSwap<Addresses>>,
    mut stop: ShutdownWatch,
    acceptor: Acceptor<F, A>,
    _hold: Hold,
) where
    F: ConnectionHost,
    A: HttpServerApp + Send + Sync + 'static,
{
    let mut stopping = acceptor.drain().watch();
    #[expect(
        deprecated,
        reason = "its successor is unsafe; ListeningSocket keeps its descriptor open and the same"
    )]
    let socket = match AsyncFd::with_interest(socket, Interest::READABLE) {
        Ok(socket) => socket,
        Err(error) => return log::error!("epoll_ctl() failed {}", SystemError(&error)),
    };
    let mut complaint = RateLimited::new(LOG_INTERVAL);
    loop {
        let accepted = tokio::select! {
            biased;
            () = closing(&mut stopping) => break,
            () = closing(&mut stop) => break,
            accepted = socket.async_io(Interest::READABLE, |socket| socket.accept()) => accepted,
        };
        match accepted {
            Ok(accepted) => welcome(accepted, &addresses, &acceptor),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if let Some(unsaid) = complaint.allow(Instant::now()) {
                    log::error!("accept4() failed {}, {unsaid} more in silence", SystemError(&error));
                }
                tokio::select! {
                    () = closing(&mut stopping) => break,
                    () = closing(&mut stop) => break,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }
    // Their clients are already connected; closing the socket would reset them. No more than were waiting when the
    // end began: clients that connect faster than they are accepted must not keep the socket open.
    for _ in 0..=addresses.load().backlog {
        match socket.get_ref().accept() {
            Ok(accepted) => welcome(accepted, &addresses, &acceptor),
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => break,
        }
    }
    drop(socket);
    // When a reload closes a socket, others may serve its addresses; `Listeners` knows which are gone.
    if acceptor.drain().has_begun() {
        for served in addresses.load().iter() {
            served.closing.send_replace(true);
        }
    }
}

/// Errors of the accepted connection, which do not affect the next one.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted)
}

fn welcome<F, A>(accepted: Accepted, addresses: &ArcSwap<Addresses>, acceptor: &Acceptor<F, A>)
where
    F: ConnectionHost,
    A: HttpServerApp + Send + Sync + 'static,
{
    let addresses = addresses.load();
    let (client, local) = match &accepted {
        Accepted::Tcp(socket, client) => {
            // For a specific address, that is the local end of its connections; only a wildcard has to ask.
            let local = match plan::inet(&addresses.bound.facts.address) {
                Some(bound) if !bound.ip().is_unspecified() && bound.port() != 0 => Some(bound),
                _ => socket.local_addr().ok(),
            };
            (ClientAddress::Inet(*client), local)
        }
        Accepted::Unix(_) => (ClientAddress::Unix, None),
    };
    let served = addresses.meant_by(local);
    let serial = acceptor.next_serial();
    let closing = served.closing.subscribe();
    let drain = acceptor.drain().clone();
    let facts = ConnectionFacts::new(serial, client, local, served.facts.clone(), closing, drain);
    acceptor.drain().book(Event::Accepted);
    let (acceptor, place) = acceptor.place(serial);
    let runtime = acceptor.runtime().clone();
    runtime.spawn(connection(accepted, Arc::new(facts), acceptor, place));
}
