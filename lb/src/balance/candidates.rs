//! The inputs of a pick, and the servers that a method chooses among.

use super::now::Now;
use super::server::Server;
use super::tried::SlotSet;

/// The inputs of a pick.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The time of the pick.
    pub now: Now,
    /// The key that methods such as hash map to a server; empty for methods without one.
    pub key: &'a [u8],
}

/// The servers of one tier, of which those that this request has not tried and that are eligible may be chosen.
pub(super) struct Candidates<'a> {
    servers: &'a mut [Server],
    tried: &'a SlotSet,
    now: Now,
}

impl Ask<'_> {
    /// A pick without a key.
    pub const fn at(now: Now) -> Self {
        Self { now, key: b"" }
    }
}

impl<'a> Candidates<'a> {
    pub(super) fn new(servers: &'a mut [Server], tried: &'a SlotSet, now: Now) -> Self {
        Self { servers, tried, now }
    }

    /// The time of the pick.
    pub(super) fn now(&self) -> Now {
        self.now
    }

    /// The server at `index`, if it is a candidate.
    pub(super) fn get(&self, index: usize) -> Option<&Server> {
        let eligible = |server: &&Server| !self.tried.contains(server.slot()) && server.eligible(self.now);
        self.servers.get(index).filter(eligible)
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Server> {
        let (tried, now) = (self.tried, self.now);
        self.servers.get_mut(index).filter(|server| !tried.contains(server.slot()) && server.eligible(now))
    }

    /// The candidates with their indices in the tier.
    #[inline]
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Server)> {
        let (tried, now) = (self.tried, self.now);
        let all = self.servers.iter_mut().enumerate();
        all.filter(move |(_, server)| !tried.contains(server.slot()) && server.eligible(now))
    }
}
