//! An `upstream` block.

use std::net::SocketAddr;
use std::time::Duration;

use super::{BalancingMethod, Position, TlsToServersId, UpstreamKeepalive, UpstreamServer};

/// An `upstream` block, or what a `proxy_pass` with an address stands for.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its name; the address as written for an implicit one.
    pub name: String,
    /// Made by a `proxy_pass` that names an address.
    pub implicit: bool,
    /// How a server is chosen.
    pub method: BalancingMethod,
    /// Its servers, in order, backups among them.
    pub servers: Vec<UpstreamServer>,
    /// `keepalive`, and what goes with it.
    pub keepalive: UpstreamKeepalive,
    /// `zone`'s name.
    pub zone: Option<String>,
    /// Whether every server is probed by a TCP connect each second (`health_check off` turns it off).
    pub probe: bool,
    /// What a probe does on the connection, where every location that goes here speaks TLS.
    pub handshake: Option<Handshake>,
    /// For `resolve`: the upstream's `resolver`, or the http block's.
    pub resolver: Option<Resolver>,
    /// Where the block begins.
    pub position: Position,
}

/// The TLS handshake of a probe: that of the first location, whose settings leave nothing to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The location's settings.
    pub tls: TlsToServersId,
    /// The server's name, perhaps with a port.
    pub name: Box<str>,
    /// Whether HTTP/2 is asked for.
    pub http_2: bool,
}

/// `resolver` with `resolver_timeout`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resolver {
    /// Name servers, in order.
    pub servers: Vec<SocketAddr>,
    /// `valid=`: how long an answer stands, instead of its own time to live.
    pub valid: Option<Duration>,
    /// `ipv4=off` clears it.
    pub ipv4: bool,
    /// `ipv6=off` clears it.
    pub ipv6: bool,
    /// `resolver_timeout`
    pub timeout: Duration,
}
