//! Active checks: each distinct address is connected to once a second, whatever number of upstreams and
//! configurations name it.
//!
//! The registry and the check are pingora-load-balancing's (`HealthRegistry` keyed by address, `TcpHealthCheck`). The
//! registry tells its callback only of flips; passing probes matter too (see `health`), so a check of our own wraps
//! the crate's and passes every result on to the [`AddressHealth`], which hands it to the upstreams that watch.
//!
//! A probe that fails for want of something on *this* machine (file descriptors, memory, ports) says nothing about
//! the server and changes nothing: otherwise running out of descriptors would take every server out at once.
//!
//! A new address counts as reachable until a probe has failed: it is asked for because somebody configured it or DNS
//! named it, and a server that refuses costs a request one try, while holding it back could cost the only server.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::error::Error as StdError;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use log::{info, warn};
use parking_lot::Mutex;
use pingora::lb::health_check::{HealthCheck, TcpHealthCheck};
use pingora::lb::{Backend, HealthRegistry};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Address;
use super::health::Probe;
use super::monotonic::now;
use super::peer::name_of;
use super::running::Upstream;
use super::shared_task::{SharedTask, TaskUse};
use crate::balance::Now;

/// From the beginning of one pass over all addresses to the beginning of the next.
const PERIOD: Duration = Duration::from_secs(1);

/// The least time between the beginnings of two passes, however often somebody asks for one: a burst of failures
/// must not become a burst of probes.
const MIN_GAP: Duration = Duration::from_millis(200);

/// How long a probe may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// What the probes know of one address; shared by every peer at that address, in every upstream and configuration.
#[derive(Debug)]
pub struct AddressHealth {
    name: Box<str>,
    reachable: AtomicBool,
    checks: AtomicU64,
    fails: AtomicU64,
    unhealthy: AtomicU64,
    last: Mutex<Option<LastProbe>>,
    watchers: Mutex<Vec<Weak<Upstream>>>,
}

/// The most recent probe of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastProbe {
    /// When it began.
    pub began: Now,
    /// How long it took.
    pub took: Duration,
    /// Whether the connection came about.
    pub passed: bool,
}

/// What an [`AddressHealth`] holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthTotals {
    /// Whether requests may go there, as far as the probes know.
    pub reachable: bool,
    /// Probes with a result.
    pub checks: u64,
    /// Those that failed.
    pub fails: u64,
    /// How often it became unreachable.
    pub unhealthy: u64,
    /// The last probe.
    pub last: Option<LastProbe>,
}

impl AddressHealth {
    fn new(address: &Address) -> Self {
        Self {
            name: name_of(address).into(),
            reachable: AtomicBool::new(true),
            checks: AtomicU64::new(0),
            fails: AtomicU64::new(0),
            unhealthy: AtomicU64::new(0),
            last: Mutex::new(None),
            watchers: Mutex::new(Vec::new()),
        }
    }

    /// Whether requests may go there, as far as the probes know; true when nobody probes.
    pub fn reachable(&self) -> bool {
        self.reachable.load(Relaxed)
    }

    /// Counts and the last result.
    pub fn totals(&self) -> HealthTotals {
        HealthTotals {
            reachable: self.reachable(),
            checks: self.checks.load(Relaxed),
            fails: self.fails.load(Relaxed),
            unhealthy: self.unhealthy.load(Relaxed),
            last: *self.last.lock(),
        }
    }

    /// From now on `upstream` hears of every probe. Twice is as good as once.
    pub(super) fn watch(&self, upstream: &Arc<Upstream>) {
        let upstream = Arc::downgrade(upstream);
        let mut watchers = self.watchers.lock();
        if !watchers.iter().any(|watcher| watcher.ptr_eq(&upstream)) {
            watchers.push(upstream);
        }
    }

    fn record(&self, probe: LastProbe, reason: &str) {
        self.checks.fetch_add(1, Relaxed);
        if !probe.passed {
            self.fails.fetch_add(1, Relaxed);
        }
        *self.last.lock() = Some(probe);
        let was_reachable = self.reachable.swap(probe.passed, Relaxed);
        match (was_reachable, probe.passed) {
            (true, false) => {
                self.unhealthy.fetch_add(1, Relaxed);
                warn!("upstream server {} is unreachable: {reason}", self.name);
            }
            (false, true) => info!("upstream server {} is reachable again", self.name),
            _ => {}
        }
        let result = Probe { began: probe.began, passed: probe.passed };
        self.watchers
            .lock()
            .retain(|watcher| watcher.upgrade().is_some_and(|upstream| upstream.absorb(self, result)));
    }
}

impl fmt::Display for AddressHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Probes all addresses that running configurations use.
pub(super) struct Prober {
    registry: Arc<HealthRegistry>,
    addresses: Mutex<HashMap<Address, Weak<AddressHealth>>>,
    wake: Notify,
    task_uses: Arc<SharedTask>,
}

impl Prober {
    pub(super) fn new() -> Arc<Self> {
        let registry = HealthRegistry::with_equivalence(|backend| {
            let mut hasher = DefaultHasher::new();
            backend.addr.hash(&mut hasher);
            hasher.finish()
        });
        let mut connect = TcpHealthCheck::default();
        connect.peer_template.options.connection_timeout = Some(CONNECT_TIMEOUT);
        registry.set_health_check(Box::new(Check { connect }));
        Arc::new(Self {
            registry: Arc::new(registry),
            addresses: Mutex::default(),
            wake: Notify::new(),
            task_uses: Arc::default(),
        })
    }

    /// What membership views register with, so that their addresses are probed.
    pub(super) fn registry(&self) -> Arc<HealthRegistry> {
        Arc::clone(&self.registry)
    }

    /// What is known of `address`; the same for all who ask while anybody holds it.
    pub(super) fn health_of(&self, address: &Address) -> Arc<AddressHealth> {
        let mut addresses = self.addresses.lock();
        if let Some(health) = addresses.get(address).and_then(Weak::upgrade) {
            return health;
        }
        addresses.retain(|_, health| health.strong_count() > 0);
        let health = Arc::new(AddressHealth::new(address));
        addresses.insert(address.clone(), Arc::downgrade(&health));
        health
    }

    /// Asks for a pass over all addresses now, or as soon as the last one is [`MIN_GAP`] old.
    pub(super) fn request_pass(&self) {
        self.wake.notify_one();
    }

    /// Probes from now on, on the current tokio runtime, until the last use is dropped.
    pub(super) fn start(self: &Arc<Self>) -> TaskUse {
        self.task_uses.take(|| Arc::clone(self).run())
    }

    async fn run(self: Arc<Self>) {
        loop {
            let began = Instant::now();
            self.registry.run_health_check(true).await;
            let asked_for = async {
                tokio::time::sleep_until(began + MIN_GAP).await;
                self.wake.notified().await;
            };
            tokio::select! {
                () = tokio::time::sleep_until(began + PERIOD) => {}
                () = asked_for => {}
            }
        }
    }
}

/// The crate's check, with every result passed on.
struct Check {
    connect: TcpHealthCheck,
}

#[async_trait]
impl HealthCheck for Check {
    async fn check(&self, target: &Backend) -> pingora::Result<()> {
        let began = now();
        let result = self.connect.check(target).await;
        let Some(health) = target.ext.get::<Arc<AddressHealth>>() else { return result };
        let probe = |passed| LastProbe { began, took: now().since(began), passed };
        match &result {
            Ok(()) => health.record(probe(true), ""),
            Err(error) => {
                let cause = os_error(error);
                if cause.and_then(io::Error::raw_os_error).is_some_and(ours) {
                    warn!("upstream server {} could not be probed: {error}", health.name);
                    return if health.reachable() { Ok(()) } else { result };
                }
                health.record(probe(false), &reason(error, cause));
            }
        }
        result
    }

    fn health_threshold(&self, _success: bool) -> usize {
        1
    }

    fn backend_summary(&self, target: &Backend) -> String {
        format!("upstream server {}", name_of(&target.addr))
    }
}

/// Errors of this machine, not of the server: ENOMEM, ENFILE, EMFILE, EADDRNOTAVAIL (no local port left), ENOBUFS,
/// and EAGAIN, which a Unix socket gives when its queue is full for the moment (numbers as on Linux).
fn ours(os_error: i32) -> bool {
    matches!(os_error, 11 | 12 | 23 | 24 | 99 | 105)
}

/// Whether a connection did not come about because this machine ran out of something: no server is to blame.
pub fn is_local_shortage(error: &pingora::Error) -> bool {
    os_error(error).and_then(io::Error::raw_os_error).is_some_and(ours)
}

fn os_error(error: &pingora::Error) -> Option<&io::Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error.root_cause());
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

/// Why a probe failed, in nginx's words where the system gave a number.
fn reason(error: &pingora::Error, cause: Option<&io::Error>) -> String {
    match cause.and_then(io::Error::raw_os_error) {
        Some(number) => format!("connect() failed ({number}: {})", nginx_words(number)),
        None if *error.etype() == pingora::ErrorType::ConnectTimedout => {
            format!("no connection within {} s", CONNECT_TIMEOUT.as_secs())
        }
        None => error.to_string(),
    }
}

fn nginx_words(os_error: i32) -> String {
    let text = io::Error::from_raw_os_error(os_error).to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::TcpListener;

    use super::*;

    /// A check, and a target that is known by the same record as the peers there.
    fn check_of(address: &Address) -> (Check, Backend, Arc<AddressHealth>) {
        let health = Arc::new(AddressHealth::new(address));
        let mut target = Backend { addr: address.clone(), weight: 1, ext: pingora::lb::Extensions::new() };
        target.ext.insert(Arc::clone(&health));
        (Check { connect: TcpHealthCheck::default() }, target, health)
    }

    #[tokio::test]
    async fn every_result_reaches_the_record_of_the_address() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Inet(listener.local_addr().unwrap());
        let (check, target, health) = check_of(&address);
        for _ in 0..2 {
            check.check(&target).await.unwrap();
        }
        drop(listener);
        for _ in 0..3 {
            check.check(&target).await.unwrap_err();
        }
        let totals = health.totals();
        assert_eq!((totals.checks, totals.fails, totals.unhealthy, totals.reachable), (5, 3, 1, false));
        assert!(!totals.last.unwrap().passed);
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_nginx_s_words() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (check, target, _) = check_of(&Address::Inet(address));
        let error = check.connect.check(&target).await.unwrap_err();
        assert_eq!(reason(&error, os_error(&error)), "connect() failed (111: Connection refused)");
        let timeout = pingora::Error::explain(pingora::ErrorType::ConnectTimedout, "");
        assert_eq!(reason(&timeout, os_error(&timeout)), "no connection within 1 s");
    }

    #[test]
    fn want_of_something_here_is_not_the_server_s_fault() {
        for (number, what, is_ours) in [
            (24, "too many open files", true),
            (23, "too many open files in system", true),
            (105, "no buffer space", true),
            (99, "no local port left", true),
            (111, "refused", false),
            (110, "timed out", false),
            (113, "no route to host", false),
            (2, "no such Unix socket", false),
        ] {
            assert_eq!(ours(number), is_ours, "{what}");
        }
    }

    #[test]
    fn an_address_has_one_record_while_anybody_holds_it() {
        let prober = Prober::new();
        let [a, b] = ["127.0.0.1:1", "127.0.0.1:2"].map(|text| Address::Inet(text.parse().unwrap()));
        let first = prober.health_of(&a);
        first.record(LastProbe { began: now(), took: Duration::ZERO, passed: false }, "");
        assert!(!prober.health_of(&a).reachable());
        assert!(prober.health_of(&b).reachable());
        drop(first);
        assert!(prober.health_of(&a).reachable(), "a new beginning once nobody remembers");
    }
}
