//! A run from its first request to its summary: reads the engine's events, shows progress, hears signals, and
//! has the faults done and the backends asked around it.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, sleep_until};

use crate::collector::Collector;
use crate::engine::{Engine, Event, Halt};
use crate::failover::{self, Circumstances};
use crate::fault::Faults;
use crate::plan::{Goal, Pacing, Plan};
use crate::reach::Reached;
use crate::record::{HandOver, Record};
use crate::report::live::{Course, News, Now};
use crate::report::progress::Counts;
use crate::report::terminal::TerminalKind;
use crate::report::text;
use crate::report::view::View;
use crate::signals::Signals;
use crate::silence::Silences;
use crate::summary::{Observed, Summary};
use crate::truth;

/// How long an interrupted run waits for the answers in flight: most arrive, and nobody who pressed Ctrl-C
/// waits longer. A second signal ends the wait.
const GRACE: Duration = Duration::from_secs(1);

/// What a run came to.
#[derive(Debug)]
pub struct Finished {
    /// Everything that was measured.
    pub summary: Summary,
    /// Whether the lines of single requests could be written. The first refusal ends the run as a signal does: what
    /// was measured until then is worth a report all the same.
    pub lines: io::Result<()>,
}

/// Sends what the plan says and answers with what came of it. Lines of single requests go to `out`,
/// progress goes to standard error.
///
/// # Errors
/// When the system refuses a thread or a signal handler, or a signal comes before the first request.
pub async fn run(plan: &Arc<Plan>, reached: Reached, out: &mut impl Write) -> io::Result<Finished> {
    let mut signals = Signals::listen()?;
    let mut view = View::new(plan, TerminalKind::of_stderr());
    let mut shows = tokio::time::interval(view.interval());
    shows.set_missed_tick_behavior(MissedTickBehavior::Delay);
    shows.reset();

    let truth_before = truth::read(&plan.truth, signals.next()).await;
    if signals.heard() > 0 {
        let reason = "interrupted while the backends were asked for their counts; nothing was sent";
        return Err(io::Error::new(io::ErrorKind::Interrupted, reason));
    }
    let mut engine = Engine::start(Arc::clone(plan), reached)?;
    let started = engine.started();
    let mut faults = Faults::start(&plan.faults, started);
    let mut tally = Tally::new(plan);
    let mut halt = Halt::No;
    let mut give_up = started;
    let mut halted_ns = None;
    let mut lines = Ok(());
    loop {
        let halt_before = halt;
        tokio::select! {
            event = engine.next() => {
                let Some(event) = event else { break };
                let written = tally.add(event, lines.is_ok().then_some(&mut *out));
                lines = lines.and(written);
            }
            _ = shows.tick() => {
                if lines.is_ok() {
                    lines = out.flush();
                }
                if !view.is_silent() {
                    // A run is worth more than its view.
                    let _ = tally.show(plan, &mut view, started.elapsed());
                }
            }
            Some(line) = faults.line() => {
                tally.news.tell(started.elapsed(), &line);
                view.tell(&line);
            }
            () = signals.next() => halt = stronger(halt),
            () = sleep_until(give_up.into()), if halt == Halt::Drain => halt = Halt::Cut,
        }
        if lines.is_err() && halt == Halt::No {
            halt = Halt::Drain;
        }
        if halt != halt_before {
            halted_ns.get_or_insert(nanoseconds(started.elapsed()));
            give_up = Instant::now() + GRACE;
            engine.halt(halt);
        }
    }
    engine.join()?;

    let now_ns = nanoseconds(started.elapsed());
    let marks = faults.finish(|line| view.tell(line)).await;
    view.end();
    let last_ns = tally.records.iter().map(|record| record.last_planned_ns).max().unwrap_or(0);
    let end_ns = planned_until_ns(plan.goal, halted_ns, last_ns);
    let mut summary = Summary::new(
        plan,
        Observed {
            records: &tally.records,
            timeline: tally.collector.timeline(end_ns, marks),
            longest_gap_ns: tally.silences.longest_ns(),
            now_ns,
            halted_ns,
            interrupted: halt != Halt::No,
        },
    );
    if !plan.truth.is_empty() {
        let truth_after = truth::read(&plan.truth, signals.next_unless_insisted()).await;
        let (sent, backends) = (summary.sent(), &summary.backends);
        summary.truth = Some(truth::compare(&plan.truth, truth_before, truth_after, sent, backends));
    }
    Ok(Finished { summary, lines })
}

/// Enough for five centuries.
fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos() as u64
}

fn stronger(halt: Halt) -> Halt {
    match halt {
        Halt::No => Halt::Drain,
        Halt::Drain | Halt::Cut => Halt::Cut,
    }
}

/// What the events have said so far.
struct Tally {
    /// The latest counts of every thread.
    counts: Vec<Counts>,
    silences: Silences,
    collector: Collector,
    records: Vec<Record>,
    /// Lines written for single requests.
    lines: u64,
    news: News,
}

/// So long after its end a slot is looked at for failovers while the run goes on: answers that are still on their
/// way must not look like silence.
const FAILOVERS_SETTLE: Duration = Duration::from_secs(1);

impl Tally {
    fn new(plan: &Plan) -> Self {
        let threads = plan.threads;
        Self {
            counts: vec![Counts::default(); threads],
            silences: Silences::new(threads),
            collector: Collector::new(threads, nanoseconds(plan.slot)),
            records: Vec::with_capacity(threads),
            lines: 0,
            news: News::default(),
        }
    }

    /// Takes an event in; lines of single requests go to `out`.
    fn add(&mut self, event: Event, out: Option<&mut impl Write>) -> io::Result<()> {
        match event {
            Event::Request { outcome, latency_ns } => {
                self.lines += 1;
                if let Some(out) = out {
                    text::request(out, self.lines, outcome, latency_ns)?;
                }
            }
            Event::Tick { thread, through_ns, succeeded, failed, counted } => {
                if let Some(counts) = self.counts.get_mut(thread) {
                    *counts = Counts { succeeded, failed };
                }
                let HandOver { slots, names, silences } = counted;
                self.silences.add(thread, through_ns, silences);
                self.collector.add(thread, names, slots);
            }
            Event::Finished { thread, record } => {
                self.silences.finish(thread);
                self.records.push(*record);
            }
        }
        Ok(())
    }

    /// Shows where the run stands, with the failovers that were seen at the last look.
    fn show(&mut self, plan: &Plan, view: &mut View, elapsed: Duration) -> io::Result<()> {
        let mut timeline = self.collector.timeline(0, Vec::new());
        let course = Course::of(&timeline, elapsed);
        view.show(&Now { news: &self.news.lines(), ..course.now(&timeline, elapsed, self.counts()) })?;
        timeline.end_ms = elapsed.saturating_sub(FAILOVERS_SETTLE).as_secs_f64() * 1e3;
        timeline.slots.truncate((timeline.end_ms / timeline.slot_ms) as usize);
        let circumstances = Circumstances {
            is_paced: matches!(plan.pacing, Pacing::Open { .. }),
            weights: &plan.expected_shares,
        };
        self.news.find(&failover::detect(&timeline, circumstances));
        Ok(())
    }

    fn counts(&self) -> Counts {
        Counts {
            succeeded: self.counts.iter().map(|counts| counts.succeeded).sum(),
            failed: self.counts.iter().map(|counts| counts.failed).sum(),
        }
    }
}

/// Until when requests would have been planned, had the target answered. A timed run goes on until its time even
/// when nothing can be sent, unless a signal halts it before; a counted one ends with its last request.
fn planned_until_ns(goal: Goal, halted_ns: Option<u64>, last_ns: u64) -> u64 {
    let goal_ns = match goal {
        Goal::Time(time) => Some(nanoseconds(time)),
        Goal::Number(_) => None,
    };
    goal_ns.into_iter().chain(halted_ns).min().unwrap_or(0).max(last_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timed_run_lasts_until_its_time_or_the_signal() {
        let timed = Goal::Time(Duration::from_nanos(1000));
        let table = [
            (timed, None, 400, 1000),
            (timed, Some(700), 400, 700),
            // The signal came while the last answers were waited for.
            (timed, Some(1500), 999, 1000),
            (Goal::Number(5), None, 400, 400),
            (Goal::Number(5), Some(700), 400, 700),
            (Goal::Number(5), None, 0, 0),
        ];
        for (goal, halted_ns, last_ns, expected) in table {
            let actual = planned_until_ns(goal, halted_ns, last_ns);
            assert_eq!(actual, expected, "{goal:?} {halted_ns:?} {last_ns}");
        }
    }
}
