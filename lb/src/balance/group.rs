//! A group of servers: the choice of eligible ones, and the recording of results.
//!
//! Backups are asked only when no primary is left. A lone server is never taken out of use, neither by failures (as
//! in nginx) nor by probes: skipping a server spares a request a failing try by sending it elsewhere; without another
//! server nothing is spared, and a server that just came back would be refused for up to a probe's period.
//!
//! The [`method`](super::method) chooses among the eligible servers.

use super::candidates::{Ask, Candidates};
use super::method::{Method, MethodKind};
use super::now::Now;
use super::server::{AfterFailure, Server, Stage};
use super::tried::Tried;

/// The servers of an upstream with their balancing method: primaries first, then backups.
#[derive(Debug, Clone)]
pub struct Group {
    method: MethodKind,
    servers: Vec<Server>,
    primaries: usize,
    primary_method: Method,
    backup_method: Method,
    /// The number of servers with failures that count.
    failing: usize,
}

/// The result of a pick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// The server at this index.
    Server(usize),
    /// No server can be asked.
    NoLive(NoLive),
}

/// The reason why no server can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLive {
    /// The group has no servers at present.
    Empty,
    /// All are marked `down`.
    Down,
    /// Those not tried by this request are failed, unreachable, full, draining or `down`.
    OutOfUse,
    /// Every usable server has been tried by this request.
    Tried,
}

impl Default for Group {
    fn default() -> Self {
        Self::new(MethodKind::default(), Vec::new(), Vec::new())
    }
}

impl Group {
    /// A group of these servers. The method begins without a past even if the servers have one: the state that it had
    /// for another set would favour or starve the members of this one.
    pub fn new(method: MethodKind, primaries: Vec<Server>, backups: Vec<Server>) -> Self {
        let primary_method = Method::new(method, &primaries);
        let backup_method = Method::new(method.of_backups(), &backups);
        let count = primaries.len();
        let mut servers = primaries;
        servers.extend(backups);
        let failing = servers.iter().filter(|server| server.fails() > 0).count();
        Self { method, servers, primaries: count, primary_method, backup_method, failing }
    }

    /// The balancing method.
    pub fn method(&self) -> MethodKind {
        self.method
    }

    /// All servers, primaries first.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The number of primaries.
    pub fn primaries(&self) -> usize {
        self.primaries
    }

    /// True for a group of one, `down` or not, without backups: never taken out of use by failures.
    pub fn single(&self) -> bool {
        self.servers.len() == 1 && self.primaries == 1
    }

    /// The number of servers that one request may be sent to, the first try included: every server that is not
    /// `down`, backups among them.
    pub fn tries(&self) -> usize {
        if self.single() { 1 } else { self.servers.iter().filter(|server| !server.config().down).count() }
    }

    /// True if any server has failures that count.
    pub fn has_failures(&self) -> bool {
        self.failing > 0
    }

    /// Chooses for a request that has `tried` some, and marks the choice there. The caller adds the request to the
    /// server's [`Load`](super::Load) before it releases the lock that guards the group.
    pub fn pick(&mut self, tried: &mut Tried, ask: &Ask<'_>) -> Pick {
        let chosen = if self.single() { self.choose_lone() } else { self.choose(tried, ask) };
        match chosen.and_then(|index| Some((index, self.servers.get_mut(index)?))) {
            Some((index, server)) => {
                server.record_choice(ask.now);
                tried.insert(server.slot());
                Pick::Server(index)
            }
            None => Pick::NoLive(self.why_none(ask.now)),
        }
    }

    /// Records a failed attempt at the server at `index`.
    pub fn record_failure(&mut self, index: usize, stage: Stage, now: Now) -> AfterFailure {
        if self.single() {
            return AfterFailure::Noted;
        }
        self.change(index, |server| server.record_failure(stage, now)).unwrap_or(AfterFailure::Noted)
    }

    /// Records an attempt that the server answered. True when that ended its ejection.
    pub fn record_answer(&mut self, index: usize, now: Now) -> bool {
        self.change(index, |server| server.record_answer(now)).unwrap_or(false)
    }

    /// Clears all failures of the server at `index`. True when that ended its ejection.
    pub fn reset_failures(&mut self, index: usize, now: Now) -> bool {
        self.change(index, |server| server.reset_failures(now)).unwrap_or(false)
    }

    /// Clears the failures to connect to the server at `index` if the last one came before `began`. True when that
    /// ended its ejection.
    pub fn reset_connect_failures(&mut self, index: usize, began: Now, now: Now) -> bool {
        self.change(index, |server| server.reset_connect_failures(began, now)).unwrap_or(false)
    }

    /// Takes over the verdict of the active probes on the server at `index`.
    pub fn set_reachable(&mut self, index: usize, reachable: bool, now: Now) {
        self.change(index, |server| server.set_reachable(reachable, now));
    }

    /// Starts or ends draining the server at `index`.
    pub fn set_draining(&mut self, index: usize, draining: bool, now: Now) {
        self.change(index, |server| server.set_draining(draining, now));
    }

    /// Every change of a server's record goes through this, so that the count of failing ones stays true.
    fn change<R>(&mut self, index: usize, change: impl FnOnce(&mut Server) -> R) -> Option<R> {
        let server = self.servers.get_mut(index)?;
        let failed_before = server.fails() > 0;
        let result = change(server);
        match (failed_before, server.fails() > 0) {
            (false, true) => self.failing += 1,
            (true, false) => self.failing -= 1,
            _ => {}
        }
        Some(result)
    }

    fn choose(&mut self, tried: &mut Tried, ask: &Ask<'_>) -> Option<usize> {
        let (primaries, backups) = self.servers.split_at_mut(self.primaries);
        let Tried { slots, search } = tried;
        let mut primaries = Candidates::new(primaries, slots, ask.now);
        self.primary_method.choose(&mut primaries, ask, search).or_else(|| {
            let mut backups = Candidates::new(backups, slots, ask.now);
            let chosen = self.backup_method.choose(&mut backups, ask, search)?;
            Some(self.primaries + chosen)
        })
    }

    /// nginx checks only `down` and `max_conns` here, not even the servers that were tried: the caller's count of
    /// [`tries`](Self::tries) ends the tries.
    fn choose_lone(&self) -> Option<usize> {
        self.servers.first().is_some_and(Server::eligible_alone).then_some(0)
    }

    fn why_none(&self, now: Now) -> NoLive {
        if self.servers.is_empty() {
            NoLive::Empty
        } else if self.servers.iter().all(|server| server.config().down) {
            NoLive::Down
        } else if self.servers.iter().any(|server| server.eligible(now)) {
            NoLive::Tried
        } else {
            NoLive::OutOfUse
        }
    }
}

#[cfg(test)]
mod tests;
