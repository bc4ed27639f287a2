//! Pieces of an answer that wait to be sent, without a copy.
//!
//! Pingora gives its stream a body as borrowed bytes, so bytes that wait for a later call must be copied. The owner
//! of the bytes can [lend](Pieces::lend) them first: the write that follows is then recognised by its address and
//! kept by reference, and all of it goes out in one call with the bytes behind it. Pure: no socket here.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// The most pieces that may wait. The next one is written at once, together with them.
pub(super) const PIECES: usize = 4;

/// The lent piece, and the waiting ones in the order in which they were written.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    lent: Option<Bytes>,
    waiting: VecDeque<Bytes>,
}

impl Pieces {
    /// Announces `piece` as the next write. Replaces a piece that was lent before and not written; valid for one
    /// write.
    pub(super) fn lend(&mut self, piece: Bytes) {
        self.lent = Some(piece);
    }

    /// Keeps `written` if it is the lent piece or its beginning. False: it is not, or there is no room.
    ///
    /// Equal addresses mean equal bytes: the lent piece is alive, so nothing else can lie there.
    pub(super) fn keep(&mut self, written: &[u8]) -> bool {
        let Some(mut piece) = self.lent.take() else { return false };
        if piece.as_ptr() != written.as_ptr() || piece.len() < written.len() || self.waiting.len() >= PIECES {
            return false;
        }
        piece.truncate(written.len());
        if !piece.is_empty() {
            self.waiting.push_back(piece);
        }
        true
    }

    /// True if nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The number of waiting bytes.
    pub(super) fn bytes(&self) -> usize {
        self.waiting.iter().map(Bytes::len).sum()
    }

    /// The waiting bytes, in order.
    pub(super) fn slices(&self) -> impl Iterator<Item = IoSlice<'_>> {
        self.waiting.iter().map(|piece| IoSlice::new(piece))
    }

    /// Drops the first `sent` waiting bytes. Returns how many of `sent` were of something behind them.
    pub(super) fn advance(&mut self, mut sent: usize) -> usize {
        while let Some(first) = self.waiting.front_mut() {
            if sent < first.len() {
                first.advance(sent);
                return 0;
            }
            sent -= first.len();
            self.waiting.pop_front();
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(pieces: &Pieces) -> Vec<Vec<u8>> {
        pieces.slices().map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn only_what_was_lent_is_kept_and_it_is_kept_where_it_lies() {
        let body = Bytes::from(b"0123456789".to_vec());
        let equal = body.to_vec();
        let mut pieces = Pieces::default();
        assert!(!pieces.keep(&body), "nothing was lent");
        pieces.lend(body.clone());
        assert!(!pieces.keep(&equal), "equal bytes in another place");
        assert!(!pieces.keep(&body), "the loan ended with the first write");
        pieces.lend(body.slice(..4));
        assert!(!pieces.keep(&body), "more than was lent");
        assert!(pieces.is_empty());

        pieces.lend(body.clone());
        assert!(pieces.keep(&body[..6]), "its beginning");
        assert_eq!(waiting(&pieces), [b"012345"]);
        assert_eq!(pieces.slices().next().map(|slice| slice.as_ptr()), Some(body.as_ptr()));
    }

    #[test]
    fn there_is_room_for_so_many() {
        let body = Bytes::from_static(b"x");
        let mut pieces = Pieces::default();
        for _ in 0..PIECES {
            pieces.lend(body.clone());
            assert!(pieces.keep(&body));
        }
        pieces.lend(body.clone());
        assert!(!pieces.keep(&body));
        assert_eq!(waiting(&pieces).len(), PIECES);
    }

    #[test]
    fn what_was_sent_goes_and_the_rest_stays_in_order() {
        for (sent, left, beyond) in [
            (0, &["abc", "de"][..], 0),
            (1, &["bc", "de"], 0),
            (3, &["de"], 0),
            (4, &["e"], 0),
            (5, &[], 0),
            (9, &[], 4),
        ] {
            let mut pieces = Pieces::default();
            for piece in ["abc", "", "de"] {
                let piece = Bytes::from_static(piece.as_bytes());
                pieces.lend(piece.clone());
                assert!(pieces.keep(&piece));
            }
            assert_eq!(pieces.advance(sent), beyond, "{sent} sent");
            assert_eq!(
                waiting(&pieces),
                left.iter().map(|text| text.as_bytes()).collect::<Vec<_>>(),
                "{sent} sent"
            );
            assert_eq!(pieces.is_empty(), left.is_empty());
            assert_eq!(pieces.bytes(), left.iter().map(|text| text.len()).sum::<usize>());
        }
    }
}
