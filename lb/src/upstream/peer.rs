//! One server of a running upstream: its identity and its counters.
//!
//! A peer outlives the set it is in: a request that holds one may finish after DNS or a reload has removed it, and
//! one that comes back keeps its counts. The record that decides whether it is picked is in the upstream's group,
//! under the upstream's lock; the peer has only the data that many threads write without a lock.
//!
//! Layout: the data that every request reads (name, address) lies on other cache lines than the data that every
//! request writes (the requests in flight, `Arc`'s own counts), and the counters are sharded per thread.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::address::{Address, name_of};
use super::check::AddressHealth;
use super::failure::FailureKind;
use crate::balance::Load;
use crate::observe::cells::CounterSet;
use crate::observe::histogram::DurationHistogram;
use crate::observe::status::StatusClass;

/// A server of an upstream.
///
/// The alignment keeps the counts of its `Arc` off the lines that requests read.
#[derive(Debug)]
#[repr(align(128))]
pub struct Peer {
    id: u32,
    name: Box<str>,
    key: PeerKey,
    health: Arc<AddressHealth>,
    load: Arc<Load>,
    /// Its counters.
    pub metrics: PeerMetrics,
}

/// The identity by which a peer stays the same after DNS or a reload has changed the set around it: the server as
/// written, the address, and the number of equal ones before it. The upstream's name is the fourth part; it is
/// compared first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PeerKey {
    pub(super) written: Arc<str>,
    pub(super) address: Address,
    pub(super) occurrence: u32,
}

impl Peer {
    pub(super) fn new(id: u32, key: PeerKey, health: Arc<AddressHealth>) -> Self {
        let name = name_of(&key.address).into();
        Self { id, name, key, health, load: Arc::default(), metrics: PeerMetrics::default() }
    }

    /// A number that is unique within the upstream, also over reloads; in the order of appearance.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The address as nginx's `$upstream_addr` shows it: `127.0.0.1:5001`, `[::1]:80`, `unix:/run/app.sock`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server as the configuration names it (`backend:5000`).
    pub fn written(&self) -> &str {
        &self.key.written
    }

    /// Its address.
    pub fn address(&self) -> &Address {
        &self.key.address
    }

    /// The probes' record of its address.
    pub fn health(&self) -> &Arc<AddressHealth> {
        &self.health
    }

    /// Tries in flight.
    pub fn in_flight(&self) -> usize {
        self.load.in_flight()
    }

    /// Adds a try until the guard is dropped. A pick calls this under the lock of the set, so that the next pick sees it.
    pub fn enter(self: &Arc<Self>) -> InFlight {
        self.load.add();
        InFlight(Arc::clone(self))
    }

    /// The count of its tries in flight, for its record in a group.
    pub(super) fn load(&self) -> &Arc<Load> {
        &self.load
    }

    pub(super) fn key(&self) -> &PeerKey {
        &self.key
    }
}

/// A try in flight at a peer; dropping it ends the try.
#[derive(Debug)]
pub struct InFlight(Arc<Peer>);

impl InFlight {
    /// The peer.
    pub fn peer(&self) -> &Arc<Peer> {
        &self.0
    }
}

impl Deref for InFlight {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.load.subtract();
    }
}

/// The counters of one peer. Everything that a request adds to lies on one cache line per thread, apart from the
/// histograms.
#[derive(Debug, Default)]
pub struct PeerMetrics {
    counts: CounterSet<COUNTS>,
    /// From the start of a try to a usable connection; only for connections that had to be made.
    pub connect_time: DurationHistogram,
    /// From the start of a try to the answer's header.
    pub header_time: DurationHistogram,
    /// From the start of a try to the answer's last byte.
    pub response_time: DurationHistogram,
}

/// Indices into the counts; answers come first, by class.
mod index {
    pub(super) const CONNECT_FAILURES: usize = 6;
    pub(super) const TIMEOUTS: usize = 7;
    pub(super) const OTHER_FAILURES: usize = 8;
    pub(super) const EJECTIONS: usize = 9;
    pub(super) const PICKS: usize = 10;
    pub(super) const BYTES_SENT: usize = 11;
    pub(super) const BYTES_RECEIVED: usize = 12;
}

const COUNTS: usize = 13;

/// The values of a [`PeerMetrics`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeerTotals {
    /// Answers by [`StatusClass`], in its order.
    pub answers: [u64; StatusClass::COUNT],
    /// Attempts that got no connection, except those that timed out.
    pub connect_failures: u64,
    /// Attempts that timed out: connecting, sending or reading.
    pub timeouts: u64,
    /// Attempts that failed otherwise.
    pub other_failures: u64,
    /// The number of times that failures ejected the peer.
    pub ejections: u64,
    /// The number of picks.
    pub picks: u64,
    /// Bytes sent to it.
    pub bytes_sent: u64,
    /// Bytes received from it.
    pub bytes_received: u64,
}

impl PeerMetrics {
    /// Counts an answer whose header arrived.
    pub fn count_answer(&self, class: StatusClass) {
        self.counts.increment(class);
    }

    /// Counts bytes sent to and received from the peer.
    pub fn count_bytes(&self, sent: u64, received: u64) {
        self.counts.add(index::BYTES_SENT, sent);
        self.counts.add(index::BYTES_RECEIVED, received);
    }

    /// The sums.
    pub fn totals(&self) -> PeerTotals {
        let [
            a1,
            a2,
            a3,
            a4,
            a5,
            other,
            connect_failures,
            timeouts,
            other_failures,
            ejections,
            picks,
            sent,
            received,
        ] = self.counts.totals();
        PeerTotals {
            answers: [a1, a2, a3, a4, a5, other],
            connect_failures,
            timeouts,
            other_failures,
            ejections,
            picks,
            bytes_sent: sent,
            bytes_received: received,
        }
    }

    pub(super) fn count_pick(&self) {
        self.counts.increment(index::PICKS);
    }

    pub(super) fn count_failure(&self, kind: FailureKind) {
        self.counts.increment(match kind {
            FailureKind::Connect | FailureKind::Handshake => index::CONNECT_FAILURES,
            FailureKind::ConnectTimeout | FailureKind::ReadTimeout | FailureKind::WriteTimeout => {
                index::TIMEOUTS
            }
            FailureKind::Closed
            | FailureKind::Unprocessed
            | FailureKind::InvalidAnswer
            | FailureKind::ListedStatus => index::OTHER_FAILURES,
        });
    }

    pub(super) fn count_ejection(&self) {
        self.counts.increment(index::EJECTIONS);
    }
}

impl PeerTotals {
    /// Adds the counts of another peer.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.answers.iter_mut().zip(other.answers) {
            *mine += theirs;
        }
        self.connect_failures += other.connect_failures;
        self.timeouts += other.timeouts;
        self.other_failures += other.other_failures;
        self.ejections += other.ejections;
        self.picks += other.picks;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
    }

    /// All answers, of whatever class.
    pub fn answers_total(&self) -> u64 {
        self.answers.iter().sum()
    }

    /// All failed attempts.
    pub fn failures_total(&self) -> u64 {
        self.connect_failures + self.timeouts + self.other_failures
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
