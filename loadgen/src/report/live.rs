//! The figures of a run that is going on: what a view shows at one moment. Pure.
//!
//! They are for watching only. Percentiles of neighbouring slots cannot be put together exactly, so a median here is a
//! mean of medians and a p99 the highest of several; the summary at the end is made from the histograms themselves.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::failover::Failover;
use crate::plan::Goal;
use crate::record::ErrorKind;
use crate::report::progress::Counts;
use crate::timeline::{Slot, SlotLatency, Timeline};

/// Where a run stands, as far as it is known: what is not, is left empty and not shown.
#[derive(Debug, Clone, Default)]
pub struct Now<'a> {
    /// Since the start of the run.
    pub elapsed: Duration,
    /// Requests so far.
    pub counts: Counts,
    /// Requests so far that were due and could not be sent.
    pub unsent: u64,
    /// The latest slots that are complete, of all threads together, oldest first; more than are needed do no harm.
    pub recent: &'a [Slot],
    /// How long a slot is.
    pub slot: Duration,
    /// Answers so far by backend.
    pub backends: &'a [(String, u64)],
    /// Failures so far by kind.
    pub errors: &'a [(ErrorKind, u64)],
    /// What happened, in order of time: failovers as they are found, commands as they are run.
    pub news: &'a [String],
}

/// What a timeline says of a run that is going on: the sums that [`Now`] wants, made anew for every look.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    slot: Duration,
    unsent: u64,
    backends: Vec<(String, u64)>,
    errors: Vec<(ErrorKind, u64)>,
    /// How many of the slots are complete.
    complete: usize,
}

/// So long after its end a slot may still change: the threads tell ten times a second, and answers take their time.
const SETTLING: Duration = Duration::from_millis(200);

impl Course {
    /// Of the timeline as it is after `elapsed`.
    pub fn of(timeline: &Timeline, elapsed: Duration) -> Self {
        let slot = Duration::try_from_secs_f64(timeline.slot_ms / 1e3).unwrap_or_default();
        let mut errors = BTreeMap::new();
        let mut answers = vec![0; timeline.backends.len()];
        for one in &timeline.slots {
            for (kind, count) in &one.errors {
                *errors.entry(*kind).or_default() += count;
            }
            for (sum, count) in answers.iter_mut().zip(&one.backends) {
                *sum += count;
            }
        }
        let settled = elapsed.saturating_sub(SETTLING).as_nanos();
        let complete = settled.checked_div(slot.as_nanos()).unwrap_or(0);
        Self {
            slot,
            unsent: timeline.slots.iter().map(|slot| slot.unsent).sum(),
            backends: timeline.backends.iter().cloned().zip(answers).collect(),
            errors: errors.into_iter().collect(),
            complete: usize::try_from(complete).unwrap_or(usize::MAX).min(timeline.slots.len()),
        }
    }

    /// The same with what the timeline does not know. `timeline` is the one that this was made of.
    pub fn now<'a>(&'a self, timeline: &'a Timeline, elapsed: Duration, counts: Counts) -> Now<'a> {
        Now {
            elapsed,
            counts,
            unsent: self.unsent,
            recent: timeline.slots.get(..self.complete).unwrap_or_default(),
            slot: self.slot,
            backends: &self.backends,
            errors: &self.errors,
            ..Now::default()
        }
    }
}

/// What happened so far: failovers as they are found, and what commands say as they run.
#[derive(Debug, Clone, Default)]
pub struct News {
    /// When each line was told.
    told: VecDeque<(Duration, String)>,
    /// Found anew at every look, since a failover that goes on is told differently later.
    failovers: Vec<(Duration, String)>,
}

/// Of what commands say as many of the latest lines are kept; a screen shows fewer.
const TOLD_KEPT: usize = 100;

impl News {
    /// Takes in a line that a command told so long after the start.
    pub fn tell(&mut self, elapsed: Duration, line: &str) {
        if self.told.len() == TOLD_KEPT {
            self.told.pop_front();
        }
        self.told.push_back((elapsed, line.to_owned()));
    }

    /// Takes in the failovers as they look now, in order of time.
    pub fn find(&mut self, failovers: &[Failover]) {
        let at = |ms: f64| Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default();
        self.failovers =
            failovers.iter().map(|failover| (at(failover.at_ms), failover.to_string())).collect();
    }

    /// All of it, in order of time.
    pub fn lines(&self) -> Vec<String> {
        let mut all: Vec<_> = self.told.iter().chain(&self.failovers).collect();
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, line)| line.clone()).collect()
    }
}

/// What is shown; kept from one moment to the next.
#[derive(Debug, Clone)]
pub struct Live {
    /// What the requests are sent to, such as `GET http://localhost/`.
    pub target: String,
    /// When the run ends.
    pub goal: Goal,
    /// Since the start of the run.
    pub elapsed: Duration,
    /// Requests so far.
    pub counts: Counts,
    /// Requests that could not be sent so far.
    pub unsent: u64,
    /// Requests per second at every look, each over the last second, oldest first.
    pub rates: VecDeque<u64>,
    /// Latency in the last second; `None` when nothing succeeded in it.
    pub latency_ms: Option<SlotLatency>,
    /// Whether there were slots to read a latency off.
    pub is_latency_known: bool,
    /// Answers so far by backend, in the order of the names.
    pub backends: BTreeMap<String, u64>,
    /// Failures so far by kind, without kinds that did not occur.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// What happened, in order of time.
    pub news: Vec<String>,
    /// When the last looks were, and how many requests had ended; the first is about a second old.
    looks: VecDeque<(Duration, u64)>,
}

/// As many rates as the widest terminal has columns for.
const RATES_KEPT: usize = 400;

/// Over how much time rate and latency are looked at: short enough to see a change, long enough to read, and for a
/// rate that it matters little which of the threads, which tell ten times a second, has told last.
const WINDOW: Duration = Duration::from_secs(1);

impl Live {
    /// For a run that begins.
    pub fn new(target: String, goal: Goal) -> Self {
        Self {
            target,
            goal,
            elapsed: Duration::ZERO,
            counts: Counts::default(),
            unsent: 0,
            rates: VecDeque::new(),
            latency_ms: None,
            is_latency_known: false,
            backends: BTreeMap::new(),
            errors: BTreeMap::new(),
            news: Vec::new(),
            looks: VecDeque::from([(Duration::ZERO, 0)]),
        }
    }

    /// Takes in where the run stands.
    pub fn look(&mut self, now: &Now) {
        self.looks.push_back((now.elapsed, now.counts.total()));
        while self.looks.get(1).is_some_and(|(elapsed, _)| now.elapsed.saturating_sub(*elapsed) >= WINDOW) {
            self.looks.pop_front();
        }
        if let Some((elapsed, total)) = self.looks.front() {
            let since = now.elapsed.saturating_sub(*elapsed).as_secs_f64();
            let done = now.counts.total().saturating_sub(*total);
            self.rates.push_back(if since > 0.0 { (done as f64 / since).round() as u64 } else { 0 });
            if self.rates.len() > RATES_KEPT {
                self.rates.pop_front();
            }
        }
        self.elapsed = now.elapsed;
        self.counts = now.counts;
        self.unsent = now.unsent;
        self.latency_ms = recent_latency(now);
        self.is_latency_known = !now.recent.is_empty();
        self.backends = now.backends.iter().cloned().collect();
        self.errors = now.errors.iter().copied().filter(|(_, count)| *count > 0).collect();
        self.news = now.news.to_vec();
    }

    /// Requests per second in the last second.
    pub fn rate(&self) -> u64 {
        self.rates.back().copied().unwrap_or(0)
    }

    /// How much of the run is done, from 0 to 1.
    pub fn part(&self) -> f64 {
        let part = match self.goal {
            Goal::Number(number) => self.counts.total() as f64 / number as f64,
            Goal::Time(time) => self.elapsed.as_secs_f64() / time.as_secs_f64(),
        };
        part.clamp(0.0, 1.0)
    }

    /// Backends with their parts of the answers, from 0 to 1, by name.
    pub fn shares(&self) -> Vec<(&str, u64, f64)> {
        let all = self.backends.values().sum::<u64>().max(1) as f64;
        self.backends.iter().map(|(name, count)| (name.as_str(), *count, *count as f64 / all)).collect()
    }
}

/// Latency of the last second's slots: the median weighed by the number of requests, of all else the highest.
pub fn recent_latency(now: &Now) -> Option<SlotLatency> {
    let slots = match now.slot.as_nanos() {
        0 => 1,
        slot_ns => WINDOW.as_nanos().div_ceil(slot_ns) as usize,
    };
    let recent = &now.recent[now.recent.len().saturating_sub(slots)..];
    let latencies = || recent.iter().filter_map(|slot| Some((slot.successful as f64, slot.latency_ms?)));
    let requests: f64 = latencies().map(|(requests, _)| requests).sum();
    if requests <= 0.0 {
        return None;
    }
    let highest =
        |value: fn(&SlotLatency) -> f64| latencies().map(|(_, latency)| value(&latency)).fold(0.0, f64::max);
    Some(SlotLatency {
        p50: latencies().map(|(requests, latency)| latency.p50 * requests).sum::<f64>() / requests,
        p90: highest(|latency| latency.p90),
        p99: highest(|latency| latency.p99),
        max: highest(|latency| latency.max),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn slot(successful: u64, p50: f64, p99: f64) -> Slot {
        let latency_ms = Some(SlotLatency { p50, p90: p50 * 2.0, p99, max: p99 * 2.0 });
        Slot { successful, latency_ms, ..Slot::default() }
    }

    #[test]
    fn the_rate_is_that_of_the_last_second() {
        let mut live = Live::new("GET http://a/".into(), Goal::Number(4000));
        assert_eq!((live.rate(), live.part()), (0, 0.0));
        let looks =
            [(200, 200, 1000), (1000, 1000, 1000), (1200, 1400, 1200), (2000, 2000, 1000), (3000, 2000, 0)];
        for (elapsed_ms, succeeded, expected) in looks {
            let counts = Counts { succeeded, failed: 0 };
            live.look(&Now { elapsed: Duration::from_millis(elapsed_ms), counts, ..Now::default() });
            assert_eq!(live.rate(), expected, "{elapsed_ms} ms");
        }
        assert_eq!(live.part(), 0.5);
        assert_eq!(live.rates, [1000, 1000, 1200, 1000, 0]);
        for second in 4..2000 {
            live.look(&Now { elapsed: Duration::from_secs(second), ..Now::default() });
        }
        assert_eq!(live.rates.len(), RATES_KEPT);
        assert_eq!(live.looks.len(), 2);
    }

    #[test]
    fn latency_is_that_of_the_last_second() {
        let recent = [slot(1000, 500.0, 900.0), slot(100, 1.0, 5.0), slot(300, 3.0, 4.0), Slot::default()];
        let now = |slot_ms| Now { recent: &recent, slot: Duration::from_millis(slot_ms), ..Now::default() };
        let latency = recent_latency(&now(334)).unwrap();
        assert_eq!((latency.p50, latency.p99, latency.max), (2.5, 5.0, 10.0));
        assert_eq!(recent_latency(&now(1000)), None);
        assert!(recent_latency(&now(100)).unwrap().p50 > 300.0);
        assert_eq!(recent_latency(&Now::default()), None);
    }

    #[test]
    fn a_timeline_says_what_is_shown() {
        let timeline = crate::report::fixtures::killed_backend().timeline.unwrap();
        let elapsed = Duration::from_millis(10_450);
        let course = Course::of(&timeline, elapsed);
        let now = course.now(&timeline, elapsed, Counts { succeeded: 7, failed: 2 });
        assert_eq!((now.recent.len(), now.slot, now.unsent), (102, Duration::from_millis(100), 320));
        assert_eq!(now.errors, [(ErrorKind::Reset, 12), (ErrorKind::TimedOut, 8)]);
        let answers: u64 = timeline.slots.iter().map(|slot| slot.backends[1]).sum();
        assert_eq!(now.backends[1], ("backend-2".to_owned(), answers));
        assert!(recent_latency(&now).is_some());
        // Nothing is complete at the start.
        assert_eq!(Course::of(&timeline, Duration::from_millis(150)).complete, 0);
        let bare = Timeline { slot_ms: 0.0, slots: Vec::new(), backends: Vec::new(), ..timeline };
        assert_eq!(Course::of(&bare, elapsed).now(&bare, elapsed, Counts::default()).recent.len(), 0);
    }

    #[test]
    fn news_of_both_kinds_stand_in_order_of_time() {
        let mut news = News::default();
        let failover = |at_ms, gap_ms| Failover {
            backend: "b2".to_owned(),
            at_ms,
            gap_ms,
            errors: 1,
            even_after_ms: None,
            back_after_ms: None,
        };
        news.tell(Duration::from_secs(1), "first");
        news.tell(Duration::from_secs(5), "last");
        news.find(&[failover(2000.0, 10.0)]);
        // The same, as it looks later.
        news.find(&[failover(2000.0, 340.0)]);
        assert_eq!(news.lines(), ["first", &failover(2000.0, 340.0).to_string(), "last"]);
        for _ in 0..1000 {
            news.tell(Duration::from_secs(6), "more");
        }
        assert_eq!(news.lines().len(), TOLD_KEPT + 1);
    }

    #[test]
    fn shares_are_parts_of_what_named_a_backend() {
        let mut live = Live::new(String::new(), Goal::Number(1));
        assert_eq!(live.shares(), []);
        let backends = [("b".to_owned(), 30), ("a".to_owned(), 10)];
        live.look(&Now { backends: &backends, ..Now::default() });
        assert_eq!(live.shares(), [("a", 10, 0.25), ("b", 30, 0.75)]);
    }
}
