//! The values of a request's own variables: what `set`, `map`, `geo` and `split_clients` define, and what is worked out
//! once and stays.
//!
//! A request that uses none pays for none: the slots are allocated at the first value.

use std::sync::OnceLock;

/// Which slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotId(usize);

impl SlotId {
    pub(super) fn new(index: usize) -> Self {
        Self(index)
    }
}

type Value = OnceLock<Box<[u8]>>;

/// The slots of one request.
#[derive(Debug, Default)]
pub struct Slots {
    count: usize,
    values: OnceLock<Box<[Value]>>,
}

impl Slots {
    /// As many slots as the configuration needs, all without a value.
    pub fn new(count: usize) -> Self {
        Self { count, values: OnceLock::new() }
    }

    /// The value, if there is one.
    pub fn get(&self, slot: SlotId) -> Option<&[u8]> {
        self.values.get()?.get(slot.0)?.get().map(|value| &**value)
    }

    /// The value; worked out by `compute` if there is none, and only then. Empty for a slot that the configuration does
    /// not have.
    pub fn get_or_compute(&self, slot: SlotId, compute: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        let values =
            self.values.get_or_init(|| std::iter::repeat_with(OnceLock::new).take(self.count).collect());
        values.get(slot.0).map_or(&[], |value| {
            value.get_or_init(|| {
                let mut out = Vec::new();
                compute(&mut out);
                out.into()
            })
        })
    }

    /// Gives a slot another value.
    pub fn set(&mut self, slot: SlotId, value: impl Into<Box<[u8]>>) {
        self.get_or_compute(slot, |_| {});
        if let Some(present) = self.values.get_mut().and_then(|values| values.get_mut(slot.0)) {
            *present = OnceLock::from(value.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_worked_out_once_and_may_be_set_again() {
        let mut slots = Slots::new(2);
        let (first, second) = (SlotId::new(0), SlotId::new(1));
        assert_eq!(slots.get(first), None);
        assert!(slots.values.get().is_none(), "nothing is allocated before the first value");
        assert_eq!(slots.get_or_compute(first, |out| out.push(b'a')), b"a");
        assert_eq!(slots.get_or_compute(first, |out| out.push(b'b')), b"a");
        slots.set(first, *b"c");
        assert_eq!((slots.get(first), slots.get(second)), (Some(&b"c"[..]), None));
        slots.set(second, *b"d");
        assert_eq!(slots.get(second), Some(&b"d"[..]));
    }

    #[test]
    fn a_slot_that_is_not_there_has_no_value() {
        let mut slots = Slots::new(0);
        slots.set(SlotId::new(0), *b"x");
        assert_eq!(slots.get_or_compute(SlotId::new(7), |out| out.push(b'x')), b"");
    }
}
