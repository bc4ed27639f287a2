//! The timeline as a chart can show it: not more columns than a screen has room for, and none that is cut off. Pure.
//!
//! Counts of neighbours are added, which is exact. Percentiles cannot be added; where neighbours are joined, the
//! highest of each is shown, since what a chart of latency is read for are its peaks. The report says when that is so.

use crate::timeline::{SlotLatency, Timeline};

/// One column of a chart over time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    /// When it begins, in milliseconds since the start of the run.
    pub(super) start_ms: f64,
    /// When it ends.
    pub(super) end_ms: f64,
    /// Requests that could not be sent.
    pub(super) unsent: u64,
    /// Requests with a 2xx answer.
    pub(super) successful: u64,
    /// Requests that failed.
    pub(super) failed: u64,
    /// Latency of the successful ones.
    pub(super) latency_ms: Option<SlotLatency>,
    /// Answers of every backend, in the order of [`Timeline::backends`].
    pub(super) backends: Vec<u64>,
}

impl Column {
    /// A number of the column's requests as a rate per second.
    pub(super) fn per_second(&self, count: u64) -> f64 {
        count as f64 / ((self.end_ms - self.start_ms) / 1e3)
    }

    /// The middle, in milliseconds since the start of the run.
    pub(super) fn middle_ms(&self) -> f64 {
        f64::midpoint(self.start_ms, self.end_ms)
    }

    fn join(&mut self, next: &Self) {
        self.end_ms = next.end_ms;
        self.unsent += next.unsent;
        self.successful += next.successful;
        self.failed += next.failed;
        self.latency_ms = match (self.latency_ms, next.latency_ms) {
            (Some(left), Some(right)) => Some(SlotLatency {
                p50: left.p50.max(right.p50),
                p90: left.p90.max(right.p90),
                p99: left.p99.max(right.p99),
                max: left.max.max(right.max),
            }),
            (left, right) => left.or(right),
        };
        self.backends.resize(self.backends.len().max(next.backends.len()), 0);
        for (sum, count) in self.backends.iter_mut().zip(&next.backends) {
            *sum += count;
        }
    }
}

/// The timeline's slots as columns. The run ended at `end_ms`, most often in the middle of a slot: rates in the last
/// one are those of the time that it had. When that was less than half a slot, it is joined to the one before, since
/// the rate of a moment is an accident.
pub(super) fn columns(timeline: &Timeline, end_ms: f64) -> Vec<Column> {
    let slot_ms = timeline.slot_ms;
    let mut columns: Vec<Column> = timeline
        .slots
        .iter()
        .enumerate()
        .map(|(index, slot)| Column {
            start_ms: index as f64 * slot_ms,
            end_ms: (index + 1) as f64 * slot_ms,
            unsent: slot.unsent,
            successful: slot.successful,
            failed: slot.errors.values().sum(),
            latency_ms: slot.latency_ms,
            backends: slot.backends.clone(),
        })
        .collect();
    if let Some(mut last) = columns.pop() {
        if last.start_ms < end_ms && end_ms < last.end_ms {
            last.end_ms = end_ms;
        }
        match columns.last_mut() {
            Some(before) if last.end_ms - last.start_ms < slot_ms / 2.0 => before.join(&last),
            _ => columns.push(last),
        }
    }
    columns
}

/// The same in groups of so many neighbours.
pub(super) fn grouped(columns: &[Column], group: usize) -> Vec<Column> {
    columns
        .chunks(group.max(1))
        .filter_map(|chunk| {
            let (first, rest) = chunk.split_first()?;
            let mut whole = first.clone();
            rest.iter().for_each(|next| whole.join(next));
            Some(whole)
        })
        .collect()
}

/// How many neighbours to join so that at most `at_most` columns are left.
pub(super) fn group_for(columns: &[Column], at_most: usize) -> usize {
    columns.len().div_ceil(at_most.max(1)).max(1)
}

/// How many neighbours to join so that, besides, a column has `answers` answers on average: shares of a handful are
/// noise.
pub(super) fn group_for_shares(columns: &[Column], at_most: usize, answers: u64) -> usize {
    let all: u64 = columns.iter().flat_map(|column| &column.backends).sum();
    let by_answers = (answers * columns.len() as u64).div_ceil(all.max(1)) as usize;
    // Ten columns show a course at least, however few the answers.
    by_answers.min(columns.len() / 10).max(group_for(columns, at_most))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::record::ErrorKind;
    use crate::timeline::Slot;

    fn timeline(successes: &[u64]) -> Timeline {
        let slot = |successful: &u64| Slot {
            sent: *successful + 1,
            successful: *successful,
            errors: BTreeMap::from([(ErrorKind::Reset, 1)]),
            latency_ms: (*successful > 0).then_some(SlotLatency {
                p50: *successful as f64,
                p90: 2.0,
                p99: 3.0,
                max: 4.0,
            }),
            backends: vec![*successful],
            ..Slot::default()
        };
        let slots = successes.iter().map(slot).collect();
        Timeline { slot_ms: 100.0, end_ms: 0.0, backends: vec!["a".into()], slots, marks: Vec::new() }
    }

    #[test]
    fn the_last_column_is_as_long_as_the_run() {
        let spans = |end_ms| {
            let columns = columns(&timeline(&[5, 10, 8]), end_ms);
            columns.iter().map(|c| (c.start_ms, c.end_ms, c.successful)).collect::<Vec<_>>()
        };
        assert_eq!(spans(300.0), [(0.0, 100.0, 5), (100.0, 200.0, 10), (200.0, 300.0, 8)]);
        assert_eq!(spans(260.0), [(0.0, 100.0, 5), (100.0, 200.0, 10), (200.0, 260.0, 8)]);
        assert_eq!(spans(210.0), [(0.0, 100.0, 5), (100.0, 210.0, 18)]);
        assert_eq!(columns(&timeline(&[4]), 20.0)[0].per_second(4), 200.0);
        assert_eq!(columns(&timeline(&[]), 20.0), []);
    }

    #[test]
    fn groups_add_counts_and_keep_peaks() {
        let columns = columns(&timeline(&[5, 0, 10, 8, 1]), 500.0);
        let groups = grouped(&columns, 2);
        let sums: Vec<_> = groups.iter().map(|c| (c.successful, c.failed, c.backends[0])).collect();
        assert_eq!(sums, [(5, 2, 5), (18, 2, 18), (1, 1, 1)]);
        let medians: Vec<_> = groups.iter().map(|c| c.latency_ms.unwrap().p50).collect();
        assert_eq!(medians, [5.0, 10.0, 1.0]);
        assert_eq!(groups[1].end_ms, 400.0);
    }

    #[test]
    fn groups_are_as_large_as_they_must_be() {
        let many = columns(&timeline(&[2; 1000]), 100_000.0);
        assert_eq!(group_for(&many, 300), 4);
        assert_eq!(group_for_shares(&many, 300, 40), 20);
        assert_eq!(group_for_shares(&many, 300, 4_000), 100);
        let busy = columns(&timeline(&[500; 100]), 10_000.0);
        assert_eq!((group_for(&busy, 300), group_for_shares(&busy, 300, 40)), (1, 1));
        assert_eq!((group_for(&[], 300), group_for_shares(&[], 300, 40)), (1, 1));
    }
}
