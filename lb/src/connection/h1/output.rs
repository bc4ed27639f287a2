//! What goes to a client: as few write calls as can be, and an end to a client that takes nothing.
//!
//! Pingora writes header and body apart and says when to flush. Small writes wait for the flush, up to
//! [`WRITE_BUFFER_BYTES`]; what does not fit goes out together with what waits, in one vectored call and without
//! being copied. The figure is NGINX's `postpone_output`. A large piece that was lent before it is written waits
//! without being copied, for the next one to take it along.
//!
//! A client that takes none of an answer for `send_timeout` is given up. The time is watched here, where every byte
//! passes, and costs nothing until a write has to wait; Pingora's own timer would be armed for every write, and none
//! watches over a flush.

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

/// Writes wait for a flush as long as they fit in so many bytes.
pub(super) const WRITE_BUFFER_BYTES: usize = 1460;
/// The most slices of Pingora's that go into one write. It gives three: a chunk's size line, the chunk, a line end.
const WRITE_SLICES: usize = 4;

/// What goes into one write.
type Slices<'a> = SmallVec<[IoSlice<'a>; 1 + PIECES + WRITE_SLICES]>;

/// The writing half of a client's stream.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Written by Pingora, not yet by us.
    waiting: Vec<u8>,
    /// What waits behind that and was lent. A lock because Pingora shows its stream only by shared reference; nobody
    /// else ever holds it.
    pieces: Mutex<Option<Box<Pieces>>>,
    /// Runs while a write waits for the client.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Of the request being served.
    reply: Option<Arc<RequestReply>>,
    /// Write calls that were tried.
    #[cfg(test)]
    pub(super) calls: usize,
}

impl Output {
    /// Begins an answer, of which `reply` tells how long the client may take none.
    pub(super) fn begin(&mut self, reply: Arc<RequestReply>) {
        self.reply = Some(reply);
    }

    /// Whether the answer is 101.
    pub(super) fn switches_protocols(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.switches_protocols())
    }

    /// Says that the next write may be of `piece`: if it is, it waits where it lies.
    pub(super) fn lend(&self, piece: Bytes) {
        self.pieces.lock().get_or_insert_default().lend(piece);
    }

    /// How many bytes of lent pieces wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.pieces.lock().as_ref().map_or(0, |pieces| pieces.bytes())
    }

    /// Ends it, and lets go of all buffers.
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

    /// Takes `data` in where it lies, if it is what was lent.
    pub(super) fn keep(&mut self, data: &[u8]) -> bool {
        self.pieces.get_mut().as_mut().is_some_and(|pieces| pieces.keep(data))
    }

    /// Takes a copy of `data` to wait for the flush, or sends it behind what waits. Returns how much was taken.
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

    /// Sends what waits.
    pub(super) fn poll_send_waiting(
        &mut self,
        mut transport: Pin<&mut Transport>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_pieces() {
            return self.poll_send(transport, cx, &[]).map_ok(drop);
        }
        while !self.waiting.is_empty() {
            self.count_call();
            let written = transport.as_mut().poll_write(cx, &self.waiting);
            let sent = ready!(self.watch(cx, written))?;
            self.waiting.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what waits as far as the socket takes it at once: whether it arrives or not, the connection ends.
    pub(super) fn send_last(&mut self, transport: Option<&Transport>) {
        let slices: Slices<'_> = waiting_slices(&self.waiting, self.pieces.get_mut().as_deref()).collect();
        let _ = transport.map(|transport| transport.try_write_vectored(&slices));
    }

    /// Sends what waits, and then of `data` what the socket takes. Returns how much of `data`: 0 only if it is empty.
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
            let of_data = self.advance(sent);
            if of_data > 0 {
                return Poll::Ready(Ok(of_data));
            }
        }
        Poll::Ready(Ok(0))
    }

    /// Passes on how a write went, and fails it when the client has taken nothing for too long.
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

    /// Drops what was sent from what waits. Returns how many of the bytes were of something behind it.
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

    /// Memory that is held: of the buffer, and whether pieces were ever lent.
    #[cfg(test)]
    pub(super) fn memory(&mut self) -> (usize, bool) {
        (self.waiting.capacity(), self.pieces.get_mut().is_some())
    }
}

/// What waits, in order.
fn waiting_slices<'a>(waiting: &'a [u8], pieces: Option<&'a Pieces>) -> impl Iterator<Item = IoSlice<'a>> {
    let waiting = (!waiting.is_empty()).then(|| IoSlice::new(waiting));
    waiting.into_iter().chain(pieces.into_iter().flat_map(Pieces::slices))
}
