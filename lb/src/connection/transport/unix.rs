//! Unix domain sockets.

use std::io;

use tokio::net::UnixStream;

/// Hands the socket to the reactor of this thread.
pub(super) fn register(socket: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}
