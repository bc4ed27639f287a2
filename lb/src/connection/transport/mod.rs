//! The byte streams that a connection runs over, and their lingering close.
//!
//! Every connection runs over one [`Transport`]: the loop and the stream ask it for bytes and for the facts of its
//! security, and never for its kind. A kind of transport is a file here and a variant of the two enums. The exchanges
//! before the first request (a TLS handshake, a PROXY protocol header, which changes the client's address in the
//! facts) belong behind [`Accepted::register`], before the loop waits for a request: in
//! [`opening`](super::opening).

mod linger;
mod tcp;
mod tls;
mod unix;

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use nix::sys::socket::{MsgFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

pub(super) use linger::linger;
pub(super) use tls::{Broken, Tls, Wire};

/// The most that one look at waiting bytes shows.
const PEEK_BYTES: usize = 4096;

/// A socket that is not registered with a reactor yet.
#[derive(Debug)]
pub(super) enum Accepted {
    Tcp(std::net::TcpStream, SocketAddr),
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// Registers the socket with the reactor of this thread.
    pub(super) fn register(self) -> io::Result<Transport> {
        match self {
            Self::Tcp(socket, _) => tcp::register(socket).map(Transport::Tcp),
            Self::Unix(socket) => unix::register(socket).map(Transport::Unix),
        }
    }
}

/// The transport of a connection's bytes.
#[derive(Debug)]
pub(super) enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// Over one of the others.
    Tls(Box<Tls>),
}

impl Transport {
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.try_read(buffer),
            Self::Unix(socket) => socket.try_read(buffer),
            Self::Tls(tls) => tls.try_read(buffer),
        }
    }

    /// Appends bytes that have come, at most `most`, and leaves them in the socket; 0 at the end. Not once TLS
    /// is spoken.
    pub(super) async fn peek(&self, into: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let descriptor = self.descriptor();
        let look = || {
            let mut bytes = [0; PEEK_BYTES];
            let count = recv(descriptor, &mut bytes[..most.min(PEEK_BYTES)], MsgFlags::MSG_PEEK)?;
            into.extend_from_slice(&bytes[..count]);
            Ok(count)
        };
        match self {
            Self::Tcp(socket) => socket.async_io(Interest::READABLE, look).await,
            Self::Unix(socket) => socket.async_io(Interest::READABLE, look).await,
            Self::Tls(_) => Err(io::Error::other("a PROXY protocol header comes before TLS")),
        }
    }

    pub(super) fn try_write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.try_write_vectored(data),
            Self::Unix(socket) => socket.try_write_vectored(data),
            Self::Tls(tls) => tls.try_write_vectored(data),
        }
    }

    /// True if something that was written has not gone to the socket: a flush sends it.
    pub(super) fn must_flush(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) => false,
            Self::Tls(tls) => tls.has_sealed(),
        }
    }

    pub(super) fn descriptor(&self) -> RawFd {
        match self {
            Self::Tcp(socket) => socket.as_raw_fd(),
            Self::Unix(socket) => socket.as_raw_fd(),
            Self::Tls(tls) => tls.below().descriptor(),
        }
    }
}

macro_rules! delegate {
    ($self:expr, $socket:ident => $call:expr) => {
        match $self.get_mut() {
            Transport::Tcp(socket) => {
                let $socket = Pin::new(socket);
                $call
            }
            Transport::Unix(socket) => {
                let $socket = Pin::new(socket);
                $call
            }
            Transport::Tls(tls) => {
                let $socket = Pin::new(&mut **tls);
                $call
            }
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, socket => socket.poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, socket => socket.poll_write(cx, data))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, socket => socket.poll_write_vectored(cx, data))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, socket => socket.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, socket => socket.poll_shutdown(cx))
    }
}
