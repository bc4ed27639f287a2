//! Shares a number of requests among threads: together they begin exactly that many.
//!
//! A thread takes a batch at a time, so that the shared counter is touched once in many requests. Batches
//! shrink towards the end (guided self-scheduling, Polychronopoulos and Kuck 1987), so that no thread sits
//! on a big one while the others are done.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is left for all threads.
#[derive(Debug)]
pub(super) struct Quota {
    remaining: AtomicU64,
    threads: u64,
}

/// More saves nothing that can be measured.
const BATCH_LIMIT: u64 = 1024;

/// A thread never takes more than this part of its even share of the rest.
const PART_OF_SHARE: u64 = 8;

impl Quota {
    pub(super) fn new(number: u64, threads: usize) -> Self {
        Self { remaining: AtomicU64::new(number), threads: threads as u64 }
    }

    /// Takes a batch out; zero when nothing is left.
    pub(super) fn take(&self) -> u64 {
        let mut taken = 0;
        // The closure always answers with a value, so this cannot fail.
        let _ = self.remaining.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |remaining| {
            taken = batch(remaining, self.threads);
            Some(remaining - taken)
        });
        taken
    }
}

fn batch(remaining: u64, threads: u64) -> u64 {
    (remaining / (threads * PART_OF_SHARE)).clamp(1, BATCH_LIMIT).min(remaining)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn batches_shrink_to_nothing() {
        let table =
            [(0, 2, 0), (1, 2, 1), (15, 2, 1), (16, 2, 1), (32, 2, 2), (1000, 1, 125), (1_000_000, 2, 1024)];
        for (remaining, threads, expected) in table {
            assert_eq!(batch(remaining, threads), expected, "{remaining} left for {threads} threads");
        }
    }

    #[test]
    fn threads_together_take_exactly_the_number() {
        for number in [0, 1, 7, 1000, 123_457] {
            let quota = Quota::new(number, 4);
            let total: u64 = thread::scope(|scope| {
                let takers: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(|| {
                            let mut total = 0;
                            loop {
                                match quota.take() {
                                    0 => return total,
                                    batch => total += batch,
                                }
                            }
                        })
                    })
                    .collect();
                takers.into_iter().map(|taker| taker.join().unwrap()).sum()
            });
            assert_eq!(total, number);
        }
    }
}
