//! The servers that one request has tried.

/// A set of slots (see [`Server::slot`](super::Server::slot)). Up to 64 it is one word; only larger slots allocate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotSet {
    first: u64,
    rest: Vec<u64>,
}

/// The servers that one request has tried: lives on the request, and allocates only for servers beyond the first 64
/// of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tried {
    pub(super) slots: SlotSet,
    pub(super) search: Search,
}

/// How many misses a method with a key or with chance allows before it goes over to round robin, as in nginx.
const MISSES: u32 = 20;

/// How far a method has searched for this request: where a retry goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Search {
    /// The last hash, or place on the ring.
    pub(super) hash: Option<u32>,
    pub(super) rehashes: u32,
    /// Servers found that could not be asked.
    pub(super) misses: u32,
}

impl Search {
    const NEW: Self = Self { hash: None, rehashes: 0, misses: 0 };

    pub(super) fn exhausted(self) -> bool {
        self.misses > MISSES
    }
}

impl Tried {
    /// Nothing tried yet.
    pub const fn new() -> Self {
        Self { slots: SlotSet::new(), search: Search::NEW }
    }

    /// True if the server with `slot` has been tried.
    #[inline]
    pub fn contains(&self, slot: u32) -> bool {
        self.slots.contains(slot)
    }

    /// Marks the server with `slot` as tried.
    pub fn insert(&mut self, slot: u32) {
        self.slots.insert(slot);
    }

    /// Removes the mark of the server with `slot`, and lets a search begin anew, so that it finds this server again.
    pub fn remove(&mut self, slot: u32) {
        self.slots.remove(slot);
        self.search = Search::NEW;
    }

    /// The number of servers that have been tried.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True if none has been tried.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl SlotSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { first: 0, rest: Vec::new() }
    }

    /// True if `slot` is in the set.
    #[inline]
    pub fn contains(&self, slot: u32) -> bool {
        let (word, bit) = split(slot);
        match word.checked_sub(1) {
            None => self.first & bit != 0,
            Some(word) => self.rest.get(word).is_some_and(|bits| bits & bit != 0),
        }
    }

    /// Adds `slot`.
    pub fn insert(&mut self, slot: u32) {
        let (word, bit) = split(slot);
        match word.checked_sub(1) {
            None => self.first |= bit,
            Some(word) => {
                if self.rest.len() <= word {
                    self.rest.resize(word + 1, 0);
                }
                self.rest[word] |= bit;
            }
        }
    }

    /// Removes `slot`.
    pub fn remove(&mut self, slot: u32) {
        let (word, bit) = split(slot);
        match word.checked_sub(1) {
            None => self.first &= !bit,
            Some(word) => {
                if let Some(bits) = self.rest.get_mut(word) {
                    *bits &= !bit;
                }
            }
        }
    }

    fn len(&self) -> usize {
        (self.first.count_ones() + self.rest.iter().map(|bits| bits.count_ones()).sum::<u32>()) as usize
    }
}

#[inline]
fn split(slot: u32) -> (usize, u64) {
    ((slot / 64) as usize, 1 << (slot % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_inserted_and_nothing_else() {
        for slots in [vec![], vec![0], vec![63], vec![64], vec![0, 63, 64, 127, 128, 1000]] {
            let mut tried = Tried::new();
            slots.iter().for_each(|slot| tried.insert(*slot));
            for slot in 0..1100 {
                assert_eq!(tried.contains(slot), slots.contains(&slot), "{slot} in {slots:?}");
            }
            assert_eq!(tried.len(), slots.len());
            assert_eq!(tried.is_empty(), slots.is_empty());
            slots.iter().for_each(|slot| tried.remove(*slot));
            assert!(tried.is_empty());
        }
    }

    #[test]
    fn the_first_64_need_no_memory() {
        let mut tried = Tried::new();
        (0..64).for_each(|slot| tried.insert(slot));
        assert_eq!(tried.slots.rest.capacity(), 0);
    }
}
