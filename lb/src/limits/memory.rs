//! The states of keys, in a room that is limited: the least recently used go first.
//!
//! States stand in one vector; a table of hashes finds them, and a list of neighbours says in which order they were used.
//! In a large room a use does not change the list, for that would touch the memory of three more states: it leaves a mark,
//! and a state with a mark goes to the end of the list when its turn to be forgotten comes (second chance). What a key
//! costs is what it costs nginx: a piece of its slab, a power of two, or whole pages.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

const PAGE: usize = 4096;
/// The smallest piece that nginx's slab gives.
const SMALLEST_PIECE: usize = 8;
/// How many states with a mark are passed over at a time.
const MOST_PASSED_OVER: usize = 64;
/// How many states there is room for at first.
const FIRST_STATES: usize = 16;
/// Stands for no neighbour.
const NONE: u32 = u32::MAX;

/// An address needs no allocation of its own.
type Key = SmallVec<[u8; 16]>;

/// Where a state is, as long as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u32);

#[derive(Debug)]
struct Kept<S> {
    hash: u64,
    key: Key,
    state: S,
    /// The mark of a use.
    used: bool,
}

#[derive(Debug, Clone, Copy)]
struct Neighbours {
    newer: u32,
    older: u32,
}

/// The states of one shard.
#[derive(Debug)]
pub(super) struct Memory<S> {
    places: HashTable<u32>,
    kept: Vec<Kept<S>>,
    order: Vec<Neighbours>,
    newest: u32,
    oldest: u32,
    free: Vec<u32>,
    bytes_left: usize,
    /// What a key costs beside its bytes.
    overhead: usize,
    order_of: Order,
}

/// Which states are the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Those whose last use is the longest ago.
    Exact,
    /// Those that have not been used since the last time that they were to be forgotten.
    SecondChance,
}

impl<S> Memory<S> {
    pub(super) fn new(bytes: usize, overhead: usize, order_of: Order) -> Self {
        Self {
            places: HashTable::new(),
            kept: Vec::new(),
            order: Vec::new(),
            newest: NONE,
            oldest: NONE,
            free: Vec::new(),
            bytes_left: bytes,
            overhead,
            order_of,
        }
    }

    /// Where the state of `key` is.
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<Place> {
        let is_it = |index: &u32| {
            let kept = &self.kept[*index as usize];
            kept.hash == hash && *kept.key == *key
        };
        self.places.find(hash, is_it).map(|index| Place(*index))
    }

    pub(super) fn state(&mut self, place: Place) -> &mut S {
        &mut self.kept[place.0 as usize].state
    }

    /// Makes it the most recently used.
    pub(super) fn touch(&mut self, Place(index): Place) {
        match self.order_of {
            Order::SecondChance => self.kept[index as usize].used = true,
            Order::Exact if self.newest != index => self.relink(index),
            Order::Exact => {}
        }
    }

    /// Keeps a state for a key that has none; `None` where there is no room.
    pub(super) fn insert(&mut self, hash: u64, key: &[u8], state: S) -> Option<Place> {
        let cost = piece(self.overhead + key.len());
        self.bytes_left = self.bytes_left.checked_sub(cost)?;
        let kept = Kept { hash, key: Key::from_slice(key), state, used: false };
        let index = match self.free.pop() {
            Some(index) => {
                self.kept[index as usize] = kept;
                index
            }
            None => {
                let index = u32::try_from(self.kept.len()).ok().filter(|index| *index != NONE)?;
                if self.kept.len() == self.kept.capacity() {
                    // Doubling would take what the room does not allow for.
                    let more = self.kept.len() / 4 + FIRST_STATES;
                    self.kept.reserve_exact(more);
                    self.order.reserve_exact(more);
                }
                self.kept.push(kept);
                self.order.push(Neighbours { newer: NONE, older: NONE });
                index
            }
        };
        let kept = &self.kept;
        self.places.insert_unique(hash, index, |index| kept[*index as usize].hash);
        self.link(index);
        Some(Place(index))
    }

    /// Forgets a state.
    pub(super) fn remove(&mut self, Place(index): Place) {
        self.unlink(index);
        let kept = &mut self.kept[index as usize];
        self.bytes_left += piece(self.overhead + kept.key.len());
        let hash = kept.hash;
        // What a long key has allocated goes with it.
        kept.key = Key::new();
        let kept = &self.kept;
        let rehash = |index: &u32| kept[*index as usize].hash;
        if let Entry::Occupied(entry) = self.places.entry(hash, |other| *other == index, rehash) {
            entry.remove();
        }
        self.free.push(index);
    }

    /// The least recently used.
    pub(super) fn oldest(&mut self) -> Option<Place> {
        for _ in 0..MOST_PASSED_OVER {
            match self.kept.get_mut(self.oldest as usize) {
                Some(kept) if kept.used => kept.used = false,
                _ => break,
            }
            self.relink(self.oldest);
        }
        (self.oldest != NONE).then_some(Place(self.oldest))
    }

    fn relink(&mut self, index: u32) {
        self.unlink(index);
        self.link(index);
    }

    fn link(&mut self, index: u32) {
        self.order[index as usize] = Neighbours { newer: NONE, older: self.newest };
        match self.newest {
            NONE => self.oldest = index,
            newest => self.order[newest as usize].newer = index,
        }
        self.newest = index;
    }

    fn unlink(&mut self, index: u32) {
        let Neighbours { newer, older } = self.order[index as usize];
        match newer {
            NONE => self.newest = older,
            newer => self.order[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.order[older as usize].newer = newer,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
}

/// What nginx's slab gives for so many bytes.
fn piece(bytes: usize) -> usize {
    match bytes > PAGE / 2 {
        true => bytes.next_multiple_of(PAGE),
        false => bytes.next_power_of_two().max(SMALLEST_PIECE),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A hash that collides often.
    fn hash(key: &[u8]) -> u64 {
        key.iter().map(|byte| u64::from(*byte)).sum::<u64>() % 7
    }

    fn keys(memory: &mut Memory<u32>) -> Vec<u32> {
        let mut found = Vec::new();
        while let Some(place) = memory.oldest() {
            found.push(*memory.state(place));
            memory.remove(place);
        }
        found
    }

    #[test]
    fn pieces_are_those_of_a_slab() {
        for (bytes, given) in
            [(1, 8), (81, 128), (128, 128), (129, 256), (2048, 2048), (2049, 4096), (9000, 12288)]
        {
            assert_eq!(piece(bytes), given, "{bytes}");
        }
    }

    #[test]
    fn the_order_is_that_of_use() {
        let mut memory = Memory::new(1 << 20, 80, Order::Exact);
        for number in 0..40_u32 {
            let key = number.to_be_bytes();
            assert!(memory.find(hash(&key), &key).is_none());
            memory.insert(hash(&key), &key, number).unwrap();
        }
        for number in [3_u32, 39, 0, 3] {
            let key = number.to_be_bytes();
            let place = memory.find(hash(&key), &key).unwrap();
            memory.touch(place);
        }
        for number in [7_u32, 1] {
            let key = number.to_be_bytes();
            let place = memory.find(hash(&key), &key).unwrap();
            memory.remove(place);
            assert!(memory.find(hash(&key), &key).is_none());
        }
        let mut expected: Vec<u32> = (0..39).filter(|number| ![0, 1, 3, 7].contains(number)).collect();
        expected.extend([39, 0, 3]);
        assert_eq!(keys(&mut memory), expected);
        assert_eq!((memory.len(), memory.bytes_left), (0, 1 << 20));
    }

    #[test]
    fn what_was_used_gets_a_second_chance() {
        let mut memory = Memory::new(1 << 20, 80, Order::SecondChance);
        for number in 0..200_u32 {
            memory.insert(1, &number.to_be_bytes(), number).unwrap();
        }
        for number in [0_u32, 1, 3, 3] {
            let place = memory.find(1, &number.to_be_bytes()).unwrap();
            memory.touch(place);
        }
        let mut expected: Vec<u32> = (2..200).filter(|number| *number != 3).collect();
        expected.extend([0, 1, 3]);
        assert_eq!(keys(&mut memory), expected);
        for number in 0..200_u32 {
            let place = memory.insert(1, &number.to_be_bytes(), number).unwrap();
            memory.touch(place);
        }
        // A search ends where all have been used.
        assert_eq!(memory.oldest().map(|place| *memory.state(place)), Some(64));
    }

    #[test]
    fn nothing_is_kept_beyond_the_room() {
        let mut memory = Memory::new(128 * 10 + 100, 80, Order::Exact);
        let kept = (0..20_u8).filter(|number| memory.insert(1, &[*number], 0_u32).is_some()).count();
        assert_eq!((kept, memory.bytes_left), (10, 100));
        let oldest = memory.oldest().unwrap();
        memory.remove(oldest);
        assert!(memory.insert(1, &[b'x'; 49], 0).is_none(), "a longer key needs a larger piece");
        assert!(memory.insert(1, &[b'x'; 48], 0).is_some());
        assert_eq!(memory.kept.len(), 10, "the place of what was removed is used again");
    }
}
