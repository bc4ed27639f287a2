//! The addresses that a socket serves.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::plan;
use crate::connection::facts::ListenerFacts;

/// A served address and the channel that tells its connections to close.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) facts: Arc<ListenerFacts>,
    pub(super) closing: watch::Sender<bool>,
}

/// The addresses that one socket serves.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// The address that is bound.
    pub(super) bound: Option<Arc<Served>>,
    /// Specific addresses behind a wildcard.
    pub(super) members: Vec<Arc<Served>>,
}

impl Addresses {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.bound.iter().chain(&self.members)
    }

    /// The address that a connection to `local` meant.
    pub(super) fn meant_by(&self, local: Option<SocketAddr>) -> Option<&Arc<Served>> {
        let ip = local.map(|local| local.ip());
        let member = self.members.iter().find(|served| ip.is_some() && plan::ip(&served.facts.address) == ip);
        member.or(self.bound.as_ref())
    }
}
