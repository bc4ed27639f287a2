//! What one thread keeps of its requests. Runs once per request: nothing here allocates, locks or looks at
//! a clock after the first answer of each backend.
//!
//! Latency is kept of successful answers only. A quick refusal would flatter the percentiles, and a
//! timeout would only show its own limit; both are counted as what they are instead.

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::Serialize;

use crate::honesty::ThreadTime;
use crate::punctuality::Punctuality;
use crate::silence::SilenceTracker;

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
    /// Anything else, such as an unreachable network or no free file descriptor.
    Other,
}

impl ErrorKind {
    /// All kinds, in the order in which they are reported.
    pub const ALL: [Self; 9] = [
        Self::Refused,
        Self::Reset,
        Self::ClosedEarly,
        Self::Stale,
        Self::Tls,
        Self::TimedOut,
        Self::Malformed,
        Self::Non2xx,
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
            Self::Other => "other failure",
        }
    }
}

/// A number for a backend's name, valid in the [`Backends`] that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackendId(u16);

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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backend {
    /// As it named itself; whatever bytes a header may hold.
    pub name: Vec<u8>,
    /// Complete answers, whatever their status.
    pub answers: u64,
    /// Answers that were not 2xx, or broke off after the backend had named itself.
    pub errors: u64,
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
                self.entries.push(Backend { name: name.to_vec(), ..Backend::default() });
                count
            }
            None => return self.others(),
        };
        self.last = index;
        BackendId(index as u16)
    }

    /// The same names under the same numbers, with nothing counted.
    fn names_only(&self) -> Self {
        let entries = self.entries.iter();
        let entries = entries.map(|backend| Backend { name: backend.name.clone(), ..Backend::default() });
        Self { entries: entries.collect(), last: self.last }
    }

    /// All of them, in the order in which they came up.
    pub fn entries(&self) -> &[Backend] {
        &self.entries
    }

    fn others(&mut self) -> BackendId {
        if self.entries.len() == BACKEND_LIMIT {
            self.entries.push(Backend { name: OTHER_BACKENDS.to_vec(), ..Backend::default() });
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
    /// Failures by [`ErrorKind`].
    errors: [u64; ErrorKind::ALL.len()],
    /// Complete answers by status.
    statuses: Vec<u64>,
    /// Requests sent again because their kept-alive connection was closed.
    pub resent: u64,
    /// Connections established.
    pub connections: u64,
    /// Answers by backend.
    pub backends: Backends,
    /// With several URLs: successes and failures of each, by its number; those that never had a turn may
    /// be missing.
    pub targets: Vec<[u64; 2]>,
    /// Time from the decision to send until the answer was complete, of successful requests, in ns.
    pub latency_ns: Histogram<u64>,
    /// The sum of the same, exact.
    pub latency_sum_ns: u64,
    /// The silences between successes.
    pub silences: SilenceTracker,
    /// When the last request ended.
    pub last_end_ns: u64,
    /// Requests that were due while no connection was free.
    pub unsent: u64,
    /// How well the schedule was kept; only in an open loop.
    pub punctuality: Option<Box<Punctuality>>,
    /// What the thread itself used.
    pub time: ThreadTime,
}

/// Latencies above are counted as this; no timeout of a load test is longer.
const LATENCY_LIMIT_NS: u64 = 3_600_000_000_000;

/// Three significant digits: every percentile is within 0.1 % of the truth.
const LATENCY_DIGITS: u8 = 3;

impl Default for Record {
    fn default() -> Self {
        Self {
            started: 0,
            succeeded: 0,
            errors: [0; ErrorKind::ALL.len()],
            statuses: vec![0; 1000],
            resent: 0,
            connections: 0,
            backends: Backends::default(),
            targets: Vec::new(),
            latency_ns: latency_histogram(),
            latency_sum_ns: 0,
            silences: SilenceTracker::default(),
            last_end_ns: 0,
            unsent: 0,
            punctuality: None,
            time: ThreadTime::default(),
        }
    }
}

/// An empty histogram with the bounds that all threads share, so that they can be added up.
pub fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_LIMIT_NS, LATENCY_DIGITS).expect("the bounds are constants that fit")
}

impl Record {
    /// Counts a request that was planned, written and at its end at these times since the start of the run. In a
    /// closed loop the plan is the decision to send.
    pub fn add(&mut self, outcome: Outcome, planned_ns: u64, sent_ns: u64, end_ns: u64) {
        self.last_end_ns = end_ns;
        let error = outcome.error();
        if let Ok(status) = outcome.result
            && let Some(count) = self.statuses.get_mut(usize::from(status))
        {
            *count += 1;
        }
        if let Some(BackendId(index)) = outcome.backend
            && let Some(backend) = self.backends.entries.get_mut(usize::from(index))
        {
            backend.answers += u64::from(outcome.result.is_ok());
            backend.errors += u64::from(error.is_some());
        }
        if let Some(kind) = error {
            self.errors[kind as usize] += 1;
            return;
        }
        let latency_ns = end_ns.saturating_sub(planned_ns);
        self.succeeded += 1;
        self.latency_sum_ns += latency_ns;
        self.latency_ns.saturating_record(latency_ns);
        self.silences.success(end_ns);
        if let Some(punctuality) = &mut self.punctuality {
            punctuality.succeeded(end_ns.saturating_sub(sent_ns));
        }
    }

    /// Counts a request that was due at this time and could not be sent.
    pub fn unsent(&mut self, _planned_ns: u64) {
        self.unsent += 1;
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
        let rest = Self { backends: self.backends.names_only(), ..Self::default() };
        std::mem::replace(self, rest)
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
            record.add(Outcome { result, backend }, 1_000_000, 1_000_000, 3_000_000);
        }
        assert_eq!((record.succeeded, record.failed()), (2, 5));
        let errors: Vec<_> = ErrorKind::ALL.into_iter().map(|kind| record.errors(kind)).collect();
        assert_eq!(errors, [2, 0, 1, 0, 0, 0, 0, 2, 0]);
        assert_eq!(record.statuses().collect::<Vec<_>>(), [(200, 1), (204, 1), (302, 1), (503, 1)]);
        let backend = |name: &[u8], answers, errors| Backend { name: name.to_vec(), answers, errors };
        assert_eq!(record.backends.entries(), [backend(b"one", 1, 0), backend(b"two", 2, 2)]);
        assert_eq!((record.latency_ns.len(), record.latency_sum_ns), (2, 4_000_000));
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
            (record.succeeded, record.latency_ns.len(), two.answers, two.name.clone())
        };
        assert_eq!(counts(&first), (1, 1, 1, b"two".to_vec()));
        assert_eq!(counts(&second), (2, 2, 2, b"two".to_vec()));
        assert_eq!(counts(&record), (0, 0, 0, b"two".to_vec()));
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
