//! Whether the backends got the load that they should have got. Pure.
//!
//! The test is Pearson's: were every answer given by a backend drawn at random by its weight, how likely would
//! shares at least this far from the weights be? It is one-sided, so that a round robin, whose shares are closer
//! to the weights than chance would bring them, passes as well.

use schemars::JsonSchema;
use serde::Serialize;
use statrs::function::gamma::checked_gamma_ur;

/// The verdict of a chi-square test of the answers per backend against equal or given weights.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ShareVerdict {
    /// What each backend should have got, from 0 to 1, in the order of the summary's backends.
    pub expected: Vec<f64>,
    /// The largest share divided by the smallest, each in proportion to its weight; infinite (`null` in JSON)
    /// when a backend that should have answered did not.
    pub max_to_min: f64,
    /// The test statistic; infinite (`null` in JSON) when a backend answered that should not have.
    pub chi_square: f64,
    /// Its degrees of freedom: the number of backends less one.
    pub degrees_of_freedom: u64,
    /// How likely a difference this large is by chance alone when every answer goes to a backend drawn by
    /// weight.
    pub p_value: f64,
    /// Whether the shares are as expected: `p_value` is at least 0.01.
    pub even: bool,
}

/// A difference that chance brings less often than once in a hundred runs is no chance.
pub const SIGNIFICANCE: f64 = 0.01;

/// Tests answers per backend against weights of any scale; a weight of zero says that the backend should not
/// have answered. `None` with fewer than two backends or no answer at all: there is nothing to compare.
pub fn judge(answers: &[u64], weights: &[f64]) -> Option<ShareVerdict> {
    let total: u64 = answers.iter().sum();
    let sum: f64 = weights.iter().sum();
    if answers.len() < 2 || answers.len() != weights.len() || total == 0 || sum <= 0.0 {
        return None;
    }
    let expected: Vec<f64> = weights.iter().map(|weight| weight / sum).collect();
    let (mut largest, mut smallest, mut chi_square) = (0.0_f64, f64::INFINITY, 0.0);
    for (count, share) in answers.iter().zip(&expected) {
        let expected_count = share * total as f64;
        let count = *count as f64;
        if expected_count > 0.0 {
            largest = largest.max(count / expected_count);
            smallest = smallest.min(count / expected_count);
            chi_square += (count - expected_count).powi(2) / expected_count;
        } else if count > 0.0 {
            chi_square = f64::INFINITY;
        }
    }
    let degrees_of_freedom = answers.len() as u64 - 1;
    let p_value = p_value(chi_square, degrees_of_freedom);
    Some(ShareVerdict {
        expected,
        max_to_min: largest / smallest,
        chi_square,
        degrees_of_freedom,
        p_value,
        even: p_value >= SIGNIFICANCE,
    })
}

/// How likely a chi-square variable is to be at least this large: the regularised upper incomplete gamma
/// function (Abramowitz and Stegun, 26.4.19).
fn p_value(chi_square: f64, degrees_of_freedom: u64) -> f64 {
    if chi_square <= 0.0 {
        return 1.0;
    }
    if chi_square.is_infinite() {
        return 0.0;
    }
    checked_gamma_ur(degrees_of_freedom as f64 / 2.0, chi_square / 2.0).unwrap_or(0.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_p_value_is_that_of_the_tables() {
        // Abramowitz and Stegun, table 26.8: chi-square at which the upper part is p.
        let table =
            [(1, 3.841, 0.05), (1, 6.635, 0.01), (2, 5.991, 0.05), (5, 15.086, 0.01), (30, 43.773, 0.05)];
        for (degrees_of_freedom, chi_square, p) in table {
            let actual = p_value(chi_square, degrees_of_freedom);
            assert!((actual - p).abs() < 1e-4, "{chi_square} on {degrees_of_freedom}: {actual}, not {p}");
        }
    }

    #[test]
    fn shares_are_judged_against_their_weights() {
        let table: &[(&[u64], &[f64], bool, f64)] = &[
            // A round robin is closer to even than chance.
            (&[1000, 1000, 1001], &[1.0, 1.0, 1.0], true, 1.001),
            // A random balancer's usual spread: 1.4 standard deviations.
            (&[1037, 963], &[1.0, 1.0], true, 1037.0 / 963.0),
            (&[1200, 1000], &[1.0, 1.0], false, 1.2),
            (&[3000, 1000], &[3.0, 1.0], true, 1.0),
            (&[3000, 1000], &[1.0, 1.0], false, 3.0),
            // Too few answers to be sure: p is 0.025.
            (&[5, 0], &[1.0, 1.0], true, f64::INFINITY),
            (&[50, 0], &[1.0, 1.0], false, f64::INFINITY),
            // Who should not have answered did.
            (&[500, 500, 1], &[1.0, 1.0, 0.0], false, 1.0),
            (&[500, 500, 0], &[1.0, 1.0, 0.0], true, 1.0),
        ];
        for (answers, weights, even, max_to_min) in table {
            let verdict = judge(answers, weights).unwrap();
            assert_eq!(verdict.even, *even, "{answers:?} by {weights:?}: {verdict:?}");
            let same = verdict.max_to_min == *max_to_min || (verdict.max_to_min - max_to_min).abs() < 1e-9;
            assert!(same, "{answers:?}: {verdict:?}");
            assert!((verdict.expected.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn without_two_backends_or_an_answer_there_is_no_verdict() {
        for (answers, weights) in
            [(&[5][..], &[1.0][..]), (&[], &[]), (&[0, 0], &[1.0, 1.0]), (&[1, 2], &[1.0])]
        {
            assert_eq!(judge(answers, weights), None, "{answers:?}");
        }
    }
}
