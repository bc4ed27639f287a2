//! One slice of one target, from what its threads counted. Pure.
//!
//! A slice has three parts: its head, which is dropped; its window, in which answers are counted for the
//! rate; and its tail, in which the answers to what was sent before are waited for. The rate is that of the
//! window. Latencies are those of the window and the tail: without the tail, an answer that takes longer than
//! what is left of the slice would never be counted, and a target that stalls would look the better the
//! longer it does so. (It gives long answers somewhat more weight than short ones, by as much as their part
//! of the window; both targets alike.) Failures count wherever they happen.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::statistics::{MINIMUM_FOR_P99, Slice};
use crate::engine::slices::Counted;
use crate::record::{ErrorKind, Record, latency_histogram};

/// What the threads counted in each part of a slice.
#[derive(Debug)]
#[expect(missing_docs, reason = "the module says it")]
pub struct Parts {
    pub head: Vec<Counted>,
    pub window: Vec<Counted>,
    pub tail: Vec<Counted>,
    /// Processor time that this process took in the window, on all threads.
    pub window_cpu: Duration,
}

/// One target over all its slices.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct SideCounts {
    /// Requests with a 2xx answer, the heads of slices included.
    pub successful: u64,
    /// All others that ended.
    pub failed: u64,
    /// Failed requests by kind; kinds that did not occur are left out.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Slices whose window went by without one successful answer; their pairs say nothing about the rate.
    pub silent_slices: u64,
    /// Processor time that loadgen took while it sent to this target, as a part of what its threads could
    /// take, from 0 to 1.
    pub generator_cpu_share: f64,
    /// The same in microseconds per successful answer.
    pub generator_cpu_us_per_request: f64,
    /// What the last two follow from.
    #[serde(skip)]
    pub(super) window: Window,
}

/// All windows together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Window {
    requests: u64,
    seconds: f64,
    cpu_seconds: f64,
}

impl Parts {
    /// The slice's figures.
    pub fn slice(&self) -> Slice {
        let through_s = |counted: &[Counted]| {
            counted.iter().map(|counted| counted.through_ns as f64 / 1e9).sum::<f64>() / counted.len() as f64
        };
        let mut latency_ns = latency_histogram();
        for record in records(&self.window).chain(records(&self.tail)) {
            record.add_latencies_to(&mut latency_ns);
        }
        let quantile = |quantile, least: u64| {
            (latency_ns.len() >= least).then(|| latency_ns.value_at_quantile(quantile) as f64 / 1e6)
        };
        Slice {
            requests: records(&self.window).map(|record| record.succeeded).sum(),
            // The threads hand over within microseconds of each other, so that their mean stands for all.
            seconds: through_s(&self.window) - through_s(&self.head),
            p50_ms: quantile(0.5, 1),
            p99_ms: quantile(0.99, MINIMUM_FOR_P99),
        }
    }
}

impl SideCounts {
    /// Adds a slice, of which [`Parts::slice`] said this; so many threads had a part in it.
    pub fn add(&mut self, parts: &Parts, slice: &Slice, threads: usize) {
        for record in [&parts.head, &parts.window, &parts.tail].into_iter().flat_map(|part| records(part)) {
            self.successful += record.succeeded;
            self.failed += record.failed();
            for kind in ErrorKind::ALL {
                let count = record.errors(kind);
                if count > 0 {
                    *self.errors.entry(kind).or_default() += count;
                }
            }
        }
        self.silent_slices += u64::from(slice.requests == 0);
        let Window { requests, seconds, cpu_seconds } = &mut self.window;
        *requests += slice.requests;
        *seconds += slice.seconds;
        *cpu_seconds += parts.window_cpu.as_secs_f64();
        let part = |of: f64| if of > 0.0 { *cpu_seconds / of } else { 0.0 };
        self.generator_cpu_share = part(*seconds * threads as f64);
        self.generator_cpu_us_per_request = part(*requests as f64) * 1e6;
    }
}

fn records(counted: &[Counted]) -> impl Iterator<Item = &Record> {
    counted.iter().map(|counted| &*counted.record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Outcome;

    /// What a thread hands over at this time, with so many answers of so many milliseconds, and failures.
    fn counted(through_ms: u64, answers: u64, latency_ms: u64, failures: u64) -> Counted {
        let mut record = Record::default();
        let mut add = |result, count| {
            for _ in 0..count {
                record.add(Outcome { result, backend: None }, 0, 0, latency_ms * 1_000_000);
            }
        };
        add(Ok(200), answers);
        add(Err(ErrorKind::Reset), failures);
        Counted::for_test(through_ms * 1_000_000, record)
    }

    fn parts() -> Parts {
        Parts {
            head: vec![counted(1200, 50, 900, 1), counted(1202, 50, 900, 0)],
            window: vec![counted(2000, 300, 2, 0), counted(2002, 100, 4, 3)],
            tail: vec![counted(2900, 1, 800, 0), counted(2950, 5, 800, 2)],
            window_cpu: Duration::from_millis(400),
        }
    }

    #[test]
    fn the_rate_is_the_windows_and_latency_includes_the_tail() {
        let slice = parts().slice();
        assert_eq!(slice.requests, 400);
        assert!((slice.seconds - 0.8).abs() < 1e-9, "{slice:?}");
        let is_about = |value: Option<f64>, expected: f64| (value.unwrap() / expected - 1.0).abs() < 0.002;
        assert!(is_about(slice.p50_ms, 2.0), "{slice:?}");
        // Six of 406 took 800 ms, so that the 99th percentile is one of them.
        assert!(is_about(slice.p99_ms, 800.0), "{slice:?}");
    }

    #[test]
    fn a_percentile_needs_values() {
        let mut parts = parts();
        parts.window = vec![counted(2000, 93, 2, 0), counted(2000, 0, 2, 0)];
        assert!(parts.slice().p99_ms.is_none() && parts.slice().p50_ms.is_some(), "{:?}", parts.slice());
        parts.window = vec![counted(2000, 94, 2, 0), counted(2000, 0, 2, 0)];
        assert!(parts.slice().p99_ms.is_some());
        parts.window = vec![counted(2000, 0, 0, 9)];
        parts.tail.clear();
        let slice = parts.slice();
        assert_eq!((slice.requests, slice.p50_ms, slice.p99_ms), (0, None, None));
    }

    #[test]
    fn failures_count_wherever_they_happen() {
        let parts = parts();
        let mut counts = SideCounts::default();
        counts.add(&parts, &parts.slice(), 2);
        counts.add(&parts, &Slice { requests: 0, ..parts.slice() }, 2);
        assert_eq!((counts.successful, counts.failed, counts.silent_slices), (1012, 12, 1));
        assert_eq!(counts.errors, BTreeMap::from([(ErrorKind::Reset, 12)]));
        // 0.4 s of 0.8 s on two threads, and twice of it for 400 answers.
        assert!((counts.generator_cpu_share - 0.25).abs() < 1e-9, "{counts:?}");
        assert!((counts.generator_cpu_us_per_request - 2000.0).abs() < 1e-6, "{counts:?}");
    }
}
