//! Reads a header off a new connection, and not a byte of what follows.
//!
//! It looks at what waits in the socket without taking it, and takes what the parser says is the header's. What follows
//! stays where it is: a TLS handshake or the first request begin as if nothing had come before.

use std::io;

use super::{Broken, LONGEST_V2, Progress, Proxied, parse};
use crate::connection::transport::Transport;

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The other side closed without a byte: a probe, or a client that went away.
    #[error("client closed connection")]
    Closed,
    /// What came is no header.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The connection broke.
    #[error("recv() failed {}", crate::system_error::SystemError(.0))]
    Io(#[from] io::Error),
}

/// Reads one header; what it says, if it says anything.
pub(in crate::connection) async fn read(transport: &mut Transport) -> Result<Option<Proxied>, ReadError> {
    let mut bytes = Vec::new();
    loop {
        let taken = bytes.len();
        if transport.peek(&mut bytes, LONGEST_V2 - taken).await? == 0 {
            return Err(if taken == 0 { ReadError::Closed } else { Broken::header(&bytes).into() });
        }
        let (end, said) = match parse(&bytes)? {
            Progress::Partial => (bytes.len(), None),
            Progress::Complete { bytes, proxied } => (bytes, Some(proxied)),
        };
        // What was seen is there: a client cannot take it back.
        if transport.try_read(&mut bytes[taken..end])? != end - taken {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if let Some(proxied) = said {
            return Ok(proxied);
        }
    }
}
