//! For tests of filters: a body in pieces, split at every place and at random ones.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;

use super::{BodyFilter, Signal};

/// A piece and what stands behind it.
pub(super) type Piece = (Bytes, Signal);

/// All that a filter makes of the pieces.
pub(super) fn through(filter: &mut dyn BodyFilter, pieces: &[Piece]) -> Bytes {
    let mut whole = Vec::new();
    for (piece, signal) in pieces {
        let mut input = piece.clone();
        loop {
            let passed = filter.pass(&mut input, *signal).unwrap();
            whole.extend_from_slice(&passed.bytes);
            if !passed.more {
                assert!(input.is_empty(), "it takes everything");
                break;
            }
        }
    }
    Bytes::from(whole)
}

/// Texts of several kinds: empty, short, long and alike, long and random.
pub(super) fn texts() -> Vec<Bytes> {
    let mut random = fastrand::Rng::with_seed(7);
    let noise: Vec<u8> = (0..70_000).map(|_| random.u8(..)).collect();
    let words: Vec<u8> = (0..20_000).flat_map(|_| [b"abc "[random.usize(..4)], b'<']).collect();
    ["", "a", "the same again and the same again and the same again"]
        .map(Bytes::from)
        .into_iter()
        .chain([Bytes::from(vec![b'x'; 200_000]), Bytes::from(noise), Bytes::from(words)])
        .collect()
}

/// Holds that `pass` makes `whole` again of any split of it, with flushes at any of the cuts.
pub(super) fn any_split(whole: &Bytes, mut pass: impl FnMut(&[Piece]) -> Bytes) {
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..8 {
        let mut pieces = Vec::new();
        let mut rest = whole.clone();
        let largest = [1, 3, 100, 5_000, 70_000][random.usize(..5)].max(rest.len() / 300);
        while !rest.is_empty() && round > 0 {
            let piece = rest.split_to(random.usize(1..=largest.min(rest.len())));
            pieces.push((piece, if random.bool() { Signal::More } else { Signal::Flush }));
        }
        pieces.push((rest, Signal::End));
        assert!(pass(&pieces) == *whole, "{} bytes in {} pieces", whole.len(), pieces.len());
    }
}
