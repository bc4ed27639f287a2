//! TCP.

use std::io;

use tokio::net::TcpStream;

/// Hands the socket to the reactor of this thread.
pub(super) fn register(socket: std::net::TcpStream) -> io::Result<TcpStream> {
    socket.set_nonblocking(true)?;
    TcpStream::from_std(socket)
}
