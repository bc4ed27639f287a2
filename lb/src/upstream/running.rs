//! A running upstream: picking a server, and recording the outcome of the try.
//!
//! The set of servers is swapped whole ([`PeerSet`] behind an `ArcSwap`, in `membership`); the state that picks
//! change is in it under one lock. A change marks the old set as retired under that lock, so that a pick or a failure
//! under way to the old set goes to the new one: no result is recorded on a set that has been replaced.
//!
//! A successful answer takes no lock while no server of the set has failures that count, which is nearly always.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwap;
use log::info;
use parking_lot::Mutex;

use super::address::Address;
use super::check::{
    self, AddressHealth, AfterProbe, Definition, Probe, Prober, TlsProbe, Watcher, hurry_all_gap,
};
use super::discovery::NameWatch;
use super::failure::FailureKind;
use super::members::{self, Line, Member, Source};
use super::monotonic::now;
use super::peer::{InFlight, Peer};
use super::peer_set::PeerSet;
use crate::balance::{AfterFailure, Ask, Availability, Group, NoLive, Now, Pick, ServerConfig, Tried};
use crate::config::model;

/// A running group of servers.
pub struct Upstream {
    pub(super) model: model::Upstream,
    lines: Vec<Line<Arc<NameWatch>>>,
    pub(super) set: ArcSwap<PeerSet>,
    pub(super) prober: Arc<Prober>,
    pub(super) ids: Arc<AtomicU32>,
    /// Peers that DNS has removed, the latest first. Its lock serialises changes of the set.
    pub(super) departed: Mutex<VecDeque<Arc<Peer>>>,
    /// The same upstream in the configuration that follows this one.
    pub(super) successor: OnceLock<Weak<Upstream>>,
    /// How its servers are probed, and for probes with TLS as what.
    pub(super) definition: Definition,
    pub(super) greeting: Option<Arc<TlsProbe>>,
    /// The last time that all servers were asked to be probed soon, in milliseconds since the start.
    hurried_ms: AtomicU64,
}

/// The outcome of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server answered, with whatever status.
    Answered,
    /// The try failed.
    Failed(FailureKind),
}

/// The effect of a try's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// No change in whether the server is in use.
    Noted,
    /// The failure took the server out of use (nginx: "upstream server temporarily disabled").
    Ejected,
    /// The failure prolonged the ejection of the server.
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

/// The state of one server at one moment, for an API.
#[derive(Debug, Clone)]
pub struct PeerState {
    /// The server.
    pub peer: Arc<Peer>,
    /// Its configuration.
    pub config: ServerConfig,
    /// True for a backup.
    pub backup: bool,
    /// In use, or the reason why not.
    pub state: Availability,
    /// Failures that count.
    pub fails: u32,
    /// The time of its last pick.
    pub selected: Option<Now>,
}

impl Upstream {
    /// An upstream with the present members of its lines. Members that `previous` also has keep their state. `greeting`:
    /// the handshake of its probes, where those speak TLS.
    pub(super) fn new(
        model: model::Upstream,
        lines: Vec<Line<Arc<NameWatch>>>,
        prober: Arc<Prober>,
        greeting: Option<TlsProbe>,
        previous: Option<&Upstream>,
    ) -> Arc<Self> {
        let definition = greeting.as_ref().map_or(Definition::TCP, |tls| Definition::over_tls(tls.number()));
        let upstream = Arc::new(Self {
            model,
            lines,
            set: ArcSwap::from_pointee(PeerSet::new(Vec::new(), Group::default())),
            prober,
            ids: previous.map(|previous| Arc::clone(&previous.ids)).unwrap_or_default(),
            departed: Mutex::default(),
            successor: OnceLock::new(),
            definition,
            greeting: greeting.map(Arc::new),
            hurried_ms: AtomicU64::new(0),
        });
        upstream.begin(previous);
        upstream
    }

    /// Its name; for the upstream that a `proxy_pass` implies, the address as written.
    pub fn name(&self) -> &str {
        &self.model.name
    }

    /// Its configuration.
    pub fn model(&self) -> &model::Upstream {
        &self.model
    }

    /// Its servers at present. A removed server that is still busy is not among them.
    pub fn peers(&self) -> Arc<PeerSet> {
        self.set.load_full()
    }

    /// The number of its servers at present, backups and those marked `down` included.
    pub fn server_count(&self) -> usize {
        self.set.load().len()
    }

    /// The number of tries that one request may have, the first included: the number of servers not marked `down`,
    /// backups among them; one for a lone server.
    pub fn tries(&self) -> usize {
        self.set.load().tries
    }

    /// True for a lone server, which failures never take out of use.
    pub fn single(&self) -> bool {
        self.set.load().single
    }

    /// The state of every server at `now`.
    pub fn states(&self, now: Now) -> Vec<PeerState> {
        let set = self.set.load();
        let state = set.state.lock();
        let primaries = state.group.primaries();
        let servers = state.group.servers().iter().enumerate();
        servers
            .zip(&set.peers)
            .map(|((index, server), peer)| PeerState {
                peer: Arc::clone(peer),
                config: *server.config(),
                backup: index >= primaries,
                state: server.state(now),
                fails: server.fails(),
                selected: server.selected(),
            })
            .collect()
    }

    /// Chooses a server for a request that has `tried` some, marks it there, and counts the try as in flight until the
    /// result is dropped.
    ///
    /// # Errors
    ///
    /// When no server can be asked: there is no fail-open. A lone server is always returned, however often it was
    /// tried: [`tries`](Self::tries) limits the tries.
    pub fn pick(&self, tried: &mut Tried, ask: &Ask<'_>) -> Result<InFlight, NoPeer> {
        let none = loop {
            let set = self.set.load();
            let mut state = set.state.lock();
            if state.retired {
                continue;
            }
            match state.group.pick(tried, ask) {
                Pick::Server(index) => {
                    let in_flight = set.peers[index].enter();
                    drop(state);
                    in_flight.metrics.count_pick();
                    return Ok(in_flight);
                }
                Pick::NoLive(none) => break none,
            }
        };
        if none == NoLive::OutOfUse {
            self.hurry_probes(ask.now);
        }
        Err(none.into())
    }

    /// Lets a request that has tried `peer` try it again: the connection failed and not the server.
    pub fn allow_retry_of(&self, tried: &mut Tried, peer: &Peer) {
        let set = self.set.load();
        if let Some(index) = set.position(peer) {
            let slot = set.state.lock().group.servers()[index].slot();
            tried.remove(slot);
        }
    }

    /// Records the outcome of a try at `peer`. For a peer that is no longer in the set only the failure is counted.
    pub fn settle(&self, peer: &Arc<Peer>, outcome: Outcome, now: Now) -> Settled {
        let Outcome::Failed(kind) = outcome else { return self.record(peer, outcome, now) };
        peer.metrics.count_failure(kind);
        let settled = self.record(peer, outcome, now);
        if settled == Settled::Ejected {
            peer.metrics.count_ejection();
        }
        if kind.wants_probe() && self.model.probe && peer.health().reachable() {
            self.prober.hurry([peer.health()]);
        }
        settled
    }

    fn record(&self, peer: &Peer, outcome: Outcome, now: Now) -> Settled {
        let settled = self.record_here(peer, outcome, now);
        match self.successor.get().and_then(Weak::upgrade) {
            Some(successor) => successor.record(peer, outcome, now),
            None => settled,
        }
    }

    fn record_here(&self, peer: &Peer, outcome: Outcome, now: Now) -> Settled {
        loop {
            let set = self.set.load();
            if outcome == Outcome::Answered && !set.failing.load(Relaxed) {
                return Settled::Noted;
            }
            let Some(index) = set.position(peer) else { return Settled::Noted };
            let mut state = set.state.lock();
            if state.retired {
                continue;
            }
            let settled = match outcome {
                Outcome::Answered if state.group.record_answer(index, now) => Settled::Restored,
                Outcome::Answered => Settled::Noted,
                Outcome::Failed(kind) => match state.group.record_failure(index, kind.stage(), now) {
                    AfterFailure::Noted => Settled::Noted,
                    AfterFailure::Ejected => Settled::Ejected,
                    AfterFailure::StillEjected => Settled::StillEjected,
                },
            };
            set.failing.store(state.group.has_failures(), Relaxed);
            return settled;
        }
    }

    /// Asks for a probe of every server, at a limited rate: a request found none in use, and only a probe can bring
    /// one back before its `fail_timeout`.
    fn hurry_probes(&self, now: Now) {
        if !self.model.probe {
            return;
        }
        let set = self.set.load();
        let now_ms = u64::try_from(now.as_duration().as_millis()).unwrap_or(u64::MAX);
        let last_ms = self.hurried_ms.load(Relaxed);
        let over = u128::from(now_ms.saturating_sub(last_ms)) >= hurry_all_gap(set.len()).as_millis();
        if over && self.hurried_ms.compare_exchange(last_ms, now_ms, Relaxed, Relaxed).is_ok() {
            self.prober.hurry(set.peers.iter().map(|peer| peer.health()));
        }
    }

    /// The record of an address's health, for the prober.
    pub(super) fn health_of(&self, address: &Address) -> Arc<AddressHealth> {
        self.prober.health_of(address, self.definition)
    }

    /// The present members of its lines.
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
}

impl Watcher for Upstream {
    fn probed(&self, health: &AddressHealth, probe: Probe, flipped: bool) -> bool {
        let vindicated = loop {
            let set = self.set.load();
            if set.positions_of(health).next().is_none() {
                return false;
            }
            // Without a flip a probe can only clear failures: with none on record the lock is not needed.
            let may_change = flipped || (probe.passed && set.failing.load(Relaxed));
            if !may_change {
                return true;
            }
            let mut state = set.state.lock();
            if state.retired {
                continue;
            }
            let now = now();
            let mut vindicated = false;
            for index in set.positions_of(health) {
                let after = check::apply(&mut state.group, index, probe, now);
                vindicated |= after == AfterProbe::Vindicated;
            }
            set.failing.store(state.group.has_failures(), Relaxed);
            break vindicated;
        };
        if vindicated {
            info!("upstream \"{}\": server {health} accepts connections again", self.name());
        }
        true
    }
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
