//! Whether the backends got the load that they should have got. Pure.

use schemars::JsonSchema;
use serde::Serialize;

/// The verdict of a chi-square test of the answers per backend against equal or given weights.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ShareVerdict {
    /// What each backend should have got, from 0 to 1, in the order of the summary's backends.
    pub expected: Vec<f64>,
    /// The largest share divided by the smallest, each in proportion to its weight.
    pub max_to_min: f64,
    /// The test statistic.
    pub chi_square: f64,
    /// Its degrees of freedom: the number of backends less one.
    pub degrees_of_freedom: u64,
    /// How likely a difference this large is by chance alone when every answer goes to a backend drawn by
    /// weight.
    pub p_value: f64,
    /// Whether the shares are as expected: `p_value` is at least 0.01.
    pub even: bool,
}
