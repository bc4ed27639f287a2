//! The headers of HTTP/2 frames, found in a stream of bytes in any split. Pure: nine bytes are looked at for each frame, and
//! four more of a reset; everything else is skipped without a look.

/// `DATA`
pub(in crate::connection) const DATA: u8 = 0;
/// `HEADERS`
pub(in crate::connection) const HEADERS: u8 = 1;
/// `PRIORITY`
#[cfg(test)]
pub(in crate::connection) const PRIORITY: u8 = 2;
/// `RST_STREAM`
pub(in crate::connection) const RST_STREAM: u8 = 3;
/// `SETTINGS`
#[cfg(test)]
pub(in crate::connection) const SETTINGS: u8 = 4;
/// `PING`
#[cfg(test)]
pub(in crate::connection) const PING: u8 = 6;
/// `WINDOW_UPDATE`
pub(in crate::connection) const WINDOW_UPDATE: u8 = 8;
/// `CONTINUATION`
pub(in crate::connection) const CONTINUATION: u8 = 9;

/// Of `DATA` and `HEADERS`: the stream ends here.
const END_STREAM: u8 = 1;
/// Of `HEADERS` and `CONTINUATION`: the header ends here.
const END_HEADERS: u8 = 4;

/// The length of a frame's header.
pub(in crate::connection) const HEAD_BYTES: usize = 9;
/// The same, and the code of a reset.
const MOST_BYTES: usize = HEAD_BYTES + 4;

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connection) struct Frame {
    pub(in crate::connection) kind: u8,
    pub(in crate::connection) flags: u8,
    pub(in crate::connection) stream: u32,
    /// Length of the payload.
    pub(in crate::connection) length: u32,
    /// The error code of `RST_STREAM`; 0 of others.
    pub(in crate::connection) code: u32,
}

impl Frame {
    pub(in crate::connection) fn ends_stream(&self) -> bool {
        self.flags & END_STREAM != 0
    }

    pub(in crate::connection) fn ends_headers(&self) -> bool {
        self.flags & END_HEADERS != 0
    }
}

/// Where the scan stands.
#[derive(Debug)]
pub(in crate::connection) struct FrameScanner {
    head: [u8; MOST_BYTES],
    have: usize,
    /// Bytes to skip before the next frame.
    skip: usize,
}

impl FrameScanner {
    /// At the beginning of a frame, behind `skip` bytes that are none.
    pub(in crate::connection) fn after(skip: usize) -> Self {
        Self { head: [0; MOST_BYTES], have: 0, skip }
    }

    /// True between two frames.
    pub(in crate::connection) fn is_between(&self) -> bool {
        self.have == 0 && self.skip == 0
    }

    /// Takes the next bytes, and calls `found` for each frame whose header is complete with them.
    pub(in crate::connection) fn advance(&mut self, mut bytes: &[u8], mut found: impl FnMut(Frame)) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let wanted = self.wanted();
            let taken = (wanted - self.have).min(bytes.len());
            self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have < self.wanted() {
                continue;
            }
            let frame = self.frame();
            self.skip = frame.length as usize - (self.have - HEAD_BYTES);
            self.have = 0;
            found(frame);
        }
    }

    /// How many bytes of this frame are looked at: more, once its kind is known, where it is a reset.
    fn wanted(&self) -> usize {
        let is_reset = self.have >= HEAD_BYTES && self.head[3] == RST_STREAM && self.head[..3] == [0, 0, 4];
        if is_reset { MOST_BYTES } else { HEAD_BYTES }
    }

    fn frame(&self) -> Frame {
        let number = |bytes: &[u8]| bytes.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
        let code = if self.have > HEAD_BYTES { number(&self.head[HEAD_BYTES..]) } else { 0 };
        Frame {
            length: number(&self.head[..3]),
            kind: self.head[3],
            flags: self.head[4],
            stream: number(&self.head[5..HEAD_BYTES]) & 0x7fff_ffff,
            code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: &[u8] = b"xx\0\0\x03\x01\x05\0\0\0\x01abc\0\0\x04\x03\0\x80\0\0\x03\0\0\0\x08\
        \0\0\0\x00\x01\0\0\0\x01\0\0\x02\x03\0\0\0\0\x05zz\0\0\x08\x06\0\0\0\0\0";

    fn frames(pieces: impl Iterator<Item = &'static [u8]>) -> Vec<Frame> {
        let mut scanner = FrameScanner::after(2);
        let mut frames = Vec::new();
        for piece in pieces {
            scanner.advance(piece, |frame| frames.push(frame));
        }
        assert!(!scanner.is_between(), "the last frame has no payload yet");
        frames
    }

    #[test]
    fn frames_are_found_in_any_split() {
        let expected = [
            Frame { kind: HEADERS, flags: 5, stream: 1, length: 3, code: 0 },
            Frame { kind: RST_STREAM, flags: 0, stream: 3, length: 4, code: 8 },
            Frame { kind: DATA, flags: 1, stream: 1, length: 0, code: 0 },
            // A reset of another length is the connection's error; its payload is skipped.
            Frame { kind: RST_STREAM, flags: 0, stream: 5, length: 2, code: 0 },
            Frame { kind: PING, flags: 0, stream: 0, length: 8, code: 0 },
        ];
        for size in 1..=BYTES.len() {
            assert_eq!(frames(BYTES.chunks(size)), expected, "in pieces of {size}");
        }
        assert!(expected[0].ends_headers() && expected[0].ends_stream());
        assert!(!expected[1].ends_headers() && expected[2].ends_stream());
    }
}
