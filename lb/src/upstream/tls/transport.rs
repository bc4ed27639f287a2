//! What TLS runs over: a TCP connection, or one to a Unix socket.

use std::io;
use std::net::SocketAddr as SocketAddress;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use crate::upstream::address::Address;

/// How a server is reached, below TLS.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The server.
    pub address: Address,
    /// The address that the connection comes from.
    pub bind: Option<SocketAddress>,
    /// Whether the system probes the connection while it is idle.
    pub keepalive: bool,
    /// How long connecting may take, and then the handshake.
    pub timeout: Duration,
}

/// What TLS runs over.
#[derive(Debug)]
pub(super) enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Transport {
    /// Connects.
    pub(super) async fn connect(reach: &Reach) -> io::Result<Self> {
        match &reach.address {
            Address::Inet(address) => {
                let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
                if reach.keepalive
                    && let Err(error) = socket.set_keepalive(true)
                {
                    log::debug!("SO_KEEPALIVE could not be set: {error}");
                }
                if let Some(bind) = reach.bind {
                    // Otherwise the system would choose a port that is free for every destination, and soon have none.
                    setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
                    socket.bind(bind)?;
                }
                let stream = socket.connect(*address).await?;
                stream.set_nodelay(true)?;
                Ok(Self::Tcp(stream))
            }
            Address::Unix(address) => {
                let path = address.as_pathname().unwrap_or(std::path::Path::new(""));
                Ok(Self::Unix(UnixStream::connect(path).await?))
            }
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }
}

/// Reads as nginx does: a server that closes the connection without a word of TLS has closed it all the same.
pub(super) fn poll_read(
    stream: Pin<&mut TlsStream<Transport>>,
    cx: &mut TaskContext<'_>,
    into: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    match stream.poll_read(cx, into) {
        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
        other => other,
    }
}
