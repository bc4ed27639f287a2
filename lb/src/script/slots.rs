//! The values of a request's own variables: what `set`, `map`, `geo` and `split_clients` define, and the named groups
//! of regular expressions.
//!
//! A request that uses none pays for none: the slots are allocated at the first value.

/// Which slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotId(usize);

impl SlotId {
    pub(super) fn new(index: usize) -> Self {
        Self(index)
    }

    /// Its place among the definitions.
    pub fn index(self) -> usize {
        self.0
    }
}

/// The slots of one request, all without a value at first.
#[derive(Debug, Default, Clone)]
pub struct Slots {
    values: Vec<Option<Box<[u8]>>>,
}

impl Slots {
    /// The value, if there is one.
    pub fn get(&self, slot: SlotId) -> Option<&[u8]> {
        self.values.get(slot.0)?.as_deref()
    }

    /// Gives a slot a value. `count` is how many slots the configuration has: the first value makes room for all.
    pub fn set(&mut self, slot: SlotId, count: usize, value: impl Into<Box<[u8]>>) {
        if self.values.is_empty() {
            self.values.resize(count, None);
        }
        if let Some(present) = self.values.get_mut(slot.0) {
            *present = Some(value.into());
        }
    }

    /// Takes the value of a slot away.
    pub fn clear(&mut self, slot: SlotId) {
        if let Some(present) = self.values.get_mut(slot.0) {
            *present = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_be_set_again_and_taken_away() {
        let mut slots = Slots::default();
        let (first, second) = (SlotId::new(0), SlotId::new(1));
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.values.capacity(), 0, "nothing is allocated before the first value");
        slots.set(first, 2, *b"a");
        slots.set(first, 2, *b"c");
        assert_eq!((slots.get(first), slots.get(second)), (Some(&b"c"[..]), None));
        slots.set(second, 2, *b"d");
        slots.clear(first);
        assert_eq!((slots.get(first), slots.get(second)), (None, Some(&b"d"[..])));
    }

    #[test]
    fn a_slot_that_is_not_there_has_no_value() {
        let mut slots = Slots::default();
        slots.set(SlotId::new(7), 1, *b"x");
        assert_eq!(slots.get(SlotId::new(7)), None);
    }
}
