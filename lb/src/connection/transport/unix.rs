//! Unix domain socket client connections.

use std::io;

use tokio::net::UnixStream;

/// Registers the socket with the reactor of this thread.
pub(super) fn register(socket: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}
