//! What one thread keeps of its requests. Runs once per request: nothing here allocates, locks or looks at
//! a clock after the first answer of each backend.
//!
//! Latency is kept of successful answers only. A quick refusal would flatter the percentiles, and a
//! timeout would only show its own limit; both are counted as what they are instead. It is kept once, with the
//! backend that answered: the run's distribution is the sum of the backends'. The price is memory, 270 kB per
//! backend and thread.

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::Serialize;

use crate::honesty::ThreadTime;
use crate::punctuality::Punctuality;
use crate::silence::{self, SilenceTracker};
use crate::slots::{self, SlotBook};

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The connection was refused.
    Refused,
    /// The peer reset the connection.
    Reset,
    /// The peer closed the connection before the answer was complete.
    ClosedEarly,
    /// A kept-alive connection was found closed or reset before the first byte of an answer, and the
    /// request could not be sent again.
    Stale,
    /// TLS failed: a certificate, the handshake or a record.
    Tls,
    /// Connecting and answering took longer than allowed.
    TimedOut,
    /// What came is not HTTP/1.1.
    Malformed,
    /// The answer's status was not 2xx.
    #[serde(rename = "non_2xx")]
    Non2xx,
    /// This machine had no file descriptor, port, buffer or memory left for a connection: the generator's own
    /// shortage, not the target's failure.
    NoResources,
    /// Anything else, such as an unreachable network.
    Other,
}

impl ErrorKind {
    /// All kinds, in the order in which they are reported.
    pub const ALL: [Self; 10] = [
        Self::Refused,
        Self::Reset,
        Self::ClosedEarly,
        Self::Stale,
        Self::Tls,
        Self::TimedOut,
        Self::Malformed,
        Self::Non2xx,
        Self::NoResources,
        Self::Other,
    ];

    /// In words, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Refused => "connection refused",
            Self::Reset => "connection reset",
            Self::ClosedEarly => "closed before the answer was complete",
            Self::Stale => "kept-alive connection closed",
            Self::Tls => "TLS failed",
            Self::TimedOut => "timed out",
            Self::Malformed => "malformed answer",
            Self::Non2xx => "status not 2xx",
            Self::NoResources => "no file descriptor, port or memory left here",
            Self::Other => "other failure",
        }
    }
}

/// A number for a backend's name, valid in the [`Backends`] that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackendId(pub(crate) u16);

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The status, when there was a complete answer.
    pub result: Result<u16, ErrorKind>,
    /// Who answered, as far as the answer told.
    pub backend: Option<BackendId>,
}

impl Outcome {
    /// The kind of failure; none for a complete answer with a 2xx status.
    pub fn error(self) -> Option<ErrorKind> {
        match self.result {
            Ok(200..=299) => None,
            Ok(_) => Some(ErrorKind::Non2xx),
            Err(kind) => Some(kind),
        }
    }
}

/// The backends that have named themselves.
#[derive(Debug, Default)]
pub struct Backends {
    entries: Vec<Backend>,
    /// Where the last look-up ended: a balancer's next backend is most often the next entry.
    last: usize,
}

/// One backend's counts.
#[derive(Debug, Clone)]
pub struct Backend {
    /// As it named itself; whatever bytes a header may hold.
    pub name: Vec<u8>,
    /// Complete answers, whatever their status.
    pub answers: u64,
    /// Answers that were not 2xx, or broke off after the backend had named itself.
    pub errors: u64,
    /// Complete answers by class of status: the first holds what is in none of the others, which are 1xx to 5xx.
    pub classes: [u64; 6],
    /// Latency of its successful answers, in nanoseconds from the planned time.
    pub latency_ns: Histogram<u64>,
}

impl Backend {
    /// One that has done nothing.
    pub fn new(name: &[u8]) -> Self {
        Self { name: name.to_vec(), answers: 0, errors: 0, classes: [0; 6], latency_ns: latency_histogram() }
    }

    /// Adds what the same backend did in another thread.
    pub fn add(&mut self, other: &Self) {
        let Self { name: _, answers, errors, classes, latency_ns } = other;
        self.answers += answers;
        self.errors += errors;
        for (count, more) in self.classes.iter_mut().zip(classes) {
            *count += more;
        }
        self.latency_ns.add(latency_ns).expect("all latency histograms have the same bounds");
    }

    fn answered(&mut self, status: u16) {
        let class = usize::from(status / 100);
        self.answers += 1;
        self.classes[if class < self.classes.len() { class } else { 0 }] += 1;
    }
}

/// More names than this are counted together, so that a header which differs from answer to answer can
/// neither fill the memory nor slow the run down.
pub const BACKEND_LIMIT: usize = 256;

/// What the names beyond the limit are counted under.
pub const OTHER_BACKENDS: &[u8] = b"(others)";

impl Backends {
    /// The number for a name; a new name gets a new one.
    pub fn intern(&mut self, name: &[u8]) -> BackendId {
        let count = self.entries.len();
        let found =
            (1..=count).map(|step| (self.last + step) % count).find(|i| self.entries[*i].name == name);
        let index = match found {
            Some(index) => index,
            None if count < BACKEND_LIMIT => {
                self.entries.push(Backend::new(name));
                count
            }
            None => return self.others(),
        };
        self.last = index;
        BackendId(index as u16)
    }

    /// The same names under the same numbers, with nothing counted.
    fn names_only(&self) -> Self {
        let entries = self.entries.iter().map(|backend| Backend::new(&backend.name));
        Self { entries: entries.collect(), last: self.last }
    }

    /// All of them, in the order in which they came up.
    pub fn entries(&self) -> &[Backend] {
        &self.entries
    }

    fn others(&mut self) -> BackendId {
        if self.entries.len() == BACKEND_LIMIT {
            self.entries.push(Backend::new(OTHER_BACKENDS));
        }
        BackendId(BACKEND_LIMIT as u16)
    }
}

/// Everything that one thread keeps.
#[derive(Debug)]
pub struct Record {
    /// Requests begun.
    pub started: u64,
    /// Complete answers with a 2xx status.
    pub succeeded: u64,
    /// Requests that were due and could not be sent (open loop).
    pub unsent: u64,
    /// Failures by [`ErrorKind`].
    errors: [u64; ErrorKind::ALL.len()],
    /// Complete answers by status.
    statuses: Vec<u64>,
    /// Requests without an answer when the run was cut off, though they had waited longer than any answer took.
    pub hung: u64,
    /// Failed requests that no connection could be had for, and that never left.
    pub unconnected: u64,
    /// Requests sent again because their kept-alive connection was closed.
    pub resent: u64,
    /// Connections established.
    pub connections: u64,
    /// The most of them that were open at once.
    pub peak_connections: u64,
    /// Answers by backend.
    pub backends: Backends,
    /// With several URLs: successes and failures of each, by its number; those that never had a turn may
    /// be missing.
    pub targets: Vec<[u64; 2]>,
    /// Latency of the successful answers that named no backend, in nanoseconds from the planned time.
    unnamed_ns: Histogram<u64>,
    /// The sum of all successful answers' latencies, exact.
    pub latency_sum_ns: u64,
    /// The silences between successes.
    pub silences: SilenceTracker,
    /// The run over time.
    slots: SlotBook,
    /// How many of the backends' names have been handed over.
    names_told: usize,
    /// When the last request ended.
    pub last_end_ns: u64,
    /// When the last successful one ended.
    pub last_success_ns: u64,
    /// When the last request of all was planned.
    pub last_planned_ns: u64,
    /// How well the schedule was kept; only in an open loop.
    pub punctuality: Option<Box<Punctuality>>,
    /// What the thread itself used.
    pub time: ThreadTime,
    /// Why the thread ended before the run did.
    pub failure: Option<String>,
}

/// What a thread has counted since it told the last time.
#[derive(Debug)]
pub struct HandOver {
    /// Its slots.
    pub slots: Vec<slots::Piece>,
    /// The backends that are new, in the order of their numbers.
    pub names: Vec<Vec<u8>>,
    /// Its silences.
    pub silences: Vec<silence::Piece>,
}

/// Latencies above are counted as this; no timeout of a load test is longer.
pub(crate) const LATENCY_LIMIT_NS: u64 = 3_600_000_000_000;

/// Three significant digits: every percentile is within 0.1 % of the truth.
const LATENCY_DIGITS: u8 = 3;

impl Default for Record {
    /// With slots of [`crate::plan::DEFAULT_SLOT`].
    fn default() -> Self {
        Self::new(crate::plan::DEFAULT_SLOT.as_nanos() as u64)
    }
}

/// An empty histogram with the bounds that all threads share, so that they can be added up.
pub fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_LIMIT_NS, LATENCY_DIGITS).expect("the bounds are constants that fit")
}

impl Record {
    /// An empty record with slots of this length.
    pub fn new(slot_ns: u64) -> Self {
        Self {
            started: 0,
            succeeded: 0,
            unsent: 0,
            hung: 0,
            unconnected: 0,
            errors: [0; ErrorKind::ALL.len()],
            statuses: vec![0; 1000],
            resent: 0,
            connections: 0,
            peak_connections: 0,
            backends: Backends::default(),
            unnamed_ns: latency_histogram(),
            latency_sum_ns: 0,
            silences: SilenceTracker::default(),
            slots: SlotBook::new(slot_ns),
            names_told: 0,
            targets: Vec::new(),
            last_end_ns: 0,
            last_success_ns: 0,
            last_planned_ns: 0,
            punctuality: None,
            time: ThreadTime::default(),
            failure: None,
        }
    }

    /// Counts a request that was planned, written and ended at these times since the start of the run. In a
    /// closed loop a request is planned when it is written.
    pub fn add(&mut self, outcome: Outcome, planned_ns: u64, sent_ns: u64, end_ns: u64) {
        self.last_end_ns = self.last_end_ns.max(end_ns);
        self.last_planned_ns = self.last_planned_ns.max(planned_ns);
        let error = outcome.error();
        if let Ok(status) = outcome.result
            && let Some(count) = self.statuses.get_mut(usize::from(status))
        {
            *count += 1;
        }
        let slot = self.slots.at(planned_ns);
        let mut histogram = &mut self.unnamed_ns;
        if let Some(id) = outcome.backend
            && let Some(backend) = self.backends.entries.get_mut(usize::from(id.0))
        {
            backend.errors += u64::from(error.is_some());
            if let Ok(status) = outcome.result {
                backend.answered(status);
                slot.served(planned_ns, id);
            }
            histogram = &mut backend.latency_ns;
        }
        if let Some(kind) = error {
            self.errors[kind as usize] += 1;
            slot.failed(planned_ns, end_ns, kind);
            return;
        }
        let latency_ns = end_ns.saturating_sub(planned_ns);
        self.succeeded += 1;
        self.last_success_ns = self.last_success_ns.max(end_ns);
        self.latency_sum_ns += latency_ns;
        histogram.saturating_record(latency_ns);
        slot.succeeded(planned_ns, latency_ns);
        self.silences.success(end_ns);
        if let Some(punctuality) = &mut self.punctuality {
            punctuality.succeeded(end_ns.saturating_sub(sent_ns));
        }
    }

    /// Counts how a request to the URL with this number ended. Allocates once per URL.
    pub fn count_target(&mut self, url: usize, outcome: Outcome) {
        if self.targets.len() <= url {
            self.targets.resize(url + 1, [0, 0]);
        }
        self.targets[url][usize::from(outcome.error().is_some())] += 1;
    }

    /// Hands over what was counted so far and begins anew. Names keep their numbers, since an answer that is
    /// half read holds one.
    pub fn take(&mut self) -> Self {
        let mut rest = Self::new(self.slots.slot_ns());
        rest.backends = self.backends.names_only();
        rest.punctuality = self.punctuality.is_some().then(Box::default);
        std::mem::replace(self, rest)
    }

    /// Counts a request that was due at this time and could not be sent.
    pub fn unsent(&mut self, planned_ns: u64) {
        self.unsent += 1;
        self.last_planned_ns = self.last_planned_ns.max(planned_ns);
        self.slots.at(planned_ns).unsent(planned_ns);
    }

    /// Notes a request that was given up when the run was cut off. It hung if it had waited longer than any
    /// answer took; else it was merely on its way, which says nothing about the target. Once per connection.
    pub fn given_up(&mut self, planned_ns: u64, now_ns: u64) {
        let named = self.backends.entries.iter().map(|backend| &backend.latency_ns);
        let longest_ns = named.chain([&self.unnamed_ns]).map(Histogram::max).max().unwrap_or(0);
        if now_ns.saturating_sub(planned_ns) > longest_ns {
            self.hung += 1;
            self.last_planned_ns = self.last_planned_ns.max(planned_ns);
            self.slots.at(planned_ns).hung(planned_ns);
        }
    }

    /// Hands over what was counted since the last time, up to now.
    pub fn hand_over(&mut self, now_ns: u64) -> HandOver {
        let new = self.backends.entries.get(self.names_told..).unwrap_or_default();
        let names = new.iter().map(|backend| backend.name.clone()).collect();
        self.names_told = self.backends.entries.len();
        HandOver { slots: self.slots.hand_over(), names, silences: self.silences.cut(now_ns) }
    }

    /// Adds the latencies of all successful answers to a histogram with [the common bounds](latency_histogram).
    pub fn add_latencies_to(&self, all: &mut Histogram<u64>) {
        let named = self.backends.entries.iter().map(|backend| &backend.latency_ns);
        for histogram in named.chain([&self.unnamed_ns]).filter(|histogram| !histogram.is_empty()) {
            all.add(histogram).expect("all latency histograms have the same bounds");
        }
    }

    /// Failures of every kind together.
    pub fn failed(&self) -> u64 {
        self.errors.iter().sum()
    }

    /// Failures of one kind.
    pub fn errors(&self, kind: ErrorKind) -> u64 {
        self.errors[kind as usize]
    }

    /// The statuses that were seen, with how often.
    pub fn statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        (0..).zip(self.statuses.iter().copied()).filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_where_they_belong() {
        let mut record = Record::default();
        let one = record.backends.intern(b"one");
        let two = record.backends.intern(b"two");
        let outcomes = [
            (Ok(200), Some(one)),
            (Ok(204), Some(two)),
            (Ok(503), Some(two)),
            (Ok(302), None),
            (Err(ErrorKind::ClosedEarly), Some(two)),
            (Err(ErrorKind::Refused), None),
            (Err(ErrorKind::Refused), None),
        ];
        for (result, backend) in outcomes {
            record.add(Outcome { result, backend }, 1_000_000, 1_500_000, 3_000_000);
        }
        assert_eq!((record.succeeded, record.failed()), (2, 5));
        let errors: Vec<_> = ErrorKind::ALL.into_iter().map(|kind| record.errors(kind)).collect();
        assert_eq!(errors, [2, 0, 1, 0, 0, 0, 0, 2, 0, 0]);
        assert_eq!(record.statuses().collect::<Vec<_>>(), [(200, 1), (204, 1), (302, 1), (503, 1)]);
        let [one, two] = record.backends.entries() else { panic!("{:?}", record.backends) };
        assert_eq!((one.name.as_slice(), one.answers, one.errors), (&b"one"[..], 1, 0));
        assert_eq!((two.name.as_slice(), two.answers, two.errors), (&b"two"[..], 2, 2));
        assert_eq!((one.classes, two.classes), ([0, 0, 1, 0, 0, 0], [0, 0, 1, 0, 0, 1]));
        assert_eq!((one.latency_ns.len(), two.latency_ns.len()), (1, 1));
        let mut all = latency_histogram();
        record.add_latencies_to(&mut all);
        assert_eq!((all.len(), record.latency_sum_ns), (2, 4_000_000));
    }

    #[test]
    fn latency_counts_from_the_plan() {
        let mut record = Record::default();
        record.add(Outcome { result: Ok(200), backend: None }, 1_000, 5_000, 6_000);
        assert_eq!(
            (record.latency_sum_ns, record.last_planned_ns, record.last_end_ns),
            (5_000, 1_000, 6_000)
        );
    }

    #[test]
    fn a_name_is_handed_over_once() {
        let mut record = Record::default();
        record.unsent(10);
        record.backends.intern(b"one");
        let first = record.hand_over(100);
        assert_eq!((first.names, first.slots.len()), (vec![b"one".to_vec()], 1));
        record.backends.intern(b"two");
        record.backends.intern(b"one");
        let second = record.hand_over(200);
        assert_eq!((second.names, second.slots.len()), (vec![b"two".to_vec()], 0));
        assert_eq!(record.unsent, 1);
    }

    #[test]
    fn odd_statuses_have_a_class_too() {
        let mut record = Record::default();
        let backend = Some(record.backends.intern(b"b"));
        for status in [100, 204, 301, 404, 599, 600, 999] {
            record.add(Outcome { result: Ok(status), backend }, 0, 0, 1);
        }
        assert_eq!(record.backends.entries()[0].classes, [2, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn what_is_taken_is_counted_once_and_names_stay() {
        let mut record = Record::default();
        record.backends.intern(b"one");
        let two = record.backends.intern(b"two");
        let outcome = Outcome { result: Ok(200), backend: Some(two) };
        record.add(outcome, 0, 0, 5);
        let first = record.take();
        record.add(outcome, 5, 5, 15);
        record.add(outcome, 15, 15, 25);
        let second = record.take();
        let counts = |record: &Record| {
            let two = &record.backends.entries()[1];
            (record.succeeded, two.latency_ns.len(), two.answers, two.name.clone())
        };
        assert_eq!(counts(&first), (1, 1, 1, b"two".to_vec()));
        assert_eq!(counts(&second), (2, 2, 2, b"two".to_vec()));
        assert_eq!(counts(&record), (0, 0, 0, b"two".to_vec()));
    }

    #[test]
    fn what_is_taken_leaves_slots_of_the_same_length_and_the_lag() {
        let mut record = Record::new(7);
        record.punctuality = Some(Box::default());
        let outcome = Outcome { result: Ok(200), backend: None };
        record.add(outcome, 0, 0, 5);
        let _ = record.take();
        record.add(outcome, 15, 15, 16);
        assert_eq!(record.punctuality.as_ref().map(|punctuality| punctuality.service_ns.len()), Some(1));
        assert_eq!(record.hand_over(20).slots.iter().map(|slot| slot.index).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn who_is_given_up_hung_only_when_it_waited_longer_than_any_answer() {
        let mut record = Record::default();
        // Without any answer, whatever waited hung.
        record.given_up(5_000_000, 6_000_000);
        assert_eq!((record.hung, record.last_planned_ns), (1, 5_000_000));
        let backend = Some(record.backends.intern(b"b"));
        record.add(Outcome { result: Ok(200), backend }, 0, 0, 50_000_000);
        record.add(Outcome { result: Ok(200), backend: None }, 0, 0, 20_000_000);
        for (now_ns, hung) in [(90_000_000, 1), (151_000_000, 2)] {
            record.given_up(100_000_000, now_ns);
            assert_eq!(record.hung, hung, "at {now_ns}");
        }
        let told = record.hand_over(200_000_000);
        assert_eq!(told.slots.iter().map(|slot| slot.hung).sum::<u64>(), 2);
    }

    #[test]
    fn kinds_are_listed_in_the_order_of_their_numbers() {
        for (index, kind) in ErrorKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "{kind:?}");
        }
    }

    #[test]
    fn a_name_keeps_its_number_in_whatever_order_it_comes() {
        let mut backends = Backends::default();
        let names: [&[u8]; 5] = [b"a", b"b", b"", b"c", b"d"];
        let ids = names.map(|name| backends.intern(name));
        for step in [1, 2, 3, 4, 5, 7] {
            for turn in 0..20 {
                let index = turn * step % names.len();
                assert_eq!(backends.intern(names[index]), ids[index], "name {index}");
            }
        }
        assert_eq!(backends.entries().len(), names.len());
    }

    #[test]
    fn names_without_end_are_counted_together() {
        let mut backends = Backends::default();
        let ids: Vec<_> =
            (0..BACKEND_LIMIT + 50).map(|i| backends.intern(i.to_string().as_bytes())).collect();
        assert_eq!(backends.entries().len(), BACKEND_LIMIT + 1);
        assert_eq!(ids[BACKEND_LIMIT], ids[BACKEND_LIMIT + 49]);
        assert_eq!(backends.entries()[BACKEND_LIMIT].name, OTHER_BACKENDS);
        assert_eq!(backends.intern(b"0"), ids[0]);
    }
}
