//! The choice of the server block and the location for a request.
//!
//! Pure: tables built once per snapshot, look-ups from borrowed bytes. The common request (a path without escapes,
//! one server on the address) is answered without an allocation. `routing/` knows nothing of connections, upstreams
//! or Pingora.

pub mod host;
pub mod location;
pub mod passed;
pub mod path;
pub mod redirect;
pub mod target;

use crate::config::model::{Http, LocationMatch, ServerId};
use crate::script::LimitReached;

pub use self::host::FoundServer;
pub use self::location::Found;

/// The tables of one snapshot.
#[derive(Debug)]
pub struct Routes {
    /// By listener, in the order of [`Http::listeners`].
    hosts: Vec<host::HostTable>,
    /// By server, in the order of [`Http::servers`].
    locations: Vec<location::LocationTable>,
}

impl Routes {
    /// Builds the tables of a configuration.
    pub fn new(http: &Http) -> Self {
        let hosts = http
            .listeners
            .iter()
            .map(|listener| {
                let servers = listener.servers.iter().map(|id| (*id, http.servers[id.0].names.as_slice()));
                host::HostTable::new(listener.default_server, servers)
            })
            .collect();
        let locations =
            http.servers.iter().map(|server| location::LocationTable::new(&server.locations)).collect();
        Self { hosts, locations }
    }

    /// The server for a request that came in on the listener at `listener` with this Host (lower case or not, with or
    /// without port; `None` when the request had none).
    ///
    /// # Errors
    ///
    /// When a regular expression gives up: nginx answers 500.
    pub fn server(&self, listener: usize, host: Option<&[u8]>) -> Result<FoundServer, LimitReached> {
        self.hosts[listener].find(host)
    }

    /// The server whose name this is, on the listener at `listener`; none where no server has it, or where only one
    /// listens, whose names then decide nothing.
    ///
    /// # Errors
    ///
    /// When a regular expression gives up.
    pub fn named_server(&self, listener: usize, name: &[u8]) -> Result<Option<FoundServer>, LimitReached> {
        self.hosts[listener].named(name)
    }

    /// The location of `server` for a normalised path.
    ///
    /// # Errors
    ///
    /// When a regular expression gives up: nginx answers 500.
    pub fn location(&self, server: ServerId, path: &[u8]) -> Result<Found<'_>, LimitReached> {
        self.locations[server.0].find(path)
    }
}

/// The length of the path that a location's pattern covers, which a `proxy_pass` with a URI replaces.
pub fn matched_length(pattern: &LocationMatch) -> usize {
    // A `proxy_pass` with a URI may stand in no other kind of location.
    pattern.path().map_or(0, str::len)
}
