//! The room of a zone, in shards that are locked one at a time.
//!
//! A zone holds as many states as nginx's of the same size: pages, less what their table and the zone's own head take. A
//! small zone is one shard, in which the oldest state is the oldest of all, as in nginx; in a large one it is one of its shard
//! that has not been used for long. Keys come from clients, so their hashes are seeded.

use std::hash::{BuildHasher, RandomState};

use parking_lot::{Mutex, MutexGuard};

use super::memory::{Memory, Order, Place};

const PAGE: u64 = 4096;
/// What a page costs in nginx's table of pages.
const OF_A_PAGE: u64 = 24;
/// The pool's head, and what it counts by size.
const OF_THE_POOL: u64 = 704;
/// The zone's head, and its name for the log: a page each, of which nothing else can be had.
const PAGES_OF_THE_ZONE: u64 = 2;
/// A shard has so many pages at least: two thousand addresses.
const PAGES_OF_A_SHARD: u64 = 64;
const MOST_SHARDS: u64 = 64;

#[derive(Debug)]
pub(super) struct Shards<S> {
    shards: Box<[Mutex<Memory<S>>]>,
    hasher: RandomState,
}

/// A state's place in its zone, as long as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) shard: u32,
    pub(super) place: Place,
}

impl<S> Shards<S> {
    /// A zone of `bytes`, in which a key costs `overhead` and its length.
    pub(super) fn new(bytes: u64, overhead: usize) -> Self {
        let pages =
            (bytes.saturating_sub(OF_THE_POOL) / (PAGE + OF_A_PAGE)).saturating_sub(PAGES_OF_THE_ZONE);
        let most = (pages / PAGES_OF_A_SHARD).clamp(1, MOST_SHARDS);
        let count = 1 << most.ilog2();
        let bytes = usize::try_from(pages / count * PAGE).unwrap_or(usize::MAX);
        let order = if count == 1 { Order::Exact } else { Order::SecondChance };
        let shards = (0..count).map(|_| Mutex::new(Memory::new(bytes, overhead, order))).collect();
        Self { shards, hasher: RandomState::new() }
    }

    /// The hash of a key, and its shard.
    pub(super) fn hash(&self, key: &[u8]) -> (u64, u32) {
        let hash = self.hasher.hash_one(key);
        // The table goes by the lowest and the highest bits; these are others.
        let shard = (hash >> 32) as usize & (self.shards.len() - 1);
        (hash, u32::try_from(shard).unwrap_or_default())
    }

    pub(super) fn lock(&self, shard: u32) -> MutexGuard<'_, Memory<S>> {
        self.shards[shard as usize].lock()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_holds_what_nginx_says_it_does() {
        for (bytes, shards, states) in [(32 << 10, 1, 160), (1 << 20, 2, 8064), (10 << 20, 32, 80_896)] {
            let zone = Shards::<()>::new(bytes, 80);
            assert_eq!(zone.shards.len(), shards, "{bytes}");
            for number in 0..200_000_u32 {
                let key = number.to_be_bytes();
                let (hash, shard) = zone.hash(&key);
                let _ = zone.lock(shard).insert(hash, &key, ());
            }
            assert_eq!(zone.len(), states, "{bytes}");
        }
    }
}
