//! What a comparison came to. Pure. Its fields are the JSON that scripts read, so names and units here are a
//! promise.

use schemars::JsonSchema;
use serde::Serialize;

use super::plan::{AbPlan, Phase, Purpose};
use super::slice::SideCounts;
use super::statistics::{Comparison, Finding, Pair};
use crate::exit_codes;
use crate::honesty::BUSY_SHARE;
use crate::record::ErrorKind;

/// A comparison's result.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AbSummary {
    /// A's URL as typed.
    pub url_a: String,
    /// B's URL as typed; `null` when A was only compared with itself.
    pub url_b: Option<String>,
    /// The method of every request.
    pub method: String,
    /// Connections to each target.
    pub connections: usize,
    /// Threads; the same serve both targets, one at a time.
    pub threads: usize,
    /// Pairs of slices that were asked for.
    pub pairs_asked: usize,
    /// The length of a slice in seconds.
    pub slice_s: f64,
    /// The part of each slice that was dropped, from 0 to 1.
    pub head_share: f64,
    /// With `--seed` and this number, the order is the same again.
    pub seed: u64,
    /// A signal ended the comparison before its last pair.
    pub interrupted: bool,
    /// A compared with itself (`--aa`).
    pub noise_floor: Option<Compared>,
    /// A compared with B.
    pub comparison: Option<Compared>,
}

/// Two targets compared.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Compared {
    /// What A did; of a comparison with itself, the first of the two.
    pub a: SideCounts,
    /// What B did.
    pub b: SideCounts,
    /// What the pairs say.
    #[serde(flatten)]
    pub result: Comparison,
    /// Why there are fewer pairs than were asked for, other than a signal; `null` when there are not.
    pub ended_early: Option<String>,
    /// The figures of the pairs, in the order in which they were measured.
    pub pair_values: Vec<Pair>,
}

impl AbSummary {
    /// Nothing is compared yet.
    pub fn new(plan: &AbPlan) -> Self {
        Self {
            url_a: plan.a.mix.urls(),
            url_b: plan.b.as_ref().map(|b| b.mix.urls()),
            method: plan.a.method.clone(),
            connections: plan.a.connections(),
            threads: plan.a.threads,
            pairs_asked: plan.pairs,
            slice_s: plan.slice.as_secs_f64(),
            head_share: f64::from(plan.head_percent) / 100.0,
            seed: plan.seed,
            interrupted: false,
            noise_floor: None,
            comparison: None,
        }
    }

    /// Enters what came of a phase.
    pub fn enter(&mut self, phase: &Phase, compared: Compared) {
        match phase.purpose {
            Purpose::NoiseFloor => self.noise_floor = Some(compared),
            Purpose::Comparison => self.comparison = Some(compared),
        }
    }

    /// The exit status that this result deserves; see [`exit_codes`]. Which target is better is no matter:
    /// the comparison did its work.
    pub fn exit_code(&self) -> i32 {
        let all = || self.noise_floor.iter().chain(&self.comparison);
        if all().any(Compared::is_saturated) {
            return exit_codes::SATURATED;
        }
        let last = self.comparison.as_ref().or(self.noise_floor.as_ref().filter(|_| self.url_b.is_none()));
        if last.is_none_or(|compared| compared.result.pairs == 0) {
            return exit_codes::FAILED;
        }
        let is_undecided =
            !self.interrupted && all().any(|compared| compared.result.finding == Finding::TooFewPairs);
        if is_undecided || all().any(|compared| compared.failed() > 0) {
            exit_codes::FAILED
        } else {
            exit_codes::SUCCESS
        }
    }
}

impl Compared {
    /// Failed requests to either target.
    pub fn failed(&self) -> u64 {
        self.a.failed + self.b.failed
    }

    /// Whether loadgen itself set the pace, or its machine had nothing left, for one of the targets at least.
    pub fn is_saturated(&self) -> bool {
        let shortages = [&self.a, &self.b].map(|side| side.errors.get(&ErrorKind::NoResources));
        shortages.into_iter().flatten().any(|count| *count > 0)
            || self.a.generator_cpu_share.max(self.b.generator_cpu_share) >= BUSY_SHARE
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ab::statistics::Slice;

    /// A summary of so many pairs, in which B has this multiple of A's rate and its latencies are the
    /// reciprocal.
    pub(in crate::ab) fn summary(pairs: usize, ratio: f64) -> AbSummary {
        let slice = |speed: f64| Slice {
            requests: (10_000.0 * speed).round() as u64,
            seconds: 0.8,
            p50_ms: Some(2.0 / speed),
            p99_ms: Some(3.0 / speed),
        };
        let pair_values: Vec<_> = (0..pairs)
            .map(|index| {
                let noise = [1.01, 1.0 / 1.01, 1.02, 1.0 / 1.02][index % 4];
                Pair { a: slice(1.0), b: slice(ratio * noise) }
            })
            .collect();
        AbSummary {
            url_a: "http://a".into(),
            url_b: Some("http://b".into()),
            method: "GET".into(),
            connections: 8,
            threads: 2,
            pairs_asked: 20,
            slice_s: 1.0,
            head_share: 0.2,
            seed: 7,
            interrupted: false,
            noise_floor: None,
            comparison: Some(Compared {
                a: SideCounts { successful: 200_000, generator_cpu_share: 0.3, ..SideCounts::default() },
                b: SideCounts { successful: 180_000, generator_cpu_share: 0.3, ..SideCounts::default() },
                result: Comparison::new(&pair_values),
                ended_early: None,
                pair_values,
            }),
        }
    }

    #[test]
    fn the_exit_status_says_whether_there_is_a_result_and_not_which() {
        for ratio in [0.5, 1.0, 2.0] {
            assert_eq!(summary(20, ratio).exit_code(), exit_codes::SUCCESS, "{ratio}");
        }
        assert_eq!(summary(19, 1.0).exit_code(), exit_codes::FAILED);
        let mut interrupted = summary(19, 1.0);
        interrupted.interrupted = true;
        assert_eq!(interrupted.exit_code(), exit_codes::SUCCESS);
        // Nothing was compared, or only A with itself.
        let mut interrupted = summary(0, 1.0);
        interrupted.interrupted = true;
        assert_eq!(interrupted.exit_code(), exit_codes::FAILED);
        let mut interrupted = summary(20, 1.0);
        interrupted.interrupted = true;
        interrupted.noise_floor = interrupted.comparison.take();
        assert_eq!(interrupted.exit_code(), exit_codes::FAILED);
        interrupted.url_b = None;
        assert_eq!(interrupted.exit_code(), exit_codes::SUCCESS);
        let mut failed = summary(20, 1.0);
        failed.comparison.as_mut().unwrap().b.failed = 1;
        assert_eq!(failed.exit_code(), exit_codes::FAILED);
        let mut short = failed.clone();
        short.comparison.as_mut().unwrap().b.errors.insert(ErrorKind::NoResources, 1);
        assert_eq!(short.exit_code(), exit_codes::SATURATED);
        failed.comparison.as_mut().unwrap().a.generator_cpu_share = 0.96;
        assert_eq!(failed.exit_code(), exit_codes::SATURATED);
    }

    #[test]
    fn the_json_is_flat_where_scripts_look_first() {
        let json = serde_json::to_value(summary(20, 0.9)).unwrap();
        assert_eq!(json["comparison"]["finding"], "worse");
        assert_eq!(json["comparison"]["pairs"], 20);
        assert_eq!(json["comparison"]["estimates"][0]["measure"], "rate");
        assert!((json["comparison"]["estimates"][0]["ratio"].as_f64().unwrap() - 0.9).abs() < 1e-3);
        assert_eq!(json["comparison"]["pair_values"].as_array().unwrap().len(), 20);
        assert_eq!(json["noise_floor"], serde_json::Value::Null);
    }
}
