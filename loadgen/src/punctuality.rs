//! How well one thread of an open loop kept its schedule. Runs once per request; nothing here allocates, locks
//! or looks at a clock.
//!
//! Latency in an open loop counts from the planned time, so whatever the generator is late makes the target
//! look slower than it is. That is the honest direction, but it has to be seen: the lag is kept beside the
//! latency, and so is the service time, which counts from the moment of writing.

use hdrhistogram::Histogram;

use crate::record::latency_histogram;

/// Lags and service times of one thread.
#[derive(Debug)]
pub struct Punctuality {
    /// From the moment when a request was due, and a connection free for it, until it was begun, in ns.
    pub lag_ns: Histogram<u64>,
    /// From writing a request until its answer was complete, of successful requests, in ns.
    pub service_ns: Histogram<u64>,
    /// The sum of the same, exact.
    pub service_sum_ns: u64,
    /// Requests that were not sent as the generator itself was too late for them.
    pub overdue: u64,
}

impl Default for Punctuality {
    fn default() -> Self {
        Self { lag_ns: latency_histogram(), service_ns: latency_histogram(), service_sum_ns: 0, overdue: 0 }
    }
}

impl Punctuality {
    /// Counts a request that began so late.
    pub fn began(&mut self, lag_ns: u64) {
        self.lag_ns.saturating_record(lag_ns);
    }

    /// Counts a successful request that took so long from writing it.
    pub fn succeeded(&mut self, service_ns: u64) {
        self.service_ns.saturating_record(service_ns);
        self.service_sum_ns += service_ns;
    }
}
