//! What the two directions of a connection tell by the headers of their frames. Pure but for the lock around it.
//!
//! The h2 crate says neither which requests it refused nor how long a header was on the wire. Both can be seen in the bytes:
//! a stream that was opened and is reset before it was handed over has been refused; the length of its HEADERS is in their
//! frames. The same look counts what floods would spend ([`budget`](super::budget)).

use std::collections::VecDeque;
use std::time::Instant;

use super::budget::Budget;
use super::frames::{CONTINUATION, Frame, FrameScanner, HEADERS, RST_STREAM};
use super::preface::PREFACE;

/// `REFUSED_STREAM`: more streams at once than allowed.
pub(super) const REFUSED_STREAM: u32 = 7;

/// A stream that was opened and not handed over yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Opened {
    stream: u32,
    head_bytes: usize,
}

/// A request that the h2 crate refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RefusedStream {
    stream: u32,
    /// The length of its header on the wire.
    pub(super) head_bytes: usize,
    /// The error code that the client got.
    pub(super) code: u32,
}

/// Where the two directions stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// The client owes the rest of a frame or of a header.
    pub(super) is_inside: bool,
    /// The client takes nothing of what waits for it.
    pub(super) is_blocked: bool,
}

/// What is known of a connection.
#[derive(Debug)]
pub(super) struct Watch {
    incoming: FrameScanner,
    outgoing: FrameScanner,
    budget: Budget,
    /// The newest stream.
    newest: u32,
    opened: VecDeque<Opened>,
    refused: Vec<RefusedStream>,
    /// A header has begun and not ended.
    in_head: bool,
    /// Since when the client has taken nothing of what waits for it.
    pub(super) blocked_since: Option<Instant>,
    /// The client has ended the connection, or it broke.
    pub(super) has_ended: bool,
}

impl Watch {
    pub(super) fn new(concurrent_streams: u32) -> Self {
        Self {
            incoming: FrameScanner::after(PREFACE.len()),
            outgoing: FrameScanner::after(0),
            budget: Budget::new(concurrent_streams),
            newest: 0,
            opened: VecDeque::new(),
            refused: Vec::new(),
            in_head: false,
            blocked_since: None,
            has_ended: false,
        }
    }

    /// Looks at bytes from the client.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        let Self { incoming, budget, newest, opened, in_head, .. } = self;
        incoming.advance(bytes, |frame| {
            budget.received(frame);
            // Without the frame's own header, as NGINX counts.
            let bytes = frame.length as usize;
            match frame.kind {
                HEADERS if frame.stream > *newest => {
                    *newest = frame.stream;
                    *in_head = !frame.ends_headers();
                    opened.push_back(Opened { stream: frame.stream, head_bytes: bytes });
                }
                HEADERS => *in_head = !frame.ends_headers(),
                CONTINUATION => {
                    *in_head = !frame.ends_headers();
                    if let Some(last) = opened.back_mut().filter(|last| last.stream == frame.stream) {
                        last.head_bytes += bytes;
                    }
                }
                _ => {}
            }
        });
    }

    /// Looks at bytes to the client.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        let Self { outgoing, budget, opened, refused, .. } = self;
        outgoing.advance(bytes, |frame: Frame| {
            budget.sent(frame);
            if frame.kind == RST_STREAM
                && let Some(at) = opened.iter().position(|one| one.stream == frame.stream)
                && let Some(one) = opened.remove(at)
            {
                refused.push(RefusedStream {
                    stream: one.stream,
                    head_bytes: one.head_bytes,
                    code: frame.code,
                });
            }
        });
    }

    /// A stream is handed over. Returns the length of its header on the wire.
    pub(super) fn accepted(&mut self, stream: u32) -> usize {
        // One whose body was refused at once is handed over all the same, and tells of itself.
        if let Some(at) = self.refused.iter().position(|one| one.stream == stream) {
            return self.refused.swap_remove(at).head_bytes;
        }
        let at = self.opened.iter().position(|one| one.stream == stream);
        at.and_then(|at| self.opened.remove(at)).map_or(0, |one| one.head_bytes)
    }

    /// True if requests were refused; once nothing is left to be handed over, they are.
    pub(super) fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// The requests that were refused since this was last asked.
    pub(super) fn take_refused(&mut self) -> Vec<RefusedStream> {
        std::mem::take(&mut self.refused)
    }

    /// True if the client asks for too much.
    pub(super) fn is_flooded(&self) -> bool {
        self.budget.is_exhausted()
    }

    /// What decides how long the connection may stay as it is.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            is_inside: self.in_head || !self.incoming.is_between(),
            is_blocked: self.blocked_since.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream];
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn refused_streams_and_lengths_of_headers_are_seen() {
        let mut watch = Watch::new(128);
        assert!(watch.progress().is_inside, "the preface is yet to come");
        watch.received(PREFACE);
        assert!(!watch.progress().is_inside);
        watch.received(&frame(HEADERS, 1, 1, b"abc"));
        assert!(watch.progress().is_inside, "the header goes on");
        watch.received(&frame(CONTINUATION, 4, 1, b"de"));
        assert!(!watch.progress().is_inside);
        for stream in [3, 5] {
            watch.received(&frame(HEADERS, 5, stream, b"abc"));
        }
        watch.sent(&frame(RST_STREAM, 0, 3, &[0, 0, 0, 1]));
        assert_eq!(watch.accepted(1), 3 + 2);
        assert_eq!(watch.accepted(5), 3);
        // Handed over: given up, not refused.
        watch.sent(&frame(RST_STREAM, 0, 5, &[0, 0, 0, 8]));
        assert_eq!(watch.take_refused(), [RefusedStream { stream: 3, head_bytes: 3, code: 1 }]);
        assert_eq!(watch.take_refused(), []);
        // The trailer of a request opens no stream.
        watch.received(&frame(HEADERS, 5, 1, b"abc"));
        watch.sent(&frame(RST_STREAM, 0, 1, &[0, 0, 0, 1]));
        assert_eq!(watch.take_refused(), []);
    }
}
