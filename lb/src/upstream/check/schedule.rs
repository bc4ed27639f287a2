//! The times at which each target is probed. Pure: time comes in, targets are numbers.
//!
//! Each target has its own beats, one period apart. Targets that arrive together are spread evenly over their period,
//! so that thousands of them give a steady rate of connects and not a burst; in steps of [`STEP`], since each wake-up
//! of the process costs more than a connect. Targets do not wait for each other: one whose probe takes until its
//! timeout delays no other.
//!
//! A target may be hurried: its next probe comes as soon as the last one began [`MIN_GAP`] ago, and its beats stay as
//! before. A probe that is due while the last one still runs follows when that ends.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::balance::Now;

/// The least time between the beginnings of two probes of a target, however often it is hurried: a burst of failures
/// must not become a burst of probes.
pub(super) const MIN_GAP: Duration = Duration::from_millis(200);

/// Targets that share a step are probed together.
const STEP: Duration = Duration::from_millis(10);

/// The time that each further target adds to the gap between two calls to hurry all: 500 probes a second at most.
const HURRY_ALL_PER_TARGET: Duration = Duration::from_millis(2);

/// The least time between two calls to hurry `count` targets at once.
pub(in crate::upstream) fn hurry_all_gap(count: usize) -> Duration {
    MIN_GAP.max(HURRY_ALL_PER_TARGET.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)))
}

/// Identifies a target.
pub(super) type TargetId = u64;

/// The targets and their next probes.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    targets: HashMap<TargetId, Target>,
    /// By time. Holds exactly the `due` of every target that is not running.
    queue: BTreeSet<(Now, TargetId)>,
}

#[derive(Debug)]
struct Target {
    period: Duration,
    /// The next regular probe.
    beat: Now,
    /// The next probe.
    due: Now,
    began: Option<Now>,
    running: bool,
    /// Due again before the running probe has ended.
    again: bool,
    /// True if the last update named it.
    named: bool,
}

impl Target {
    /// The earliest moment from `now` on that keeps [`MIN_GAP`].
    fn soonest(&self, now: Now) -> Now {
        self.began.map_or(now, |began| now.max(began.plus(MIN_GAP)))
    }

    /// Moves the beat to its first moment after `now`.
    fn advance(&mut self, now: Now) {
        if self.beat <= now {
            let period_ns = self.period.as_nanos().max(1);
            let missed = now.since(self.beat).as_nanos() / period_ns;
            let steps = u32::try_from(missed + 1).unwrap_or(u32::MAX);
            self.beat = self.beat.plus(self.period.saturating_mul(steps));
        }
    }
}

impl Schedule {
    /// Makes `targets`, each with its period, the set to probe. New ones are spread over their period, beginning `now`;
    /// the others keep their beat.
    pub(super) fn update(&mut self, targets: impl IntoIterator<Item = (TargetId, Duration)>, now: Now) {
        let mut new: Vec<(TargetId, Duration)> = Vec::new();
        for (id, period) in targets {
            match self.targets.get_mut(&id) {
                Some(target) => target.named = true,
                None => new.push((id, period)),
            }
        }
        let queue = &mut self.queue;
        self.targets.retain(|id, target| {
            let named = std::mem::take(&mut target.named);
            if !named {
                queue.remove(&(target.due, *id));
            }
            named
        });
        let count = u32::try_from(new.len()).unwrap_or(u32::MAX);
        for (place, (id, period)) in (0..count).zip(new) {
            let steps = period.as_nanos() * u128::from(place) / u128::from(count) / STEP.as_nanos();
            let due = now.plus(STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX)));
            let target =
                Target { period, beat: due, due, began: None, running: false, again: false, named: false };
            if self.targets.insert(id, target).is_none() {
                self.queue.insert((due, id));
            }
        }
    }

    /// A target that is due, which counts as running from `now` until [`finished`](Self::finished).
    pub(super) fn pop_due(&mut self, now: Now) -> Option<TargetId> {
        let (due, id) = *self.queue.first()?;
        if due > now {
            return None;
        }
        self.queue.pop_first();
        let target = self.targets.get_mut(&id)?;
        target.advance(now);
        target.began = Some(now);
        target.running = true;
        Some(id)
    }

    /// The probe of a target has ended.
    pub(super) fn finished(&mut self, id: TargetId, now: Now) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        if !std::mem::replace(&mut target.running, false) {
            return;
        }
        let missed = target.beat <= now;
        let again = std::mem::take(&mut target.again);
        // The beat itself stays: a probe that took long does not shift those behind it.
        target.due = if missed || again { target.soonest(now) } else { target.soonest(target.beat) };
        self.queue.insert((target.due, id));
    }

    /// Asks for a probe of a target as soon as possible.
    pub(super) fn hurry(&mut self, id: TargetId, now: Now) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        if target.running {
            target.again = true;
            return;
        }
        let due = target.soonest(now);
        if due < target.due {
            self.queue.remove(&(target.due, id));
            target.due = due;
            self.queue.insert((due, id));
        }
    }

    /// The time when the next target is due, if any is waiting.
    pub(super) fn next_due(&self) -> Option<Now> {
        self.queue.first().map(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);

    fn at(ms: u64) -> Now {
        Now::from_millis(ms)
    }

    fn schedule_of(ids: impl IntoIterator<Item = TargetId>, now_ms: u64) -> Schedule {
        let mut schedule = Schedule::default();
        schedule.update(ids.into_iter().map(|id| (id, PERIOD)), at(now_ms));
        schedule
    }

    /// All probes until `until_ms` as (start, target), when each takes what `takes_ms` says.
    fn run(
        schedule: &mut Schedule,
        until_ms: u64,
        takes_ms: impl Fn(TargetId) -> u64,
    ) -> Vec<(u64, TargetId)> {
        let mut started = Vec::new();
        let mut ends: BTreeSet<(Now, TargetId)> = BTreeSet::new();
        loop {
            let end = ends.first().copied();
            let due = schedule.next_due();
            let now = match (end, due) {
                (Some((end, _)), Some(due)) => end.min(due),
                (Some((end, _)), None) => end,
                (None, Some(due)) => due,
                (None, None) => return started,
            };
            if now > at(until_ms) {
                return started;
            }
            if let Some((end, id)) = end
                && end == now
            {
                ends.pop_first();
                schedule.finished(id, now);
                continue;
            }
            let id = schedule.pop_due(now).unwrap_or(TargetId::MAX);
            let start_ms = u64::try_from(now.as_duration().as_millis()).unwrap_or(u64::MAX);
            started.push((start_ms, id));
            ends.insert((now.plus(Duration::from_millis(takes_ms(id))), id));
        }
    }

    #[test]
    fn targets_are_spread_over_the_period_and_keep_their_beat() {
        for (count, expected) in [
            (1, vec![(0, 0), (1000, 0), (2000, 0)]),
            (2, vec![(0, 0), (500, 1), (1000, 0), (1500, 1), (2000, 0)]),
            (
                4,
                vec![
                    (0, 0),
                    (250, 1),
                    (500, 2),
                    (750, 3),
                    (1000, 0),
                    (1250, 1),
                    (1500, 2),
                    (1750, 3),
                    (2000, 0),
                ],
            ),
        ] {
            assert_eq!(run(&mut schedule_of(0..count, 0), 2000, |_| 3), expected, "{count}");
        }
    }

    #[test]
    fn thousands_are_a_steady_trickle() {
        let probes = run(&mut schedule_of(0..5000, 0), 9_999, |_| 1);
        assert_eq!(probes.len(), 50_000);
        for window_ms in [0, 1234, 9_980] {
            let within =
                probes.iter().filter(|(start, _)| (window_ms..window_ms + 20).contains(start)).count();
            assert!((90..=110).contains(&within), "{within} in 20 ms at {window_ms}");
        }
    }

    #[test]
    fn a_dead_target_delays_nobody_and_keeps_its_own_period() {
        // 1 of 2 takes until its timeout, which is the period.
        let probes = run(&mut schedule_of(0..2, 0), 10_000, |id| if id == 0 { 1000 } else { 2 });
        let of = |id| probes.iter().filter(|probe| probe.1 == id).map(|probe| probe.0).collect::<Vec<_>>();
        assert_eq!(of(1), (0..10).map(|n| 500 + n * 1000).collect::<Vec<_>>());
        assert_eq!(of(0), (0..=10).map(|n| n * 1000).collect::<Vec<_>>());
        // One that takes longer than its period runs one after the other.
        let probes = run(&mut schedule_of([7], 0), 4_500, |_| 1500);
        assert_eq!(probes, [(0, 7), (1500, 7), (3000, 7), (4500, 7)]);
    }

    #[test]
    fn a_hurried_target_is_probed_at_once_but_not_within_the_least_gap() {
        for (hurried_at_ms, starts) in [
            (100, vec![200, 1000, 2000]),
            (200, vec![200, 1000, 2000]),
            (500, vec![500, 1000, 2000]),
            (900, vec![900, 1100, 2000]),
            (1000, vec![1000, 2000]),
        ] {
            let mut schedule = schedule_of([7], 0);
            assert_eq!(schedule.pop_due(at(0)), Some(7));
            schedule.finished(7, at(1));
            (0..3).for_each(|_| schedule.hurry(7, at(hurried_at_ms)));
            let found: Vec<u64> = run(&mut schedule, 2000, |_| 1).iter().map(|probe| probe.0).collect();
            assert_eq!(found, starts, "hurried at {hurried_at_ms} ms");
        }
    }

    #[test]
    fn a_target_hurried_while_it_is_probed_is_probed_again() {
        for (ends_ms, next_ms) in [(50, 200), (300, 300), (999, 999)] {
            let mut schedule = schedule_of([7], 0);
            assert_eq!(schedule.pop_due(at(0)), Some(7));
            schedule.hurry(7, at(10));
            assert_eq!(schedule.next_due(), None, "one probe at a time");
            schedule.finished(7, at(ends_ms));
            assert_eq!(schedule.next_due(), Some(at(next_ms)), "ended at {ends_ms} ms");
        }
    }

    #[test]
    fn an_update_keeps_who_stays_and_forgets_who_goes() {
        let mut schedule = schedule_of([1, 2], 0);
        schedule.update([(2, PERIOD), (3, PERIOD), (4, PERIOD)], at(100));
        assert_eq!(run(&mut schedule, 1000, |_| 1), [(100, 3), (500, 2), (600, 4)]);
        assert_eq!(schedule.pop_due(at(1100)), Some(3));
        schedule.update([], at(1101));
        schedule.finished(3, at(1102));
        schedule.hurry(2, at(1103));
        assert_eq!((schedule.next_due(), schedule.pop_due(at(9999))), (None, None));
    }

    #[test]
    fn beats_that_were_slept_through_are_not_made_up_for() {
        let mut schedule = schedule_of([7], 0);
        assert_eq!(schedule.pop_due(at(5_300)), Some(7));
        schedule.finished(7, at(5_301));
        assert_eq!(schedule.next_due(), Some(at(6_000)));
    }

    #[test]
    fn hurrying_many_is_rarer_than_hurrying_few() {
        for (count, gap_ms) in [(0, 200), (1, 200), (100, 200), (500, 1_000), (5_000, 10_000)] {
            assert_eq!(hurry_all_gap(count), Duration::from_millis(gap_ms), "{count}");
        }
    }
}
