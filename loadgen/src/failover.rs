//! How a failure of a backend looked from outside, read off the [timeline](crate::timeline). Pure.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// One backend's failure and what it cost.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Failover {
    /// The backend that stopped answering.
    pub backend: String,
    /// When it stopped, in milliseconds since the start of the run.
    pub at_ms: f64,
    /// From the first request that was hurt by it to the last, on planned time; zero when none was.
    pub gap_ms: f64,
    /// Requests that failed in that time.
    pub errors: u64,
    /// From `at_ms` until the backends that were left shared the load evenly (or by their weights);
    /// `null` when they did not before the run ended.
    pub even_after_ms: Option<f64>,
    /// From `at_ms` until the backend answered again; `null` when it did not before the run ended.
    pub back_after_ms: Option<f64>,
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
