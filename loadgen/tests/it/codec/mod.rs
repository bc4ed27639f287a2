//! The codec of answers, held against HTTP as the RFCs tell it: a table at every split, and a great number
//! of answers made and broken by a seeded generator, judged by a second parser.

#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod fuzz;
mod generator;
mod reference;
mod splits;

use loadgen::wire::decoder::{Decoder, End, Progress};
use loadgen::wire::head::Expectations;

/// What a client may conclude from the bytes of a connection up to their end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// A complete answer; what follows it, if anything, belongs to no answer.
    Complete {
        status: u16,
        backend: Option<Vec<u8>>,
        keep_alive: bool,
        /// How many bytes it took, interim answers included.
        length: usize,
    },
    /// An answer that ends where the connection does.
    UntilClose { status: u16, backend: Option<Vec<u8>> },
    /// The connection ended within an answer.
    CutOff,
    /// It ended before any.
    Nothing,
    /// These bytes are no answer, whatever may follow.
    Malformed,
}

/// What a decoder concludes when the bytes come in these pieces.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, head_request: bool) -> Verdict {
    let expectations = Expectations { backend_headers: vec!["X-Backend".to_owned()], head_request };
    let mut decoder = Decoder::new(expectations);
    let mut heads = Vec::new();
    let mut fed = 0;
    for piece in pieces {
        if piece.is_empty() {
            continue;
        }
        fed += piece.len();
        let progress =
            decoder.feed(piece, |head| heads.push((head.status, head.backend.map(<[u8]>::to_vec))));
        assert!(heads.len() <= 1, "an answer has one head: {heads:?}");
        match progress {
            Ok(Progress::Incomplete) => {}
            Ok(Progress::Complete { keep_alive }) => {
                let (status, backend) = heads.pop().expect("an answer has a head");
                return Verdict::Complete { status, backend, keep_alive, length: fed };
            }
            Err(_) => return Verdict::Malformed,
        }
    }
    match (decoder.end(), heads.pop()) {
        (End::Complete, head) => {
            let (status, backend) = head.expect("an answer has a head");
            Verdict::UntilClose { status, backend }
        }
        (End::CutOff, _) => Verdict::CutOff,
        (End::Nothing, head) => {
            assert_eq!((head, fed), (None, 0));
            Verdict::Nothing
        }
    }
}
