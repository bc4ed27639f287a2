//! Filters of answers' bodies: what changes the bytes between where they come from and the client.
//!
//! A [`Chain`] is made for one answer, once its header has been decided (`request/headers/bodies`), and then fed with the
//! body's pieces as they come, wherever the cuts are. It holds no piece back beyond what a filter needs: a compressor's
//! window, a text that may still become a match. It refuses to wait, to read and to write: `proxy/` does, and takes no next
//! piece before the client has taken what came of this one.
//!
//! # When a compressor is flushed
//!
//! An event of a stream must leave at once, and each flush makes the result longer. So the sign for it ([`Signal::Flush`])
//! comes with the last piece of what was there to be passed on: `proxy/` gathers all pieces that a server has sent by then,
//! and only the last carries the sign. A body that is read from a file has no pauses and is never flushed.
//!
//! # Memory
//!
//! A filter that makes much of little ([`gunzip`]) stops after [`PIECE_BYTES`] and says that there is more, so a chain holds
//! two pieces and the state of its filters at most: docs/decisions/021-bodies-of-answers.md has the figures.

pub mod brotli;
pub mod gunzip;
pub mod gzip;
pub mod substitute;
#[cfg(test)]
mod testing;
pub mod zstd;

use bytes::Bytes;
use smallvec::SmallVec;

/// After so many bytes of output a filter that makes more of its input stops for the time being.
pub const PIECE_BYTES: usize = 64 << 10;

/// What stands behind a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// More is there already.
    More,
    /// Nothing for now: what can leave has to.
    Flush,
    /// The end of the body.
    End,
}

/// What came of a piece.
#[derive(Debug, Default)]
pub struct Passed {
    /// For the next filter, or the client. May be empty.
    pub bytes: Bytes,
    /// The same input makes more: the filter wants to be called again before the next piece.
    pub more: bool,
}

/// A body that a filter cannot read. The answer has begun, so the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// In nginx's words.
    #[error("inflate() failed: {0}")]
    Inflate(&'static str),
    /// The compressed body ends before its end.
    #[error("inflate() returned -5 on response end")]
    Truncated,
    /// A compressor does not go on, for want of memory.
    #[error("{0} failed to compress")]
    Compressor(&'static str),
}

/// One filter, with its state.
pub trait BodyFilter: Send + Sync {
    /// Takes from the front of `input` what it can. Where [`Passed::more`] is false it has taken all, and has done what
    /// `signal` asks for; otherwise it is called again with what it left.
    ///
    /// # Errors
    ///
    /// When the body is not what its header says.
    fn pass(&mut self, input: &mut Bytes, signal: Signal) -> Result<Passed, FilterError>;

    /// Bytes taken and given, of the filter whose ratio is `$gzip_ratio`.
    fn compressed(&self) -> Option<Compressed> {
        None
    }
}

/// What a compressor has taken and given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compressed {
    /// Bytes taken.
    pub taken: u64,
    /// Bytes given.
    pub given: u64,
}

impl Compressed {
    /// `$gzip_ratio`: hundredths, rounded as nginx does. `None` before anything was given.
    pub fn ratio(self) -> Option<String> {
        if self.given == 0 {
            return None;
        }
        let Self { taken, given } = self;
        let (mut whole, mut hundredths) = (taken / given, taken.saturating_mul(100) / given % 100);
        if taken.saturating_mul(1000) / given % 10 > 4 {
            hundredths += 1;
            if hundredths > 99 {
                (whole, hundredths) = (whole + 1, 0);
            }
        }
        Some(format!("{whole}.{hundredths:02}"))
    }
}

/// The filters of one answer, in the order in which the body passes them.
#[derive(Default)]
pub struct Chain {
    filters: SmallVec<[Box<dyn BodyFilter>; 2]>,
}

impl Chain {
    /// Puts a filter behind those that are there.
    pub fn push(&mut self, filter: Box<dyn BodyFilter>) {
        self.filters.push(filter);
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// Passes a piece through all filters, as [`BodyFilter::pass`] does.
    ///
    /// # Errors
    ///
    /// When the body is not what its header says.
    pub fn pass(&mut self, input: &mut Bytes, signal: Signal) -> Result<Passed, FilterError> {
        let Some((first, rest)) = self.filters.split_first_mut() else {
            return Ok(Passed { bytes: std::mem::take(input), more: false });
        };
        let mut passed = first.pass(input, signal)?;
        let signal = if passed.more { Signal::More } else { signal };
        for filter in rest {
            passed.bytes = all(filter.as_mut(), passed.bytes, signal)?;
        }
        Ok(passed)
    }

    /// What the compressor among them has taken and given.
    pub fn compressed(&self) -> Option<Compressed> {
        self.filters.iter().find_map(|filter| filter.compressed())
    }
}

/// All that a filter makes of a piece.
fn all(filter: &mut dyn BodyFilter, mut input: Bytes, signal: Signal) -> Result<Bytes, FilterError> {
    let first = filter.pass(&mut input, signal)?;
    if !first.more {
        return Ok(first.bytes);
    }
    let mut whole = Vec::from(first.bytes);
    loop {
        let next = filter.pass(&mut input, signal)?;
        whole.extend_from_slice(&next.bytes);
        if !next.more {
            return Ok(Bytes::from(whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_rounded_as_nginx_does() {
        for (taken, given, expected) in [
            (0, 0, None),
            (100, 100, Some("1.00")),
            (2125, 1000, Some("2.13")),
            (2124, 1000, Some("2.12")),
            (3999, 1000, Some("4.00")),
            (10, 20, Some("0.50")),
        ] {
            assert_eq!(Compressed { taken, given }.ratio().as_deref(), expected, "{taken}/{given}");
        }
    }

    #[test]
    fn several_filters_pass_any_split_on() {
        let chain = || {
            let needles =
                substitute::Needles::new([b"abc".as_slice().into(), b"<".as_slice().into()]).unwrap();
            let replacements = [Bytes::from_static(b"x<y"), Bytes::from_static(b"")];
            let mut chain = Chain::default();
            chain.push(Box::new(gunzip::Gunzip::new()));
            chain.push(Box::new(substitute::Substitute::new(&needles, replacements, false)));
            chain.push(Box::new(gzip::Gzip::new(5, 15, None)));
            chain
        };
        let through = |chain: &mut Chain, pieces: &[testing::Piece]| {
            let mut whole = Vec::new();
            for (piece, signal) in pieces {
                let mut input = piece.clone();
                loop {
                    let passed = chain.pass(&mut input, *signal).unwrap();
                    whole.extend_from_slice(&passed.bytes);
                    if !passed.more {
                        break;
                    }
                }
            }
            testing::through(&mut gunzip::Gunzip::new(), &[(Bytes::from(whole), Signal::End)])
        };
        for text in testing::texts() {
            let packed = testing::through(&mut gzip::Gzip::new(6, 15, None), &[(text, Signal::End)]);
            let expected = through(&mut chain(), &[(packed.clone(), Signal::End)]);
            testing::any_split(&packed, |pieces| {
                assert!(through(&mut chain(), pieces) == expected);
                packed.clone()
            });
        }
    }

    #[test]
    fn an_empty_chain_passes_everything() {
        let mut input = Bytes::from_static(b"abc");
        let passed = Chain::default().pass(&mut input, Signal::End).unwrap();
        assert_eq!((passed.bytes.as_ref(), passed.more, input.len()), (&b"abc"[..], false, 0));
    }
}
