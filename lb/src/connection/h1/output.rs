//! The output half of a client's stream: uses few write calls, and gives up a client that accepts no data.
//!
//! Pingora writes header and body apart and tells when to flush. Small writes wait for the flush, up to
//! [`WRITE_BUFFER_BYTES`], NGINX's `postpone_output`; a larger write goes out together with the waiting bytes, in one
//! vectored call and without a copy. A large piece that was lent before it is written waits without a copy and goes
//! out with the next one.
//!
//! A client that accepts none of an answer for `send_timeout` is given up. The time is measured here, where every
//! byte passes, and costs nothing until a write has to wait; Pingora's own timer would be armed for every write, and
//! no timer covers a flush.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::io::AsyncWrite;
use tokio::time::{Sleep, sleep};

use super::pieces::{PIECES, Pieces};
use crate::connection::facts::{RequestReply, SEND_TIMEOUT};
use crate::connection::transport::Transport;

/// Writes wait for a flush as long as they fit in this many bytes.
pub(super) const WRITE_BUFFER_BYTES: usize = 1460;
/// The most slices of one write by Pingora. It uses three: a chunk's size line, the chunk, a line end.
const WRITE_SLICES: usize = 4;

/// The slices of one write.
type Slices<'a> = SmallVec<[IoSlice<'a>; 1 + PIECES + WRITE_SLICES]>;

/// The writing half of a client's stream.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Written by Pingora, not yet sent.
    waiting: Vec<u8>,
    /// The waiting bytes that were lent, which follow `waiting`. A lock because Pingora gives access to its stream
    /// only by shared reference; it is never contended.
    pieces: Mutex<Option<Box<Pieces>>>,
    /// Runs while a write waits for the client.
    stalled: Option<Pin<Box<Sleep>>>,
    /// The reply of the request being served.
    reply: Option<Arc<RequestReply>>,
    /// Write calls that were tried.
    #[cfg(test)]
    pub(super) calls: usize,
}

impl Output {
    /// Begins an answer; `reply` has the time for which the client may accept none of it.
    pub(super) fn begin(&mut self, reply: Arc<RequestReply>) {
        self.reply = Some(reply);
    }

    /// Counts bytes of the request's body, as they came.
    pub(super) fn count_body(&self, bytes: usize) {
        if let Some(reply) = &self.reply {
            reply.count_body(bytes);
        }
    }

    fn count_sent(&self, bytes: usize) {
        if let Some(reply) = &self.reply {
            reply.count_sent(bytes);
        }
    }

    /// True if the answer is 101.
    pub(super) fn switches_protocols(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.switches_protocols())
    }

    /// Announces `piece` as the next write: if it is, it waits without a copy.
    pub(super) fn lend(&self, piece: Bytes) {
        self.pieces.lock().get_or_insert_default().lend(piece);
    }

    /// The number of waiting bytes in lent pieces.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.pieces.lock().as_ref().map_or(0, |pieces| pieces.bytes())
    }

    /// Ends the answer and frees all buffers.
    pub(super) fn end(&mut self) {
        self.waiting = Vec::new();
        *self.pieces.get_mut() = None;
        self.reply = None;
    }

    pub(super) fn has_waiting(&mut self) -> bool {
        !self.waiting.is_empty() || self.has_pieces()
    }

    fn has_pieces(&mut self) -> bool {
        self.pieces.get_mut().as_ref().is_some_and(|pieces| !pieces.is_empty())
    }

    /// Keeps `data` by reference, if it is the lent piece.
    pub(super) fn keep(&mut self, data: &[u8]) -> bool {
        self.pieces.get_mut().as_mut().is_some_and(|pieces| pieces.keep(data))
    }

    /// Copies `data` to wait for the flush, or sends it after the waiting bytes. Returns how much was taken.
    pub(super) fn poll_write(
        &mut self,
        transport: Pin<&mut Transport>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let total: usize = data.iter().map(|slice| slice.len()).sum();
        if self.waiting.len() + total <= WRITE_BUFFER_BYTES && !self.has_pieces() {
            data.iter().for_each(|slice| self.waiting.extend_from_slice(slice));
            return Poll::Ready(Ok(total));
        }
        self.poll_send(transport, cx, data)
    }

    /// Sends the waiting bytes.
    pub(super) fn poll_send_waiting(
        &mut self,
        mut transport: Pin<&mut Transport>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_pieces() {
            ready!(self.poll_send(transport.as_mut(), cx, &[]))?;
        }
        while !self.waiting.is_empty() {
            self.count_call();
            let written = transport.as_mut().poll_write(cx, &self.waiting);
            let sent = ready!(self.watch(cx, written))?;
            self.count_sent(sent);
            self.waiting.drain(..sent);
        }
        self.poll_flush(transport, cx)
    }

    /// Waits until the socket has what the transport keeps of earlier writes.
    fn poll_flush(
        &mut self,
        mut transport: Pin<&mut Transport>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if transport.must_flush() {
            let flushed = transport.as_mut().poll_flush(cx).map_ok(|()| 1);
            ready!(self.watch(cx, flushed))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends the waiting bytes as far as the socket takes them at once: the connection ends whether they arrive or
    /// not.
    pub(super) fn send_last(&mut self, transport: Option<&mut Transport>) {
        let slices: Slices<'_> = waiting_slices(&self.waiting, self.pieces.get_mut().as_deref()).collect();
        let _ = transport.map(|transport| transport.try_write_vectored(&slices));
    }

    /// Sends the waiting bytes, and then of `data` what the socket takes. Returns how much of `data`: 0 only if it is
    /// empty.
    fn poll_send(
        &mut self,
        mut transport: Pin<&mut Transport>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let has_data = data.iter().any(|slice| !slice.is_empty());
        while has_data || self.has_waiting() {
            self.count_call();
            let mut slices = Slices::new();
            slices.extend(waiting_slices(&self.waiting, self.pieces.get_mut().as_deref()));
            slices.extend(data.iter().filter(|slice| !slice.is_empty()).take(WRITE_SLICES).copied());
            let written = transport.as_mut().poll_write_vectored(cx, &slices);
            drop(slices);
            let sent = ready!(self.watch(cx, written))?;
            self.count_sent(sent);
            let of_data = self.advance(sent);
            if of_data > 0 {
                return Poll::Ready(Ok(of_data));
            }
        }
        Poll::Ready(Ok(0))
    }

    /// Returns the result of a write, and fails it when the client has accepted nothing for too long.
    fn watch(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_pending() {
            let patience = self.reply.as_ref().map_or(SEND_TIMEOUT, |reply| reply.send_timeout());
            ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx));
        }
        self.stalled = None;
        match written {
            Poll::Pending => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(result) => Poll::Ready(result),
        }
    }

    /// Drops the first `sent` of the waiting bytes. Returns how many of `sent` were of something behind them.
    fn advance(&mut self, sent: usize) -> usize {
        let of_waiting = sent.min(self.waiting.len());
        self.waiting.drain(..of_waiting);
        let sent = sent - of_waiting;
        self.pieces.get_mut().as_mut().map_or(sent, |pieces| pieces.advance(sent))
    }

    #[cfg(test)]
    fn count_call(&mut self) {
        self.calls += 1;
    }

    #[cfg(not(test))]
    fn count_call(&mut self) {}

    /// Memory that is held: the size of the buffer, and 1 if pieces were ever lent.
    #[cfg(test)]
    pub(super) fn memory(&mut self) -> (usize, bool) {
        (self.waiting.capacity(), self.pieces.get_mut().is_some())
    }
}

/// The waiting bytes, in order.
fn waiting_slices<'a>(waiting: &'a [u8], pieces: Option<&'a Pieces>) -> impl Iterator<Item = IoSlice<'a>> {
    let waiting = (!waiting.is_empty()).then(|| IoSlice::new(waiting));
    waiting.into_iter().chain(pieces.into_iter().flat_map(Pieces::slices))
}
