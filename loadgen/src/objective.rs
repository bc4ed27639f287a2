//! Service level objectives (`--slo`): what was asked for, what was measured, and the verdict. Pure.

use schemars::JsonSchema;
use serde::Serialize;

/// One objective, judged.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Judged {
    /// As typed, such as `p99<20ms`.
    pub objective: String,
    /// What was measured, in the unit of the objective (ms, %, or a bare number); `null` when nothing was.
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
