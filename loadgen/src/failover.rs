//! How a failure of a backend looked from outside, read off the [timeline](crate::timeline). Pure.
//!
//! **When a backend counts as dead.** Every request that ended is a chance for the backend to answer it. A
//! backend whose part of the requests was at least `p` is silent when the whole slots between two of its
//! answers, or after its last, held so many chances `n` that nobody would believe in accident: `(1 - p)^n` is
//! at most `1 / (1000 N)`, where `N` is how many answers the backend gave in the run. Under a balancer that
//! draws at random, a silence begins after one of `N` answers, so that a backend which lives is called dead in
//! at most one run of a thousand; under a round robin never. `p` is a lower bound: three standard deviations
//! below what the backend had, over its whole life and over its latest 50 answers, whichever is less. So a
//! trickle needs a long silence, and a backend with nine answers or fewer is never judged. For backends that
//! live in bursts, a silence must also be three times as long as any earlier one that was not a death, and as
//! any at all in the same number of chances just before it.
//!
//! The end of the run is no death, since nobody is answered then; neither is a backend that begins late. A
//! pause is none either: what was planned while a backend stood still and was answered later is booked where
//! it was planned. What cannot be told from a death is a balancer that stops using a backend.
//!
//! **The service as a whole** is judged the same way by its successes, and called `(all)`. In a closed loop a
//! dead service is sent nothing, so there the usual number of requests stands in for the chances, and some
//! request must have failed.
//!
//! **What it cost.** Hurt are requests that failed or could not be sent, beyond what did all the time before, those
//! that hung until the run was cut off, and successful ones at least twice as slow as nearly all of the five seconds
//! before, and no less than 8 ms. They are followed from the slot of the last answer until a whole second of answers
//! was free of them, or another backend stopped. Where fewer than 50 requests came before, what comes after the
//! backend is back says what is usual, or the whole run when it does not come back; for a service that stays dead
//! there is no usual.
//!
//! **How long that is.** A schedule asks all the time, so the planned times of the hurt requests are as good as a
//! clock: the gap goes from the first to the last. A closed loop asks nobody while it waits: eight connections that
//! hang for ten seconds were all planned within a few milliseconds. There the gap lasts until the last hurt request
//! was *over*, and further until a request succeeds again, or else the run ends.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::shares;
use crate::slots::{DOUBLINGS, Hurt, SLOW_NS, Span};
use crate::timeline::{Slot, Timeline};

/// One backend's failure and what it cost.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Failover {
    /// The backend that stopped answering; [`ALL`] when the whole service did.
    pub backend: String,
    /// When the last request was planned that it answered, in milliseconds since the start of the run.
    pub at_ms: f64,
    /// From when the first request was planned that was hurt by it, to when the last one was; in a closed loop to when
    /// the last one was over and a request succeeded again, or the run ended. Zero when none was hurt.
    pub gap_ms: f64,
    /// Requests that failed in that time, or hung until the run was cut off.
    pub errors: u64,
    /// From `at_ms` until no request was hurt any more and the backends that were left shared the load evenly (or
    /// by their weights); `null` when they did not before the run ended. To one slot.
    pub even_after_ms: Option<f64>,
    /// From `at_ms` until the backend answered again; `null` when it did not before the run ended.
    pub back_after_ms: Option<f64>,
}

/// Stands for the backend's name when no request at all succeeded.
pub const ALL: &str = "(all)";

/// What must be known about a run besides its timeline.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Requests are sent by a schedule (open loop), so that a dead service is asked all the same.
    pub is_paced: bool,
    /// What the backends should get, by name, in any scale; empty when nothing was said.
    pub weights: &'a [(String, f64)],
}

/// How often a backend that lives may be called dead: in one of so many runs.
const RUNS_PER_FALSE_ALARM: f64 = 1000.0;
/// As many of a backend's latest answers tell what its part is now.
const RECENT_ANSWERS: f64 = 50.0;
/// A part above this is not believed: three failures in a row must not be the end of the service.
const PART_LIMIT: f64 = 0.9;
/// By how much a silence must be longer than any that was none.
const LONGER_THAN_BEFORE: f64 = 3.0;
/// What counts as "before": five seconds of slots of 100 ms.
const SLOTS_BEFORE: usize = 50;
/// As long must nothing have been hurt for a failure to be over.
const CLEAN_MS: f64 = 1000.0;
/// So many requests before a failure say what was usual: a tenth that fails is then four standard deviations from none.
const REQUESTS_TO_BE_USUAL: f64 = 50.0;
/// As many answers per backend tell whether they are shared evenly: twice its part is then five standard
/// deviations off.
const ANSWERS_TO_JUDGE: f64 = 50.0;
/// So far may the largest share be above the smallest and still be even, whatever chance allows: a balancer by
/// connections is never exact, and many answers would prove every trifle.
const EVEN_ENOUGH: f64 = 1.1;

/// The slots in which no failover was going on: those that one touches are left out.
pub fn slots_without_a_death<'a>(
    timeline: &'a Timeline,
    failovers: &'a [Failover],
) -> impl Iterator<Item = &'a Slot> + Clone {
    let touched = |slot: f64| {
        let (begin, end) = (slot * timeline.slot_ms, (slot + 1.0) * timeline.slot_ms);
        failovers.iter().any(|failover| {
            let lasts_ms = failover.back_after_ms.unwrap_or(f64::INFINITY).max(failover.gap_ms);
            begin <= failover.at_ms + lasts_ms && failover.at_ms < end
        })
    };
    timeline.slots.iter().enumerate().filter(move |(index, _)| !touched(*index as f64)).map(|(_, slot)| slot)
}

/// Finds every backend that stopped answering, in order of time.
pub fn detect(timeline: &Timeline, circumstances: Circumstances<'_>) -> Vec<Failover> {
    let slots = &timeline.slots;
    let sent: Vec<f64> = slots.iter().map(|slot| (slot.sent + slot.hung) as f64).collect();
    let mut deaths: Vec<Death> = (0..timeline.backends.len())
        .flat_map(|backend| {
            let answers: Vec<f64> = slots.iter().map(|slot| answers(slot, backend)).collect();
            let silences = silences(&answers, &sent);
            silences.into_iter().map(move |silence| Death { backend: Some(backend), silence })
        })
        .collect();
    deaths.extend(whole_service(slots, circumstances.is_paced, &deaths, timeline.backends.len()));
    deaths.sort_by_key(|death| (death.at_ns(slots), death.backend.is_none(), death.backend));

    let begun = (0..timeline.backends.len())
        .map(|backend| slots.iter().position(|slot| answers(slot, backend) > 0.0).unwrap_or(slots.len()))
        .collect();
    let Circumstances { is_paced, weights } = circumstances;
    let view = View { timeline, is_paced, weights, deaths: &deaths, begun };
    deaths.iter().map(|death| view.failover(death)).collect()
}

impl fmt::Display for Failover {
    /// The line that scripts look for.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, gap_ms, errors, .. } = self;
        write!(formatter, "failover {backend}: gap {gap_ms:.0} ms, {errors} errors, ")?;
        match self.even_after_ms {
            Some(ms) => write!(formatter, "even again after {:.1} s", ms / 1e3),
            None => write!(formatter, "not even again"),
        }
    }
}

fn answers(slot: &Slot, backend: usize) -> f64 {
    slot.backends.get(backend).map_or(0.0, |answers| *answers as f64)
}

/// A time without answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Silence {
    /// The slot of the last answer before it.
    last: usize,
    /// The slot of the first answer after it.
    next: Option<usize>,
}

/// Who fell silent; nobody means the whole service.
#[derive(Debug)]
struct Death {
    backend: Option<usize>,
    silence: Silence,
}

impl Death {
    /// When the last request was planned that was answered.
    fn at_ns(&self, slots: &[Slot]) -> u64 {
        slots.get(self.silence.last).map_or(0, |slot| self.span(slot).last_ns)
    }

    /// When the first request was planned that was answered again.
    fn back_ns(&self, slots: &[Slot]) -> Option<u64> {
        self.silence.next.and_then(|next| slots.get(next)).map(|slot| self.span(slot).first_ns)
    }

    fn span(&self, slot: &Slot) -> Span {
        match self.backend {
            Some(backend) => slot.spans.backends.get(backend).copied().unwrap_or_default(),
            None => slot.spans.successes,
        }
    }

    fn covers(&self, slot: usize) -> bool {
        self.silence.last < slot && self.silence.next.is_none_or(|next| slot < next)
    }
}

/// The silences that are no accident.
fn silences(answers: &[f64], chances: &[f64]) -> Vec<Silence> {
    let total: f64 = answers.iter().sum();
    let needed = (RUNS_PER_FALSE_ALARM * total.max(1.0)).ln();
    let mut found = Vec::new();
    let mut longest_before = 0.0_f64;
    // What came up to the last answer, without the silences that were found.
    let (mut answers_before, mut chances_before) = (0.0, 0.0);
    let mut last: Option<usize> = None;
    let mut between = 0.0;
    for slot in 0..=answers.len() {
        let is_end = slot == answers.len();
        if !is_end && answers[slot] == 0.0 {
            between += chances[slot];
            continue;
        }
        if let Some(last) = last
            && between > 0.0
        {
            let part = lower_bound(answers_before, chances_before).min(recent_part(answers, chances, last));
            let evidence = -(1.0 - part.min(PART_LIMIT)).ln() * between;
            let unusual = between / LONGER_THAN_BEFORE;
            if evidence >= needed
                && longest_before <= unusual
                && longest_gap_before(answers, chances, last, between) <= unusual
            {
                found.push(Silence { last, next: (!is_end).then_some(slot) });
            } else {
                longest_before = longest_before.max(between);
                chances_before += between;
            }
        }
        if is_end {
            break;
        }
        answers_before += answers[slot];
        chances_before += chances[slot];
        last = Some(slot);
        between = 0.0;
    }
    found
}

/// The longest silence in so many chances before this slot, as far as the backend lived.
fn longest_gap_before(answers: &[f64], chances: &[f64], last: usize, stretch: f64) -> f64 {
    let (mut longest, mut gap, mut passed) = (0.0_f64, 0.0, 0.0);
    for slot in (0..=last).rev() {
        if passed >= stretch {
            return longest.max(gap);
        }
        passed += chances[slot];
        if answers[slot] > 0.0 {
            longest = longest.max(gap);
            gap = 0.0;
        } else {
            gap += chances[slot];
        }
    }
    // What came before the first answer is no silence.
    longest
}

/// The backend's part over its latest answers up to this slot.
fn recent_part(answers: &[f64], chances: &[f64], last: usize) -> f64 {
    let (mut recent, mut among) = (0.0, 0.0);
    for slot in (0..=last).rev() {
        recent += answers[slot];
        among += chances[slot];
        if recent >= RECENT_ANSWERS {
            break;
        }
    }
    lower_bound(recent, among)
}

/// The part of the chances that the answers make up, less three standard deviations of their count.
fn lower_bound(answers: f64, chances: f64) -> f64 {
    if chances <= 0.0 { 0.0 } else { ((answers - 3.0 * answers.sqrt()) / chances).max(0.0) }
}

/// When the service as a whole gave no successful answer. With a single backend, its own death says it all.
fn whole_service(slots: &[Slot], is_paced: bool, deaths: &[Death], backends: usize) -> Vec<Death> {
    let successes: Vec<f64> = slots.iter().map(|slot| slot.successful as f64).collect();
    let usual = successes.iter().sum::<f64>() / slots.len().max(1) as f64;
    let chances: Vec<f64> = slots
        .iter()
        .map(|slot| match () {
            () if is_paced => (slot.sent + slot.hung + slot.unsent) as f64,
            () if slot.successful == 0 => usual.max((slot.sent + slot.hung) as f64),
            () => (slot.sent + slot.hung) as f64,
        })
        .collect();
    silences(&successes, &chances)
        .into_iter()
        .filter(|Silence { last, next }| {
            let end = next.map_or(slots.len(), |next| next + 1);
            slots[*last..end].iter().any(|slot| slot.failed() + slot.hung + slot.unsent > 0)
        })
        .map(|silence| Death { backend: None, silence })
        .filter(|whole| backends != 1 || !deaths.iter().any(|death| death.covers(whole.silence.last + 1)))
        .collect()
}

/// What a death cost is read off everything else that happened.
struct View<'a> {
    timeline: &'a Timeline,
    is_paced: bool,
    weights: &'a [(String, f64)],
    deaths: &'a [Death],
    /// The slot of every backend's first answer.
    begun: Vec<usize>,
}

impl View<'_> {
    fn failover(&self, death: &Death) -> Failover {
        let slots = &self.timeline.slots;
        let at_ns = death.at_ns(slots);
        let since_ms = |ns: u64| ns.saturating_sub(at_ns) as f64 / 1e6;
        let back_after_ms = death.back_ns(slots).map(since_ms);
        let (hurt, errors) = self.hurt(death);
        let gap = self.gap(hurt);
        Failover {
            backend: death
                .backend
                .and_then(|backend| self.timeline.backends.get(backend).cloned())
                .unwrap_or_else(|| ALL.to_owned()),
            at_ms: at_ns as f64 / 1e6,
            gap_ms: if gap.is_empty() { 0.0 } else { (gap.last_ns - gap.first_ns) as f64 / 1e6 },
            errors,
            even_after_ms: if self.timeline.backends.is_empty() {
                back_after_ms
            } else {
                self.even_from(death, hurt.planned)
                    .map(|slot| (slot as f64 * self.timeline.slot_ms - at_ns as f64 / 1e6).max(0.0))
            },
            back_after_ms,
        }
    }

    /// How long the requests of a failure were hurt.
    fn gap(&self, hurt: Hurt) -> Span {
        let Hurt { planned, ended_ns } = hurt;
        if self.is_paced || hurt.is_empty() {
            return planned;
        }
        let last_ns = planned.last_ns.max(ended_ns);
        let slot_ns = self.timeline.slot_ms * 1e6;
        // What was planned after that and succeeded was quick, or it would be among the hurt.
        let later = self.timeline.slots.iter().skip((last_ns as f64 / slot_ns) as usize);
        let again_ns = later
            .map(|slot| slot.spans.successes)
            .find(|successes| !successes.is_empty() && successes.last_ns >= last_ns)
            .map(|successes| successes.first_ns.max(last_ns));
        let end_ns = again_ns.unwrap_or_else(|| last_ns.max((self.timeline.end_ms * 1e6) as u64));
        Span { first_ns: planned.first_ns, last_ns: end_ns }
    }

    /// The slots that say what is usual: those before the failure, if there was anything before it.
    fn usual_slots(&self, death: &Death) -> &[Slot] {
        let slots = &self.timeline.slots;
        let Silence { last, next } = death.silence;
        let before = &slots[last.saturating_sub(SLOTS_BEFORE)..last];
        let is_enough = before.iter().map(|slot| slot.sent).sum::<u64>() as f64 >= REQUESTS_TO_BE_USUAL;
        match next {
            _ if is_enough => before,
            // In the slot of the first answer some may still be hurt.
            Some(next) => &slots[(next + 1).min(slots.len())..(next + 1 + SLOTS_BEFORE).min(slots.len())],
            None if death.backend.is_some() => slots,
            None => before,
        }
    }

    /// When the requests were planned and over that were hurt, and how many of them failed.
    fn hurt(&self, death: &Death) -> (Hurt, u64) {
        let slots = &self.timeline.slots;
        let first = death.silence.last;
        let usual = self.usual_slots(death);
        let part = |count: fn(&Slot) -> u64, whole: fn(&Slot) -> u64| {
            let sum = |count: fn(&Slot) -> u64| usual.iter().map(count).sum::<u64>() as f64;
            if sum(whole) > 0.0 { sum(count) / sum(whole) } else { 0.0 }
        };
        let usual_failures = part(Slot::failed, |slot| slot.sent);
        let usual_unsent = part(|slot| slot.unsent, |slot| slot.sent + slot.unsent);
        let is_unusual = |count: u64, part: f64, whole: u64| {
            let expected = part * whole as f64;
            count as f64 > expected + 3.0 * expected.sqrt()
        };
        let slow = slow_from(usual);
        // What another backend's death costs from then on is that one's.
        let end = self
            .deaths
            .iter()
            .filter(|other| other.backend.is_some() && death.backend.is_some())
            .map(|other| other.silence.last)
            .filter(|other| *other > first)
            .min()
            .unwrap_or(slots.len());
        let clean_limit = (CLEAN_MS / self.timeline.slot_ms).ceil().max(2.0);

        let (mut hurt, mut errors, mut clean) = (Hurt::default(), 0, 0.0);
        for slot in &slots[first..end] {
            let slowed = slot.spans.slow[slow..].iter().fold(Hurt::default(), |all, one| all.joined(*one));
            let failed = slot.failed() + slot.hung;
            let fails = is_unusual(failed, usual_failures, slot.sent + slot.hung);
            let lacks = is_unusual(slot.unsent, usual_unsent, slot.sent + slot.hung + slot.unsent);
            if fails {
                errors += failed;
                hurt = hurt.joined(slot.spans.failures);
                if slot.hung > 0 {
                    hurt.ended_ns = hurt.ended_ns.max((self.timeline.end_ms * 1e6) as u64);
                }
            }
            if lacks {
                hurt.planned = hurt.planned.joined(slot.spans.unsent);
            }
            hurt = hurt.joined(slowed);
            if fails || lacks || !slowed.is_empty() {
                clean = 0.0;
            } else if slot.successful > 0 {
                clean += 1.0;
            }
            if clean >= clean_limit {
                break;
            }
        }
        (hurt, errors)
    }

    /// The first slot from which the backends that were alive shared the load as they should. While requests are
    /// hurt nothing is even: those that failed had no backend to be counted for.
    fn even_from(&self, death: &Death, hurt: Span) -> Option<usize> {
        let count = self.timeline.slots.len();
        let weights = self.weights(death.silence.last);
        let slot_of = |ns: u64| (ns as f64 / (self.timeline.slot_ms * 1e6)) as usize;
        let clean = if hurt.is_empty() { 0 } else { slot_of(hurt.last_ns) + 1 };
        (clean.max(death.silence.last + 1)..count).find(|start| {
            let alive: Vec<usize> = (0..weights.len())
                .filter(|backend| weights[*backend] > 0.0 && self.is_alive(*backend, *start))
                .collect();
            // Nobody comes or goes while it is looked at.
            let edges = self.deaths.iter().flat_map(|death| [Some(death.silence.last), death.silence.next]);
            let end = edges.flatten().filter(|edge| edge > start).min().unwrap_or(count);
            self.is_even(&alive, &weights, *start, end)
        })
    }

    fn is_even(&self, alive: &[usize], weights: &[f64], start: usize, end: usize) -> bool {
        let weights: Vec<f64> = alive.iter().map(|backend| weights[*backend]).collect();
        let sum: f64 = weights.iter().sum();
        let smallest = weights.iter().copied().fold(f64::INFINITY, f64::min);
        let mut counts = vec![0_u64; alive.len()];
        for slot in &self.timeline.slots[start..end] {
            for (count, backend) in counts.iter_mut().zip(alive) {
                *count += slot.backends.get(*backend).copied().unwrap_or(0);
            }
            if counts.iter().sum::<u64>() as f64 * smallest / sum >= ANSWERS_TO_JUDGE {
                break;
            }
        }
        match shares::judge(&counts, &weights) {
            Some(verdict) => verdict.even || verdict.max_to_min <= EVEN_ENOUGH,
            // The last one left has all there is.
            None => counts.iter().sum::<u64>() > 0,
        }
    }

    fn is_alive(&self, backend: usize, slot: usize) -> bool {
        let has_begun = self.begun.get(backend).is_some_and(|begun| *begun <= slot);
        has_begun && !self.deaths.iter().any(|death| death.backend == Some(backend) && death.covers(slot))
    }

    /// What the backends should get: as told, else equal parts, else as it was before, when that was not equal.
    fn weights(&self, before: usize) -> Vec<f64> {
        let names = &self.timeline.backends;
        if !self.weights.is_empty() {
            let told = |name: &String| self.weights.iter().find(|(told, _)| told == name);
            return names.iter().map(|name| told(name).map_or(0.0, |(_, weight)| *weight)).collect();
        }
        let slots = &self.timeline.slots[before.saturating_sub(SLOTS_BEFORE)..before];
        let had: Vec<u64> = (0..names.len())
            .map(|backend| slots.iter().map(|slot| slot.backends.get(backend).copied().unwrap_or(0)).sum())
            .collect();
        let present: Vec<u64> = had.iter().copied().filter(|answers| *answers > 0).collect();
        match shares::judge(&present, &vec![1.0; present.len()]) {
            Some(verdict) if !verdict.even && verdict.max_to_min > EVEN_ENOUGH => {
                had.into_iter().map(|answers| answers as f64).collect()
            }
            _ => vec![1.0; names.len()],
        }
    }
}

/// From which doubling of [`SLOW_NS`] on an answer is slower than usual.
fn slow_from(before: &[Slot]) -> usize {
    let mut slowest: Vec<f64> =
        before.iter().filter_map(|slot| slot.latency_ms.map(|latency| latency.max)).collect();
    slowest.sort_by(f64::total_cmp);
    // A stray hiccup among the slots before must not set the measure.
    let usual_ms = slowest.get(slowest.len() * 9 / 10).copied().unwrap_or(0.0);
    let doublings = (2.0 * usual_ms * 1e6 / SLOW_NS as f64).log2().ceil().max(0.0);
    (doublings as usize).min(DOUBLINGS)
}

#[cfg(test)]
mod tests;
