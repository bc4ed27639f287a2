//! All threads' slots together, while the run goes on.
//!
//! Threads hand over pieces of slots whenever they tell where they stand; a slot may come in many pieces, the
//! last of them long after the slot is over, since a request that hangs belongs where it was planned. Memory
//! stays flat however long the run: latencies are kept as lists of the cells that occurred, backends as lists
//! of those that answered, and when there are more than [`SLOT_LIMIT`] slots, each two neighbours become one.
//! So a long run is seen coarser; what a slot knows finer than itself, when its failures began and ended, is
//! kept to the nanosecond all the same.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::mem;

use crate::record::ErrorKind;
use crate::slots::{Cell, DOUBLINGS, Hurt, Piece, Served, Span};
use crate::timeline::{Mark, Slot, SlotLatency, Spans, Timeline};

/// As many slots are kept: nearly seven minutes at 100 ms, and more than a screen has columns.
pub const SLOT_LIMIT: usize = 4096;

/// The slots of all threads.
#[derive(Debug)]
pub struct Collector {
    /// How long a kept slot is now.
    slot_ns: u64,
    /// A kept slot is two to the power of this many of the threads' slots.
    merged: u32,
    slots: Vec<Kept>,
    names: Vec<String>,
    /// For every thread, which of `names` its numbers stand for.
    known: Vec<Vec<u16>>,
}

#[derive(Debug, Default, Clone)]
struct Kept {
    unsent: u64,
    unsent_planned: Span,
    hung: u64,
    successes: Span,
    errors: [u64; ErrorKind::ALL.len()],
    failures: Hurt,
    /// In rising order, as in a [`Piece`].
    slow: Vec<(u8, Hurt)>,
    /// In rising order of the collector's numbers.
    backends: Vec<Served>,
    latencies: Vec<Cell>,
}

impl Collector {
    /// For so many threads whose slots have this length.
    pub fn new(threads: usize, slot_ns: u64) -> Self {
        Self { slot_ns, merged: 0, slots: Vec::new(), names: Vec::new(), known: vec![Vec::new(); threads] }
    }

    /// Takes what a thread handed over: the backends that are new to it, and its slots.
    pub fn add(&mut self, thread: usize, names: Vec<Vec<u8>>, pieces: Vec<Piece>) {
        let Some(known) = self.known.get_mut(thread) else { return };
        for name in names {
            let name = String::from_utf8_lossy(&name);
            let number = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
                self.names.push(name.into_owned());
                self.names.len() - 1
            });
            known.push(number as u16);
        }
        for mut piece in pieces {
            piece.backends.retain_mut(|served| match known.get(usize::from(served.backend)) {
                Some(number) => {
                    served.backend = *number;
                    true
                }
                None => false,
            });
            piece.backends.sort_unstable_by_key(|served| served.backend);
            let mut index = usize::try_from(piece.index >> self.merged).unwrap_or(usize::MAX);
            while index >= SLOT_LIMIT {
                merge_pairs(&mut self.slots);
                self.merged += 1;
                self.slot_ns = self.slot_ns.saturating_mul(2);
                index /= 2;
            }
            if index >= self.slots.len() {
                self.slots.resize_with(index + 1, Kept::default);
            }
            self.slots[index].add(Kept::from(piece));
        }
    }

    /// The run so far, up to `end_ns` at least. When that takes more than [`SLOT_LIMIT`] slots, they are merged.
    pub fn timeline(&self, end_ns: u64, marks: Vec<Mark>) -> Timeline {
        let mut slot_ns = self.slot_ns;
        let mut kept = Cow::Borrowed(&self.slots);
        while end_ns.div_ceil(slot_ns) > SLOT_LIMIT as u64 {
            merge_pairs(kept.to_mut());
            slot_ns = slot_ns.saturating_mul(2);
        }
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_unstable_by_key(|number| &self.names[*number]);
        let mut place = vec![0; order.len()];
        for (index, number) in order.iter().enumerate() {
            place[*number] = index;
        }
        let mut slots: Vec<_> = kept.iter().map(|kept| kept.slot(&place)).collect();
        // Where nothing was planned any more, there was silence until the end.
        let count = end_ns.div_ceil(slot_ns) as usize;
        if count > slots.len() {
            slots.resize_with(count, || Kept::default().slot(&place));
        }
        Timeline {
            slot_ms: slot_ns as f64 / 1e6,
            end_ms: end_ns as f64 / 1e6,
            backends: order.into_iter().map(|number| self.names[number].clone()).collect(),
            slots,
            marks,
        }
    }
}

fn merge_pairs(slots: &mut Vec<Kept>) {
    let mut before = mem::take(slots).into_iter();
    while let Some(mut first) = before.next() {
        if let Some(second) = before.next() {
            first.add(second);
        }
        slots.push(first);
    }
}

impl From<Piece> for Kept {
    fn from(piece: Piece) -> Self {
        let Piece {
            index: _,
            unsent,
            unsent_planned,
            hung,
            successes,
            errors,
            failures,
            slow,
            backends,
            latencies,
        } = piece;
        Self { unsent, unsent_planned, hung, successes, errors, failures, slow, backends, latencies }
    }
}

impl Kept {
    fn add(&mut self, other: Self) {
        let Self { unsent, unsent_planned, hung, successes, errors, failures, slow, backends, latencies } =
            other;
        self.unsent += unsent;
        self.unsent_planned = self.unsent_planned.joined(unsent_planned);
        self.hung += hung;
        self.successes = self.successes.joined(successes);
        for (count, more) in self.errors.iter_mut().zip(errors) {
            *count += more;
        }
        self.failures = self.failures.joined(failures);
        merge(&mut self.slow, slow, |a, b| a.0.cmp(&b.0), |a, b| a.1 = a.1.joined(b.1));
        merge(
            &mut self.backends,
            backends,
            |a, b| a.backend.cmp(&b.backend),
            |a, b| {
                a.answers += b.answers;
                a.planned = a.planned.joined(b.planned);
            },
        );
        merge(
            &mut self.latencies,
            latencies,
            |a, b| a.ms.total_cmp(&b.ms),
            |a, b| a.count = a.count.saturating_add(b.count),
        );
    }

    fn slot(&self, place: &[usize]) -> Slot {
        let mut spans = Spans {
            successes: self.successes,
            failures: self.failures,
            unsent: self.unsent_planned,
            slow: [Hurt::default(); DOUBLINGS],
            backends: vec![Span::EMPTY; place.len()],
        };
        for (doubling, span) in &self.slow {
            spans.slow[usize::from(*doubling)] = *span;
        }
        let mut backends = vec![0; place.len()];
        for served in &self.backends {
            let place = place[usize::from(served.backend)];
            backends[place] = served.answers;
            spans.backends[place] = served.planned;
        }
        let successful = self.latencies.iter().map(|cell| u64::from(cell.count)).sum();
        let errors: BTreeMap<_, _> =
            ErrorKind::ALL.into_iter().zip(self.errors).filter(|(_, count)| *count > 0).collect();
        Slot {
            sent: successful + errors.values().sum::<u64>(),
            unsent: self.unsent,
            hung: self.hung,
            successful,
            errors,
            latency_ms: self.latencies.last().map(|slowest| SlotLatency {
                p50: quantile(&self.latencies, successful, 0.5),
                p90: quantile(&self.latencies, successful, 0.9),
                p99: quantile(&self.latencies, successful, 0.99),
                max: to_ms(slowest.ms),
            }),
            backends,
            spans,
        }
    }
}

/// Merges a sorted list into another; what stands in both is joined.
fn merge<T>(
    into: &mut Vec<T>,
    from: Vec<T>,
    order: impl Fn(&T, &T) -> std::cmp::Ordering,
    join: impl Fn(&mut T, T),
) {
    if into.is_empty() {
        *into = from;
        return;
    }
    if from.is_empty() {
        return;
    }
    let mut first = mem::take(into).into_iter().peekable();
    let mut second = from.into_iter().peekable();
    while let (Some(a), Some(b)) = (first.peek(), second.peek()) {
        let ordering = order(a, b);
        let next = if ordering.is_gt() { second.next() } else { first.next() };
        let Some(mut next) = next else { break };
        if ordering.is_eq()
            && let Some(same) = second.next()
        {
            join(&mut next, same);
        }
        into.push(next);
    }
    into.extend(first);
    into.extend(second);
    // A list may stay for hours.
    into.shrink_to_fit();
}

/// The smallest latency that at least this part of the answers did not exceed.
fn quantile(cells: &[Cell], total: u64, quantile: f64) -> f64 {
    let rank = (total as f64 * quantile).ceil() as u64;
    let mut below = 0;
    for cell in cells {
        below += u64::from(cell.count);
        if below >= rank {
            return to_ms(cell.ms);
        }
    }
    0.0
}

/// To the microsecond: more digits are noise.
fn to_ms(ms: f32) -> f64 {
    (f64::from(ms) * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Outcome, Record};

    const MS: u64 = 1_000_000;

    fn hand_over(collector: &mut Collector, thread: usize, record: &mut Record) {
        let told = record.hand_over(0);
        collector.add(thread, told.names, told.slots);
    }

    fn answer(record: &mut Record, name: &[u8], planned_ms: u64, latency_ms: u64) {
        let backend = Some(record.backends.intern(name));
        let at = planned_ms * MS;
        record.add(Outcome { result: Ok(200), backend }, at, at, at + latency_ms * MS);
    }

    #[test]
    fn threads_that_number_backends_differently_agree_on_names() {
        let mut collector = Collector::new(2, 100 * MS);
        let mut records = [Record::default(), Record::default()];
        answer(&mut records[0], b"b", 10, 1);
        answer(&mut records[0], b"a", 20, 3);
        answer(&mut records[1], b"a", 30, 5);
        answer(&mut records[1], b"c", 130, 1);
        for (thread, record) in records.iter_mut().enumerate() {
            hand_over(&mut collector, thread, record);
        }
        // Late, and of a slot that has been handed over.
        answer(&mut records[1], b"c", 40, 400);
        hand_over(&mut collector, 1, &mut records[1]);
        let timeline = collector.timeline(200 * MS, Vec::new());
        assert_eq!(timeline.backends, ["a", "b", "c"]);
        assert_eq!(timeline.slots.len(), 2);
        assert_eq!(timeline.slots[0].backends, [2, 1, 1]);
        assert_eq!(timeline.slots[1].backends, [0, 0, 1]);
        let latency = timeline.slots[0].latency_ms.unwrap();
        assert!((latency.p50 - 3.0).abs() < 0.05 && (latency.max - 400.0).abs() < 4.0, "{latency:?}");
        assert_eq!(timeline.slots[0].spans.backends[0], Span { first_ns: 20 * MS, last_ns: 30 * MS });
    }

    #[test]
    fn the_silent_end_of_a_run_has_slots_too() {
        let mut collector = Collector::new(1, 100 * MS);
        let mut record = Record::default();
        answer(&mut record, b"a", 10, 1);
        hand_over(&mut collector, 0, &mut record);
        let timeline = collector.timeline(1050 * MS, Vec::new());
        assert_eq!((timeline.slots.len(), timeline.end_ms), (11, 1050.0));
        assert_eq!(timeline.slots[10], Slot { backends: vec![0], ..timeline.slots[9].clone() });
        assert_eq!(timeline.slots[10].sent, 0);
    }

    #[test]
    fn a_silent_end_beyond_the_limit_is_merged_and_not_cut() {
        let mut collector = Collector::new(1, 100 * MS);
        let mut record = Record::default();
        answer(&mut record, b"a", 10, 1);
        answer(&mut record, b"a", 110, 1);
        answer(&mut record, b"a", 250, 1);
        hand_over(&mut collector, 0, &mut record);
        let end_ns = SLOT_LIMIT as u64 * 300 * MS + 1;
        let timeline = collector.timeline(end_ns, Vec::new());
        assert_eq!((timeline.slot_ms, timeline.end_ms), (400.0, end_ns as f64 / 1e6));
        assert_eq!(timeline.slots.len() as u64, end_ns.div_ceil(400 * MS));
        assert_eq!(timeline.slots[0].sent, 3);
        // The look at it changed nothing.
        assert_eq!(collector.timeline(0, Vec::new()).slots.len(), 3);
    }

    #[test]
    fn merging_slots_loses_no_request_and_no_edge() {
        let mut collector = Collector::new(1, 100 * MS);
        let mut record = Record::default();
        let slots = SLOT_LIMIT as u64 * 3;
        for slot in 0..slots {
            answer(&mut record, b"a", slot * 100 + 7, 1 + slot % 50);
            if slot == 5000 {
                let failed = Outcome { result: Err(ErrorKind::Reset), backend: None };
                record.add(failed, slot * 100 * MS + 11, 0, slot * 100 * MS + 12);
            }
            hand_over(&mut collector, 0, &mut record);
        }
        let timeline = collector.timeline(slots * 100 * MS, Vec::new());
        assert_eq!((timeline.slot_ms, timeline.slots.len()), (400.0, SLOT_LIMIT * 3 / 4));
        assert!(timeline.slots.iter().all(|slot| slot.backends == [4]));
        assert_eq!(timeline.slots.iter().map(|slot| slot.sent).sum::<u64>(), slots + 1);
        let edge = 5000 * 100 * MS + 11;
        let planned = Span { first_ns: edge, last_ns: edge };
        assert_eq!(timeline.slots[1250].spans.failures, Hurt { planned, ended_ns: edge + 1 });
        assert_eq!(timeline.slots[1250].errors, BTreeMap::from([(ErrorKind::Reset, 1)]));
    }

    #[test]
    fn hours_take_no_more_memory_than_minutes() {
        let size = |hours: u64| {
            let mut collector = Collector::new(1, 100 * MS);
            collector.add(0, vec![b"a".to_vec(), b"b".to_vec()], Vec::new());
            for index in 0..hours * 36_000 {
                let planned = Span { first_ns: index * 100 * MS, last_ns: index * 100 * MS + 7 };
                // One of 2000 cells, more than a histogram has between 10 µs and 1 s.
                let cell = |n: u64| Cell { ms: ((index * 7919 + n * 31) % 2000) as f32, count: 1 };
                let mut latencies = vec![cell(1), cell(2), cell(3)];
                latencies.sort_by(|a, b| a.ms.total_cmp(&b.ms));
                let piece = Piece {
                    index,
                    unsent: 1,
                    unsent_planned: planned,
                    hung: 1,
                    successes: planned,
                    errors: [1; ErrorKind::ALL.len()],
                    failures: Hurt { planned, ended_ns: planned.last_ns },
                    slow: vec![(3, Hurt { planned, ended_ns: planned.last_ns })],
                    backends: [0, 1].map(|backend| Served { backend, answers: 1, planned }).to_vec(),
                    latencies,
                };
                collector.add(0, Vec::new(), vec![piece]);
            }
            let lists: usize = collector
                .slots
                .iter()
                .map(|kept| {
                    kept.latencies.capacity() * size_of::<Cell>()
                        + kept.backends.capacity() * size_of::<Served>()
                        + kept.slow.capacity() * size_of::<(u8, Hurt)>()
                })
                .sum();
            assert!(collector.slots.capacity() <= SLOT_LIMIT * 2);
            lists + collector.slots.capacity() * size_of::<Kept>()
        };
        for hours in [1, 4, 16] {
            let bytes = size(hours);
            assert!(bytes < 8 << 20, "{bytes} bytes after {hours} hours");
        }
    }
}
