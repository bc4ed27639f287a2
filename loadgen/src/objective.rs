//! Service level objectives (`--slo`): what was asked for, what was measured, and the verdict. Pure.
//!
//! An objective is a measure, a comparison and a limit, such as `p99 < 20ms` or `errors<=0.1%`. Each has a
//! number of samples below which its value means nothing, and then it counts as missed: a gate that a run of
//! three requests can pass guards nothing.
//!
//! | measure | limit | samples | at least |
//! |---|---|---|---|
//! | `p50` `p90` `p95` `p99` `p99.9` | time | successes, and behind them what could not be sent or hung | ten beyond the point: 10 / (1 - q), so 1000 for p99 |
//! | `mean` | time | successes | 30, from where the mean of nearly anything is close to normal |
//! | `max` | time | as the percentiles | 1 |
//! | `errors` | percent | requests that ended or hung | 3 / limit: with none failed in so many, the share is below the limit with 95 % confidence |
//! | `unsent` | percent | requests that were due | 3 / limit likewise |
//! | `share.max/share.min` | number | answers of named backends | 100 per backend: a count then has a standard error of 10 % at most |
//! | `gap` | time | successes | 2 |
//! | `rate` | number | requests that ended | 100, for the same 10 % |

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;

use crate::exit_codes;
use crate::plan::duration;

/// One objective, as asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// As typed.
    text: String,
    measure: Measure,
    comparison: Comparison,
    /// In milliseconds, percent, or bare.
    limit: f64,
}

/// What an objective is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the words of the command line say all")]
pub enum Measure {
    #[serde(rename = "p50")]
    P50,
    #[serde(rename = "p90")]
    P90,
    #[serde(rename = "p95")]
    P95,
    #[serde(rename = "p99")]
    P99,
    #[serde(rename = "p99.9")]
    P999,
    #[serde(rename = "max")]
    Max,
    #[serde(rename = "mean")]
    Mean,
    #[serde(rename = "errors")]
    Errors,
    #[serde(rename = "unsent")]
    Unsent,
    #[serde(rename = "share.max/share.min")]
    Shares,
    #[serde(rename = "gap")]
    Gap,
    #[serde(rename = "rate")]
    Rate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// What kind of number a limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Time,
    Percent,
    Number,
}

/// Why a text is no objective.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ObjectiveError {
    /// There is no comparison in it.
    #[error("expected MEASURE<LIMIT with one of <, <=, > and >=, such as p99<20ms")]
    Comparison,
    /// What is measured is unknown.
    #[error("'{0}' is not measured; expected one of {MEASURES}")]
    Measure(String),
    /// The limit is no number of the kind that the measure has.
    #[error("the limit '{limit}' of {measure} is not {expected}")]
    Limit {
        /// As typed.
        limit: String,
        /// Of what.
        measure: Measure,
        /// In words.
        expected: &'static str,
    },
}

const MEASURES: &str =
    "p50, p90, p95, p99, p99.9, max, mean, errors, unsent, share.max/share.min, gap and rate";

/// What a run came to, as far as objectives ask.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measured {
    /// Latencies of the successful requests, in milliseconds: p50, p90, p95, p99, p99.9, max, mean; `None` when
    /// there was none.
    pub latency_ms: Option<[f64; 7]>,
    /// Requests that succeeded.
    pub successful: u64,
    /// Requests that ended, well or not.
    pub ended: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests that were due and could not be sent.
    pub unsent: u64,
    /// The largest share divided by the smallest; `None` with fewer than two backends.
    pub max_to_min: Option<f64>,
    /// How many backends named themselves.
    pub backends: u64,
    /// Answers of all of them.
    pub answers: u64,
    /// The longest of the failovers' gaps and of the silence between two successes, in milliseconds.
    pub gap_ms: f64,
    /// Requests per second.
    pub rate: f64,
}

/// One objective, judged.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Judged {
    /// As typed, such as `p99<20ms`.
    pub objective: String,
    /// What it is about.
    pub measure: Measure,
    /// What was measured, in the unit of the objective (ms, %, or a bare number); `null` when nothing was, or
    /// when it is infinite.
    pub value: Option<f64>,
    /// How many samples stand behind the value.
    pub samples: u64,
    /// How many it takes for the value to mean anything.
    pub minimum_samples: u64,
    /// The verdict.
    pub verdict: Verdict,
}

/// What became of an objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was met.
    Met,
    /// It was missed.
    Missed,
    /// There were too few samples to say; counts as missed, since nothing was proved.
    TooFewSamples,
}

/// Samples beyond a percentile that make it more than an accident.
const SAMPLES_BEYOND: f64 = 10.0;
/// Samples of a mean.
const SAMPLES_OF_MEAN: u64 = 30;
/// The rule of three: nothing in n tries bounds a share by 3/n with 95 % confidence.
const RULE_OF_THREE: f64 = 3.0;
/// A count of so many has a standard error of 10 %.
const SAMPLES_OF_COUNT: u64 = 100;

impl Objective {
    /// Holds the objective against what was measured.
    pub fn judge(&self, measured: &Measured) -> Judged {
        let (value, samples) = self.measure.value(measured);
        let minimum_samples = self.measure.minimum_samples(self.limit, measured);
        let verdict = match value {
            Some(value) if samples >= minimum_samples => {
                if self.comparison.holds(value, self.limit) {
                    Verdict::Met
                } else {
                    Verdict::Missed
                }
            }
            _ => Verdict::TooFewSamples,
        };
        Judged {
            objective: self.text.clone(),
            measure: self.measure,
            value: value.filter(|value| value.is_finite()),
            samples,
            minimum_samples,
            verdict,
        }
    }
}

/// How a run's requests ended, as far as its exit status goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Requests with a complete 2xx answer.
    pub successful: u64,
    /// Requests that failed, or hung until the run was cut off.
    pub failed: u64,
    /// Requests that were due and could not be sent.
    pub unsent: u64,
}

/// The exit status of a run that took place. A saturated generator comes first, since its figures say nothing
/// about the target; then the objectives; and what failed or was not sent only when no objective says how many there
/// may be. Where nothing succeeded, no objective makes that a success.
pub fn exit_code(ended: Ended, objectives: &[Judged], saturated: bool, faults_failed: bool) -> i32 {
    let missed = objectives.iter().any(|judged| judged.verdict != Verdict::Met);
    let is_judged = |measure: Measure| objectives.iter().any(|judged| judged.measure == measure);
    match () {
        () if saturated => exit_codes::SATURATED,
        () if missed => exit_codes::OBJECTIVE_MISSED,
        () if ended.successful == 0 => exit_codes::FAILED,
        () if ended.failed > 0 && !is_judged(Measure::Errors) => exit_codes::FAILED,
        () if ended.unsent > 0 && !is_judged(Measure::Unsent) => exit_codes::FAILED,
        // A run whose fault did not happen proves nothing.
        () if faults_failed => exit_codes::FAILED,
        () => exit_codes::SUCCESS,
    }
}

impl Measure {
    const ALL: [Self; 12] = [
        Self::P50,
        Self::P90,
        Self::P95,
        Self::P99,
        Self::P999,
        Self::Max,
        Self::Mean,
        Self::Errors,
        Self::Unsent,
        Self::Shares,
        Self::Gap,
        Self::Rate,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Errors => "errors",
            Self::Unsent => "unsent",
            Self::Shares => "share.max/share.min",
            Self::Gap => "gap",
            Self::Rate => "rate",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::P50 | Self::P90 | Self::P95 | Self::P99 | Self::P999 => Unit::Time,
            Self::Max | Self::Mean | Self::Gap => Unit::Time,
            Self::Errors | Self::Unsent => Unit::Percent,
            Self::Shares | Self::Rate => Unit::Number,
        }
    }

    /// What was measured and how many samples stand behind it.
    fn value(self, measured: &Measured) -> (Option<f64>, u64) {
        let Measured {
            latency_ms, successful, ended, failed, unsent, max_to_min, answers, gap_ms, rate, ..
        } = measured;
        let percent = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64 * 100.0);
        let due = ended + unsent;
        let latency = |index: usize| (latency_ms.map(|points| points[index]), *successful);
        match self {
            Self::P50 => latency(0),
            Self::P90 => latency(1),
            Self::P95 => latency(2),
            Self::P99 => latency(3),
            Self::P999 => latency(4),
            Self::Max => latency(5),
            Self::Mean => latency(6),
            Self::Errors => (percent(*failed, *ended), *ended),
            Self::Unsent => (percent(*unsent, due), due),
            Self::Shares => (*max_to_min, *answers),
            Self::Gap => ((*successful >= 2).then_some(*gap_ms), *successful),
            Self::Rate => (Some(*rate), *ended),
        }
    }

    fn minimum_samples(self, limit: f64, measured: &Measured) -> u64 {
        let beyond = |part: f64| (SAMPLES_BEYOND / part).round() as u64;
        match self {
            Self::P50 => beyond(0.5),
            Self::P90 => beyond(0.1),
            Self::P95 => beyond(0.05),
            Self::P99 => beyond(0.01),
            Self::P999 => beyond(0.001),
            Self::Max => 1,
            Self::Mean => SAMPLES_OF_MEAN,
            // A limit of zero cannot be proved by any number; then what was seen decides.
            Self::Errors | Self::Unsent if limit <= 0.0 => 1,
            Self::Errors | Self::Unsent => ((RULE_OF_THREE * 100.0 / limit) - 1e-9).ceil() as u64,
            Self::Shares => SAMPLES_OF_COUNT * measured.backends.max(2),
            Self::Gap => 2,
            Self::Rate => SAMPLES_OF_COUNT,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

impl Comparison {
    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
        }
    }
}

impl Unit {
    fn read(self, text: &str) -> Option<f64> {
        // A bare number of what? Elsewhere that is seconds, but nobody's latency is.
        if self == Self::Time {
            let time = duration(text).filter(|_| text.ends_with(char::is_alphabetic))?;
            return Some(time.as_secs_f64() * 1e3);
        }
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let factor = match (self, unit.trim()) {
            (Self::Percent, "%") | (Self::Number, "") => 1.0,
            (Self::Number, "k") => 1e3,
            _ => return None,
        };
        number.parse::<f64>().ok().map(|number| number * factor).filter(|limit| limit.is_finite())
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Time => "a time such as 500us, 20ms or 1.5s",
            Self::Percent => "a percentage such as 0.1%",
            Self::Number => "a number such as 1.2, 5000 or 20k",
        }
    }
}

impl FromStr for Objective {
    type Err = ObjectiveError;

    /// Reads `MEASURE COMPARISON LIMIT`; blanks may stand between any two of its words.
    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        let at = text.find(['<', '>']).ok_or(ObjectiveError::Comparison)?;
        let (word, rest) = text.split_at(at);
        let (comparison, limit) = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Below),
            (">", Comparison::Above),
        ]
        .into_iter()
        .find_map(|(sign, comparison)| rest.strip_prefix(sign).map(|limit| (comparison, limit.trim())))
        .ok_or(ObjectiveError::Comparison)?;
        let word: String = word.split_whitespace().collect();
        let Some(measure) = Measure::ALL.into_iter().find(|measure| measure.word() == word) else {
            return Err(ObjectiveError::Measure(word));
        };
        let unit = measure.unit();
        let limit = unit.read(limit).ok_or_else(|| ObjectiveError::Limit {
            limit: limit.to_owned(),
            measure,
            expected: unit.expected(),
        })?;
        Ok(Self { text: text.trim().to_owned(), measure, comparison, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        Measured {
            latency_ms: Some([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1.5]),
            successful: 99_000,
            ended: 100_000,
            failed: 1000,
            unsent: 25_000,
            max_to_min: Some(1.5),
            backends: 3,
            answers: 99_500,
            gap_ms: 340.0,
            rate: 5000.0,
        }
    }

    fn judge(text: &str, measured: &Measured) -> Judged {
        text.parse::<Objective>().unwrap_or_else(|error| panic!("{text}: {error}")).judge(measured)
    }

    #[test]
    fn every_measure_is_met_and_missed() {
        let table = [
            ("p50<2ms", "p50<1ms", 1.0),
            ("p90 <= 2ms", "p90<2ms", 2.0),
            ("p95<4ms", "p95<3000us", 3.0),
            ("p99<20ms", "p99>20ms", 4.0),
            ("p99.9 < 1s", "p99.9<0.001s", 5.0),
            ("max<6.5ms", "max<5.5ms", 6.0),
            ("mean>=1.5ms", "mean>1.5ms", 1.5),
            ("errors<1.1%", "errors < 1 %", 1.0),
            ("unsent<=20%", "unsent<20%", 20.0),
            ("share.max/share.min<1.6", "share.max / share.min < 1.2", 1.5),
            ("gap<500ms", "gap<0.3s", 340.0),
            ("rate>4.9k", "rate>5000", 5000.0),
        ];
        assert_eq!(table.len(), Measure::ALL.len());
        for (met, missed, value) in table {
            for (text, verdict) in [(met, Verdict::Met), (missed, Verdict::Missed)] {
                let judged = judge(text, &measured());
                assert_eq!((judged.verdict, judged.value), (verdict, Some(value)), "{judged:?}");
                assert_eq!(judged.objective, text);
            }
        }
    }

    #[test]
    fn too_few_samples_prove_nothing() {
        // Each text with the fewest samples that suffice.
        let table: &[(&str, u64)] = &[
            ("p50<9ms", 20),
            ("p90<9ms", 100),
            ("p95<9ms", 200),
            ("p99<9ms", 1000),
            ("p99.9<9ms", 10_000),
            ("mean<9ms", 30),
            ("max<9ms", 1),
            ("errors<1%", 300),
            ("errors<0.1%", 3000),
            ("errors<=0%", 1),
            ("unsent<5%", 60),
            ("share.max/share.min<2", 300),
            ("gap<1s", 2),
            ("rate>1", 100),
        ];
        for (text, minimum) in table {
            for (samples, expected) in [(*minimum, true), (minimum - 1, false)] {
                let measured = Measured {
                    successful: samples,
                    ended: samples,
                    answers: samples,
                    failed: 0,
                    unsent: 0,
                    ..measured()
                };
                let judged = judge(text, &measured);
                assert_eq!(judged.minimum_samples, *minimum, "{text}");
                assert_eq!(judged.samples, samples, "{text}");
                assert_eq!(judged.verdict == Verdict::Met, expected, "{text} with {samples}: {judged:?}");
                assert!(expected || judged.verdict == Verdict::TooFewSamples, "{judged:?}");
            }
        }
        let nothing = judge("p50<1s", &Measured::default());
        assert_eq!((nothing.value, nothing.verdict), (None, Verdict::TooFewSamples));
    }

    #[test]
    fn a_backend_that_got_nothing_misses_any_ratio() {
        let judged =
            judge("share.max/share.min<1000", &Measured { max_to_min: Some(f64::INFINITY), ..measured() });
        assert_eq!((judged.verdict, judged.value), (Verdict::Missed, None));
    }

    #[test]
    fn every_unit_of_time_is_known() {
        let limits = ["500us", "500 µs", "20ms", "1.5s", "2m", "1h"].map(|text| Unit::Time.read(text));
        assert_eq!(limits, [0.5, 0.5, 20.0, 1500.0, 120e3, 3600e3].map(Some));
    }

    #[test]
    fn a_text_that_makes_no_sense_says_what_would() {
        let table = [
            ("p99", "one of <, <=, > and >="),
            ("p98<5ms", "'p98' is not measured; expected one of p50, p90"),
            ("<5ms", "'' is not measured"),
            ("p99<5", "limit '5' of p99 is not a time such as 500us"),
            ("p99<5%", "is not a time"),
            ("p99<5d", "is not a time"),
            ("p99<s", "limit 's'"),
            ("p99<-5ms", "limit '-5ms'"),
            ("p99<<5ms", "limit '<5ms'"),
            ("p99==5ms", "one of <"),
            ("errors<0.1", "limit '0.1' of errors is not a percentage such as 0.1%"),
            ("rate>5ms", "is not a number such as 1.2, 5000 or 20k"),
            ("share.max/share.min<", "limit ''"),
            ("gap<1.2.3s", "limit '1.2.3s'"),
        ];
        for (text, expected) in table {
            let error = text.parse::<Objective>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_worst_that_happened_is_the_exit_status() {
        let judged = |text: &str| judge(text, &measured());
        let met = judged("p99<20ms");
        let missed = judged("p99<1ms");
        let few = judge("p99<20ms", &Measured::default());
        let errors_met = judged("errors<5%");
        let errors_missed = judged("errors<0.5%");
        let table: &[(u64, &[&Judged], bool, i32)] = &[
            (0, &[], false, exit_codes::SUCCESS),
            (1, &[], false, exit_codes::FAILED),
            (0, &[&met], false, exit_codes::SUCCESS),
            (1, &[&met], false, exit_codes::FAILED),
            (1, &[&errors_met], false, exit_codes::SUCCESS),
            (1, &[&met, &errors_met], false, exit_codes::SUCCESS),
            (1, &[&errors_missed], false, exit_codes::OBJECTIVE_MISSED),
            (0, &[&met, &missed], false, exit_codes::OBJECTIVE_MISSED),
            (1, &[&missed], false, exit_codes::OBJECTIVE_MISSED),
            (0, &[&few], false, exit_codes::OBJECTIVE_MISSED),
            (0, &[], true, exit_codes::SATURATED),
            (1, &[&missed], true, exit_codes::SATURATED),
        ];
        for (failed, objectives, saturated, expected) in table {
            let objectives: Vec<_> = objectives.iter().map(|judged| (*judged).clone()).collect();
            let ended = Ended { successful: 10, failed: *failed, unsent: 0 };
            assert_eq!(
                exit_code(ended, &objectives, *saturated, false),
                *expected,
                "{failed} {objectives:?} {saturated}"
            );
        }
        let fine = Ended { successful: 10, ..Ended::default() };
        assert_eq!(exit_code(fine, &[], false, true), exit_codes::FAILED, "a fault that did not happen");
        assert_eq!(exit_code(fine, &[missed], false, true), exit_codes::OBJECTIVE_MISSED);
        let unsent = Ended { unsent: 1, ..fine };
        assert_eq!(exit_code(unsent, std::slice::from_ref(&errors_met), false, false), exit_codes::FAILED);
        assert_eq!(exit_code(unsent, &[judged("unsent<=20%")], false, false), exit_codes::SUCCESS);
        let nothing = Ended::default();
        assert_eq!(exit_code(nothing, &[], false, false), exit_codes::FAILED);
        assert_eq!(exit_code(nothing, &[errors_met], false, false), exit_codes::FAILED);
    }
}
