//! The form of a file of the cache: a head with everything that is known of an answer, then its body.
//!
//! ```text
//! magic 8 │ length of the block 4 │ CRC-32 of the block 4 │ block │ body
//! block:   length of the body 8 │ fresh until 8 │ updating 8 │ error 8 │ stored 8 │ 0 or 1, variant 17 │ status 2 │
//!          key │ reason │ number of fields 4, then name and value of each; a text is its length 4 and its bytes
//! ```
//!
//! Numbers are little-endian. The checksum covers the block; the body has its length, which the file's must agree with. The
//! times of an answer that was confirmed are written over the old ones, at the same place: a file that is read at that moment
//! does not match its checksum and is a miss. The version is part of the magic; a file of another one is a miss.

use super::Key;
use super::freshness::Times;

/// The beginning of every file, with the version of its form.
const MAGIC: [u8; 8] = *b"cirque\0\x01";
/// What stands before the block.
const PREFIX_BYTES: usize = 16;
/// The longest block that is written, and so believed.
const MOST_BLOCK_BYTES: usize = 1 << 20;

/// Everything that is known of a kept answer but for its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the body.
    pub body_bytes: u64,
    /// Until when it is fresh.
    pub times: Times,
    /// When it, or the first of its variants, was kept: milliseconds since 1970.
    pub stored_ms: u64,
    /// Which requests it is for, where its `Vary` tells them apart.
    pub variant: Option<Key>,
    /// Its status.
    pub status: u16,
    /// The key.
    pub key: Vec<u8>,
    /// What follows the status in the first line.
    pub reason: Vec<u8>,
    /// The fields as its server wrote them.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Why a file cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It does not begin as it must.
    #[error("is no file of this cache")]
    Foreign,
    /// It ends before its head does.
    #[error("ends too early")]
    Short,
    /// The checksum is another.
    #[error("does not match its checksum")]
    Checksum,
    /// The block makes no sense although its checksum is right.
    #[error("has a head without sense")]
    Senseless,
}

impl Head {
    /// The head as it is written; `None` where it is too long to be kept.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[0; PREFIX_BYTES - MAGIC.len()]);
        out.extend_from_slice(&self.body_bytes.to_le_bytes());
        for time in [self.times.fresh_until, self.times.updating, self.times.error] {
            out.extend_from_slice(&time.to_le_bytes());
        }
        out.extend_from_slice(&self.stored_ms.to_le_bytes());
        out.push(u8::from(self.variant.is_some()));
        out.extend_from_slice(&self.variant.unwrap_or_default());
        out.extend_from_slice(&self.status.to_le_bytes());
        text(&mut out, &self.key)?;
        text(&mut out, &self.reason)?;
        out.extend_from_slice(&u32::try_from(self.fields.len()).ok()?.to_le_bytes());
        for (name, value) in &self.fields {
            text(&mut out, name)?;
            text(&mut out, value)?;
        }
        let block_bytes = out.len() - PREFIX_BYTES;
        if block_bytes > MOST_BLOCK_BYTES {
            return None;
        }
        let sum = crc32fast::hash(&out[PREFIX_BYTES..]);
        out[8..12].copy_from_slice(&u32::try_from(block_bytes).ok()?.to_le_bytes());
        out[12..16].copy_from_slice(&sum.to_le_bytes());
        Some(out)
    }

    /// How many bytes of a file the head has that begins with `start`, at least 16 bytes of it.
    pub fn length(start: &[u8]) -> Result<usize, Damage> {
        let prefix = start.get(..PREFIX_BYTES).ok_or(Damage::Short)?;
        if prefix[..8] != MAGIC {
            return Err(Damage::Foreign);
        }
        let block_bytes = u32::from_le_bytes([prefix[8], prefix[9], prefix[10], prefix[11]]) as usize;
        if block_bytes > MOST_BLOCK_BYTES { Err(Damage::Senseless) } else { Ok(PREFIX_BYTES + block_bytes) }
    }

    /// Reads the head at the start of a file.
    pub fn decode(start: &[u8]) -> Result<Self, Damage> {
        let block = start.get(PREFIX_BYTES..Self::length(start)?).ok_or(Damage::Short)?;
        let sum = u32::from_le_bytes([start[12], start[13], start[14], start[15]]);
        if crc32fast::hash(block) != sum {
            return Err(Damage::Checksum);
        }
        let mut rest = Rest(block);
        rest.head().filter(|_| rest.0.is_empty()).ok_or(Damage::Senseless)
    }
}

fn text(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    out.extend_from_slice(&u32::try_from(bytes.len()).ok()?.to_le_bytes());
    out.extend_from_slice(bytes);
    Some(())
}

/// What is still to be read of a block.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn head(&mut self) -> Option<Head> {
        let body_bytes = self.number()?;
        let mut time = || Some(i64::from_le_bytes(self.array()?));
        let times = Times { fresh_until: time()?, updating: time()?, error: time()? };
        let stored_ms = self.number()?;
        let [varies] = self.array()?;
        let variant = self.array::<16>()?;
        let status = u16::from_le_bytes(self.array()?);
        let (key, reason) = (self.text()?.to_vec(), self.text()?.to_vec());
        let count = u32::from_le_bytes(self.array()?);
        let mut fields = Vec::new();
        for _ in 0..count {
            fields.push((self.text()?.to_vec(), self.text()?.to_vec()));
        }
        let variant = (varies == 1).then_some(variant);
        Some(Head { body_bytes, times, stored_ms, variant, status, key, reason, fields })
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.array()?))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_le_bytes(self.array()?);
        self.bytes(length as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            body_bytes: 7,
            times: Times { fresh_until: -1, updating: 2, error: 3 },
            stored_ms: 1 << 40,
            variant: Some([9; 16]),
            status: 200,
            key: b"http://a/?b".to_vec(),
            reason: b"OK".to_vec(),
            fields: vec![(b"ETag".to_vec(), b"\"\xff\"".to_vec()), (b"X".to_vec(), Vec::new())],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for head in [head(), Head { variant: None, fields: Vec::new(), ..head() }] {
            let mut bytes = head.encode().unwrap();
            assert_eq!(Head::length(&bytes), Ok(bytes.len()));
            bytes.extend_from_slice(b"the body");
            assert_eq!(Head::decode(&bytes), Ok(head));
        }
    }

    #[test]
    fn no_change_of_a_bit_and_no_cut_goes_unseen() {
        let bytes = head().encode().unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert!(Head::decode(&changed).is_err(), "byte {at} bit {bit}");
            }
            assert!(Head::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_confirmed_answer_keeps_its_length() {
        let confirmed = Head { times: Times { fresh_until: 1 << 50, updating: 0, error: 0 }, ..head() };
        assert_eq!(confirmed.encode().unwrap().len(), head().encode().unwrap().len());
    }

    #[test]
    fn a_head_that_is_too_long_is_not_kept() {
        let fields = vec![(b"a".to_vec(), vec![0; MOST_BLOCK_BYTES])];
        assert_eq!(Head { fields, ..head() }.encode(), None);
    }
}
