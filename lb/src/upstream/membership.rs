//! Changes of an upstream's set of servers: by DNS, and from one configuration to the next.
//!
//! A server that stays keeps its counts, its failures and its slot. Linear in the number of servers, apart from sorting:
//! picks wait for the lock of the old set while the records move.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};

use log::info;

use super::check::Watcher;
use super::members::{self, Member};
use super::monotonic::now;
use super::peer::{Peer, PeerKey};
use super::peer_set::PeerSet;
use super::running::Upstream;
use crate::balance::{Group, MethodKind, Server, SlotSet};

/// The number of peers removed by DNS that are remembered, so that one which comes back continues its counts.
const DEPARTED_KEPT: usize = 32;

/// Peers with their records at one moment.
struct Records {
    peers: Vec<Arc<Peer>>,
    group: Group,
}

impl Records {
    /// The records if they are exactly those of `peers` under the configuration of `members` and the same method: the
    /// group then keeps the state of its method.
    fn unchanged(&self, method: MethodKind, peers: &[Arc<Peer>], members: &[Member]) -> Option<&Group> {
        let same_method = self.group.method() == method;
        let same_peers = self.peers.len() == peers.len()
            && self.peers.iter().zip(peers).all(|(mine, other)| Arc::ptr_eq(mine, other));
        let same_tiers = self.group.primaries() == members.iter().filter(|member| !member.backup).count();
        let same_config = self
            .group
            .servers()
            .iter()
            .zip(members)
            .all(|(server, member)| *server.config() == member.config);
        (same_method && same_peers && same_tiers && same_config).then_some(&self.group)
    }

    fn add_to<'a>(&'a self, past: &mut HashMap<u32, &'a Server>) {
        past.extend(self.peers.iter().map(|peer| peer.id()).zip(self.group.servers()));
    }
}

impl Upstream {
    /// Fills the empty set of a new upstream.
    pub(super) fn begin(self: &Arc<Self>, previous: Option<&Upstream>) {
        let known = previous.map(Self::known_peers).unwrap_or_default();
        let records = previous.map(Self::records);
        self.change(self.members(), &known, records.as_ref(), false);
    }

    /// Makes `members` the set and logs the changes.
    pub(super) fn adopt(self: &Arc<Self>, members: Vec<Member>) {
        let current = self.set.load_full();
        let members = ordered(members);
        let unchanged = {
            let state = current.state.lock();
            members.len() == current.peers.len()
                && members.iter().zip(&current.peers).zip(state.group.servers()).all(
                    |((member, peer), server)| *peer.key() == member.key && *server.config() == member.config,
                )
        };
        if !unchanged {
            self.change(members, &[], None, true);
        }
    }

    /// Continues from the present set of `previous`, which from then on forwards the results of its last requests.
    pub(super) fn take_over(self: &Arc<Self>, previous: &Upstream) {
        // The first successor stays: a configuration is followed once.
        let _ = previous.successor.set(Arc::downgrade(self));
        let known = previous.known_peers();
        let records = previous.records();
        self.change(self.members(), &known, Some(&records), false);
    }

    fn known_peers(&self) -> Vec<Arc<Peer>> {
        let departed = self.departed.lock();
        self.set.load().peers.iter().chain(departed.iter()).cloned().collect()
    }

    fn records(&self) -> Records {
        let set = self.set.load();
        let group = set.state.lock().group.clone();
        Records { peers: set.peers.clone(), group }
    }

    /// Swaps the set. Peers come from the present set, from those that departed, and from `known`; the records of
    /// `taken_over` go before those of the present set.
    fn change(
        self: &Arc<Self>,
        members: Vec<Member>,
        known: &[Arc<Peer>],
        taken_over: Option<&Records>,
        tell: bool,
    ) {
        let mut departed = self.departed.lock();
        let old = self.set.load_full();
        let members = ordered(members);
        let peers: Vec<Arc<Peer>> = {
            // Later entries go before earlier ones.
            let all = departed.iter().chain(known).chain(&old.peers);
            // Another way of probing is another record.
            let all = all.filter(|peer| *peer.health().definition() == self.definition);
            let by_key: HashMap<&PeerKey, &Arc<Peer>> = all.map(|peer| (peer.key(), peer)).collect();
            let find = |key| by_key.get(key).map(|peer| Arc::clone(peer));
            members
                .iter()
                .map(|member| find(&member.key).unwrap_or_else(|| self.new_peer(&member.key)))
                .collect()
        };

        {
            let mut state = old.state.lock();
            let present = Records { peers: old.peers.clone(), group: state.group.clone() };
            // Another seed is another method: a sequence of random numbers is no state to keep.
            let method = members::method(&self.model.method, fastrand::u64(..));
            let group = match taken_over.unwrap_or(&present).unchanged(method, &peers, &members) {
                Some(group) => group.clone(),
                None => {
                    let mut past = HashMap::with_capacity(present.peers.len());
                    present.add_to(&mut past);
                    if let Some(taken_over) = taken_over {
                        taken_over.add_to(&mut past);
                    }
                    let pasts = peers.iter().map(|peer| past.get(&peer.id()).copied().cloned()).collect();
                    let mut servers = assign(pasts, &members, &peers);
                    let backups = servers.split_off(members.iter().filter(|member| !member.backup).count());
                    Group::new(method, servers, backups)
                }
            };
            state.retired = true;
            self.set.store(Arc::new(PeerSet::new(peers.clone(), group)));
        }

        let staying: HashSet<u32> = peers.iter().map(|peer| peer.id()).collect();
        let mut remembered: HashSet<u32> = departed.iter().map(|peer| peer.id()).collect();
        for peer in old.peers.iter().chain(known).filter(|peer| !staying.contains(&peer.id())) {
            if remembered.insert(peer.id()) {
                departed.push_front(Arc::clone(peer));
            }
            if tell {
                info!("upstream \"{}\": server {peer} ({}) is gone from DNS", self.name(), peer.written());
            }
        }
        departed.retain(|peer| !staying.contains(&peer.id()));
        departed.truncate(DEPARTED_KEPT);
        let new = || peers.iter().filter(|peer| old.position(peer).is_none());
        if tell {
            for peer in new() {
                info!("upstream \"{}\": server {peer} ({}) added by DNS", self.name(), peer.written());
            }
        }
        drop(departed);

        if self.model.probe {
            let this: Weak<dyn Watcher> = Arc::<Self>::downgrade(self);
            for peer in &peers {
                if let Some(greeting) = &self.greeting {
                    peer.health().greet(greeting);
                }
                peer.health().watch(&this);
            }
            if new().next().is_some() {
                self.prober.membership_changed();
            }
        }
        self.refresh_reachability();
    }

    /// Reads the probes' results once more, to include one that came between building the set and watching.
    fn refresh_reachability(&self) {
        let set = self.set.load();
        let mut state = set.state.lock();
        let now = now();
        for (index, peer) in set.peers.iter().enumerate() {
            state.group.set_reachable(index, !self.model.probe || peer.health().reachable(), now);
        }
    }

    fn new_peer(&self, key: &PeerKey) -> Arc<Peer> {
        let health = self.health_of(&key.address);
        Arc::new(Peer::new(self.ids.fetch_add(1, Relaxed), key.clone(), health))
    }
}

/// Primaries before backups, otherwise in their given order.
fn ordered(mut members: Vec<Member>) -> Vec<Member> {
    members.sort_by_key(|member| member.backup);
    members
}

/// The records of `peers`, in order: the past ones where they exist, under their new configuration, and each with its
/// own slot. A slot is kept where possible, so that a request in flight still knows which servers it has tried.
fn assign(pasts: Vec<Option<Server>>, members: &[Member], peers: &[Arc<Peer>]) -> Vec<Server> {
    let mut taken = SlotSet::new();
    pasts.iter().flatten().for_each(|server| taken.insert(server.slot()));
    let mut free = (0..).filter(|slot| !taken.contains(*slot));
    let mut used = SlotSet::new();
    let mut servers: Vec<Server> = Vec::with_capacity(members.len());
    for ((past, member), peer) in pasts.into_iter().zip(members).zip(peers) {
        let kept = past.map(|server| server.with_config(member.config));
        let server = match kept {
            Some(server) if !used.contains(server.slot()) => server,
            Some(server) => server.with_slot(free.next().unwrap_or(u32::MAX)),
            None => Server::new(free.next().unwrap_or(u32::MAX), member.config, Arc::clone(peer.load()))
                .with_name(Arc::clone(&member.key.written)),
        };
        used.insert(server.slot());
        servers.push(server);
    }
    servers
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::balance::ServerConfig;
    use crate::upstream::address::Address;
    use crate::upstream::check::{Definition, Prober};

    const CONFIG: ServerConfig = ServerConfig {
        weight: 1,
        max_fails: 1,
        fail_timeout: Duration::from_secs(10),
        max_conns: 0,
        slow_start: Duration::ZERO,
        down: false,
    };

    fn key(port: u16) -> PeerKey {
        let address = Address::Inet(([127, 0, 0, 1], port).into());
        PeerKey { written: format!("app:{port}").into(), address, occurrence: 0 }
    }

    /// Peers with the ids 0, 1, … at these ports.
    fn peers(prober: &Prober, ports: &[u16]) -> Vec<Arc<Peer>> {
        let peer = |(id, port): (u32, &u16)| {
            let health = prober.health_of(&key(*port).address, Definition::TCP);
            Arc::new(Peer::new(id, key(*port), health))
        };
        (0..).zip(ports).map(peer).collect()
    }

    #[test]
    fn servers_that_stay_keep_their_slots_and_new_ones_get_the_lowest_free() {
        for (past_slots, expected) in [
            (vec![None, None, None], vec![0, 1, 2]),
            (vec![Some(2), None, Some(0), None], vec![2, 1, 0, 3]),
            (vec![Some(70), None], vec![70, 0]),
            (vec![Some(1), Some(1), None, Some(1)], vec![1, 0, 2, 3]),
        ] {
            let members: Vec<Member> = (0..)
                .zip(&past_slots)
                .map(|(port, _)| Member { key: key(port), config: CONFIG, backup: false })
                .collect();
            let ports: Vec<u16> = (0..).zip(&past_slots).map(|(port, _)| port).collect();
            let past = |slot: &Option<u32>| slot.map(|slot| Server::new(slot, CONFIG, Arc::default()));
            let servers =
                assign(past_slots.iter().map(past).collect(), &members, &peers(&Prober::new(), &ports));
            let slots: Vec<u32> = servers.iter().map(Server::slot).collect();
            assert_eq!(slots, expected, "{past_slots:?}");
        }
    }

    #[test]
    fn another_method_begins_without_the_state_of_the_one_before() {
        let prober = Prober::new();
        let peers = peers(&prober, &[1, 2]);
        let members: Vec<Member> =
            [1, 2].map(|port| Member { key: key(port), config: CONFIG, backup: false }).into();
        let servers = assign(vec![None, None], &members, &peers);
        let group = Group::new(MethodKind::RoundRobin, servers, Vec::new());
        let records = Records { peers: peers.clone(), group };
        for (method, unchanged) in [(MethodKind::RoundRobin, true), (MethodKind::LeastConn, false)] {
            assert_eq!(records.unchanged(method, &peers, &members).is_some(), unchanged, "{method:?}");
        }
    }

    #[test]
    fn peers_are_found_by_themselves_and_by_the_health_of_their_address() {
        let prober = Prober::new();
        let peers = peers(&prober, &[5, 3, 5, 4, 5]);
        let (present, _) = peers.split_at(4);
        let servers =
            (0..).zip(present).map(|(slot, peer)| Server::new(slot, CONFIG, Arc::clone(peer.load())));
        let group = Group::new(MethodKind::RoundRobin, servers.collect(), Vec::new());
        let set = PeerSet::new(present.to_vec(), group);
        let positions: Vec<_> = peers.iter().map(|peer| set.position(peer)).collect();
        assert_eq!(positions, [Some(0), Some(1), Some(2), Some(3), None]);
        for (port, expected) in [(5, vec![0, 2]), (3, vec![1]), (4, vec![3]), (9, vec![])] {
            let health = prober.health_of(&key(port).address, Definition::TCP);
            assert_eq!(set.positions_of(&health).collect::<Vec<_>>(), expected, "{port}");
        }
    }
}
