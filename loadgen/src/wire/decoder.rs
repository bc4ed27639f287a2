//! One answer after another from whatever pieces the socket gives. Runs once per read.
//!
//! A read that holds whole heads is parsed where it lies. Only a head that was cut in two is copied, into a
//! buffer that keeps its capacity, so that the usual case allocates and copies nothing and connections may
//! share one read buffer.

use std::mem;

use super::Malformed;
use super::body::Body;
use super::head::{self, Expectations, Head};

/// As long as a head may be; far above what servers send, low enough to stop one that never ends.
pub const HEAD_LIMIT_BYTES: usize = 64 * 1024;

/// Takes answers apart, one at a time.
#[derive(Debug)]
pub struct Decoder {
    expectations: Expectations,
    /// The beginning of a head that is not complete yet.
    carry: Vec<u8>,
    state: State,
    /// Whether any byte came since the last reset.
    begun: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Head,
    Body { body: Body, keep_alive: bool },
}

/// Where the decoder stands after it was fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The answer is not complete.
    Incomplete,
    /// The answer is complete.
    Complete {
        /// Whether another request may follow on the connection.
        keep_alive: bool,
    },
}

/// What the end of the stream means where it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was the end of the body: the answer is complete.
    Complete,
    /// The answer was cut off.
    CutOff,
    /// Not one byte of an answer had come.
    Nothing,
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new(expectations: Expectations) -> Self {
        Self { expectations, carry: Vec::new(), state: State::Head, begun: false }
    }

    /// Makes ready for the answer to the next request.
    pub fn reset(&mut self) {
        self.carry.clear();
        self.state = State::Head;
        self.begun = false;
    }

    /// Whether any byte of an answer has come since the last reset.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Takes the next bytes of the stream. `on_head` sees the final head once, as soon as it is complete;
    /// interim ones (1xx) are skipped.
    ///
    /// # Errors
    /// When the bytes are not an HTTP/1.1 answer, or are more than one.
    pub fn feed(&mut self, input: &[u8], on_head: impl FnMut(&Head<'_>)) -> Result<Progress, Malformed> {
        self.begun |= !input.is_empty();
        if self.carry.is_empty() {
            let mut rest = input;
            let progress = self.advance(&mut rest, on_head);
            self.carry.extend_from_slice(rest);
            return progress;
        }
        let mut joined = mem::take(&mut self.carry);
        joined.extend_from_slice(input);
        let mut rest = joined.as_slice();
        let progress = self.advance(&mut rest, on_head);
        let consumed = joined.len() - rest.len();
        joined.drain(..consumed);
        self.carry = joined;
        progress
    }

    /// Says what it means that the peer closed now.
    pub fn end(&self) -> End {
        match self.state {
            State::Body { body: Body::UntilClose, .. } => End::Complete,
            State::Head if !self.begun => End::Nothing,
            State::Head | State::Body { .. } => End::CutOff,
        }
    }

    /// Goes as far as `rest` allows and leaves in it what must be seen again with more behind it.
    fn advance(
        &mut self,
        rest: &mut &[u8],
        mut on_head: impl FnMut(&Head<'_>),
    ) -> Result<Progress, Malformed> {
        loop {
            match &mut self.state {
                State::Head => {
                    let Some(head) = head::parse(rest, &self.expectations)? else {
                        return if rest.len() > HEAD_LIMIT_BYTES {
                            Err(Malformed::HeadTooLong)
                        } else {
                            Ok(Progress::Incomplete)
                        };
                    };
                    // Whether it came in one piece or in many must make no difference.
                    if head.length > HEAD_LIMIT_BYTES {
                        return Err(Malformed::HeadTooLong);
                    }
                    *rest = &rest[head.length..];
                    if head.is_interim() {
                        continue;
                    }
                    on_head(&head);
                    self.state = State::Body { body: head.body, keep_alive: head.keep_alive };
                }
                State::Body { body, keep_alive } => {
                    let taken = body.consume(rest)?;
                    *rest = &rest[taken..];
                    if !body.is_complete() {
                        return Ok(Progress::Incomplete);
                    }
                    if !rest.is_empty() {
                        return Err(Malformed::Surplus);
                    }
                    return Ok(Progress::Complete { keep_alive: *keep_alive });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Progress = Progress::Complete { keep_alive: true };
    const CLOSED: Progress = Progress::Complete { keep_alive: false };

    fn decoder(head_request: bool) -> Decoder {
        Decoder::new(Expectations { backend_headers: vec!["x-backend".to_owned()], head_request })
    }

    struct Case {
        input: &'static str,
        head_request: bool,
        status: u16,
        outcome: Result<Progress, Malformed>,
        end: End,
    }

    fn table() -> Vec<Case> {
        let case = |input, status, outcome, end| Case { input, head_request: false, status, outcome, end };
        vec![
            case("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, Ok(KEPT), End::CutOff),
            case("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, Ok(KEPT), End::CutOff),
            case("HTTP/1.1 204 None\r\n\r\n", 204, Ok(KEPT), End::CutOff),
            case("HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n", 304, Ok(KEPT), End::CutOff),
            case(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
                200,
                Ok(KEPT),
                End::CutOff,
            ),
            case(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n\
                 HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok",
                201,
                Ok(KEPT),
                End::CutOff,
            ),
            case(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
                200,
                Ok(CLOSED),
                End::CutOff,
            ),
            case("HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, Ok(Progress::Incomplete), End::Complete),
            case(
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
                200,
                Ok(Progress::Incomplete),
                End::CutOff,
            ),
            case("HTTP/1.1 200 OK\r\nContent-", 0, Ok(Progress::Incomplete), End::CutOff),
            case("", 0, Ok(Progress::Incomplete), End::Nothing),
            Case {
                input: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                head_request: true,
                status: 200,
                outcome: Ok(KEPT),
                end: End::CutOff,
            },
        ]
    }

    #[test]
    fn every_answer_comes_out_the_same_wherever_it_is_split() {
        for Case { input, head_request, status, outcome, end } in table() {
            for first in 0..=input.len() {
                for second in first..=input.len() {
                    let mut decoder = decoder(head_request);
                    let mut statuses = Vec::new();
                    let mut progress = Ok(Progress::Incomplete);
                    for piece in [&input[..first], &input[first..second], &input[second..]] {
                        if !piece.is_empty() {
                            progress = decoder.feed(piece.as_bytes(), |head| statuses.push(head.status));
                        }
                    }
                    let context = format!("{input:?} split at {first} and {second}");
                    assert_eq!(progress, outcome, "{context}");
                    assert_eq!(decoder.end(), end, "{context}");
                    let expected: &[u16] = if status == 0 { &[] } else { &[status] };
                    assert_eq!(statuses, expected, "{context}");
                }
            }
        }
    }

    #[test]
    fn bytes_after_the_answer_are_malformed() {
        let table = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", false),
            ("HTTP/1.1 204 None\r\n\r\nx", false),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n0", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", true),
        ];
        for (input, head_request) in table {
            let outcome = decoder(head_request).feed(input.as_bytes(), |_| {});
            assert_eq!(outcome, Err(Malformed::Surplus), "{input:?}");
        }
    }

    #[test]
    fn a_head_without_end_is_refused() {
        let mut decoder = decoder(false);
        let mut outcome = decoder.feed(b"HTTP/1.1 200 OK\r\nA: ", |_| {});
        for _ in 0..HEAD_LIMIT_BYTES / 1024 {
            assert_eq!(outcome, Ok(Progress::Incomplete));
            outcome = decoder.feed(&[b'a'; 1024], |_| {});
        }
        assert_eq!(outcome, Err(Malformed::HeadTooLong));
    }

    #[test]
    fn a_head_may_be_so_long_and_not_longer_in_one_piece_or_two() {
        let around = "HTTP/1.1 204 None\r\nA: \r\n\r\n".len();
        for (length, expected) in
            [(HEAD_LIMIT_BYTES, Ok(KEPT)), (HEAD_LIMIT_BYTES + 1, Err(Malformed::HeadTooLong))]
        {
            let head = format!("HTTP/1.1 204 None\r\nA: {}\r\n\r\n", "a".repeat(length - around));
            for split in [0, 10, HEAD_LIMIT_BYTES - 2, length - 1] {
                let mut decoder = decoder(false);
                let (first, second) = head.as_bytes().split_at(split);
                let outcome = decoder.feed(first, |_| {}).and_then(|_| decoder.feed(second, |_| {}));
                assert_eq!(outcome, expected, "{length} bytes split at {split}");
            }
        }
    }

    #[test]
    fn a_reset_decoder_reads_the_next_answer() {
        let mut decoder = decoder(false);
        for _ in 0..3 {
            assert!(!decoder.has_begun());
            assert_eq!(decoder.feed(b"HTTP/1.1 20", |_| {}), Ok(Progress::Incomplete));
            assert_eq!(decoder.feed(b"0 OK\r\nContent-Length: 1\r\n\r\nx", |_| {}), Ok(KEPT));
            assert!(decoder.has_begun());
            decoder.reset();
        }
    }
}
