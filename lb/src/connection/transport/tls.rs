//! TLS over another transport: `rustls` keeps the state, this file moves the bytes.
//!
//! Plaintext that is written is sealed at once, straight from the caller's slices into records, and the records go out in
//! one vectored call. A write is done when its bytes are sealed, and is taken only when the socket has all that was
//! sealed before: at most [`SEALED_BYTES`] wait here. So a writer waits for the socket as it does without TLS, one write
//! later, and whoever flushes waits for the last byte.
//!
//! Early data (`ssl_early_data`) is read before the handshake is done, and answered: its bytes come first, then the rest of
//! the handshake, then what follows.
//!
//! An error of the protocol is told to the client by an alert, as far as the socket takes it at once; and so is the end
//! of the connection.

use std::io::{self, BufRead, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Transport;

/// How much may be sealed and not yet sent.
const SEALED_BYTES: usize = 64 * 1024;

/// A connection over TLS.
#[derive(Debug)]
pub(in crate::connection) struct Tls {
    below: Transport,
    session: ServerConnection,
    /// The client has been told that nothing more follows.
    closed: bool,
    /// There while early data comes, which may be a replay; false once the handshake is done.
    early: Option<Arc<AtomicBool>>,
}

/// Why a session cannot go on.
#[derive(Debug, thiserror::Error)]
pub(in crate::connection) enum Broken {
    /// The socket.
    #[error("{0}")]
    Socket(#[from] io::Error),
    /// What the client sent.
    #[error("{0}")]
    Protocol(#[from] rustls::Error),
    /// `ssl_reject_handshake`
    #[error("handshake rejected")]
    Rejected,
}

/// What came of an attempt to receive.
enum Received {
    Some,
    /// Nothing is there yet.
    Nothing,
    /// The client has closed its side.
    End,
}

impl Tls {
    /// A session over `below`, from which its ClientHello was read.
    pub(in crate::connection) fn new(below: Transport, mut session: ServerConnection) -> Self {
        session.set_buffer_limit(Some(SEALED_BYTES));
        Self { below, session, closed: false, early: None }
    }

    pub(in crate::connection) fn session(&self) -> &ServerConnection {
        &self.session
    }

    pub(super) fn below(&self) -> &Transport {
        &self.below
    }

    /// True as long as what is read is early data; nothing where none was accepted.
    pub(in crate::connection) fn early(&self) -> Option<Arc<AtomicBool>> {
        self.early.clone()
    }

    /// Goes on with the handshake until it is done, or early data is accepted.
    pub(in crate::connection) async fn handshake(&mut self) -> Result<(), Broken> {
        std::future::poll_fn(|cx| self.poll_handshake(cx)).await
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        loop {
            ready!(self.poll_send_sealed(cx))?;
            if !self.session.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if self.session.early_data().is_some() {
                self.early = Some(Arc::new(AtomicBool::new(true)));
                // What came with the first message.
                return Poll::Ready(self.open());
            }
            match self.receive(Some(cx))? {
                Received::Some => {}
                Received::Nothing => return Poll::Pending,
                Received::End => {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
                }
            }
        }
    }

    /// Reads what the socket has, once; without a context, without waiting.
    fn receive(&mut self, cx: Option<&mut Context<'_>>) -> Result<Received, Broken> {
        match self.session.read_tls(&mut Wire { below: &mut self.below, cx }) {
            Ok(0) => return Ok(Received::End),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
            Err(error) => return Err(error.into()),
        }
        self.open()?;
        Ok(Received::Some)
    }

    /// Opens the records that have come.
    fn open(&mut self) -> Result<(), Broken> {
        if let Err(error) = self.session.process_new_packets() {
            self.closed = true;
            let _ = self.send_sealed(None);
            return Err(error.into());
        }
        Ok(())
    }

    /// Moves early data into `buffer`, and ends it when the handshake is done.
    fn read_early(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<bool> {
        if let Some(mut early) = self.session.early_data() {
            let count = early.read(buffer.initialize_unfilled())?;
            buffer.advance(count);
            if count > 0 {
                return Ok(true);
            }
        }
        if !self.session.is_handshaking()
            && let Some(early) = self.early.take()
        {
            early.store(false, Relaxed);
        }
        Ok(false)
    }

    /// Opened bytes into `buffer`: how many, or none when there are none yet. 0 is the end.
    fn read(
        &mut self,
        mut cx: Option<&mut Context<'_>>,
        buffer: &mut ReadBuf<'_>,
    ) -> io::Result<Option<usize>> {
        loop {
            if self.early.is_some() {
                let before = buffer.filled().len();
                if self.read_early(buffer)? {
                    return Ok(Some(buffer.filled().len() - before));
                }
            }
            let mut reader = self.session.reader();
            match reader.fill_buf() {
                Ok(opened) => {
                    let count = opened.len().min(buffer.remaining());
                    buffer.put_slice(&opened[..count]);
                    reader.consume(count);
                    return Ok(Some(count));
                }
                // A client that closes without saying so has closed all the same: lengths tell whether all is there.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(0)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            match self.receive(cx.as_deref_mut()) {
                Ok(Received::Nothing) => return Ok(None),
                Ok(Received::Some | Received::End) => {}
                Err(Broken::Socket(error)) => return Err(error),
                // Not `InvalidData`, which means a body whose framing is wrong.
                Err(error) => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, error)),
            }
            // What the client has to be told meanwhile, such as new keys. Where that fails, the next write says so.
            let _ = self.send_sealed(cx.as_deref_mut());
        }
    }

    /// Sends what is sealed; true when nothing is left.
    fn send_sealed(&mut self, mut cx: Option<&mut Context<'_>>) -> io::Result<bool> {
        while self.session.wants_write() {
            let mut wire = Wire { below: &mut self.below, cx: cx.as_deref_mut() };
            match self.session.write_tls(&mut wire) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn poll_send_sealed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.send_sealed(Some(cx)) {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// True if bytes are sealed that the socket has not taken.
    pub(super) fn has_sealed(&self) -> bool {
        self.session.wants_write()
    }

    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.read(None, &mut ReadBuf::new(buffer)) {
            Ok(Some(count)) => Ok(count),
            Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn try_write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.send_sealed(None)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = self.session.writer().write_vectored(data)?;
        self.send_sealed(None)?;
        Ok(taken)
    }

    /// Seals the news that nothing more follows.
    fn close(&mut self) {
        if !self.closed && (self.early.is_some() || !self.session.is_handshaking()) {
            self.session.send_close_notify();
        }
        self.closed = true;
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.close();
        // A client that cannot be told learns it from the socket.
        let _ = self.send_sealed(None);
    }
}

impl AsyncRead for Tls {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.read(Some(cx), buf) {
            Ok(Some(_)) => Poll::Ready(Ok(())),
            Ok(None) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for Tls {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send_sealed(cx))?;
        let taken = self.session.writer().write_vectored(data)?;
        self.send_sealed(Some(cx))?;
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send_sealed(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        ready!(self.poll_send_sealed(cx))?;
        Pin::new(&mut self.below).poll_shutdown(cx)
    }
}

/// The transport below, as `rustls` uses it: with an error where it would have to wait.
pub(in crate::connection) struct Wire<'a, 'b, 'c> {
    pub(in crate::connection) below: &'a mut Transport,
    /// Who is woken; without one, nobody.
    pub(in crate::connection) cx: Option<&'b mut Context<'c>>,
}

fn or_would_block<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl Read for Wire<'_, '_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(cx) = &mut self.cx else { return self.below.try_read(buffer) };
        let mut buffer = ReadBuf::new(buffer);
        or_would_block(Pin::new(&mut *self.below).poll_read(cx, &mut buffer))?;
        Ok(buffer.filled().len())
    }
}

impl Write for Wire<'_, '_, '_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(data)])
    }

    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.cx {
            Some(cx) => or_would_block(Pin::new(&mut *self.below).poll_write_vectored(cx, data)),
            None => self.below.try_write_vectored(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
