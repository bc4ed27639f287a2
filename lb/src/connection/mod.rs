//! Client connections, from the listening socket to one request at a time handed to Pingora, and back.
//!
//! Pingora's own loop would fix the listening addresses at start, wait for the next request inside a 13 kB future
//! with 4 KiB of buffer, time each read of a header but never the whole, drop pipelined requests, and answer the
//! requests that it refuses under its own name with no line in any log. Its `HttpProxy` is documented to be driven
//! from outside, so `connection/` drives it: it owns sockets and connections, reads and checks each header, and
//! Pingora carries exactly one request per call. The reasons and figures are in
//! `docs/decisions/003-own-connection-loop.md`.
//!
//! It knows no snapshot, no route and no log: it reaches them through [`ConnectionHost`].

pub(crate) mod acceptor;
pub mod drain;
pub mod facts;
pub mod h1;
pub mod h2;
mod handshake;
pub mod host;
pub mod listen;
mod opening;
pub mod proxy_protocol;
mod transport;

use pingora::server::ShutdownWatch;

pub use acceptor::{Acceptor, Worker};
pub use drain::{ConnectionTotals, Drain, Drained};
pub use facts::{ClientAddress, ConnectionFacts, ListenerFacts, RequestFacts, RequestReply};
pub(crate) use h1::input::is_invalid_body;
pub use h1::stream::ClientStream;
pub use host::{ConnectionHost, Http2Limits, Limits, Refused};
pub use listen::plan::Wanted;
pub use listen::{
    socket::BindError,
    sockets::{Change, Listeners},
};

/// Returns when `watch` is true, or its sender is gone.
async fn closing(watch: &mut ShutdownWatch) {
    let _ = watch.wait_for(|closing| *closing).await.map(drop);
}
