//! The addresses that a socket serves.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::plan::{self, Wanted};
use crate::connection::facts::ListenerFacts;

/// A served address and the channel that tells its connections to close. One value per address, however many sockets
/// serve it; an address that goes and comes back is a new one.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) facts: Arc<ListenerFacts>,
    pub(super) closing: watch::Sender<bool>,
}

impl Served {
    pub(super) fn new(slot: usize, wanted: &Wanted) -> Arc<Self> {
        let facts = Arc::new(ListenerFacts::new(slot, wanted.address.clone()));
        Arc::new(Self { facts, closing: watch::Sender::new(false) })
    }

    /// True if it is `wanted`, unchanged.
    pub(super) fn is(&self, wanted: &Wanted) -> bool {
        self.facts.address == wanted.address
    }
}

/// The addresses that one socket serves.
#[derive(Debug)]
pub(super) struct Addresses {
    /// The address that the socket is bound to, or the wildcard that covers it.
    pub(super) bound: Arc<Served>,
    /// Specific addresses behind a wildcard.
    pub(super) members: Vec<Arc<Served>>,
    /// `backlog=`: at most this many connections and one wait to be accepted.
    pub(super) backlog: u32,
}

impl Addresses {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Served>> {
        std::iter::once(&self.bound).chain(&self.members)
    }

    /// The address that a connection to `local` meant.
    pub(super) fn meant_by(&self, local: Option<SocketAddr>) -> &Arc<Served> {
        let ip = local.map(|local| local.ip());
        let member = self.members.iter().find(|served| ip.is_some() && plan::ip(&served.facts.address) == ip);
        member.unwrap_or(&self.bound)
    }
}
