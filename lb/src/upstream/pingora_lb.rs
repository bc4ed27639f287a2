//! The frame of pingora-load-balancing around an [`Upstream`]: its `LoadBalancer` runs our discovery, registers our
//! addresses with the health registry, and rebuilds our set of servers when its membership changes.
//!
//! The frame stays because discovery, registration of probes and rebuilding over several configurations are the
//! crate's; requests use [`Upstream::pick`], since [`LoadBalancer::select`](pingora::lb::LoadBalancer::select) knows
//! no time and not which servers a request has tried. It works all the same, and follows the same sequence.
//!
//! In the crate's `Backend` every weight is 1, so that an address is an identity and health survives a change of
//! weight. Order, weights and servers named twice, which its set of backends cannot hold, stay in our own members.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::select_all;
use parking_lot::Mutex;
use pingora::lb::Backend;
use pingora::lb::discovery::ServiceDiscovery;
use pingora::lb::selection::{BackendIter, BackendSelection};
use tokio::sync::watch;

use super::discovery::Known;
use super::members::Member;
use super::monotonic::now;
use super::running::Upstream;
use crate::balance::{Ask, Group, MethodKind, Pick, Server, ServerConfig, Tried};

/// The upstream that a [`Selection`] is built for, whose sequence it follows.
#[derive(Debug, Clone)]
pub struct Slot(pub(super) Weak<Upstream>);

/// Our round robin as the crate's selection.
#[derive(Debug)]
pub struct Selection {
    backends: Vec<Backend>,
    source: Source,
}

/// The source of the choices.
#[derive(Debug)]
enum Source {
    /// A running upstream.
    Upstream(Slot),
    /// A group by the backends' weights, in their order: the trait wants a way to build without a [`Slot`].
    Own(Mutex<Group>),
}

impl BackendSelection for Selection {
    type Iter = SelectionIter;
    type Config = Slot;

    fn build_with_config(backends: &BTreeSet<Backend>, slot: &Slot) -> Self {
        if let Some(upstream) = slot.0.upgrade() {
            upstream.adopt(upstream.members());
        }
        Self { backends: backends.iter().cloned().collect(), source: Source::Upstream(slot.clone()) }
    }

    fn build(backends: &BTreeSet<Backend>) -> Self {
        let servers = (0..).zip(backends).map(|(slot, backend)| {
            let config = ServerConfig {
                weight: u32::try_from(backend.weight).unwrap_or(u32::MAX).max(1),
                max_fails: 0,
                fail_timeout: Duration::ZERO,
                max_conns: 0,
                slow_start: Duration::ZERO,
                down: false,
            };
            Server::new(slot, config, Arc::default())
        });
        let group = Group::new(MethodKind::RoundRobin, servers.collect(), Vec::new());
        Self { backends: backends.iter().cloned().collect(), source: Source::Own(Mutex::new(group)) }
    }

    fn iter(self: &Arc<Self>, _key: &[u8]) -> SelectionIter {
        SelectionIter { selection: Arc::clone(self), tried: Tried::new(), left: self.backends.len() }
    }
}

/// The backends in the order of the sequence, each at most once.
#[derive(Debug)]
pub struct SelectionIter {
    selection: Arc<Selection>,
    tried: Tried,
    left: usize,
}

impl BackendIter for SelectionIter {
    fn next(&mut self) -> Option<&Backend> {
        // A lone server is picked however often it was tried: the count ends the iteration.
        self.left = self.left.checked_sub(1)?;
        let ask = Ask::at(now());
        match &self.selection.source {
            Source::Own(group) => match group.lock().pick(&mut self.tried, &ask) {
                Pick::Server(index) => self.selection.backends.get(index),
                Pick::NoLive(_) => None,
            },
            Source::Upstream(slot) => {
                let picked = slot.0.upgrade()?.pick(&mut self.tried, &ask).ok()?;
                self.selection.backends.iter().find(|backend| backend.addr == *picked.address())
            }
        }
    }
}

/// The addresses of an upstream's servers, in the form that the crate asks for.
///
/// For followed names this is a long poll: it returns when the members differ from those it returned last, so the
/// balancer calls it in a loop without pause. The first call waits for the first answer of every name; a caller that
/// cannot wait drops it.
pub(super) struct Discovery {
    upstream: Weak<Upstream>,
    state: Mutex<DiscoveryState>,
}

struct DiscoveryState {
    names: Vec<watch::Receiver<Known>>,
    called: bool,
    last: Option<(Vec<Member>, BTreeSet<Backend>)>,
}

impl Discovery {
    pub(super) fn new(upstream: &Arc<Upstream>) -> Self {
        let names = upstream.names().map(|name| name.subscribe()).collect();
        let state = DiscoveryState { names, called: false, last: None };
        Self { upstream: Arc::downgrade(upstream), state: Mutex::new(state) }
    }

    /// The set to return, if it is time to return one.
    fn changed(&self, upstream: &Arc<Upstream>) -> Option<BTreeSet<Backend>> {
        let members = upstream.members();
        let mut state = self.state.lock();
        if state.last.as_ref().is_some_and(|(last, _)| *last == members) {
            return None;
        }
        let backends = backends(upstream, &members);
        if state.last.as_ref().is_some_and(|(_, last)| *last == backends) {
            // The crate sees no change and builds nothing: the same addresses belong to other lines now.
            upstream.adopt(members.clone());
        }
        state.last = Some((members, backends.clone()));
        Some(backends)
    }
}

#[async_trait]
impl ServiceDiscovery for Discovery {
    async fn discover(&self) -> pingora::Result<(BTreeSet<Backend>, HashMap<u64, bool>)> {
        let (mut names, first) = {
            let mut state = self.state.lock();
            let first = !std::mem::replace(&mut state.called, true);
            (state.names.clone(), first)
        };
        if first {
            for name in &mut names {
                // An error means that the sender is gone: no further addresses will come.
                let _ = name.wait_for(|known| known.asked).await;
            }
        }
        loop {
            names.iter_mut().for_each(|name| {
                name.borrow_and_update();
            });
            let Some(upstream) = self.upstream.upgrade() else {
                // The task that runs this is about to be stopped too.
                return std::future::pending().await;
            };
            if let Some(backends) = self.changed(&upstream) {
                return Ok((backends, HashMap::new()));
            }
            if names.is_empty() {
                return Ok((backends(&upstream, &upstream.members()), HashMap::new()));
            }
            drop(upstream);
            let _ = select_all(names.iter_mut().map(|name| Box::pin(name.changed()))).await;
        }
    }
}

/// The distinct addresses that take part, each with the record of its health for the prober.
fn backends(upstream: &Upstream, members: &[Member]) -> BTreeSet<Backend> {
    let active = members.iter().filter(|member| !member.config.down);
    active
        .map(|member| {
            let addr = member.key.address.clone();
            let mut backend = Backend { addr, weight: 1, ext: pingora::lb::Extensions::new() };
            backend.ext.insert(upstream.health_of(&backend.addr));
            backend
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use pingora::lb::discovery::Static;
    use pingora::lb::{Backends, LoadBalancer};
    use std::net::SocketAddr;

    use super::*;
    use crate::balance::Availability;
    use crate::config::model::{self, Position, ServerAddress, UpstreamKeepalive, UpstreamServer};
    use crate::upstream::{FailureKind, Outcome, Runtime};

    fn server(port: u16, weight: u32, down: bool) -> UpstreamServer {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        UpstreamServer {
            address: ServerAddress::Inet(address),
            written: address.to_string(),
            weight,
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
            backup: false,
            down,
            resolve: false,
            position: Position { file: "nginx.conf".into(), line: 1 },
        }
    }

    fn running(servers: Vec<UpstreamServer>) -> Arc<Upstream> {
        let upstream = model::Upstream {
            name: "app".to_owned(),
            implicit: false,
            method: model::BalancingMethod::RoundRobin,
            servers,
            keepalive: UpstreamKeepalive {
                connections: 32,
                requests: 1000,
                timeout: Duration::from_secs(60),
            },
            zone: None,
            probe: false,
            handshake: None,
            resolver: None,
            position: Position { file: "nginx.conf".into(), line: 1 },
        };
        let http = model::Http { upstreams: vec![upstream], ..model::Http::default() };
        let upstreams = Runtime::new().prepare(&http, None).unwrap();
        Arc::clone(upstreams.iter().next().unwrap())
    }

    fn ports(balancer: &LoadBalancer<Selection>, count: usize) -> Vec<u16> {
        (0..count).map(|_| balancer.select(b"", 16).unwrap().addr.as_inet().unwrap().port()).collect()
    }

    #[tokio::test]
    async fn the_balancer_s_own_select_follows_the_upstream_s_sequence() {
        // The crate would sort by address, merge equal ones and send five in a row.
        let upstream =
            running(vec![server(9, 5, false), server(3, 1, false), server(1, 1, false), server(2, 9, true)]);
        let backends = Backends::new(Box::new(Discovery::new(&upstream)));
        let balancer =
            LoadBalancer::from_backends_with_config(backends, Some(Slot(Arc::downgrade(&upstream))));
        balancer.update().await.unwrap();
        assert_eq!(balancer.backends().get_backend().len(), 3, "who is down is not probed");
        assert_eq!(ports(&balancer, 7), [9, 9, 3, 9, 1, 9, 9]);
        let failing = Arc::clone(upstream.peers().iter().next().unwrap());
        upstream.settle(&failing, Outcome::Failed(FailureKind::Connect), now());
        assert_eq!(upstream.states(now())[0].state, Availability::Ejected);
        assert_eq!(ports(&balancer, 2), [3, 1]);
        assert!(balancer.select_with(b"", 16, |_, _| false).is_none(), "each is offered once");
    }

    #[tokio::test]
    async fn a_selection_without_an_upstream_has_a_sequence_of_its_own() {
        let backends = [("127.0.0.1:1", 2), ("127.0.0.1:2", 1)];
        let backends =
            backends.iter().map(|(address, weight)| Backend::new_with_weight(address, *weight).unwrap());
        let balancer =
            LoadBalancer::<Selection>::from_backends(Backends::new(Static::new(backends.collect())));
        balancer.update().await.unwrap();
        assert_eq!(ports(&balancer, 6), [1, 2, 1, 1, 2, 1]);
        let lone = [Backend::new("127.0.0.1:1").unwrap()].into();
        let balancer = LoadBalancer::<Selection>::from_backends(Backends::new(Static::new(lone)));
        balancer.update().await.unwrap();
        assert_eq!(ports(&balancer, 2), [1, 1]);
        assert!(balancer.select_with(b"", 16, |_, _| false).is_none());
    }
}
