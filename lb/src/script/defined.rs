//! A variable that the configuration defines: its name, and where a request keeps its value.

use std::sync::OnceLock;

use super::slots::SlotId;

/// A variable that the configuration defines, or is expected to define.
#[derive(Debug, PartialEq, Eq)]
pub struct Defined {
    /// Its name, in lower case.
    name: Box<str>,
    slot: OnceLock<SlotId>,
}

impl Defined {
    /// A variable that is used; whether it is ever defined will show.
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), slot: OnceLock::new() }
    }

    /// The slot; `slot` if it had none.
    pub(super) fn give_slot(&self, slot: SlotId) -> SlotId {
        *self.slot.get_or_init(|| slot)
    }

    /// Its name, in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where a request keeps its value; `None` only until the configuration has been read.
    pub fn slot(&self) -> Option<SlotId> {
        self.slot.get().copied()
    }
}
