//! The run over time, in slots: what was planned in each, what became of it, and who served it.
//!
//! Everything is booked on the time at which a request was *planned* to be sent (in a closed loop: at which it
//! was sent), not at which it ended. A request that hangs for three seconds when a backend dies is seen where
//! the backend died.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::record::ErrorKind;
use crate::slots::{DOUBLINGS, Hurt, Span};

/// The whole run. Its size is bounded however long the run: when there are too many slots, pairs of
/// neighbours are merged and `slot_ms` doubles.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Timeline {
    /// How long one slot is, in milliseconds.
    pub slot_ms: f64,
    /// Until when requests were planned, in milliseconds since the start of the run; most often amid the last slot.
    pub end_ms: f64,
    /// Names of the backends, in the order of [`Slot::backends`], which is that of their names.
    pub backends: Vec<String>,
    /// One after another without holes; the first begins with the run.
    pub slots: Vec<Slot>,
    /// What was done to the target meanwhile, in order of time.
    pub marks: Vec<Mark>,
}

/// One slot's requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Slot {
    /// Requests that were sent and ended, well or not.
    pub sent: u64,
    /// Requests that were due and could not be sent (open loop).
    pub unsent: u64,
    /// Requests without an answer when the run was cut off, though they had waited longer than any answer took.
    pub hung: u64,
    /// Requests with a complete 2xx answer.
    pub successful: u64,
    /// Requests that failed, by kind; kinds that did not occur are left out.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Latency of the successful requests, in milliseconds; `null` when none succeeded.
    pub latency_ms: Option<SlotLatency>,
    /// Complete answers of every backend, in the order of [`Timeline::backends`].
    pub backends: Vec<u64>,
    /// What is known finer than the slot.
    #[serde(skip)]
    pub spans: Spans,
}

/// When some of a slot's requests were planned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spans {
    /// The successful ones.
    pub successes: Span,
    /// The failed and the hung ones.
    pub failures: Hurt,
    /// Those that were due and could not be sent.
    pub unsent: Span,
    /// The successful ones that took at least [`SLOW_NS`](crate::slots::SLOW_NS), twice that, and so on; each
    /// of these holds those up to twice its own bound.
    pub slow: [Hurt; DOUBLINGS],
    /// Those that each backend answered, in the order of [`Slot::backends`].
    pub backends: Vec<Span>,
}

impl Slot {
    /// Failures of every kind together.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// Points of one slot's latency distribution, in milliseconds, to two significant digits at least.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say all")]
pub struct SlotLatency {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

/// A fault, or whatever else `--at` ran.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Mark {
    /// When its command was started, in milliseconds since the start of the run; when it was to be started, if
    /// it was not.
    pub at_ms: f64,
    /// When the command ended; `null` when it was still running at the end of the run, or never ran.
    pub ended_ms: Option<f64>,
    /// The command as typed.
    pub command: String,
    /// The command's exit status; `null` when a signal ended it, it could not be started or it never ended.
    pub status: Option<i32>,
    /// What went wrong with it, in words; `null` when it ended by itself with status 0, and when it was still running at
    /// the end of the run, which ended it.
    pub error: Option<String>,
}
