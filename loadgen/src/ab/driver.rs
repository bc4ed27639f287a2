//! A comparison from its first slice to its summary: tells the threads whom to send to, and when, and hears
//! signals.
//!
//! Only one target is sent to at a time, and the other's turn begins when the last answer is there, so that
//! neither takes processor time, network or a shared backend from the other.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::plan::{AbPlan, Orders, Phase};
use super::report;
use super::slice::{Parts, SideCounts};
use super::statistics::{Comparison, Pair, Slice};
use super::summary::{AbSummary, Compared};
use crate::engine::slices::Pools;
use crate::plan::Plan;
use crate::reach::{self, Reached};
use crate::signals::Signals;

/// A target that was silent for so many of its slices, one after the other, is not going to answer; waiting
/// for the timeouts of all that are left would take hours.
const SILENT_SLICES_LIMIT: usize = 3;

/// Compares what the plan says. A line for each pair goes to `progress`.
///
/// # Errors
/// When a target that was there before cannot be reached, or the system refuses a thread or a signal handler.
pub async fn run(plan: &AbPlan, progress: &mut impl Write) -> io::Result<AbSummary> {
    let mut signals = Signals::listen()?;
    let mut summary = AbSummary::new(plan);
    for phase in plan.phases() {
        let mut measured = Measured::default();
        let reached = tokio::select! {
            reached = reach_both(&phase) => Some(reached?),
            () = signals.next() => None,
        };
        if let Some(reached) = reached {
            let mut pools = Pools::start(reached)?;
            tokio::select! {
                result = measure(plan, &phase, &mut pools, &mut measured, progress) => result?,
                () = signals.next() => summary.interrupted = true,
            }
            pools.end()?;
        } else {
            summary.interrupted = true;
        }
        summary.enter(&phase, measured.compared());
        if summary.interrupted {
            break;
        }
    }
    Ok(summary)
}

/// What there is so far.
#[derive(Default)]
struct Measured {
    pairs: Vec<Pair>,
    sides: [SideCounts; 2],
    ended_early: Option<String>,
}

impl Measured {
    fn compared(self) -> Compared {
        let [a, b] = self.sides;
        Compared {
            a,
            b,
            result: Comparison::new(&self.pairs),
            ended_early: self.ended_early,
            pair_values: self.pairs,
        }
    }
}

/// In a thread of its own, since it blocks and signals are to be heard meanwhile.
async fn reach_both(phase: &Phase) -> io::Result<[(Arc<Plan>, Reached); 2]> {
    let [a, b] = phase.plans.clone();
    let (sender, both) = oneshot::channel();
    thread::Builder::new().spawn(move || {
        let one = |plan: Arc<Plan>| {
            let reached = reach::reach(&plan).map_err(io::Error::other)?;
            Ok((plan, reached))
        };
        // Nobody waits any more when a signal came.
        let _ = sender.send(one(a).and_then(|a| Ok([a, one(b)?])));
    })?;
    both.await.map_err(io::Error::other)?
}

/// Measures one pair after the other. What is in `measured` is complete at every moment.
async fn measure(
    plan: &AbPlan,
    phase: &Phase,
    pools: &mut Pools,
    measured: &mut Measured,
    progress: &mut impl Write,
) -> io::Result<()> {
    // Opens the connections, and warms up whatever else gets faster with use.
    for side in [0, 1] {
        slice(pools, side, plan).await?;
    }
    let mut silent = [0; 2];
    for (number, order) in (1..=plan.pairs).zip(Orders::new(phase.seed)) {
        let [first, second] = order.sides();
        let mut slices = [None, None];
        for side in [first, second] {
            let parts = slice(pools, side, plan).await?;
            slices[side] = Some((parts.slice(), parts));
        }
        let [Some((a, parts_a)), Some((b, parts_b))] = slices else { continue };
        let pair = Pair { a, b };
        for (side, parts, slice) in [(0, parts_a, a), (1, parts_b, b)] {
            measured.sides[side].add(&parts, &slice, phase.plans[side].threads);
            silent[side] = if is_silent(&slice) { silent[side] + 1 } else { 0 };
        }
        measured.pairs.push(pair);
        // A comparison is worth more than its progress.
        let _ = report::pair(progress, number, plan, phase, &pair);
        if let Some(side) = silent.iter().position(|count| *count >= SILENT_SLICES_LIMIT) {
            let url = phase.plans[side].mix.urls();
            measured.ended_early =
                Some(format!("{url} was silent for {SILENT_SLICES_LIMIT} slices in a row"));
            return Ok(());
        }
    }
    Ok(())
}

fn is_silent(slice: &Slice) -> bool {
    slice.requests == 0
}

/// Sends to one target for the length of a slice, and waits for the answers.
async fn slice(pools: &mut Pools, side: usize, plan: &AbPlan) -> io::Result<Parts> {
    let begun = Instant::now();
    pools.go(side).await?;
    sleep_until(begun + plan.head()).await;
    let head = pools.hand_over(side).await?;
    let cpu_before = cpu_time();
    sleep_until(begun + plan.slice).await;
    let cpu_after = cpu_time();
    let (window, tail) = pools.pause(side).await?;
    Ok(Parts { head, window, tail, window_cpu: cpu_after.saturating_sub(cpu_before) })
}

/// Processor time that this process has taken so far; zero where the system does not tell.
fn cpu_time() -> Duration {
    let microseconds = getrusage(UsageWho::RUSAGE_SELF)
        .map_or(0, |usage| usage.user_time().num_microseconds() + usage.system_time().num_microseconds());
    Duration::from_micros(microseconds.unsigned_abs())
}
