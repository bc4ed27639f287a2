//! Durations in buckets fine enough for percentiles: from 50 µs to 60 s a bucket is at most a tenth wider than its
//! lower bound, so that its middle is less than 5 % away from every duration in it.
//!
//! Every bound that `/metrics` shows is the bound of a bucket here, so its counts are exact and not estimates. That
//! and the memory decided against a ready-made log-linear histogram, whose bounds lie on powers of two:
//! `docs/decisions/009-histograms.md`.
//!
//! Like [`cells`](super::cells), a histogram is sharded. A shard takes 1.4 kB, so a thread makes its own when it
//! first observes, and there are at most `MAX_SHARDS`: the memory per server does not grow with the machine.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::cells::{Padded, shard_count, thread_number};

/// Bounds within a power of ten, in percent of it. Each is at most a tenth above the one before.
const STEPS: [u64; 26] = [
    110, 120, 132, 145, 159, 174, 191, 210, 230, 250, 275, 300, 330, 360, 395, 430, 465, 500, 550, 600, 660,
    720, 790, 865, 930, 1000,
];

const LOWEST_US: u64 = 50;
const HIGHEST_US: u64 = 60_000_000;

/// The number of bounds.
const BOUNDS: usize = 159;
/// One bucket below each bound, and one above the highest.
const BUCKETS: usize = BOUNDS + 1;

/// Upper bounds of the buckets, inclusive, in microseconds.
const BOUNDS_US: [u64; BOUNDS] = bounds();

const fn bounds() -> [u64; BOUNDS] {
    let mut bounds = [LOWEST_US; BOUNDS];
    let (mut next, mut decade) = (1, 10);
    while next < BOUNDS {
        let mut step = 0;
        while step < STEPS.len() && next < BOUNDS {
            let bound = decade * STEPS[step] / 100;
            if bound > LOWEST_US {
                bounds[next] = bound;
                next += 1;
            }
            step += 1;
        }
        decade *= 10;
    }
    bounds
}

/// Below this exponent of two a duration is in the first bucket.
const FIRST_POWER: u32 = 3;
/// The highest power of two that is not above [`HIGHEST_US`].
const LAST_POWER: u32 = HIGHEST_US.ilog2();
/// Eight cells per power of two.
const CELLS: usize = ((LAST_POWER - FIRST_POWER + 1) * 8) as usize;

/// The bucket of the least duration in a cell. A cell is an eighth of a power of two and meets at most three buckets.
const FIRST_BUCKET: [u8; CELLS] = first_buckets();

const fn first_buckets() -> [u8; CELLS] {
    let mut first = [0; CELLS];
    let (mut cell, mut bucket) = (0, 0);
    while cell < CELLS {
        let least_us = (8 + cell as u64 % 8) << (cell / 8);
        while bucket < BOUNDS && BOUNDS_US[bucket] < least_us {
            bucket += 1;
        }
        first[cell] = bucket as u8;
        cell += 1;
    }
    first
}

fn bucket(us: u64) -> usize {
    if us > HIGHEST_US {
        return BOUNDS;
    }
    // Cells begin at 8 µs; shorter durations belong to the same bucket.
    let us = us.max(8);
    let power = us.ilog2() - FIRST_POWER;
    let cell = power as usize * 8 + ((us >> power) & 7) as usize;
    let mut bucket = usize::from(FIRST_BUCKET[cell]);
    while BOUNDS_US[bucket] < us {
        bucket += 1;
    }
    bucket
}

/// The most shards of one histogram. Where more threads write, they share.
const MAX_SHARDS: usize = 8;

#[derive(Debug)]
struct Shard {
    counts: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

impl Default for Shard {
    fn default() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; BUCKETS], sum_us: AtomicU64::new(0) }
    }
}

/// Durations that many threads observe and a scrape reads.
#[derive(Debug)]
pub struct DurationHistogram {
    /// Their number is a power of two.
    shards: Box<[OnceLock<Box<Padded<Shard>>>]>,
}

impl Default for DurationHistogram {
    fn default() -> Self {
        Self { shards: (0..shard_count().min(MAX_SHARDS)).map(|_| OnceLock::new()).collect() }
    }
}

impl DurationHistogram {
    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let whole_us = duration.as_secs().saturating_mul(1_000_000);
        let us = whole_us.saturating_add(u64::from(duration.subsec_micros()));
        let shard = &self.shards[thread_number() & (self.shards.len() - 1)];
        let shard = &shard.get_or_init(Box::default).0;
        shard.counts[bucket(us)].fetch_add(1, Relaxed);
        shard.sum_us.fetch_add(us, Relaxed);
    }

    /// Sums over all threads.
    pub fn totals(&self) -> HistogramTotals {
        let mut totals = HistogramTotals { counts: Box::new([0; BUCKETS]), sum_us: 0 };
        for shard in self.shards.iter().filter_map(OnceLock::get) {
            for (total, count) in totals.counts.iter_mut().zip(&shard.0.counts) {
                *total += count.load(Relaxed);
            }
            totals.sum_us = totals.sum_us.wrapping_add(shard.0.sum_us.load(Relaxed));
        }
        totals
    }
}

/// The contents of a [`DurationHistogram`] at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistogramTotals {
    counts: Box<[u64; BUCKETS]>,
    sum_us: u64,
}

impl HistogramTotals {
    /// Adds the counts of another histogram.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts.iter()) {
            *mine += theirs;
        }
        self.sum_us = self.sum_us.wrapping_add(other.sum_us);
    }

    /// The number of observed durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all durations, in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// For each of `bounds_us`, which ascend, the number of durations of at most that length. Exact for bounds of a
    /// bucket; any other counts as the next lower one.
    pub fn cumulative<const N: usize>(&self, bounds_us: [u64; N]) -> [u64; N] {
        let (mut total, mut from) = (0, 0);
        bounds_us.map(|bound_us| {
            let to = BOUNDS_US.partition_point(|known| *known <= bound_us);
            total += self.counts[from..to.max(from)].iter().sum::<u64>();
            from = to.max(from);
            total
        })
    }

    /// The duration that a share of `quantile` (0 to 1) does not exceed, less than 5 % off between 50 µs and 60 s.
    /// Below it is 50 µs, above 60 s; `None` before anything was observed.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let count = self.count();
        let rank = ((quantile * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        let us = match bucket {
            0 => LOWEST_US as f64,
            BOUNDS => HIGHEST_US as f64,
            // The middle by ratio, from which both bounds are equally far.
            _ => (BOUNDS_US[bucket - 1] as f64 * BOUNDS_US[bucket] as f64).sqrt(),
        };
        Some(Duration::from_secs_f64(us / 1e6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::exposition::DURATION_BOUNDS_US;

    #[test]
    fn bounds_ascend_by_a_tenth_at_most_and_end_where_they_should() {
        assert_eq!((BOUNDS_US[0], BOUNDS_US[BOUNDS - 1]), (LOWEST_US, HIGHEST_US));
        for pair in BOUNDS_US.windows(2) {
            assert!(pair[0] < pair[1] && pair[1] * 10 <= pair[0] * 11, "{pair:?}");
        }
    }

    #[test]
    fn a_duration_falls_into_the_first_bucket_whose_bound_holds_it() {
        let around = BOUNDS_US.iter().flat_map(|bound| [bound - 1, *bound, bound + 1]);
        let random = std::iter::repeat_with(|| fastrand::u64(..1 << fastrand::u32(1..40))).take(100_000);
        for us in (0..5_000).chain(around).chain([u64::MAX]).chain(random) {
            assert_eq!(bucket(us), BOUNDS_US.partition_point(|bound| *bound < us), "{us} us");
        }
    }

    #[test]
    fn a_quantile_is_less_than_five_percent_off() {
        let mut us = LOWEST_US;
        while us <= HIGHEST_US {
            let histogram = DurationHistogram::default();
            histogram.observe(Duration::from_micros(us));
            let told = histogram.totals().quantile(0.5).unwrap().as_secs_f64() * 1e6;
            assert!((told / us as f64 - 1.0).abs() < 0.05, "{us} us is told as {told}");
            us += 1 + us / 97;
        }
    }

    #[test]
    fn quantiles_are_ranks() {
        let histogram = DurationHistogram::default();
        assert_eq!(histogram.totals().quantile(0.5), None);
        for ms in 1..=100 {
            histogram.observe(Duration::from_millis(ms));
        }
        histogram.observe(Duration::from_secs(100));
        let totals = histogram.totals();
        for (quantile, ms) in [(0.0, 1.0), (0.5, 51.0), (0.9, 91.0), (1.0, 60_000.0)] {
            let told = totals.quantile(quantile).unwrap().as_secs_f64() * 1e3;
            assert!((told / ms - 1.0).abs() < 0.05, "{quantile}: {told} ms");
        }
    }

    #[test]
    fn counts_below_the_bounds_of_the_exposition_are_exact() {
        let histogram = DurationHistogram::default();
        let mut durations: Vec<u64> =
            DURATION_BOUNDS_US.iter().flat_map(|us| [us - 1, *us, us + 1]).collect();
        durations.extend((0..10_000).map(|_| fastrand::u64(..1 << fastrand::u32(1..36))));
        for us in &durations {
            histogram.observe(Duration::from_micros(*us));
        }
        let expected =
            DURATION_BOUNDS_US.map(|bound| durations.iter().filter(|us| **us <= bound).count() as u64);
        let totals = histogram.totals();
        assert_eq!(totals.cumulative(DURATION_BOUNDS_US), expected);
        assert_eq!((totals.count(), totals.sum_us()), (durations.len() as u64, durations.iter().sum()));
    }

    #[test]
    fn threads_and_histograms_add_up() {
        let histogram = DurationHistogram::default();
        std::thread::scope(|scope| {
            for ms in 1..=20 {
                let histogram = &histogram;
                scope.spawn(move || (0..100).for_each(|_| histogram.observe(Duration::from_millis(ms))));
            }
        });
        let mut totals = histogram.totals();
        assert_eq!((totals.count(), totals.sum_us()), (2_000, 21_000_000));
        totals.add(&histogram.totals());
        assert_eq!((totals.count(), totals.sum_us()), (4_000, 42_000_000));
    }

    #[test]
    fn a_histogram_takes_memory_for_those_threads_alone_that_observe() {
        assert!(size_of::<Padded<Shard>>() <= 1408);
        let histogram = DurationHistogram::default();
        let made = |histogram: &DurationHistogram| histogram.shards.iter().filter_map(OnceLock::get).count();
        assert_eq!(made(&histogram), 0);
        (0..3).for_each(|_| histogram.observe(Duration::ZERO));
        assert_eq!(made(&histogram), 1);
    }

    /// Instructions per duration: `valgrind --tool=callgrind --toggle-collect='*observe_a_million*'` on this test.
    #[test]
    #[ignore = "a measurement"]
    fn cost_of_observing() {
        #[inline(never)]
        fn observe_a_million(histogram: &DurationHistogram) {
            for us in 0..1_000_000 {
                histogram.observe(std::hint::black_box(Duration::from_micros(100 + us % 5_000)));
            }
        }
        let histogram = DurationHistogram::default();
        let start = std::time::Instant::now();
        observe_a_million(&histogram);
        eprintln!("{:?} for a million", start.elapsed());
        assert_eq!(histogram.totals().count(), 1_000_000);
    }
}
