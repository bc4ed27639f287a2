//! What a run came to: the threads' records added up, and the figures that follow from them. Pure.
//!
//! Every report is a view of [`Summary`]; its fields are the JSON that scripts read, so names and units
//! here are a promise.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::Serialize;

use crate::failover::{self, Circumstances, Failover};
use crate::honesty::{self, Facts, Generator};
use crate::mix::TargetCounts;
use crate::objective::{self, Ended, Judged, Measured};
use crate::plan::{Pacing, Plan};
use crate::record::{Backend, ErrorKind, OTHER_BACKENDS, Record, latency_histogram};
use crate::schedule::Point;
use crate::shares::{self, ShareVerdict};
use crate::silence::RESOLUTION_NS;
use crate::timeline::Timeline;

/// One run's result.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// The URL as typed; several are joined by a comma and a blank.
    pub url: String,
    /// What was sent to each URL, in the order in which they were typed.
    pub targets: Vec<TargetCounts>,
    /// The method of every request.
    pub method: String,
    /// Connections and threads.
    pub connections: Connections,
    /// How many threads sent.
    pub threads: usize,
    /// A signal ended the run before its goal.
    pub interrupted: bool,
    /// Requests by how they ended.
    pub requests: Requests,
    /// From the start of the run to the end of its last request, in seconds; when some never ended, until the run was
    /// told to end.
    pub elapsed_s: f64,
    /// `requests.total` per second of that time.
    pub requests_per_second: f64,
    /// Latency of the successful requests, in milliseconds; `null` when none succeeded.
    pub latency_ms: Option<Latency>,
    /// The longest time without a successful answer after the first, over all connections, in milliseconds: between
    /// two of them, or from the last one to the end of what came to nothing. Zero when it was below one millisecond,
    /// or when there were not two.
    pub longest_gap_ms: f64,
    /// Failed requests by kind; every kind is there, and together they are `requests.failed`.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Complete answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// What each backend did, by name.
    pub backends: Vec<BackendShare>,
    /// Complete answers that named no backend.
    pub answers_without_backend: u64,
    /// How closed-loop and open-loop requests were paced.
    pub load: Load,
    /// Latency from the moment of writing instead of the planned one, in milliseconds; open loop only.
    pub service_ms: Option<Latency>,
    /// Successful requests by latency, for a histogram: upper bound in milliseconds (inclusive) and count, in
    /// rising order; each bound is a twelfth of a doubling above the one before. From the first that is not empty.
    pub latency_histogram: Vec<(f64, u64)>,
    /// Whether the backends got their shares; `null` with fewer than two backends.
    pub shares: Option<ShareVerdict>,
    /// The same of the time in which no backend was dead; `null` when none was.
    pub shares_while_alive: Option<ShareVerdict>,
    /// The run over time.
    pub timeline: Option<Timeline>,
    /// Backends that stopped answering, in order of time.
    pub failovers: Vec<Failover>,
    /// What the generator says of itself.
    pub generator: Generator,
    /// What the backends' own counters say (`--truth`).
    pub truth: Option<Truth>,
    /// The objectives, judged.
    pub objectives: Vec<Judged>,
}

/// The load model.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum Load {
    /// Every connection sends its next request when it has its answer.
    Closed,
    /// Requests are sent by a schedule, whatever the answers do.
    Open {
        /// Points of the rate over time, joined by straight lines.
        stages: Vec<Stage>,
    },
}

/// One point of an open loop's rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Stage {
    /// Seconds since the start of the run.
    pub at_s: f64,
    /// Requests per second at that time.
    pub rate: f64,
}

/// What the backends counted, against what was sent.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Truth {
    /// Every source that was asked.
    pub sources: Vec<TruthSource>,
    /// Requests that the backends counted, all sources together.
    pub counted: u64,
    /// `counted` divided by the requests that loadgen sent, those included that it sent again or gave up, those left
    /// out that no connection could be had for: above one, the balancer repeated some. `null` when a source could not be read.
    pub amplification: Option<f64>,
}

/// One backend's own count.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TruthSource {
    /// Where it was asked.
    pub url: String,
    /// The name that it gave itself; `null` when it could not be read.
    pub server: Option<String>,
    /// Requests that it counted during the run; `null` when it could not be read.
    pub counted: Option<u64>,
    /// Why it could not be read.
    pub error: Option<String>,
}

/// How many connections there were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Connections {
    /// Asked for on the command line.
    pub asked: usize,
    /// Established in the course of the run, one after another included.
    pub opened: u64,
    /// The most that were open at once: each thread's, added up. With several places to send to, each of those asked
    /// for may be one to every place.
    pub peak: u64,
}

/// Requests by how they ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Requests {
    /// Those that ended, well or not.
    pub total: u64,
    /// Those with a complete 2xx answer.
    pub successful: u64,
    /// All others that ended.
    pub failed: u64,
    /// Those given up because the run was interrupted; in none of the other counts but `hung`.
    pub unfinished: u64,
    /// Those of `unfinished` that had waited longer than any successful answer took.
    pub hung: u64,
    /// Those of `failed` that no connection could be had for, and that never left.
    pub unconnected: u64,
    /// Those that were due while no connection was free, or that the generator itself was over 100 ms late for, and so
    /// were never sent (open loop); in none of the other counts.
    pub unsent: u64,
    /// How often a request was sent again because its kept-alive connection had been closed. Such a
    /// request counts once, by how it ended.
    pub resent: u64,
}

/// Points of the latency distribution.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say all")]
pub struct Latency {
    pub min: f64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub max: f64,
}

/// What one backend did.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BackendShare {
    /// As it named itself; bytes that are not UTF-8 are replaced.
    pub name: String,
    /// Complete answers, whatever their status.
    pub answers: u64,
    /// Its part of all complete answers, from 0 to 1.
    pub share: f64,
    /// Answers that were not 2xx, or broke off after the backend had named itself.
    pub errors: u64,
    /// Complete answers by class of status: `1xx` to `5xx`, and `other`; classes that did not occur are left out.
    pub classes: BTreeMap<String, u64>,
    /// Latency of its successful answers, in milliseconds; `null` when none succeeded.
    pub latency_ms: Option<BackendLatency>,
}

/// Points of one backend's latency distribution, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say all")]
pub struct BackendLatency {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

/// What a run came to, before it is added up.
#[derive(Debug)]
pub struct Observed<'a> {
    /// What every thread kept.
    pub records: &'a [Record],
    /// The run over time.
    pub timeline: Timeline,
    /// The longest time between two successes.
    pub longest_gap_ns: u64,
    /// Stands in for the end when no request ended.
    pub now_ns: u64,
    /// When a signal first told the run to end.
    pub halted_ns: Option<u64>,
    /// A signal ended the run.
    pub interrupted: bool,
}

impl Summary {
    /// Adds up what the threads counted, and judges it.
    pub fn new(plan: &Plan, observed: Observed<'_>) -> Self {
        let Observed { records, timeline, longest_gap_ns, now_ns, halted_ns, interrupted } = observed;
        let sum = |count: fn(&Record) -> u64| records.iter().map(count).sum::<u64>();
        let started = sum(|record| record.started);
        let successful = sum(|record| record.succeeded);
        let failed = sum(Record::failed);
        let total = successful + failed;

        let unfinished = started.saturating_sub(total);
        let elapsed_ns = elapsed_ns(records, halted_ns.filter(|_| unfinished > 0), now_ns);
        let longest_gap_ns = longest_gap_ns.max(silent_end_ns(records, elapsed_ns));
        let elapsed_s = elapsed_ns as f64 / 1e9;
        let mut statuses = BTreeMap::new();
        for (status, count) in records.iter().flat_map(Record::statuses) {
            *statuses.entry(status).or_default() += count;
        }
        let answers = statuses.values().sum();
        let backends = backends(records, answers, &plan.expected_shares);
        let named: u64 = backends.iter().map(|backend| backend.answers).sum();
        let mut all: Histogram<u64> = latency_histogram();
        for record in records {
            record.add_latencies_to(&mut all);
        }
        let punctualities = || records.iter().filter_map(|record| record.punctuality.as_deref());
        let service_ns = added_up(punctualities().map(|punctuality| &punctuality.service_ns));
        let service_sum_ns = punctualities().map(|punctuality| punctuality.service_sum_ns).sum();
        let lag_ns = added_up(punctualities().map(|punctuality| &punctuality.lag_ns));
        let threads: Vec<_> = records.iter().map(|record| record.time).collect();
        let failures: Vec<_> = records.iter().filter_map(|record| record.failure.as_deref()).collect();
        let facts = Facts {
            failures: &failures,
            lag_ns: lag_ns.as_ref(),
            latency_ns: Some(&all).filter(|all| !all.is_empty()),
            threads: &threads,
            requests: total,
            overdue: punctualities().map(|punctuality| punctuality.overdue).sum(),
            shortages: sum(|record| record.errors(ErrorKind::NoResources)),
        };
        let load = load(&plan.pacing);
        let circumstances =
            Circumstances { is_paced: matches!(load, Load::Open { .. }), weights: &plan.expected_shares };
        let failovers = failover::detect(&timeline, circumstances);
        let mut summary = Self {
            url: plan.mix.urls(),
            targets: targets(plan, records),
            method: plan.method.clone(),
            connections: Connections {
                asked: plan.concurrency,
                opened: sum(|record| record.connections),
                peak: sum(|record| record.peak_connections),
            },
            threads: plan.threads,
            interrupted,
            requests: Requests {
                total,
                successful,
                failed,
                unfinished,
                hung: sum(|record| record.hung),
                unconnected: sum(|record| record.unconnected),
                unsent: sum(|record| record.unsent),
                resent: sum(|record| record.resent),
            },
            elapsed_s,
            requests_per_second: if elapsed_s > 0.0 { total as f64 / elapsed_s } else { 0.0 },
            latency_ms: Latency::of(&all, sum(|record| record.latency_sum_ns)),
            longest_gap_ms: to_ms(longest_gap_ns),
            errors: ErrorKind::ALL
                .into_iter()
                .map(|kind| (kind, records.iter().map(|record| record.errors(kind)).sum()))
                .collect(),
            statuses,
            answers_without_backend: answers - named,
            load,
            service_ms: service_ns.as_ref().and_then(|all| Latency::of(all, service_sum_ns)),
            latency_histogram: bars(&all),
            shares: share_verdict(&backends, &plan.expected_shares, None),
            shares_while_alive: (!failovers.is_empty())
                .then(|| share_verdict(&backends, &plan.expected_shares, Some((&timeline, &failovers))))
                .flatten(),
            backends,
            failovers,
            timeline: Some(timeline),
            generator: honesty::judge(&facts),
            truth: None,
            objectives: Vec::new(),
        };
        let measured = summary.measured(&all);
        summary.objectives = plan.objectives.iter().map(|objective| objective.judge(&measured)).collect();
        summary
    }

    /// How many requests left for the target: those included that were sent again or given up, those left out that no
    /// connection could be had for.
    pub fn sent(&self) -> u64 {
        let Requests { total, unfinished, resent, unconnected, .. } = self.requests;
        (total + unfinished + resent).saturating_sub(unconnected)
    }

    /// The exit status that this result deserves; see [`crate::exit_codes`].
    pub fn exit_code(&self) -> i32 {
        let marks = self.timeline.iter().flat_map(|timeline| &timeline.marks);
        let Requests { successful, failed, hung, unsent, .. } = self.requests;
        objective::exit_code(
            Ended { successful, failed: failed + hung, unsent },
            &self.objectives,
            !self.generator.saturated.is_empty(),
            marks.into_iter().any(|mark| mark.error.is_some()),
        )
    }

    /// `latency_ns` is that of all successful answers.
    fn measured(&self, latency_ns: &Histogram<u64>) -> Measured {
        let gaps = self.failovers.iter().map(|failover| failover.gap_ms);
        let named = self.backends.iter().map(|backend| backend.answers);
        Measured {
            latency_ms: self.latency_ms.as_ref().map(|latency| {
                let endless = self.requests.unsent + self.requests.hung;
                let [p50, p90, p95, p99, p99_9, max] =
                    [0.5, 0.9, 0.95, 0.99, 0.999, 1.0].map(|q| quantile_of_all_ms(latency_ns, endless, q));
                [p50, p90, p95, p99, p99_9, max, latency.mean]
            }),
            successful: self.requests.successful,
            ended: self.requests.total + self.requests.hung,
            failed: self.requests.failed + self.requests.hung,
            unsent: self.requests.unsent,
            max_to_min: self.shares.as_ref().map(|shares| shares.max_to_min),
            backends: self.backends.len() as u64,
            answers: named.sum(),
            gap_ms: gaps.fold(self.longest_gap_ms, f64::max),
            rate: self.requests_per_second,
        }
    }
}

/// When the run was over: with its last request, or when it was told to end while some had no answer. What is due and
/// never sent is a part of the run too.
fn elapsed_ns(records: &[Record], halted_ns: Option<u64>, now_ns: u64) -> u64 {
    let ends = records.iter().flat_map(|record| [record.last_end_ns, record.last_planned_ns]);
    ends.chain(halted_ns).max().filter(|end_ns| *end_ns > 0).unwrap_or(now_ns)
}

/// From the last success to the end of the run. A run that ends with a success has none.
fn silent_end_ns(records: &[Record], elapsed_ns: u64) -> u64 {
    let succeeded: u64 = records.iter().map(|record| record.succeeded).sum();
    let last_ns = records.iter().map(|record| record.last_success_ns).max().unwrap_or(0);
    let silent_ns = elapsed_ns.saturating_sub(last_ns);
    if succeeded >= 2 && silent_ns >= RESOLUTION_NS { silent_ns } else { 0 }
}

fn load(pacing: &Pacing) -> Load {
    match pacing {
        Pacing::Closed => Load::Closed,
        Pacing::Open { schedule, .. } => {
            let stage = |point: &Point| Stage { at_s: point.at.as_secs_f64(), rate: point.rate.per_second() };
            Load::Open { stages: schedule.points().iter().map(stage).collect() }
        }
    }
}

/// All threads' histograms as one; `None` when there is none.
fn added_up<'a>(parts: impl Iterator<Item = &'a Histogram<u64>>) -> Option<Histogram<u64>> {
    parts.fold(None, |all, part| {
        let mut all = all.unwrap_or_else(latency_histogram);
        all.add(part).expect("all threads' histograms have the same bounds");
        Some(all)
    })
}

impl Latency {
    fn of(histogram: &Histogram<u64>, sum_ns: u64) -> Option<Self> {
        if histogram.is_empty() {
            return None;
        }
        let quantile = |quantile| to_ms(histogram.value_at_quantile(quantile));
        Some(Self {
            min: to_ms(histogram.min()),
            mean: to_ms(sum_ns / histogram.len()),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p95: quantile(0.95),
            p99: quantile(0.99),
            p99_9: quantile(0.999),
            max: to_ms(histogram.max()),
        })
    }
}

/// The latency that this part of the requests did not exceed, when some were never sent or never answered: those
/// rank behind every answer. Infinite where the percentile is one of theirs.
fn quantile_of_all_ms(latency_ns: &Histogram<u64>, endless: u64, quantile: f64) -> f64 {
    let answered = latency_ns.len();
    // Without any, the very value that is reported.
    if endless == 0 {
        return to_ms(latency_ns.value_at_quantile(quantile));
    }
    let rank = (quantile * (answered + endless) as f64).ceil();
    if rank > answered as f64 {
        return f64::INFINITY;
    }
    to_ms(latency_ns.value_at_quantile(rank / answered as f64))
}

/// The first bar of the histogram ends here: no answer comes in less.
const FIRST_BAR_NS: u64 = 1000;
/// By how much each bar ends above the one before: a twelfth of a doubling, so that 40 bars make a decade.
const BAR_RATIO: f64 = 1.059_463_094_359_295_3;

fn bars(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    if histogram.is_empty() {
        return Vec::new();
    }
    histogram
        .iter_log(FIRST_BAR_NS, BAR_RATIO)
        .map(|step| (step.value_iterated_to() as f64 / 1e6, step.count_since_last_iteration()))
        .skip_while(|(_, count)| *count == 0)
        .collect()
}

/// The same backend's counts from all threads together, sorted by name, with those that were expected and did not
/// answer.
fn backends(records: &[Record], answers: u64, expected: &[(String, f64)]) -> Vec<BackendShare> {
    let mut by_name: BTreeMap<String, Backend> =
        expected.iter().map(|(name, _)| (name.clone(), Backend::new(name.as_bytes()))).collect();
    for backend in records.iter().flat_map(|record| record.backends.entries()) {
        let name = String::from_utf8_lossy(&backend.name).into_owned();
        by_name.entry(name).or_insert_with(|| Backend::new(&backend.name)).add(backend);
    }
    by_name
        .into_iter()
        .map(|(name, Backend { answers: count, errors, classes, latency_ns, .. })| {
            let quantile = |quantile| to_ms(latency_ns.value_at_quantile(quantile));
            BackendShare {
                name,
                answers: count,
                share: if answers == 0 { 0.0 } else { count as f64 / answers as f64 },
                errors,
                classes: CLASSES
                    .into_iter()
                    .zip(classes)
                    .filter(|(_, count)| *count > 0)
                    .map(|(class, count)| (class.to_owned(), count))
                    .collect(),
                latency_ms: (!latency_ns.is_empty()).then(|| BackendLatency {
                    p50: quantile(0.5),
                    p99: quantile(0.99),
                    max: to_ms(latency_ns.max()),
                }),
            }
        })
        .collect()
}

/// With one URL the threads keep no counts of their own for it.
fn targets(plan: &Plan, records: &[Record]) -> Vec<TargetCounts> {
    let count = |url: usize, record: &Record| match plan.mix.is_several() {
        true => record.targets.get(url).copied().unwrap_or_default(),
        false => [record.succeeded, record.failed()],
    };
    (plan.mix.requests().iter().enumerate())
        .map(|(index, request)| {
            let [successful, failed] = records
                .iter()
                .map(|record| count(index, record))
                .fold([0, 0], |sum, more| [sum[0] + more[0], sum[1] + more[1]]);
            let (url, weight) = (request.url.clone(), request.weight);
            TargetCounts { url, weight, requests: successful + failed, successful, failed }
        })
        .collect()
}

/// As the classes stand in a [`Backend`].
const CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Of the whole run, or of its slots in which no backend was dead. Nothing can be said when not all backends are known
/// by name.
fn share_verdict(
    backends: &[BackendShare],
    expected: &[(String, f64)],
    alive: Option<(&Timeline, &[Failover])>,
) -> Option<ShareVerdict> {
    if backends.iter().any(|backend| backend.name.as_bytes() == OTHER_BACKENDS) {
        return None;
    }
    let weight = |backend: &BackendShare| match expected.iter().find(|(name, _)| *name == backend.name) {
        Some((_, weight)) => *weight,
        None if expected.is_empty() => 1.0,
        None => 0.0,
    };
    let answers: Vec<_> = match alive {
        None => backends.iter().map(|backend| backend.answers).collect(),
        Some((timeline, failovers)) => {
            let alive = failover::slots_without_a_death(timeline, failovers);
            let count = |backend: &BackendShare| {
                let place = timeline.backends.iter().position(|name| *name == backend.name);
                place.map_or(0, |place| alive.clone().filter_map(|slot| slot.backends.get(place)).sum())
            };
            backends.iter().map(count).collect()
        }
    };
    shares::judge(&answers, &backends.iter().map(weight).collect::<Vec<_>>())
}

/// Milliseconds, to the microsecond: more digits are noise.
fn to_ms(ns: u64) -> f64 {
    (ns as f64 / 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use structopt::StructOpt;

    use super::*;
    use crate::cli::Arguments;
    use crate::collector::Collector;
    use crate::objective::Verdict;
    use crate::record::Outcome;
    use crate::{exit_codes, plan};

    fn plan(words: &[&str]) -> Plan {
        let arguments = Arguments::from_iter_safe(["loadgen", "-c", "4"].iter().chain(words)).unwrap();
        plan::check(arguments, 2, |_| unreachable!("no body is asked for")).unwrap()
    }

    /// How a request ended, who answered it, and after how many milliseconds.
    type Ended = (Result<u16, ErrorKind>, Option<&'static [u8]>, u64);

    fn record(outcomes: &[Ended]) -> Record {
        let mut record = Record::default();
        for (result, name, latency_ms) in outcomes {
            record.started += 1;
            let backend = name.map(|name| record.backends.intern(name));
            record.add(Outcome { result: *result, backend }, 0, 0, latency_ms * 1_000_000);
        }
        record
    }

    fn summary(words: &[&str], mut records: Vec<Record>, longest_gap_ns: u64, interrupted: bool) -> Summary {
        let plan = plan(words);
        let mut collector = Collector::new(records.len(), plan.slot.as_nanos() as u64);
        for (thread, record) in records.iter_mut().enumerate() {
            let told = record.hand_over(0);
            collector.add(thread, told.names, told.slots);
        }
        let timeline = collector.timeline(0, Vec::new());
        let observed =
            Observed { records: &records, timeline, longest_gap_ns, now_ns: 0, halted_ns: None, interrupted };
        Summary::new(&plan, observed)
    }

    #[test]
    fn threads_are_added_up() {
        let mut first = record(&[
            (Ok(200), Some(b"b"), 2),
            (Ok(200), Some(b"a"), 4),
            (Err(ErrorKind::TimedOut), None, 1000),
        ]);
        first.started += 1;
        first.resent = 1;
        let second = record(&[(Ok(503), Some(b"a"), 500), (Ok(200), Some(b"b"), 6), (Ok(204), None, 8)]);
        let summary = summary(&[], vec![first, second], 7_000_000, false);

        let expected = Requests {
            total: 6,
            successful: 4,
            failed: 2,
            unfinished: 1,
            hung: 0,
            unconnected: 0,
            unsent: 0,
            resent: 1,
        };
        assert_eq!(summary.requests, expected);
        assert_eq!(summary.errors.values().sum::<u64>(), summary.requests.failed);
        assert_eq!(summary.statuses, BTreeMap::from([(200, 3), (204, 1), (503, 1)]));
        let share = |name: &str, answers, share, errors| (name.to_owned(), answers, share, errors);
        let shares: Vec<_> =
            summary.backends.iter().map(|b| (b.name.clone(), b.answers, b.share, b.errors)).collect();
        assert_eq!(shares, [share("a", 2, 0.4, 1), share("b", 2, 0.4, 0)]);
        assert_eq!(summary.answers_without_backend, 1);
        assert_eq!((summary.elapsed_s, summary.requests_per_second), (1.0, 6.0));
        // From the last success to the timeout.
        assert_eq!(summary.longest_gap_ms, 992.0);
        let latency = summary.latency_ms.as_ref().unwrap();
        assert_eq!(latency.mean, 5.0);
        assert!((latency.p50 - 4.0).abs() < 0.01, "{latency:?}");
        assert!((latency.max - 8.0).abs() < 0.01, "{latency:?}");
        assert_eq!(summary.exit_code(), exit_codes::FAILED);
    }

    #[test]
    fn backends_have_classes_and_latencies_of_their_own() {
        let first = record(&[(Ok(200), Some(b"a"), 2), (Ok(301), Some(b"a"), 9), (Ok(200), Some(b"b"), 40)]);
        let second = record(&[(Ok(200), Some(b"a"), 6), (Ok(200), None, 300)]);
        let summary = summary(&[], vec![first, second], 0, false);
        let [a, b] = summary.backends.as_slice() else { panic!("{summary:?}") };
        assert_eq!(a.classes, BTreeMap::from([("2xx".to_owned(), 2), ("3xx".to_owned(), 1)]));
        let latency = |backend: &BackendShare| {
            backend.latency_ms.map(|l| [l.p50.round(), l.p99.round(), l.max.round()])
        };
        assert_eq!((latency(a), latency(b)), (Some([2.0, 6.0, 6.0]), Some([40.0, 40.0, 40.0])));
        let bars: u64 = summary.latency_histogram.iter().map(|(_, count)| count).sum();
        assert_eq!(bars, summary.requests.successful);
        assert!(summary.latency_histogram.is_sorted_by(|a, b| a.0 < b.0), "{:?}", summary.latency_histogram);
        assert!(summary.latency_histogram[0].1 > 0);
        assert_eq!(summary.service_ms, None);
    }

    #[test]
    fn a_backend_that_was_expected_and_did_not_come_is_there() {
        let outcomes: Vec<Ended> =
            (0..60).map(|n| (Ok(200), Some(if n % 2 == 0 { &b"a"[..] } else { &b"b"[..] }), 1)).collect();
        let uneven = summary(&["--expect-shares", "a=1,b=1,c=1"], vec![record(&outcomes)], 0, false);
        let names: Vec<_> =
            uneven.backends.iter().map(|backend| (backend.name.as_str(), backend.answers)).collect();
        assert_eq!(names, [("a", 30), ("b", 30), ("c", 0)]);
        let verdict = uneven.shares.unwrap();
        assert!(!verdict.even && verdict.max_to_min.is_infinite(), "{verdict:?}");
        assert!(summary(&[], vec![record(&outcomes)], 0, false).shares.unwrap().even);
    }

    #[test]
    fn nothing_done_divides_by_nothing() {
        let summary = summary(&[], vec![Record::default()], 0, true);
        assert_eq!(summary.requests_per_second, 0.0);
        assert_eq!(summary.latency_ms, None);
        assert_eq!(summary.exit_code(), exit_codes::FAILED, "no success is no success");
    }

    #[test]
    fn what_no_connection_could_be_had_for_was_not_sent() {
        let mut record =
            record(&[(Ok(200), None, 1), (Err(ErrorKind::Refused), None, 1), (Ok(500), None, 1)]);
        record.unconnected = 1;
        record.resent = 3;
        record.started += 2;
        let summary = summary(&[], vec![record], 0, true);
        assert_eq!((summary.requests.total, summary.requests.unconnected, summary.sent()), (3, 1, 7));
    }

    #[test]
    fn what_was_never_sent_ranks_behind_every_answer() {
        let mut latency_ns = latency_histogram();
        (1..=100).for_each(|ms| latency_ns.record(ms * 1_000_000).unwrap());
        let table = [
            (0, 0.5, 50.0),
            (0, 1.0, 100.0),
            // The median of 150 is the 75th.
            (50, 0.5, 75.0),
            (25, 0.8, 100.0),
            (25, 0.81, f64::INFINITY),
            (1, 0.99, 100.0),
            (1, 1.0, f64::INFINITY),
        ];
        for (endless, quantile, expected) in table {
            let actual = quantile_of_all_ms(&latency_ns, endless, quantile);
            let is_close = actual == expected || (actual / expected - 1.0).abs() < 2e-3;
            assert!(is_close, "{quantile} with {endless}: {actual}, not {expected}");
        }
    }

    #[test]
    fn objectives_of_latency_know_what_was_never_sent() {
        let mut outcomes = record(&[(Ok(200), None, 1); 300]);
        (0..100).for_each(|number| outcomes.unsent(number));
        let words = ["--slo", "p50<20ms", "--slo", "p95<20ms", "--slo", "max<20ms", "--slo", "mean<20ms"];
        let summary = summary(&words, vec![outcomes], 0, false);
        let judged: Vec<_> = summary.objectives.iter().map(|judged| (judged.verdict, judged.value)).collect();
        let (met, missed) = ((Verdict::Met, Some(1.0)), (Verdict::Missed, None));
        let rounded: Vec<_> =
            judged.iter().map(|(verdict, value)| (*verdict, value.map(f64::round))).collect();
        assert_eq!(rounded, [met, missed, missed, met]);
        assert!(summary.latency_ms.unwrap().max < 1.1, "those that were answered");
    }

    #[test]
    fn a_run_that_hangs_lasts_until_it_is_told_to_end() {
        const S: u64 = 1_000_000_000;
        fn observed(records: &[Record]) -> Observed<'_> {
            Observed {
                records,
                timeline: Collector::new(records.len(), S / 10).timeline(8 * S, Vec::new()),
                longest_gap_ns: 0,
                now_ns: 9 * S,
                halted_ns: Some(8 * S),
                interrupted: true,
            }
        }
        let plan = plan(&["--slo", "gap<500ms", "--slo", "errors<50%", "--slo", "rate>150"]);
        // Two seconds of 100 requests each, and four that never end, in one thread or two.
        for threads in [1, 2] {
            let mut records: Vec<_> = (0..threads).map(|_| Record::default()).collect();
            for number in 0..200 {
                let planned_ns = number * S / 100;
                let record = &mut records[number as usize % threads];
                record.started += 1;
                let outcome = Outcome { result: Ok(200), backend: None };
                record.add(outcome, planned_ns, planned_ns, planned_ns + S / 100);
            }
            records[0].started += 4;
            (0..4).for_each(|_| records[0].given_up(2 * S, 9 * S));
            let summary = Summary::new(&plan, observed(&records));
            assert_eq!((summary.elapsed_s, summary.requests_per_second), (8.0, 25.0));
            assert_eq!(summary.longest_gap_ms, 6000.0);
            assert_eq!((summary.requests.unfinished, summary.requests.hung), (4, 4));
            let verdicts: Vec<_> = summary.objectives.iter().map(|judged| judged.verdict).collect();
            assert_eq!(verdicts, [Verdict::Missed, Verdict::Met, Verdict::Missed]);
            // Nothing was on its way when the signal came: the run ended with its last answer.
            for record in &mut records {
                record.started = record.succeeded;
                record.hung = 0;
            }
            let summary = Summary::new(&plan, observed(&records));
            assert_eq!((summary.elapsed_s, summary.longest_gap_ms), (2.0, 0.0));
        }
    }

    #[test]
    fn the_json_has_the_promised_fields() {
        let summary = summary(&[], vec![record(&[(Ok(500), Some(b"a"), 2)])], 0, false);
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "url": "http://localhost:80",
                "targets": [{
                    "url": "http://localhost:80", "weight": 1, "requests": 1, "successful": 0, "failed": 1,
                }],
                "method": "GET",
                "connections": { "asked": 4, "opened": 0, "peak": 0 },
                "threads": 2,
                "interrupted": false,
                "requests": { "total": 1, "successful": 0, "failed": 1, "unfinished": 0, "hung": 0, "unconnected": 0, "unsent": 0, "resent": 0 },
                "elapsed_s": 0.002,
                "requests_per_second": 500.0,
                "latency_ms": null,
                "longest_gap_ms": 0.0,
                "errors": {
                    "refused": 0, "reset": 0, "closed_early": 0, "stale": 0, "tls": 0,
                    "timed_out": 0, "malformed": 0, "non_2xx": 1, "no_resources": 0, "other": 0,
                },
                "statuses": { "500": 1 },
                "backends": [{
                    "name": "a", "answers": 1, "share": 1.0, "errors": 1, "classes": { "5xx": 1 }, "latency_ms": null,
                }],
                "answers_without_backend": 0,
                "load": { "model": "closed" },
                "service_ms": null,
                "latency_histogram": [],
                "shares": null,
                "shares_while_alive": null,
                "timeline": {
                    "slot_ms": 100.0,
                    "end_ms": 0.0,
                    "backends": ["a"],
                    "slots": [{
                        "sent": 1, "unsent": 0, "hung": 0, "successful": 0, "errors": { "non_2xx": 1 },
                        "latency_ms": null, "backends": [1],
                    }],
                    "marks": [],
                },
                "failovers": [],
                "generator": { "lag_us": null, "cpu_share": [0.0], "cpu_us_per_request": 0.0, "saturated": [] },
                "truth": null,
                "objectives": [],
            })
        );
    }
}
