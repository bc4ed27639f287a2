//! An upstream while running: its set of servers, picking one, and settling what became of it.
//!
//! The set is swapped whole ([`PeerSet`] behind an `ArcSwap`); the state that picks move lies in it under one lock.
//! Whoever changes the set marks the old one as retired under that lock, so that a pick or a failure that was on
//! its way to the old one notices and goes to the new: nothing is booked where nobody looks any more.
//!
//! A successful answer takes no lock at all while no server of the set has failures on record, which is nearly always.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwap;
use log::info;
use parking_lot::Mutex;

use super::Address;
use super::discovery::NameWatch;
use super::health::{self, AfterProbe, FailureKind, Probe};
use super::members::{self, Line, Member, Source};
use super::peer::{Peer, PeerKey};
use super::probe::{AddressHealth, Prober};
use crate::balance::{AfterFailure, Group, NoLive, Now, Pick, Server, ServerConfig, ServerState, Tried};
use crate::config::model;

/// How many peers that DNS has removed are remembered, so that one which comes back goes on counting where it was.
const DEPARTED_KEPT: usize = 32;

/// A group of servers, running.
pub struct Upstream {
    model: model::Upstream,
    lines: Vec<Line<Arc<NameWatch>>>,
    set: ArcSwap<PeerSet>,
    prober: Arc<Prober>,
    ids: Arc<AtomicU32>,
    /// Serialises changes of the set.
    departed: Mutex<VecDeque<Arc<Peer>>>,
    /// The same upstream in the configuration that follows this one.
    successor: OnceLock<Weak<Upstream>>,
}

/// The servers of an upstream at one moment.
#[derive(Debug)]
pub struct PeerSet {
    peers: Vec<Arc<Peer>>,
    state: Mutex<SetState>,
    /// Whether any server has failures on record; written under the lock, read without.
    has_failures: AtomicBool,
    single: bool,
    tries: usize,
}

#[derive(Debug)]
struct SetState {
    group: Group,
    retired: bool,
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server answered, with whatever status.
    Answered,
    /// It did not.
    Failed(FailureKind),
}

/// What settling a try changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Nothing that anybody need know of.
    Noted,
    /// The failure took the server out of use (nginx: "upstream server temporarily disabled").
    Ejected,
    /// The failure prolonged the time that the server is out of use.
    StillEjected,
    /// The answer brought the server back into use.
    Restored,
}

/// No server can be asked (nginx: "no live upstreams").
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPeer {
    /// The upstream has no servers at present: its names resolve to nothing.
    #[error("no servers")]
    Empty,
    /// All are marked `down`.
    #[error("all servers are down")]
    Down,
    /// All that this request has not tried are failed, unreachable or `down`.
    #[error("no live servers")]
    OutOfUse,
    /// This request has tried every usable one.
    #[error("all live servers tried")]
    Tried,
}

/// One server as it stands at a moment: what an API shows.
#[derive(Debug, Clone)]
pub struct PeerState {
    /// The server.
    pub peer: Arc<Peer>,
    /// The conditions under which it takes part.
    pub config: ServerConfig,
    /// Whether it is a backup.
    pub backup: bool,
    /// In use, or why not.
    pub state: ServerState,
    /// Failures on record.
    pub fails: u32,
    /// When it was last picked.
    pub selected: Option<Now>,
}

impl PeerSet {
    fn new(peers: Vec<Arc<Peer>>, group: Group) -> Self {
        Self {
            peers,
            has_failures: AtomicBool::new(group.has_failures()),
            single: group.single(),
            tries: group.tries(),
            state: Mutex::new(SetState { group, retired: false }),
        }
    }

    /// The servers, primaries first, in the order of the configuration.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Peer>> {
        self.peers.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    fn position(&self, peer: &Arc<Peer>) -> Option<usize> {
        self.peers.iter().position(|other| Arc::ptr_eq(other, peer))
    }
}

impl Upstream {
    /// An upstream with the members that its lines stand for now. Those that `previous` has too stay what they are.
    pub(super) fn new(
        model: model::Upstream,
        lines: Vec<Line<Arc<NameWatch>>>,
        prober: Arc<Prober>,
        previous: Option<&Upstream>,
    ) -> Arc<Self> {
        let upstream = Arc::new(Self {
            model,
            lines,
            set: ArcSwap::from_pointee(PeerSet::new(Vec::new(), Group::default())),
            prober,
            ids: previous.map(|previous| Arc::clone(&previous.ids)).unwrap_or_default(),
            departed: Mutex::default(),
            successor: OnceLock::new(),
        });
        let known = previous.map(Self::known_peers).unwrap_or_default();
        let turns = previous.map(Self::servers).unwrap_or_default();
        let members = upstream.members();
        upstream.change(members, &known, &turns, false);
        upstream
    }

    /// Its name; the address as written for one that a `proxy_pass` implies.
    pub fn name(&self) -> &str {
        &self.model.name
    }

    /// What the configuration says of it.
    pub fn model(&self) -> &model::Upstream {
        &self.model
    }

    /// Its servers at present. One that was removed and is still busy is not among them.
    pub fn peers(&self) -> Arc<PeerSet> {
        self.set.load_full()
    }

    /// How many servers it has at present, backups and those marked `down` included.
    pub fn server_count(&self) -> usize {
        self.set.load().len()
    }

    /// How many tries one request may have, the first included: as many as there are servers not marked `down`,
    /// backups among them; one for a lone server.
    pub fn tries(&self) -> usize {
        self.set.load().tries
    }

    /// Whether this is a lone server, which failures never take out of use.
    pub fn single(&self) -> bool {
        self.set.load().single
    }

    /// How every server stands at `now`.
    pub fn states(&self, now: Now) -> Vec<PeerState> {
        let set = self.set.load();
        let state = set.state.lock();
        let primaries = state.group.primaries();
        let servers = state.group.servers().iter().enumerate();
        servers
            .zip(&set.peers)
            .map(|((index, server), peer)| PeerState {
                peer: Arc::clone(peer),
                config: server.config,
                backup: index >= primaries,
                state: server.state(now),
                fails: server.fails(),
                selected: server.selected(),
            })
            .collect()
    }

    /// Chooses a server for a request that has `tried` some, and marks it there.
    ///
    /// # Errors
    ///
    /// When no server can be asked: there is no fail-open. A lone server is always given, however often it was tried:
    /// [`tries`](Self::tries) says when to stop.
    pub fn pick(&self, tried: &mut Tried, now: Now) -> Result<Arc<Peer>, NoPeer> {
        let none = loop {
            let set = self.set.load();
            let mut state = set.state.lock();
            if state.retired {
                continue;
            }
            match state.group.pick(tried, now) {
                Pick::Peer(index) => {
                    drop(state);
                    let peer = Arc::clone(&set.peers[index]);
                    peer.metrics.count_pick();
                    return Ok(peer);
                }
                Pick::NoLive(none) => break none,
            }
        };
        if none == NoLive::OutOfUse {
            // Somebody wants an answer that only a probe can bring back before its time.
            self.prober.request_pass();
        }
        Err(none.into())
    }

    /// Lets a request that has tried `peer` try it again: the failure was the connection's and not the server's.
    pub fn allow_retry_of(&self, tried: &mut Tried, peer: &Arc<Peer>) {
        let set = self.set.load();
        if let Some(index) = set.position(peer) {
            let slot = set.state.lock().group.servers()[index].slot;
            tried.remove(slot);
        }
    }

    /// Books what became of a try at `peer`. One that is no longer in the set only has its failure counted.
    pub fn settle(&self, peer: &Arc<Peer>, outcome: Outcome, now: Now) -> Settled {
        let Outcome::Failed(kind) = outcome else { return self.book(peer, outcome, now) };
        peer.metrics.count_failure(kind);
        let settled = self.book(peer, outcome, now);
        if settled == Settled::Ejected {
            peer.metrics.count_ejection();
        }
        if kind.wants_probe() && self.model.probe && peer.health().reachable() {
            self.prober.request_pass();
        }
        settled
    }

    fn book(&self, peer: &Arc<Peer>, outcome: Outcome, now: Now) -> Settled {
        let settled = self.book_here(peer, outcome, now);
        match self.successor.get().and_then(Weak::upgrade) {
            Some(successor) => successor.book(peer, outcome, now),
            None => settled,
        }
    }

    fn book_here(&self, peer: &Arc<Peer>, outcome: Outcome, now: Now) -> Settled {
        loop {
            let set = self.set.load();
            if outcome == Outcome::Answered && !set.has_failures.load(Relaxed) {
                return Settled::Noted;
            }
            let Some(index) = set.position(peer) else { return Settled::Noted };
            let mut state = set.state.lock();
            if state.retired {
                continue;
            }
            let settled = match outcome {
                Outcome::Answered if state.group.answered(index) => Settled::Restored,
                Outcome::Answered => Settled::Noted,
                Outcome::Failed(kind) => match state.group.failed(index, kind.stage(), now) {
                    AfterFailure::Noted => Settled::Noted,
                    AfterFailure::Ejected => Settled::Ejected,
                    AfterFailure::StillEjected => Settled::StillEjected,
                },
            };
            set.has_failures.store(state.group.has_failures(), Relaxed);
            return settled;
        }
    }

    /// A probe of an address has a result. False when no server of this upstream is there any more.
    pub(super) fn absorb(&self, health: &AddressHealth, probe: Probe) -> bool {
        let (found, vindicated) = loop {
            let set = self.set.load();
            let mut state = set.state.lock();
            if state.retired {
                continue;
            }
            let (mut found, mut vindicated) = (false, false);
            for (index, peer) in set.peers.iter().enumerate() {
                if std::ptr::eq(Arc::as_ptr(peer.health()), health) {
                    found = true;
                    vindicated |= health::absorb(&mut state.group, index, probe) == AfterProbe::Vindicated;
                }
            }
            set.has_failures.store(state.group.has_failures(), Relaxed);
            break (found, vindicated);
        };
        if vindicated {
            info!("upstream \"{}\": server {health} accepts connections again", self.name());
        }
        found
    }

    /// The record of an address's health, for the prober.
    pub(super) fn health_of(&self, address: &Address) -> Arc<AddressHealth> {
        self.prober.health_of(address)
    }

    /// The members that the lines stand for at present.
    pub(super) fn members(&self) -> Vec<Member> {
        members::members(&self.lines, |name| name.known().all())
    }

    /// The names it follows.
    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<NameWatch>> {
        self.lines.iter().filter_map(|line| match &line.source {
            Source::Followed(name, _) => Some(name),
            Source::Fixed(_) => None,
        })
    }

    /// Makes `members` the set; says in the log what changed.
    pub(super) fn adopt(self: &Arc<Self>, members: Vec<Member>) {
        let current = self.set.load_full();
        let unchanged =
            {
                let state = current.state.lock();
                members.len() == current.peers.len()
                    && ordered(members.clone()).iter().zip(&current.peers).zip(state.group.servers()).all(
                        |((member, peer), server)| peer.is(&member.key) && server.config == member.config,
                    )
            };
        if !unchanged {
            self.change(members, &[], &[], true);
        }
    }

    /// Goes on where `previous` is now, and hears from it what becomes of its last requests.
    pub(super) fn take_over(self: &Arc<Self>, previous: &Upstream) {
        // The first successor stays: a configuration is followed once.
        let _ = previous.successor.set(Arc::downgrade(self));
        let known = previous.known_peers();
        let turns = previous.servers();
        self.change(self.members(), &known, &turns, false);
    }

    fn known_peers(&self) -> Vec<Arc<Peer>> {
        let departed = self.departed.lock();
        self.set.load().peers.iter().chain(departed.iter()).cloned().collect()
    }

    fn servers(&self) -> Vec<(Arc<Peer>, Server)> {
        let set = self.set.load();
        let state = set.state.lock();
        set.peers.iter().cloned().zip(state.group.servers().iter().cloned()).collect()
    }

    /// Swaps the set. Peers come from the present set, from those that departed, and from `known`; the state of
    /// those in `turns` goes before that of the present set.
    fn change(
        self: &Arc<Self>,
        members: Vec<Member>,
        known: &[Arc<Peer>],
        turns: &[(Arc<Peer>, Server)],
        tell: bool,
    ) {
        let mut departed = self.departed.lock();
        let old = self.set.load_full();
        let members = ordered(members);
        let find = |key: &PeerKey| {
            let all = old.peers.iter().chain(known).chain(departed.iter());
            all.into_iter().find(|peer| peer.is(key)).cloned()
        };
        let peers: Vec<Arc<Peer>> =
            members.iter().map(|member| find(&member.key).unwrap_or_else(|| self.new_peer(member))).collect();

        {
            let mut state = old.state.lock();
            let past = |peer: &Arc<Peer>| {
                let taken_over =
                    turns.iter().find(|(other, _)| Arc::ptr_eq(other, peer)).map(|(_, server)| server);
                taken_over
                    .or_else(|| old.position(peer).and_then(|index| state.group.servers().get(index)))
                    .cloned()
            };
            let pasts: Vec<Option<Server>> = peers.iter().map(past).collect();
            let before = if turns.is_empty() { old.peers.len() } else { turns.len() };
            let same = before == members.len()
                && pasts
                    .iter()
                    .zip(&members)
                    .all(|(past, m)| past.as_ref().is_some_and(|s| s.config == m.config));
            let mut servers = seat_all(pasts, &members);
            let backups = servers.split_off(members.iter().filter(|member| !member.backup).count());
            let mut group = Group::new(servers, backups);
            if !same {
                group.restart_sequence();
            }
            state.retired = true;
            self.set.store(Arc::new(PeerSet::new(peers.clone(), group)));
        }

        let gone =
            old.peers.iter().chain(known).filter(|peer| !peers.iter().any(|other| Arc::ptr_eq(other, peer)));
        for peer in gone {
            if !departed.iter().any(|other| Arc::ptr_eq(other, peer)) {
                departed.push_front(Arc::clone(peer));
            }
            if tell {
                info!("upstream \"{}\": server {peer} ({}) is gone from DNS", self.name(), peer.written());
            }
        }
        departed.retain(|peer| !peers.iter().any(|other| Arc::ptr_eq(other, peer)));
        departed.truncate(DEPARTED_KEPT);
        if tell {
            for peer in peers.iter().filter(|peer| old.position(peer).is_none()) {
                info!("upstream \"{}\": server {peer} ({}) added by DNS", self.name(), peer.written());
            }
        }
        drop(departed);

        if self.model.probe {
            peers.iter().for_each(|peer| peer.health().watch(self));
            if peers.iter().any(|peer| old.position(peer).is_none()) {
                self.prober.request_pass();
            }
        }
        self.refresh_reachability();
    }

    /// Reads what the probes say once more: a result that came between building the set and watching is in it.
    fn refresh_reachability(&self) {
        let set = self.set.load();
        let mut state = set.state.lock();
        for (index, peer) in set.peers.iter().enumerate() {
            state.group.set_reachable(index, !self.model.probe || peer.health().reachable());
        }
    }

    fn new_peer(&self, member: &Member) -> Arc<Peer> {
        let health = self.prober.health_of(&member.key.address);
        Arc::new(Peer::new(self.ids.fetch_add(1, Relaxed), member.key.clone(), health))
    }
}

/// Primaries before backups, otherwise as they come.
fn ordered(mut members: Vec<Member>) -> Vec<Member> {
    members.sort_by_key(|member| member.backup);
    members
}

/// Seats for `pasts`, in order: with the state that is known, and each with a slot of its own. A slot is kept where
/// possible, so that a request under way still knows whom it has tried.
fn seat_all(pasts: Vec<Option<Server>>, members: &[Member]) -> Vec<Server> {
    let taken: Vec<u32> = pasts.iter().flatten().map(|server| server.slot).collect();
    let mut free = (0..).filter(|slot| !taken.contains(slot));
    let mut servers: Vec<Server> = Vec::with_capacity(members.len());
    for (past, member) in pasts.into_iter().zip(members) {
        let mut server = match past {
            Some(server) => server.with_config(member.config),
            None => Server::new(u32::MAX, member.config),
        };
        if server.slot == u32::MAX || servers.iter().any(|other| other.slot == server.slot) {
            server.slot = free.next().unwrap_or(u32::MAX);
        }
        servers.push(server);
    }
    servers
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("name", &self.name()).field("peers", &self.set.load().len()).finish()
    }
}

impl From<NoLive> for NoPeer {
    fn from(none: NoLive) -> Self {
        match none {
            NoLive::Empty => Self::Empty,
            NoLive::Down => Self::Down,
            NoLive::OutOfUse => Self::OutOfUse,
            NoLive::Tried => Self::Tried,
        }
    }
}
