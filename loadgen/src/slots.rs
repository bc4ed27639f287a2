//! One thread's requests in slots of planned time. Runs once per request.
//!
//! Every request is counted in the slot in which it was planned, however late its answer. A slot is open from
//! the first answer that belongs to it until the thread hands over; an answer that comes later opens it again,
//! and the [collector](crate::collector) adds the pieces up. Open slots stand in a ring, so that finding one
//! costs a division, and their histograms are used again, so that nothing is allocated per request.
//!
//! Planned times are kept to the nanosecond where failures begin and end: a gap is measured finer than a slot.

use std::mem;

use hdrhistogram::Histogram;

use crate::record::{BackendId, ErrorKind, LATENCY_LIMIT_NS};

/// From the first planned time to the last of some requests, in nanoseconds since the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first; after `last_ns` when there was no request.
    pub first_ns: u64,
    /// The last.
    pub last_ns: u64,
}

impl Span {
    /// Of no request.
    pub const EMPTY: Self = Self { first_ns: u64::MAX, last_ns: 0 };

    /// Whether there was no request.
    pub fn is_empty(self) -> bool {
        self.first_ns > self.last_ns
    }

    /// Takes one more request in.
    pub fn widen(&mut self, at_ns: u64) {
        self.first_ns = self.first_ns.min(at_ns);
        self.last_ns = self.last_ns.max(at_ns);
    }

    /// From the first of both to the last of both.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        Self { first_ns: self.first_ns.min(other.first_ns), last_ns: self.last_ns.max(other.last_ns) }
    }
}

impl Default for Span {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Requests that somebody had to suffer: when they were planned, and when the last of them was over. A closed loop
/// plans nothing while it waits, so that only their ends tell how long it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hurt {
    /// When they were planned.
    pub planned: Span,
    /// When the last of them to end did so, in nanoseconds since the start of the run; zero when there was none.
    pub ended_ns: u64,
}

impl Hurt {
    /// Takes one more request in.
    pub fn widen(&mut self, planned_ns: u64, ended_ns: u64) {
        self.planned.widen(planned_ns);
        self.ended_ns = self.ended_ns.max(ended_ns);
    }

    /// Those of both.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        Self { planned: self.planned.joined(other.planned), ended_ns: self.ended_ns.max(other.ended_ns) }
    }

    /// Whether there was none.
    pub fn is_empty(self) -> bool {
        self.planned.is_empty()
    }
}

/// Slow answers are told apart by doublings of this. What is quicker is not slow to anybody who watches a
/// backend die; the connection that a balancer repeats on another backend costs less.
pub const SLOW_NS: u64 = 8_000_000;

/// 8 ms, 16 ms, … and the last, 65 s and above: longer than the usual timeout.
pub const DOUBLINGS: usize = 14;

/// Which doubling a latency belongs to.
fn doubling(latency_ns: u64) -> Option<usize> {
    (latency_ns / SLOW_NS).checked_ilog2().map(|power| (power as usize).min(DOUBLINGS - 1))
}

/// How many answers took how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Latency in milliseconds, the upper end of the cell. Cells of equal bounds have equal values.
    pub ms: f32,
    /// How many answers.
    pub count: u32,
}

/// What one thread knows about one slot, or a part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Which slot, counted from the start of the run.
    pub index: u64,
    /// Requests that were due and could not be sent.
    pub unsent: u64,
    /// When those were planned.
    pub unsent_planned: Span,
    /// Requests that hung until the run was cut off.
    pub hung: u64,
    /// When those with a complete 2xx answer were planned.
    pub successes: Span,
    /// How many failed, by [`ErrorKind`].
    pub errors: [u64; ErrorKind::ALL.len()],
    /// When those and the hung ones were planned, and those were over.
    pub failures: Hurt,
    /// When the slow successes were, by doublings of [`SLOW_NS`]; in rising order, only those that occurred.
    pub slow: Vec<(u8, Hurt)>,
    /// Complete answers by the thread's number of the backend.
    pub backends: Vec<Served>,
    /// Latency of the successes, in rising order.
    pub latencies: Vec<Cell>,
}

/// What a backend did in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Which backend.
    pub backend: u16,
    /// Its complete answers, whatever their status.
    pub answers: u64,
    /// When their requests were planned.
    pub planned: Span,
}

/// As many slots can be open at once, per thread. At 100 ms a slot, answers come in that are 51 s late; what is
/// later still costs an allocation.
const RING: usize = 512;

/// As many unused slots are kept for the next tick; the others are given back.
const SPARE_LIMIT: usize = 8;

/// Two significant digits: a slot's percentiles are within 1 % of the truth.
const DIGITS: u8 = 2;

/// The slots of one thread.
#[derive(Debug)]
pub struct SlotBook {
    slot_ns: u64,
    ring: Vec<Option<Box<OpenSlot>>>,
    /// Places of the ring that are taken.
    taken: Vec<u16>,
    #[expect(clippy::vec_box, reason = "slots move between here and the ring, and are large")]
    spare: Vec<Box<OpenSlot>>,
    /// Slots that had to make room, which is rare.
    closed: Vec<Piece>,
}

/// A slot that is being counted in.
#[derive(Debug)]
pub struct OpenSlot {
    index: u64,
    unsent: u64,
    unsent_planned: Span,
    hung: u64,
    successes: Span,
    errors: [u64; ErrorKind::ALL.len()],
    failures: Hurt,
    slow: [Hurt; DOUBLINGS],
    backends: Vec<(u64, Span)>,
    latency_ns: Histogram<u32>,
}

impl SlotBook {
    /// With slots of this length, which is not zero.
    pub fn new(slot_ns: u64) -> Self {
        Self {
            slot_ns: slot_ns.max(1),
            ring: (0..RING).map(|_| None).collect(),
            taken: Vec::with_capacity(RING),
            spare: Vec::new(),
            closed: Vec::new(),
        }
    }

    /// How long a slot is.
    pub fn slot_ns(&self) -> u64 {
        self.slot_ns
    }

    /// The slot of a request that was planned at this time.
    pub fn at(&mut self, planned_ns: u64) -> &mut OpenSlot {
        let index = planned_ns / self.slot_ns;
        let place = index as usize % RING;
        let is_open = matches!(&self.ring[place], Some(open) if open.index == index);
        if !is_open {
            self.open(place, index);
        }
        self.ring[place].as_mut().expect("the slot is open or was opened just now")
    }

    /// Hands over all that was counted since the last time.
    pub fn hand_over(&mut self) -> Vec<Piece> {
        let mut pieces = mem::take(&mut self.closed);
        for place in self.taken.drain(..) {
            if let Some(mut open) = self.ring.get_mut(usize::from(place)).and_then(Option::take) {
                pieces.push(open.close());
                if self.spare.len() < SPARE_LIMIT {
                    self.spare.push(open);
                }
            }
        }
        pieces
    }

    #[cold]
    fn open(&mut self, place: usize, index: u64) {
        let open = match self.ring[place].take() {
            Some(mut open) => {
                self.closed.push(open.close());
                open
            }
            None => {
                self.taken.push(place as u16);
                self.spare.pop().unwrap_or_else(|| Box::new(OpenSlot::new()))
            }
        };
        self.ring[place].insert(open).index = index;
    }
}

impl OpenSlot {
    /// Counts a complete answer by a backend that named itself.
    pub fn served(&mut self, planned_ns: u64, BackendId(backend): BackendId) {
        let backend = usize::from(backend);
        if backend >= self.backends.len() {
            // Once for every new backend, as used slots keep their length.
            self.backends.resize(backend + 1, (0, Span::EMPTY));
        }
        if let Some((answers, span)) = self.backends.get_mut(backend) {
            *answers += 1;
            span.widen(planned_ns);
        }
    }

    /// Counts a complete 2xx answer.
    pub fn succeeded(&mut self, planned_ns: u64, latency_ns: u64) {
        self.successes.widen(planned_ns);
        self.latency_ns.saturating_record(latency_ns);
        if let Some(doubling) = doubling(latency_ns) {
            self.slow[doubling].widen(planned_ns, planned_ns.saturating_add(latency_ns));
        }
    }

    /// Counts a failure.
    pub fn failed(&mut self, planned_ns: u64, end_ns: u64, kind: ErrorKind) {
        self.errors[kind as usize] += 1;
        self.failures.widen(planned_ns, end_ns);
    }

    /// Counts a request that hung until the run was cut off.
    pub fn hung(&mut self, planned_ns: u64) {
        self.hung += 1;
        // When that was is for the whole run to say; all that its thread knows is when it stopped waiting.
        self.failures.widen(planned_ns, planned_ns);
    }

    /// Counts a request that was due and could not be sent.
    pub fn unsent(&mut self, planned_ns: u64) {
        self.unsent += 1;
        self.unsent_planned.widen(planned_ns);
    }

    fn new() -> Self {
        Self {
            index: 0,
            unsent: 0,
            unsent_planned: Span::EMPTY,
            hung: 0,
            successes: Span::EMPTY,
            errors: [0; ErrorKind::ALL.len()],
            failures: Hurt::default(),
            slow: [Hurt::default(); DOUBLINGS],
            backends: Vec::new(),
            latency_ns: Histogram::new_with_max(LATENCY_LIMIT_NS, DIGITS)
                .expect("the bounds are constants that fit"),
        }
    }

    /// Gives what it holds, and is empty afterwards.
    fn close(&mut self) -> Piece {
        let latencies = self
            .latency_ns
            .iter_recorded()
            .map(|step| Cell {
                ms: (step.value_iterated_to() as f64 / 1e6) as f32,
                count: step.count_at_value(),
            })
            .collect();
        self.latency_ns.reset();
        let backends = (0..)
            .zip(&self.backends)
            .filter(|(_, (answers, _))| *answers > 0)
            .map(|(backend, (answers, planned))| Served { backend, answers: *answers, planned: *planned })
            .collect();
        self.backends.fill((0, Span::EMPTY));
        let slow = mem::take(&mut self.slow);
        Piece {
            index: self.index,
            unsent: mem::take(&mut self.unsent),
            unsent_planned: mem::take(&mut self.unsent_planned),
            hung: mem::take(&mut self.hung),
            successes: mem::take(&mut self.successes),
            errors: mem::replace(&mut self.errors, [0; ErrorKind::ALL.len()]),
            failures: mem::take(&mut self.failures),
            slow: (0..).zip(slow).filter(|(_, span)| !span.is_empty()).collect(),
            backends,
            latencies,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_request_counts_where_it_was_planned() {
        let mut book = SlotBook::new(100 * MS);
        book.at(99 * MS).served(99 * MS, BackendId(1));
        book.at(99 * MS).succeeded(99 * MS, 5000 * MS);
        book.at(20 * MS).succeeded(20 * MS, 2 * MS);
        book.at(100 * MS).failed(100 * MS, 101 * MS, ErrorKind::Reset);
        book.at(130 * MS).failed(130 * MS, 900 * MS, ErrorKind::Reset);
        book.at(250 * MS).unsent(250 * MS);
        book.at(260 * MS).hung(260 * MS);
        let mut pieces = book.hand_over();
        pieces.sort_by_key(|piece| piece.index);
        let [first, second, third] = pieces.try_into().unwrap();
        assert_eq!((first.index, second.index, third.index), (0, 1, 2));
        let planned = Span { first_ns: 99 * MS, last_ns: 99 * MS };
        assert_eq!(first.backends, [Served { backend: 1, answers: 1, planned }]);
        assert_eq!(first.successes, Span { first_ns: 20 * MS, last_ns: 99 * MS });
        // 5 s lie between 4.096 and 8.192 s, the ninth doubling of 8 ms.
        assert_eq!(first.slow, [(9, Hurt { planned, ended_ns: 5099 * MS })]);
        assert_eq!(first.latencies.iter().map(|cell| cell.count).collect::<Vec<_>>(), [1, 1]);
        assert!((first.latencies[0].ms - 2.0).abs() < 0.02 && (first.latencies[1].ms - 5000.0).abs() < 50.0);
        assert_eq!(second.errors[ErrorKind::Reset as usize], 2);
        let planned = Span { first_ns: 100 * MS, last_ns: 130 * MS };
        assert_eq!(second.failures, Hurt { planned, ended_ns: 900 * MS });
        let at = |ms| Span { first_ns: ms * MS, last_ns: ms * MS };
        assert_eq!((third.unsent, third.unsent_planned, third.hung), (1, at(250), 1));
        assert_eq!(third.failures, Hurt { planned: at(260), ended_ns: 260 * MS });
        assert!(book.hand_over().is_empty());
    }

    #[test]
    fn a_slot_used_again_has_forgotten_everything() {
        let mut book = SlotBook::new(100 * MS);
        book.at(10 * MS).served(10 * MS, BackendId(3));
        book.at(10 * MS).succeeded(10 * MS, 100 * MS);
        book.at(10 * MS).failed(10 * MS, 11 * MS, ErrorKind::Other);
        book.at(10 * MS).hung(10 * MS);
        book.at(10 * MS).unsent(10 * MS);
        let before = book.hand_over();
        book.at(10 * MS).unsent(10 * MS);
        let [piece] = book.hand_over().try_into().unwrap();
        assert_ne!(vec![piece.clone()], before);
        let nothing = Piece {
            index: 0,
            unsent: 1,
            unsent_planned: Span { first_ns: 10 * MS, last_ns: 10 * MS },
            hung: 0,
            successes: Span::EMPTY,
            errors: [0; ErrorKind::ALL.len()],
            failures: Hurt::default(),
            slow: Vec::new(),
            backends: Vec::new(),
            latencies: Vec::new(),
        };
        assert_eq!(piece, nothing);
    }

    #[test]
    fn slots_that_share_a_place_do_not_mix() {
        let mut book = SlotBook::new(MS);
        for index in [0, RING as u64, 0, 3] {
            book.at(index * MS).succeeded(index * MS, MS);
        }
        let mut indices: Vec<_> = book.hand_over().iter().map(|piece| piece.index).collect();
        indices.sort_unstable();
        assert_eq!(indices, [0, 0, 3, RING as u64]);
    }

    #[test]
    fn slow_begins_at_eight_milliseconds() {
        let table =
            [(0, None), (7, None), (8, Some(0)), (15, Some(0)), (16, Some(1)), (10_000_000, Some(13))];
        for (ms, expected) in table {
            assert_eq!(doubling(ms * MS), expected, "{ms} ms");
        }
    }
}
