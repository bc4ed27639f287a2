//! The servers of an upstream at one moment.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use super::check::AddressHealth;
use super::peer::Peer;
use crate::balance::Group;

/// The servers of an upstream at one moment, with their records under one lock.
#[derive(Debug)]
pub struct PeerSet {
    pub(super) peers: Vec<Arc<Peer>>,
    pub(super) state: Mutex<SetState>,
    /// True if any server has failures that count; written under the lock, read without.
    pub(super) failing: AtomicBool,
    pub(super) single: bool,
    pub(super) tries: usize,
    /// Index of each peer by its id, ascending.
    by_id: Vec<(u32, u32)>,
    /// Indices of the peers by the id of their address's health, ascending.
    by_health: Vec<(u64, u32)>,
}

/// The state that picks and results change.
#[derive(Debug)]
pub(super) struct SetState {
    pub(super) group: Group,
    /// Another set has replaced this one.
    pub(super) retired: bool,
}

impl PeerSet {
    /// A set of these peers, whose records `group` holds at the same indices.
    pub(super) fn new(peers: Vec<Arc<Peer>>, group: Group) -> Self {
        let mut by_id: Vec<(u32, u32)> = (0..).zip(&peers).map(|(index, peer)| (peer.id(), index)).collect();
        by_id.sort_unstable();
        let mut by_health: Vec<(u64, u32)> =
            (0..).zip(&peers).map(|(index, peer)| (peer.health().id(), index)).collect();
        by_health.sort_unstable();
        Self {
            peers,
            failing: AtomicBool::new(group.has_failures()),
            single: group.single(),
            tries: group.tries(),
            state: Mutex::new(SetState { group, retired: false }),
            by_id,
            by_health,
        }
    }

    /// The servers, primaries first, in the order of the configuration.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Peer>> {
        self.peers.iter()
    }

    /// The number of servers.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// The index of `peer`, which belongs to this upstream.
    pub(super) fn position(&self, peer: &Peer) -> Option<usize> {
        let place = self.by_id.binary_search_by_key(&peer.id(), |(id, _)| *id).ok()?;
        Some(self.by_id[place].1 as usize)
    }

    /// The indices of the peers whose health is `health`.
    pub(super) fn positions_of(&self, health: &AddressHealth) -> impl Iterator<Item = usize> {
        let first = self.by_health.partition_point(|(id, _)| *id < health.id());
        let rest = self.by_health.get(first..).unwrap_or_default().iter();
        let id = health.id();
        rest.take_while(move |(other, _)| *other == id).map(|(_, index)| *index as usize)
    }
}
