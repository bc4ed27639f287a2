//! What a client may make the connection do without asking for anything. Pure.
//!
//! The h2 crate bounds what one frame can cost: the size of a header, the number of its CONTINUATION frames, empty and tiny
//! DATA frames that nobody has read yet, streams that are reset before they were seen. It does not bound frames that cost
//! little each: PING and SETTINGS have to be answered, a stream that is opened and reset at once has to be served until the
//! reset is seen, WINDOW_UPDATE and PRIORITY have to be read. Three counts do, each refilled by what clients want:
//!
//! - *overhead*: nginx's own rule. The bytes of both directions may be no more than eight times those of headers and bodies,
//!   with 1 MiB for free. It also ends a client that lets its window grow byte by byte.
//! - *control*: frames that have to be answered or mean nothing. An answer and 16 KiB of any body give one back.
//! - *resets*: streams that the client gives up. Every answer that was begun gives one back, so that only those count which
//!   were given up before.

use super::frames::{CONTINUATION, DATA, Frame, HEAD_BYTES, HEADERS, RST_STREAM, WINDOW_UPDATE};

/// nginx's figures.
const FREE_BYTES: u64 = 1 << 20;
const OVERHEAD: u64 = 8;

/// At a keep-alive PING every ten seconds, a day; as a flood, 170 kB.
const CONTROL_FRAMES: u32 = 10_000;
/// What a body gives back for.
const PAYLOAD_BYTES: u32 = 16 << 10;

/// What a connection has left.
#[derive(Debug)]
pub(in crate::connection) struct Budget {
    total_bytes: u64,
    payload_bytes: u64,
    control: u32,
    most_resets: u32,
    resets: u32,
}

impl Budget {
    /// `concurrent_streams`: as many streams may be given up twice over before one is answered, as nginx allows.
    pub(in crate::connection) fn new(concurrent_streams: u32) -> Self {
        let most_resets = concurrent_streams.saturating_mul(2).clamp(100, 1 << 20);
        Self { total_bytes: 0, payload_bytes: 0, control: CONTROL_FRAMES, most_resets, resets: most_resets }
    }

    /// Books a frame from the client.
    pub(in crate::connection) fn received(&mut self, frame: Frame) {
        self.book(frame);
        match frame.kind {
            RST_STREAM => self.resets = self.resets.saturating_sub(1),
            HEADERS | WINDOW_UPDATE => {}
            DATA if frame.length > 0 || frame.ends_stream() => self.earn(frame.length / PAYLOAD_BYTES),
            CONTINUATION if frame.length > 0 => {}
            // PING, SETTINGS, PRIORITY, what nobody knows, and empty frames of the others.
            _ => self.control = self.control.saturating_sub(1),
        }
    }

    /// Books a frame to the client.
    pub(in crate::connection) fn sent(&mut self, frame: Frame) {
        self.book(frame);
        match frame.kind {
            HEADERS => {
                self.resets = (self.resets + 1).min(self.most_resets);
                self.earn(1);
            }
            DATA => self.earn(frame.length / PAYLOAD_BYTES),
            _ => {}
        }
    }

    /// True if the client has asked for too much for too little.
    pub(in crate::connection) fn is_exhausted(&self) -> bool {
        self.control == 0 || self.resets == 0 || self.total_bytes / OVERHEAD > self.payload_bytes + FREE_BYTES
    }

    fn book(&mut self, frame: Frame) {
        self.total_bytes += HEAD_BYTES as u64 + u64::from(frame.length);
        if matches!(frame.kind, DATA | HEADERS | CONTINUATION) {
            self.payload_bytes += u64::from(frame.length);
        }
    }

    fn earn(&mut self, frames: u32) {
        self.control = self.control.saturating_add(frames).min(CONTROL_FRAMES);
    }
}

#[cfg(test)]
mod tests {
    use super::super::frames::{PING, PRIORITY, SETTINGS};
    use super::*;

    fn frame(kind: u8, flags: u8, length: u32) -> Frame {
        Frame { kind, flags, stream: 1, length, code: 0 }
    }

    /// How many times a client may send `frames`, if `answer` follows each time; none after so many.
    fn times(frames: &[Frame], answer: &[Frame]) -> Option<u32> {
        let mut budget = Budget::new(128);
        for time in 0..3_000_000 {
            if budget.is_exhausted() {
                return Some(time);
            }
            frames.iter().for_each(|frame| budget.received(*frame));
            answer.iter().for_each(|frame| budget.sent(*frame));
        }
        None
    }

    #[test]
    fn floods_end() {
        let pong = [frame(PING, 1, 8)];
        for (name, frames, answer, most) in [
            ("ping", vec![frame(PING, 0, 8)], &pong[..], 10_000),
            ("settings", vec![frame(SETTINGS, 0, 6)], &[frame(SETTINGS, 1, 0)][..], 10_000),
            ("priority", vec![frame(PRIORITY, 0, 5)], &[][..], 10_000),
            ("unknown", vec![frame(0xfa, 0, 0)], &[][..], 10_000),
            ("empty data", vec![frame(DATA, 0, 0)], &[][..], 10_000),
            ("empty continuation", vec![frame(CONTINUATION, 0, 0)], &[][..], 10_000),
            ("rapid reset", vec![frame(HEADERS, 5, 40), frame(RST_STREAM, 0, 4)], &[][..], 256),
            ("window", vec![frame(WINDOW_UPDATE, 0, 4)], &[][..], 700_000),
            ("dribble", vec![frame(WINDOW_UPDATE, 0, 4)], &[frame(DATA, 0, 1)][..], 600_000),
        ] {
            let times = times(&frames, answer);
            assert!(times.is_some_and(|times| times <= most), "{name}: {times:?}");
        }
    }

    #[test]
    fn work_goes_on() {
        for (name, frames, answer) in [
            ("small requests", vec![frame(HEADERS, 5, 30)], vec![frame(HEADERS, 4, 20), frame(DATA, 1, 2)]),
            (
                "requests with a ping each",
                vec![frame(HEADERS, 5, 30), frame(PING, 0, 8)],
                vec![frame(HEADERS, 4, 20), frame(DATA, 1, 2), frame(PING, 1, 8)],
            ),
            (
                "answers that are given up",
                vec![frame(HEADERS, 5, 30), frame(RST_STREAM, 0, 4)],
                vec![frame(HEADERS, 4, 20), frame(DATA, 0, 16384)],
            ),
            (
                "a download, acknowledged twice",
                vec![frame(WINDOW_UPDATE, 0, 4), frame(WINDOW_UPDATE, 0, 4)],
                vec![frame(DATA, 0, 8192)],
            ),
            ("an upload", vec![frame(DATA, 0, 16384)], vec![frame(WINDOW_UPDATE, 0, 4)]),
            (
                "short messages both ways",
                vec![frame(DATA, 0, 25), frame(WINDOW_UPDATE, 0, 4), frame(WINDOW_UPDATE, 0, 4)],
                vec![frame(DATA, 0, 25), frame(WINDOW_UPDATE, 0, 4)],
            ),
        ] {
            assert_eq!(times(&frames, &answer), None, "{name}");
        }
    }
}
