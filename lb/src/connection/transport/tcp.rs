//! TCP client connections.

use std::io;

use tokio::net::TcpStream;

/// Registers the socket with the reactor of this thread.
pub(super) fn register(socket: std::net::TcpStream) -> io::Result<TcpStream> {
    socket.set_nonblocking(true)?;
    TcpStream::from_std(socket)
}
