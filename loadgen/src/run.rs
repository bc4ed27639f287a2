//! A run from its first request to its summary: reads the engine's events, shows progress, hears signals.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, sleep_until};

use crate::engine::{Engine, Event, Halt};
use crate::plan::Plan;
use crate::reach::Reached;
use crate::record::Record;
use crate::report::live::Now;
use crate::report::progress::Counts;
use crate::report::terminal::TerminalKind;
use crate::report::text;
use crate::report::view::View;
use crate::silence::Silences;
use crate::summary::Summary;

/// How long an interrupted run waits for the answers in flight: most arrive, and nobody who pressed Ctrl-C
/// waits longer. A second signal ends the wait.
const GRACE: Duration = Duration::from_secs(1);

/// Sends what the plan says and answers with what came of it. Lines of single requests go to `out`,
/// progress goes to standard error.
///
/// # Errors
/// When the system refuses a thread or a signal handler, or `out` refuses a line.
pub async fn run(plan: &Arc<Plan>, reached: Reached, out: &mut impl Write) -> io::Result<Summary> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let mut view = View::new(plan, TerminalKind::of_stderr());
    let mut shows = tokio::time::interval(view.interval());
    shows.set_missed_tick_behavior(MissedTickBehavior::Delay);
    shows.reset();

    let started = Instant::now() + plan.pacing.head_start();
    let mut engine = Engine::start(Arc::clone(plan), reached, started)?;
    let mut tally = Tally::new(plan.threads);
    let mut halt = Halt::No;
    let mut give_up = started;
    loop {
        let halt_before = halt;
        tokio::select! {
            event = engine.next() => {
                let Some(event) = event else { break };
                tally.add(event, out)?;
            }
            _ = shows.tick() => {
                out.flush()?;
                // A run is worth more than its view.
                let _ = view.show(&Now { elapsed: started.elapsed(), counts: tally.counts(), ..Now::default() });
            }
            _ = interrupts.recv() => halt = stronger(halt),
            _ = terminations.recv() => halt = stronger(halt),
            () = sleep_until(give_up.into()), if halt == Halt::Drain => halt = Halt::Cut,
        }
        if halt != halt_before {
            give_up = Instant::now() + GRACE;
            engine.halt(halt);
        }
    }
    view.end();
    engine.join()?;

    let now_ns = started.elapsed().as_nanos() as u64;
    let longest_gap_ns = tally.silences.longest_ns();
    Ok(Summary::new(plan, &tally.records, longest_gap_ns, now_ns, halt != Halt::No))
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
    records: Vec<Record>,
    /// Lines written for single requests.
    lines: u64,
}

impl Tally {
    fn new(threads: usize) -> Self {
        Self {
            counts: vec![Counts::default(); threads],
            silences: Silences::new(threads),
            records: Vec::with_capacity(threads),
            lines: 0,
        }
    }

    fn add(&mut self, event: Event, out: &mut impl Write) -> io::Result<()> {
        match event {
            Event::Request { outcome, latency_ns } => {
                self.lines += 1;
                text::request(out, self.lines, outcome, latency_ns)?;
            }
            Event::Tick { thread, through_ns, succeeded, failed, silences } => {
                if let Some(counts) = self.counts.get_mut(thread) {
                    *counts = Counts { succeeded, failed };
                }
                self.silences.add(thread, through_ns, silences);
            }
            Event::Finished { thread, record } => {
                self.silences.finish(thread);
                self.records.push(*record);
            }
        }
        Ok(())
    }

    fn counts(&self) -> Counts {
        Counts {
            succeeded: self.counts.iter().map(|counts| counts.succeeded).sum(),
            failed: self.counts.iter().map(|counts| counts.failed).sum(),
        }
    }
}
