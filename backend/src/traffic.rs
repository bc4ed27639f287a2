//! What the workers count.
//!
//! Each worker writes a counter in a cache line of its own, so counting costs one uncontended addition. Reading adds
//! the counters up: once a second for the rate, and once for each answer that states the total. The latter is a
//! choice: a total that is only a second old would spare a worker the other workers' cache lines (some tens of
//! nanoseconds, against several microseconds that an answer takes), but then a client could not see its own request
//! counted, and no test could count at the backend.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Two lines of 64 bytes, because x86 processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct CacheLine<T>(T);

/// The requests of all workers, and their rate.
#[derive(Debug)]
pub(crate) struct Traffic {
    counters: Box<[CacheLine<AtomicU64>]>,
    current_rps: CacheLine<AtomicU64>,
    next_worker: AtomicUsize,
}

/// A worker's own counter: an index, so that it cannot outlive or duplicate the line it belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkerIndex(usize);

impl Traffic {
    /// One counter for each of `workers`, at least one.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            counters: (0..workers.max(1)).map(|_| CacheLine::default()).collect(),
            current_rps: CacheLine::default(),
            next_worker: AtomicUsize::new(0),
        }
    }

    /// Gives a starting worker its counter. A worker that starts anew in place of a failed one shares a counter with
    /// another, which is slower and not wrong.
    pub(crate) fn enrol(&self) -> WorkerIndex {
        WorkerIndex(self.next_worker.fetch_add(1, Ordering::Relaxed) % self.counters.len())
    }

    /// Counts a request; once per request.
    pub(crate) fn count(&self, worker: WorkerIndex) {
        self.counters[worker.0].0.fetch_add(1, Ordering::Relaxed);
    }

    /// All requests since the start.
    pub(crate) fn total(&self) -> u64 {
        self.counters.iter().map(|counter| counter.0.load(Ordering::Relaxed)).sum()
    }

    /// Requests of the last whole second.
    pub(crate) fn current_rps(&self) -> u64 {
        self.current_rps.0.load(Ordering::Relaxed)
    }

    /// States the rate of the second that has just ended.
    pub(crate) fn set_current_rps(&self, rps: u64) {
        self.current_rps.0.store(rps, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_up_over_threads() {
        let traffic = Traffic::new(3);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let worker = traffic.enrol();
                    (0..10_000).for_each(|_| traffic.count(worker));
                });
            }
        });
        assert_eq!(traffic.total(), 30_000);
        assert!(traffic.counters.iter().all(|counter| counter.0.load(Ordering::Relaxed) == 10_000));
    }

    #[test]
    fn workers_beyond_the_planned_number_still_count() {
        let traffic = Traffic::new(1);
        traffic.enrol();
        let late = traffic.enrol();
        traffic.count(late);
        assert_eq!(traffic.total(), 1);
    }

    #[test]
    fn counters_do_not_share_cache_lines() {
        assert_eq!(size_of::<CacheLine<AtomicU64>>(), 128);
    }
}
