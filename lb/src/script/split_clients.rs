//! `split_clients`: a value by the hash of a string, in shares. A string gets the value that nginx gives it.

use super::template::Template;

/// A `split_clients` block.
#[derive(Debug)]
pub struct SplitClients {
    source: Template,
    /// The first hash that is beyond the part, and its value. The last may be for all the rest: `None`.
    parts: Vec<(Option<u32>, Box<[u8]>)>,
}

/// The parts are more than the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("percent total is greater than 100%")]
pub struct MoreThanAll;

/// How much: hundredths of a per cent, or `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// From 1 to 10,000.
    Hundredths(u32),
    /// What is left.
    Rest,
}

impl Share {
    /// Reads `12.34%` or `*`, as nginx does: at most two decimals, which may be missing on either side of the dot.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Rest);
        }
        let number = text.strip_suffix('%')?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let is_sound = !number.is_empty() && decimals.len() <= 2;
        let digits = format!("{whole}{decimals:0<2}");
        if !is_sound || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok().filter(|share| *share > 0).map(Self::Hundredths)
    }
}

impl SplitClients {
    /// Divides what `source` gives.
    ///
    /// # Errors
    ///
    /// When the shares are more than the whole; a `*` takes all of it that is left.
    pub fn new(source: Template, shares: Vec<(Share, Box<[u8]>)>) -> Result<Self, MoreThanAll> {
        let (mut sum, mut last) = (0_u64, 0_u64);
        let mut parts = Vec::with_capacity(shares.len());
        for (share, value) in shares {
            let end = match share {
                Share::Hundredths(share) => {
                    sum += u64::from(share);
                    last += u64::from(share) * u64::from(u32::MAX) / 10_000;
                    Some(u32::try_from(last).unwrap_or(u32::MAX))
                }
                Share::Rest => {
                    sum = 10_000;
                    None
                }
            };
            if sum > 10_000 {
                return Err(MoreThanAll);
            }
            parts.push((end, value));
        }
        Ok(Self { source, parts })
    }

    /// The string whose hash decides.
    pub fn source(&self) -> &Template {
        &self.source
    }

    /// The value for `key`, which is what the source gives; empty where its hash is beyond all parts.
    pub fn choose(&self, key: &[u8]) -> &[u8] {
        let hash = murmur_hash2(key);
        // As in nginx, an end that is the last hash of all takes that too.
        let takes = |end: Option<u32>| end.is_none_or(|end| hash < end || end == u32::MAX);
        self.parts.iter().find(|(end, _)| takes(*end)).map_or(&[], |(_, value)| value)
    }
}

/// MurmurHash2 of Austin Appleby with the seed 0.
fn murmur_hash2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    // nginx keeps the length in 32 bits too.
    #[expect(clippy::cast_possible_truncation, reason = "as in nginx")]
    let mut hash = data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(M) ^ mixed.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn split(shares: &[&str]) -> Result<SplitClients, MoreThanAll> {
        let shares =
            shares.iter().map(|text| (Share::parse(text).unwrap(), text.as_bytes().into())).collect();
        SplitClients::new(Template::default(), shares)
    }

    #[test]
    fn the_hash_is_murmur_hash_2() {
        // Reference values of the algorithm.
        for (text, hash) in [("", 0), ("a", 0x9268_5f5e), ("abcd", 0x2687_3021), ("abcdefg", 0xf9a1_cef3)] {
            assert_eq!(murmur_hash2(text.as_bytes()), hash, "{text:?} {:#x}", murmur_hash2(text.as_bytes()));
        }
    }

    #[test]
    fn shares_have_two_decimals() {
        for (text, expected) in [
            ("*", Some(Share::Rest)),
            ("1%", Some(Share::Hundredths(100))),
            ("0.5%", Some(Share::Hundredths(50))),
            (".05%", Some(Share::Hundredths(5))),
            ("100%", Some(Share::Hundredths(10_000))),
            ("33.33%", Some(Share::Hundredths(3_333))),
            ("1.%", Some(Share::Hundredths(100))),
            ("0%", None),
            (".%", None),
            ("%", None),
            ("1.234%", None),
            ("1.2.3%", None),
            ("-1%", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(Share::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn the_shares_are_met() {
        let split = split(&["0.50%", "20%", "*"]).unwrap();
        let mut counts = std::collections::BTreeMap::<&[u8], u32>::new();
        for key in 0..10_000 {
            *counts.entry(split.choose(format!("client{key}").as_bytes())).or_default() += 1;
        }
        let share = |text: &[u8]| counts.get(text).copied().unwrap_or_default();
        assert!((20..=90).contains(&share(b"0.50%")), "{counts:?}");
        assert!((1_850..=2_150).contains(&share(b"20%")), "{counts:?}");
    }

    #[test]
    fn more_than_all_is_refused_and_less_leaves_some_without() {
        assert_eq!(split(&["50%", "50.01%"]).err(), Some(MoreThanAll));
        assert_eq!(split(&["*", "1%"]).err(), Some(MoreThanAll));
        assert!(split(&["50%", "50%"]).is_ok() && split(&["*", "*"]).is_ok());
        let some = split(&["50%"]).unwrap();
        let without = (0..1_000).filter(|key| some.choose(format!("{key}").as_bytes()).is_empty()).count();
        assert!((400..600).contains(&without), "{without}");
    }
}
