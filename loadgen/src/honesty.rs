//! Whether the figures are the target's, or the generator's own. Pure.

use schemars::JsonSchema;
use serde::Serialize;

/// What the generator says of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Generator {
    /// How much later than planned requests were written, in microseconds; open loop only.
    pub lag_us: Option<Lag>,
    /// Processor time of each thread as a part of the run's time, from 0 to 1.
    pub cpu_share: Vec<f64>,
    /// Processor time of all threads together, in microseconds per request.
    pub cpu_us_per_request: f64,
    /// Why the figures are the generator's rather than the target's; empty when they are not.
    pub saturated: Vec<String>,
}

/// Points of the distribution of lags, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say all")]
pub struct Lag {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}
