//! A connection with HTTP/2, as Pingora takes it.
//!
//! Pingora shares such a connection among requests, and finds it again by its descriptor. So it gets one: an end of a pair
//! of sockets, with a task between the other end and the server. That costs two copies, but nothing is lost by it: HTTP/2
//! tells where its messages end, so that a connection that breaks is never taken for one that ends.

use std::io;

use pingora::protocols::l4::stream::Stream;
use pingora::{Error, ErrorType, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::UnixStream;
use tokio_rustls::client::TlsStream;

use super::transport::Transport;

/// What is read at once: a record of TLS.
const PIECE_BYTES: usize = 16 * 1024;

/// The end for Pingora.
pub(super) fn bridge(server: TlsStream<Transport>) -> Result<Stream> {
    let (ours, pingoras) = UnixStream::pair()
        .map_err(|error| Error::because(ErrorType::SocketError, "socketpair() failed", error))?;
    tokio::spawn(carry(server, ours));
    Ok(Stream::from(pingoras))
}

/// Carries bytes both ways until one end has ended, and then ends the other.
async fn carry(server: TlsStream<Transport>, pingora: UnixStream) {
    let (mut from_server, mut to_server) = split(server);
    let (mut from_pingora, mut to_pingora) = pingora.into_split();
    let ended = tokio::select! {
        ended = copy(&mut from_pingora, &mut to_server) => ended,
        ended = copy(&mut from_server, &mut to_pingora) => ended,
    };
    if let Err(error) = ended {
        log::debug!("a connection with HTTP/2 to a server ended: {error}");
    }
    let _ = to_server.shutdown().await;
}

/// What was read is written before more is read.
async fn copy(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let bytes = from.read(&mut piece).await?;
        if bytes == 0 {
            return Ok(());
        }
        to.write_all(&piece[..bytes]).await?;
        to.flush().await?;
    }
}
