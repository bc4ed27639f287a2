//! A client connection, from the listening socket to one request at a time handed to Pingora, and back.
//!
//! Pingora's own loop would fix the listening addresses at start, wait for the next request inside a 13 kB
//! future with 4 KiB of buffer, time each read of a header but never the whole, drop pipelined requests, and
//! answer what it refuses under its own name with no line in any log. Its `HttpProxy` is documented to be driven
//! from outside, so this room does that: it owns sockets and connections, reads and judges each header, and
//! Pingora carries exactly one request per call. The reasons and figures stand in
//! `docs/decisions/003-own-connection-loop.md`.
//!
//! The room knows no snapshot, no route and no log: what it needs of them comes through [`Front`].

mod accept;
mod chunks;
pub mod drain;
pub mod facts;
pub mod front;
mod head;
pub mod hygiene;
mod linger;
pub mod listeners;
mod pieces;
pub mod plan;
mod reason;
mod refuse;
mod serve;
mod stream;
mod target;

use pingora::server::ShutdownWatch;

pub use accept::Entrance;
pub use drain::{ConnectionTotals, Drain, Drained};
pub use facts::{ClientAddress, ConnectionFacts, ListenerFacts, ListenerKind, RequestFacts};
pub use front::{Front, Limits, Refused};
pub use listeners::{BindError, Change, Listeners};
pub use plan::Wanted;
pub use stream::ClientStream;

/// Returns when `watch` is true, or nobody is left to make it so.
async fn closing(watch: &mut ShutdownWatch) {
    let _ = watch.wait_for(|closing| *closing).await.map(drop);
}
