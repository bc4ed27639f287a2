//! What a run came to: the threads' records added up, and the figures that follow from them. Pure.
//!
//! Every report is a view of [`Summary`]; its fields are the JSON that scripts read, so names and units
//! here are a promise.

mod backends;
mod latency;

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::Serialize;

use crate::failover::{self, Circumstances, Failover};
use crate::honesty::{self, Facts, Generator};
use crate::mix::TargetCounts;
use crate::objective::{self, Ended, Judged, Measured};
use crate::plan::{Pacing, Plan};
use crate::record::{ErrorKind, Record, latency_histogram};
use crate::schedule::Point;
use crate::shares::ShareVerdict;
use crate::silence::RESOLUTION_NS;
use crate::timeline::Timeline;
use backends::{backends, share_verdict, targets};
use latency::{added_up, bars, quantile_of_all_ms, to_ms};

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

#[cfg(test)]
mod tests;
