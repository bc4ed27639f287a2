//! The probes' record of one address.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use log::{info, warn};
use parking_lot::Mutex;

use super::definition::Definition;
use super::outcome::Probe;
use super::tls::TlsProbe;
use crate::balance::Now;
use crate::upstream::address::{Address, name_of};

/// Receives every probe result of an address.
pub(in crate::upstream) trait Watcher: Send + Sync {
    /// A probe of `health`'s address has a result; `flipped` if it differs from the one before. Returns false when
    /// the watcher has no server there any more.
    fn probed(&self, health: &AddressHealth, probe: Probe, flipped: bool) -> bool;
}

/// The record of one address under one definition; shared by every peer at that address, in every upstream and
/// configuration.
pub struct AddressHealth {
    id: u64,
    address: Address,
    name: Box<str>,
    definition: Definition,
    /// For probes with TLS: how the latest configuration does the handshake.
    tls: Mutex<Option<Arc<TlsProbe>>>,
    reachable: AtomicBool,
    checks: AtomicU64,
    fails: AtomicU64,
    unhealthy: AtomicU64,
    last: Mutex<Option<LastProbe>>,
    watchers: Mutex<Vec<Weak<dyn Watcher>>>,
    hurried: AtomicBool,
}

/// The most recent probe of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastProbe {
    /// Time of its beginning.
    pub began: Now,
    /// Its duration.
    pub took: Duration,
    /// True if the connection was established.
    pub passed: bool,
}

/// The contents of an [`AddressHealth`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthTotals {
    /// True if the last probe passed, or there was none.
    pub reachable: bool,
    /// Probes with a result.
    pub checks: u64,
    /// Those that failed.
    pub fails: u64,
    /// The number of times it became unreachable.
    pub unhealthy: u64,
    /// The last probe.
    pub last: Option<LastProbe>,
}

impl AddressHealth {
    pub(super) fn new(id: u64, address: Address, definition: Definition) -> Self {
        Self {
            id,
            name: name_of(&address).into(),
            address,
            definition,
            tls: Mutex::default(),
            reachable: AtomicBool::new(true),
            checks: AtomicU64::new(0),
            fails: AtomicU64::new(0),
            unhealthy: AtomicU64::new(0),
            last: Mutex::new(None),
            watchers: Mutex::new(Vec::new()),
            hurried: AtomicBool::new(false),
        }
    }

    /// A number that is unique among the addresses and definitions of the process.
    pub(in crate::upstream) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(in crate::upstream) fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Has further probes do the handshake so.
    pub(in crate::upstream) fn greet(&self, tls: &Arc<TlsProbe>) {
        *self.tls.lock() = Some(Arc::clone(tls));
    }

    pub(super) fn tls(&self) -> Option<Arc<TlsProbe>> {
        self.tls.lock().clone()
    }

    /// True if the last probe passed; true without probes.
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

    /// Subscribes `watcher` to the results. Idempotent.
    pub(in crate::upstream) fn watch(&self, watcher: &Weak<dyn Watcher>) {
        let mut watchers = self.watchers.lock();
        if !watchers.iter().any(|other| Weak::ptr_eq(other, watcher)) {
            watchers.push(Weak::clone(watcher));
        }
    }

    /// Marks the address to be probed soon. True for the first call since the mark was [taken](Self::take_hurry).
    pub(super) fn mark_hurry(&self) -> bool {
        !self.hurried.swap(true, Relaxed)
    }

    pub(super) fn take_hurry(&self) {
        self.hurried.store(false, Relaxed);
    }

    /// Records a result and tells the watchers. True if it differs from the one before.
    pub(super) fn record(&self, probe: LastProbe, reason: &str) -> bool {
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
        let flipped = was_reachable != probe.passed;
        let result = Probe { began: probe.began, passed: probe.passed };
        self.watchers
            .lock()
            .retain(|watcher| watcher.upgrade().is_some_and(|watcher| watcher.probed(self, result, flipped)));
        flipped
    }
}

impl fmt::Debug for AddressHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressHealth").field("address", &self.name).field("totals", &self.totals()).finish()
    }
}

impl fmt::Display for AddressHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A record for tests, at `address`.
#[cfg(test)]
pub(super) fn for_tests(address: &Address) -> AddressHealth {
    AddressHealth::new(0, address.clone(), Definition::TCP)
}
