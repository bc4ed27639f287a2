//! The counts of the whole process, as clients see it. Counts of one server live in its
//! [`Peer`](crate::upstream::Peer).

use std::sync::atomic::AtomicU64;

use super::cells::{Counter, CounterSet};
use super::handshakes::{Handshake, HandshakeFailure};
use super::histogram::DurationHistogram;
use super::reasons::{Generated, RetryReason};
use super::status::StatusClass;

/// The counts since the process started.
#[derive(Debug, Default)]
pub struct Totals {
    /// Requests by the class of their answer's status.
    pub requests: CounterSet<{ StatusClass::COUNT }>,
    /// From a request's first byte to its answer's last.
    pub durations: DurationHistogram,
    /// Answers made by this program, by reason.
    pub generated: CounterSet<{ Generated::COUNT }>,
    /// Retries by the failure before them.
    pub retries: CounterSet<{ RetryReason::COUNT }>,
    /// TLS handshakes that were done.
    pub handshakes: CounterSet<{ Handshake::COUNT }>,
    /// TLS handshakes that were not, by reason.
    pub failed_handshakes: CounterSet<{ HandshakeFailure::COUNT }>,
    /// Requests refused by the connection loop, before any of the above.
    pub refused: Counter,
    /// Reloads that took effect.
    pub reloads_succeeded: Counter,
    /// Reloads that changed nothing.
    pub reloads_failed: Counter,
    /// The time when the current configuration was read, in seconds since 1970.
    pub last_reload_unix_seconds: AtomicU64,
}
