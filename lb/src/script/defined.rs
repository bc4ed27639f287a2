//! A variable that the configuration defines: its name, where a request keeps its value, and where the value comes from.

use std::sync::{Arc, OnceLock};

use super::geo::Geo;
use super::map::Map;
use super::slots::SlotId;
use super::split_clients::SplitClients;

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

/// Where the value of a variable comes from that a request has not given one yet.
#[derive(Debug, Clone)]
pub enum Definition {
    /// From `set` alone: until that has run the variable is empty.
    Set,
    /// From a named group: until its regular expression has matched the variable has no value.
    Group,
    /// From a `map`.
    Map(Arc<Map>),
    /// From a `geo`.
    Geo(Arc<Geo>),
    /// From a `split_clients`.
    SplitClients(Arc<SplitClients>),
}

impl Definition {
    /// Whether a definition of the same name that stands further down takes its place. As in nginx, `set` and named
    /// groups leave a `map` what it is; of several blocks that define it the last counts.
    pub(super) fn gives_way_to(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Group, Self::Set) | (_, Self::Map(_) | Self::Geo(_) | Self::SplitClients(_)) => true,
            (_, Self::Set | Self::Group) => false,
        }
    }
}
