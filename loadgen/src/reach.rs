//! Whether there is anything to test: the name is resolved and one connection opened before the run.
//!
//! So a wrong address ends the program at once instead of after a thousand refused requests, and every
//! connection of the run goes to one address, whichever of a name's addresses accepted first.

use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use thiserror::Error;

use crate::target::Target;

/// An address that accepts connections.
#[derive(Debug)]
pub struct Reached {
    /// Where all connections go.
    pub address: SocketAddr,
    /// The connection that proved it; the first request uses it.
    pub stream: TcpStream,
}

/// Why there is nothing to test.
#[derive(Debug, Error)]
pub enum Unreachable {
    /// The name has no address.
    #[error("cannot resolve {host}: {reason}")]
    Name {
        /// As it stands in the URL.
        host: String,
        /// What the resolver said.
        reason: io::Error,
    },
    /// No address accepted.
    #[error("cannot connect to {authority}: {attempts}")]
    Address {
        /// As it stands in the URL.
        authority: String,
        /// Every address with what went wrong.
        attempts: String,
    },
}

/// Connects to the first address of the target that accepts.
///
/// # Errors
/// When the name does not resolve or no address accepts in time.
pub fn reach(target: &Target, timeout: Duration) -> Result<Reached, Unreachable> {
    let addresses = (target.host.as_str(), target.port)
        .to_socket_addrs()
        .map_err(|reason| Unreachable::Name { host: target.host.clone(), reason })?;
    let mut attempts = String::new();
    for address in addresses {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(Reached { address, stream }),
            Err(reason) => {
                let separator = if attempts.is_empty() { "" } else { "; " };
                // Writing to a string cannot fail.
                let _ = write!(attempts, "{separator}{address}: {reason}");
            }
        }
    }
    if attempts.is_empty() {
        attempts.push_str("the name has no address");
    }
    Err(Unreachable::Address { authority: target.authority.clone(), attempts })
}
