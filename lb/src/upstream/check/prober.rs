//! The task that probes: one for the process, on the timetable of `schedule`.
//!
//! pingora-load-balancing's `HealthRegistry` has the targets: the balancers of all running configurations register
//! their backends there, so that an address is probed once, and no longer once the last of them is gone. The registry
//! itself would probe all targets in one burst per pass, which lasts until the slowest probe ends. So a pass here
//! only reads its targets and answers with the latest results ([`Membership`]): that also keeps the crate's own
//! verdict up to date, which its `LoadBalancer::select` reads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use log::warn;
use parking_lot::Mutex;
use pingora::lb::health_check::HealthCheck;
use pingora::lb::{Backend, HealthRegistry};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::address::{AddressHealth, LastProbe};
use super::definition::{Definition, Kind};
use super::schedule::{Schedule, TargetId};
use super::shortage::Outcome;
use super::tcp::TcpProbe;
use crate::balance::Now;
use crate::upstream::address::{Address, name_of};
use crate::upstream::monotonic::now;
use crate::upstream::shared_task::{SharedTask, TaskUse};

/// Time between two readings of the targets without a request for one: the end of a balancer is not announced.
const MEMBERSHIP_PERIOD: Duration = Duration::from_secs(1);

/// The least time between two readings of the targets.
const MEMBERSHIP_GAP: Duration = Duration::from_millis(200);

/// Probes all addresses that running configurations use.
pub(in crate::upstream) struct Prober {
    registry: Arc<HealthRegistry>,
    /// The targets that the last pass over the registry found.
    found: Arc<Mutex<Vec<Arc<AddressHealth>>>>,
    addresses: Mutex<Addresses>,
    next_id: AtomicU64,
    /// Addresses to probe soon.
    hurried: Mutex<Vec<Weak<AddressHealth>>>,
    membership_changed: AtomicBool,
    wake: Notify,
    task: Arc<SharedTask>,
    tcp: TcpProbe,
}

#[derive(Default)]
struct Addresses {
    known: HashMap<(Address, Definition), Weak<AddressHealth>>,
    /// At this size, entries without another holder are removed; twice the number that the last removal left.
    purge_at: usize,
}

impl Prober {
    pub(in crate::upstream) fn new() -> Arc<Self> {
        let registry = HealthRegistry::with_equivalence(|backend| {
            health_of(backend).map_or(TargetId::MAX, |health| health.id())
        });
        let found = Arc::<Mutex<Vec<Arc<AddressHealth>>>>::default();
        registry.set_health_check(Box::new(Membership { found: Arc::clone(&found) }));
        Arc::new(Self {
            registry: Arc::new(registry),
            found,
            addresses: Mutex::default(),
            next_id: AtomicU64::new(0),
            hurried: Mutex::default(),
            membership_changed: AtomicBool::new(false),
            wake: Notify::new(),
            task: Arc::default(),
            tcp: TcpProbe::new(),
        })
    }

    /// The registry that balancers register with, so that their addresses are probed.
    pub(in crate::upstream) fn registry(&self) -> Arc<HealthRegistry> {
        Arc::clone(&self.registry)
    }

    /// The record of `address` under `definition`; every caller gets the same one while it has a holder.
    pub(in crate::upstream) fn health_of(
        &self,
        address: &Address,
        definition: Definition,
    ) -> Arc<AddressHealth> {
        let mut addresses = self.addresses.lock();
        let key = (address.clone(), definition);
        if let Some(health) = addresses.known.get(&key).and_then(Weak::upgrade) {
            return health;
        }
        if addresses.known.len() >= addresses.purge_at {
            addresses.known.retain(|_, health| health.strong_count() > 0);
            addresses.purge_at = 64.max(2 * addresses.known.len());
        }
        let id = self.next_id.fetch_add(1, Relaxed);
        let health = Arc::new(AddressHealth::new(id, address.clone(), definition));
        addresses.known.insert(key, Arc::downgrade(&health));
        health
    }

    /// Asks for a probe as soon as possible.
    pub(in crate::upstream) fn hurry<'a>(&self, addresses: impl IntoIterator<Item = &'a Arc<AddressHealth>>) {
        let mut hurried = self.hurried.lock();
        hurried.extend(addresses.into_iter().filter(|health| health.mark_hurry()).map(Arc::downgrade));
        drop(hurried);
        self.wake.notify_one();
    }

    /// Asks to read the targets from the registry soon: some have come or gone.
    pub(in crate::upstream) fn membership_changed(&self) {
        self.membership_changed.store(true, Relaxed);
        self.wake.notify_one();
    }

    /// Probes from now on, on the current tokio runtime, until the last use is dropped.
    pub(in crate::upstream) fn start(self: &Arc<Self>) -> TaskUse {
        self.task.enter(|| Arc::clone(self).run())
    }

    async fn run(self: Arc<Self>) {
        let mut schedule = Schedule::default();
        let mut targets: HashMap<TargetId, Arc<AddressHealth>> = HashMap::new();
        let mut probes: JoinSet<()> = JoinSet::new();
        let mut running: HashMap<tokio::task::Id, TargetId> = HashMap::new();
        let mut targets_read: Option<Now> = None;
        loop {
            let read_at = self.next_reading(targets_read);
            if read_at <= now() {
                self.membership_changed.store(false, Relaxed);
                targets = self.read_targets().await;
                let began = now();
                schedule.update(targets.iter().map(|(id, health)| (*id, health.definition().period)), began);
                targets_read = Some(began);
            }
            for health in std::mem::take(&mut *self.hurried.lock()).iter().filter_map(Weak::upgrade) {
                health.take_hurry();
                schedule.hurry(health.id(), now());
            }
            while let Some(id) = schedule.pop_due(now()) {
                match targets.get(&id) {
                    Some(health) => {
                        let (prober, health) = (Arc::clone(&self), Arc::clone(health));
                        let task = probes.spawn(async move { prober.probe(&health).await });
                        running.insert(task.id(), id);
                    }
                    None => schedule.finished(id, now()),
                }
            }
            let read_at = self.next_reading(targets_read);
            let next = schedule.next_due().map_or(read_at, |due| due.min(read_at));
            tokio::select! {
                () = tokio::time::sleep(next.since(now())) => {}
                () = self.wake.notified() => {}
                Some(ended) = probes.join_next_with_id(), if !probes.is_empty() => {
                    let mut ended = Some(ended);
                    while let Some(probe) = ended {
                        let task = probe.map_or_else(|error| error.id(), |(task, ())| task);
                        if let Some(id) = running.remove(&task) {
                            schedule.finished(id, now());
                        }
                        ended = probes.try_join_next_with_id();
                    }
                }
            }
        }
    }

    fn next_reading(&self, last: Option<Now>) -> Now {
        let pause = if self.membership_changed.load(Relaxed) { MEMBERSHIP_GAP } else { MEMBERSHIP_PERIOD };
        last.map_or_else(Now::default, |last| last.plus(pause))
    }

    async fn read_targets(&self) -> HashMap<TargetId, Arc<AddressHealth>> {
        self.registry.run_health_check(false).await;
        let found = std::mem::take(&mut *self.found.lock());
        found.into_iter().map(|health| (health.id(), health)).collect()
    }

    async fn probe(&self, health: &AddressHealth) {
        let began = now();
        let outcome = match health.definition().kind {
            Kind::Tcp => self.tcp.run(health).await,
            Kind::Tls(_) => match health.tls() {
                Some(tls) => tls.run(health.address(), health.definition().timeout).await,
                None => self.tcp.run(health).await,
            },
        };
        let probe = |passed| LastProbe { began, took: now().since(began), passed };
        let flipped = match outcome {
            Outcome::Passed => health.record(probe(true), ""),
            Outcome::Failed(reason) => health.record(probe(false), &reason),
            Outcome::NotDone(reason) => {
                warn!("upstream server {} could not be probed: {reason}", health.name());
                false
            }
        };
        if flipped {
            self.membership_changed();
        }
    }
}

/// The record that a backend of ours carries.
fn health_of(backend: &Backend) -> Option<&Arc<AddressHealth>> {
    backend.ext.get::<Arc<AddressHealth>>()
}

/// The registry's check: collects its targets, and answers with the latest probe results.
struct Membership {
    found: Arc<Mutex<Vec<Arc<AddressHealth>>>>,
}

#[async_trait]
impl HealthCheck for Membership {
    async fn check(&self, target: &Backend) -> pingora::Result<()> {
        let Some(health) = health_of(target) else { return Ok(()) };
        self.found.lock().push(Arc::clone(health));
        if health.reachable() {
            return Ok(());
        }
        Err(pingora::Error::new(pingora::ErrorType::ConnectError))
    }

    fn health_threshold(&self, _success: bool) -> usize {
        1
    }

    fn backend_summary(&self, target: &Backend) -> String {
        format!("upstream server {}", name_of(&target.addr))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn every_result_reaches_the_record_of_the_address() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Inet(listener.local_addr().unwrap());
        let prober = Prober::new();
        let health = prober.health_of(&address, Definition::TCP);
        for _ in 0..2 {
            prober.probe(&health).await;
        }
        drop(listener);
        for _ in 0..3 {
            prober.probe(&health).await;
        }
        let totals = health.totals();
        assert_eq!((totals.checks, totals.fails, totals.unhealthy, totals.reachable), (5, 3, 1, false));
        assert!(!totals.last.unwrap().passed);
    }

    #[tokio::test]
    async fn the_registry_is_told_what_the_probes_found() {
        let address = Address::Inet("127.0.0.1:1".parse().unwrap());
        let prober = Prober::new();
        let health = prober.health_of(&address, Definition::TCP);
        let mut target = Backend { addr: address, weight: 1, ext: pingora::lb::Extensions::new() };
        target.ext.insert(Arc::clone(&health));
        let membership = Membership { found: Arc::default() };
        assert!(membership.check(&target).await.is_ok());
        health.record(LastProbe { began: now(), took: Duration::ZERO, passed: false }, "");
        assert!(membership.check(&target).await.is_err());
        let found = membership.found.lock();
        assert!(found.len() == 2 && found.iter().all(|found| Arc::ptr_eq(found, &health)));
    }

    #[test]
    fn an_address_has_one_record_per_definition_while_anybody_holds_it() {
        let prober = Prober::new();
        let [a, b] = ["127.0.0.1:1", "127.0.0.1:2"].map(|text| Address::Inet(text.parse().unwrap()));
        let first = prober.health_of(&a, Definition::TCP);
        first.record(LastProbe { began: now(), took: Duration::ZERO, passed: false }, "");
        assert!(!prober.health_of(&a, Definition::TCP).reachable());
        assert!(prober.health_of(&b, Definition::TCP).reachable());
        let other = Definition { period: Duration::from_secs(5), ..Definition::TCP };
        assert!(prober.health_of(&a, other).reachable());
        drop(first);
        assert!(prober.health_of(&a, Definition::TCP).reachable(), "a new beginning once nobody remembers");
    }
}
