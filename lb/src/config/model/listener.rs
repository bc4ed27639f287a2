//! A listening address.

use super::{ListenAddress, Position, ServerId};

/// One listening address and the servers behind it.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Where to listen.
    pub address: ListenAddress,
    /// `backlog=`; nginx's default on Linux is 511.
    pub backlog: u32,
    /// `ipv6only=`; on by default.
    pub ipv6_only: bool,
    /// The server marked `default_server`, or the first on this address.
    pub default_server: ServerId,
    /// All servers on this address, in order.
    pub servers: Vec<ServerId>,
    /// The first `listen` that named it.
    pub position: Position,
}
