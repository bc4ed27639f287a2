//! TLS to servers.
//!
//! [`Contexts::load`] makes one `rustls` configuration of each set of `proxy_ssl_*` settings and reads their files, when a
//! configuration is prepared: a mistake refuses the configuration, and a request waits for no disk. [`Dial`] then connects
//! for Pingora, which takes the connection for a plain one.
//!
//! Pingora's own TLS is not switched on: it makes a configuration per connection, resumes no session, and knows neither
//! revoked certificates nor versions nor ciphers. Its pool cannot hold a connection that it did not make, since it knows
//! connections by their descriptors; so [`Kept`] holds those of HTTP/1. `docs/decisions/017-tls-to-servers.md` has the
//! argument.
//!
//! | file | idea |
//! |---|---|
//! | `context` | settings to a configuration of `rustls` |
//! | `verify` | which certificates are accepted |
//! | `signature` | the server's proof that it has its certificate's key |
//! | `identity` | what tells connections apart that must not be exchanged |
//! | `transport` | what TLS runs over |
//! | `dial` | connecting, then the handshake |
//! | `socket` | a connection as Pingora takes it, given back at its end |
//! | `bridge` | a connection with HTTP/2 as Pingora takes it |
//! | `kept` | idle connections, watched |

mod bridge;
mod context;
mod dial;
mod identity;
mod kept;
mod signature;
mod socket;
mod transport;
mod verify;

pub use context::{Context, Contexts};
pub use dial::{Dial, Dialled, HANDSHAKE_FAILED, shake_hands};
pub use identity::Identity;
pub use kept::Kept;
pub use transport::Reach;
