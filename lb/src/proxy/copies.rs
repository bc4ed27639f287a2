//! The ways by which a body that is passed on reaches its copies (`mirror`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How much of a body may wait for one copy.
const MOST_WAITING_BYTES: usize = 16 << 20;

/// All copies of one body.
#[derive(Default)]
pub(super) struct Copies(Vec<Copied>);

/// The way to one copy.
pub(super) struct Copied {
    uri: Box<str>,
    pieces: UnboundedSender<Piece>,
    waiting: Arc<AtomicUsize>,
}

/// The end of that way.
pub(super) struct Given {
    pieces: UnboundedReceiver<Piece>,
    waiting: Arc<AtomicUsize>,
}

/// A part of a body.
pub(super) enum Piece {
    /// Bytes.
    Bytes(Bytes),
    /// There is no more.
    End,
}

impl Copies {
    /// One more.
    pub(super) fn push(&mut self, copied: Copied) {
        self.0.push(copied);
    }

    /// Gives all copies a piece. What does not keep up is given up: its URIs. `None` instead of the rest where there is
    /// none.
    pub(super) fn copy(self, body: Option<&Bytes>, end: bool) -> (Option<Self>, Vec<Box<str>>) {
        for copied in &self.0 {
            if let Some(bytes) = body {
                copied.give(bytes.clone());
            }
            if end {
                copied.end();
            }
        }
        let (copies, slow): (Vec<_>, Vec<_>) = self.0.into_iter().partition(Copied::keeps_up);
        let left = !end && !copies.is_empty();
        (left.then_some(Self(copies)), slow.into_iter().map(|copied| copied.uri).collect())
    }
}

impl Copied {
    /// A way to a copy for `uri`.
    pub(super) fn new(uri: &str) -> (Self, Given) {
        let (pieces, given) = unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        (Self { uri: uri.into(), pieces, waiting: Arc::clone(&waiting) }, Given { pieces: given, waiting })
    }

    /// A piece.
    pub(super) fn give(&self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.waiting.fetch_add(bytes.len(), Relaxed);
            let _ = self.pieces.send(Piece::Bytes(bytes));
        }
    }

    /// There is no more.
    pub(super) fn end(&self) {
        let _ = self.pieces.send(Piece::End);
    }

    fn keeps_up(&self) -> bool {
        self.waiting.load(Relaxed) <= MOST_WAITING_BYTES
    }
}

impl Given {
    /// The next piece; `None` where the body broke off.
    pub(super) async fn next(&mut self) -> Option<Piece> {
        let piece = self.pieces.recv().await;
        if let Some(Piece::Bytes(bytes)) = &piece {
            self.waiting.fetch_sub(bytes.len(), Relaxed);
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_copy_that_does_not_keep_up_is_given_up() {
        let (slow, slow_given) = Copied::new("/slow");
        let (fast, mut given) = Copied::new("/fast");
        let mut copies = Copies::default();
        copies.push(slow);
        copies.push(fast);
        let piece = Bytes::from(vec![0; MOST_WAITING_BYTES / 2 + 1]);
        let (left, slow) = copies.copy(Some(&piece), false);
        assert!(slow.is_empty());
        assert!(matches!(given.next().await, Some(Piece::Bytes(bytes)) if bytes == piece));
        let (left, slow) = left.unwrap().copy(Some(&piece), false);
        assert_eq!(slow, ["/slow".into()]);
        let (left, slow) = left.unwrap().copy(None, true);
        assert!(left.is_none() && slow.is_empty());
        assert!(matches!(given.next().await, Some(Piece::Bytes(_))));
        assert!(matches!(given.next().await, Some(Piece::End)));
        let mut broken = slow_given;
        assert!(matches!(broken.next().await, Some(Piece::Bytes(_))));
        assert!(matches!(broken.next().await, Some(Piece::Bytes(_))));
        assert!(broken.next().await.is_none(), "no end was told");
    }
}
