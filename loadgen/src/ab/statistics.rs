//! What pairs of slices say about two targets: ratios, how sure they are, and what to conclude. Pure.
//!
//! **Ratios.** Each pair gives one logarithm of B/A for each measure, and their mean is the logarithm of the
//! geometric mean: being half as fast and being twice as fast then weigh the same, and swapping A and B gives
//! the reciprocal.
//!
//! **Interval.** 95 %, by Student's t on these logarithms, for the percentiles too. The alternative, the
//! percentile bootstrap, was measured on the same comparisons of a target with itself (`simulation.rs`,
//! 20,000 instead of its 1,000): over 20 pairs its intervals missed the truth in 7.9 to 8.3 % of the cases
//! instead of 5 %, t's in 4.2 to 4.8 %. Twenty values are too few for resampling to show how far their mean
//! may be off, and a mean of twenty is near enough to normal for t even when the values are not; where
//! outliers make them far from it, t errs on the side of caution.
//!
//! **Why the pairs may be treated as independent** although neighbouring slices resemble each other: the
//! order within each pair is random, so the noise of a pair enters its logarithm with a random sign. Whatever
//! the noise was, two such products have no correlation. An alternating order would not give this.
//!
//! That holds for noise of the machine. A target can have noise of its own that lasts over several pairs: one
//! of its threads on a busy core, a compaction. Then the logarithms do resemble their neighbours, and fewer
//! values than there are pairs are independent. Where their correlation with the next is more than chance
//! makes it, the interval is widened by the usual factor for such series (F. W. Zwiers and H. von Storch,
//! "Taking serial correlation into account in tests of the mean", Journal of Climate 8, 1995), and the
//! estimate says so. In 20 pairs a resemblance is hard to see, and a favour that lasts looks just like one
//! for good: in the simulation it is noticed in 42 % of the comparisons, and 28 % of them are false alarms
//! instead of 38 %. So it is a warning more than a cure; the cure is a longer comparison.
//!
//! **Overall.** Three measures are three chances of a false alarm. What is said of both targets together
//! therefore follows Hochberg's procedure (Y. Hochberg, "A sharper Bonferroni procedure for multiple tests of
//! significance", Biometrika 75, 1988): one sign alone must hold at a third of the level, two at half of it,
//! and three that all hold at the level itself are enough, as they should be. Measured on the same
//! comparisons: 3.6 % false alarms altogether.

use schemars::JsonSchema;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// What one slice of one target came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Slice {
    /// Answers with a 2xx status.
    pub requests: u64,
    /// In how many seconds.
    pub seconds: f64,
    /// Their median latency in milliseconds; `None` without answers.
    pub p50_ms: Option<f64>,
    /// Their 99th percentile; `None` when there were fewer than [`MINIMUM_FOR_P99`].
    pub p99_ms: Option<f64>,
}

/// A slice of each target, measured one right after the other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say all")]
pub struct Pair {
    pub a: Slice,
    pub b: Slice,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Successful answers per second; more is better.
    Rate,
    /// The median latency in milliseconds; less is better.
    P50,
    /// The 99th percentile of latency in milliseconds; less is better.
    P99,
}

/// What can be concluded about B, of one measure or altogether.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// B differs from A for the better.
    Better,
    /// B differs from A for the worse.
    Worse,
    /// Better in one measure and worse in another.
    Mixed,
    /// The pairs are compatible with no difference at all.
    NoDifference,
    /// There are fewer than [`MINIMUM_PAIRS`] pairs to judge by.
    TooFewPairs,
}

/// One measure over all pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Estimate {
    /// Which.
    pub measure: Measure,
    /// Pairs in which both slices had a value.
    pub pairs: usize,
    /// Geometric mean of A's values.
    pub a: f64,
    /// Geometric mean of B's values.
    pub b: f64,
    /// Geometric mean of B/A.
    pub ratio: f64,
    /// Lower end of the ratio's 95 % confidence interval; `null` with fewer than two pairs, as are the next
    /// three.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
    /// A ratio so far above one would have been found in 95 of 100 comparisons with as much noise.
    pub detectable: Option<f64>,
    /// How often equal targets would differ at least as much, from 0 to 1.
    pub p_value: Option<f64>,
    /// Pairs resembled the pairs before them more than chance makes them: one target was favoured for a
    /// while. The interval is wider for it.
    pub lasting_noise: bool,
    /// Whether the interval leaves one out, and on which side.
    pub finding: Finding,
}

/// Everything that the pairs say.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// Pairs that were measured.
    pub pairs: usize,
    /// Every measure of which any pair has both values.
    pub estimates: Vec<Estimate>,
    /// What can be said altogether, at 5 % false alarms for the measures together.
    pub finding: Finding,
    /// The measures that bear that out.
    pub because: Vec<Measure>,
}

/// Fewer pairs give intervals that are too wide to be of use, and no verdict here.
pub const MINIMUM_PAIRS: usize = 20;

/// With fewer answers in a slice the 99th percentile is just the slowest of them.
pub const MINIMUM_FOR_P99: u64 = 100;

/// How often equal targets may be found different.
const FALSE_ALARMS: f64 = 0.05;

/// How often a difference of [`Estimate::detectable`] may be missed.
const MISSES: f64 = 0.05;

/// The correlation of independent values with the next has a deviation of one by the root of their number;
/// one series in a hundred exceeds it by this factor.
const RESEMBLANCE: f64 = 2.326;

impl Measure {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 3] = [Self::Rate, Self::P50, Self::P99];

    /// This measure of a slice; `None` where the slice has none that a ratio can be taken of.
    pub fn of(self, slice: &Slice) -> Option<f64> {
        let value = match self {
            Self::Rate => Some(slice.requests as f64 / slice.seconds),
            Self::P50 => slice.p50_ms,
            Self::P99 => slice.p99_ms,
        };
        value.filter(|value| value.is_finite() && *value > 0.0)
    }

    /// What a ratio B/A on this side of one means for B.
    fn finding(self, is_above_one: bool) -> Finding {
        let is_better = match self {
            Self::Rate => is_above_one,
            Self::P50 | Self::P99 => !is_above_one,
        };
        if is_better { Finding::Better } else { Finding::Worse }
    }
}

impl Comparison {
    /// Compares B with A.
    pub fn new(pairs: &[Pair]) -> Self {
        let estimates: Vec<_> =
            Measure::ALL.into_iter().filter_map(|measure| Estimate::new(measure, pairs)).collect();
        let (finding, because) = altogether(&estimates);
        Self { pairs: pairs.len(), estimates, finding, because }
    }

    /// The estimate of one measure.
    pub fn estimate(&self, measure: Measure) -> Option<&Estimate> {
        self.estimates.iter().find(|estimate| estimate.measure == measure)
    }
}

impl Estimate {
    /// What the pairs say of one measure; `None` when no pair has both values.
    pub fn new(measure: Measure, pairs: &[Pair]) -> Option<Self> {
        let logarithms: Vec<_> = pairs
            .iter()
            .filter_map(|pair| Some((measure.of(&pair.a)?.ln(), measure.of(&pair.b)?.ln())))
            .collect();
        if logarithms.is_empty() {
            return None;
        }
        let geometric_mean =
            |of: fn(&(f64, f64)) -> f64| mean(logarithms.iter().map(of), logarithms.len()).exp();
        let differences: Vec<_> = logarithms.iter().map(|(a, b)| b - a).collect();
        let log_ratio = mean(differences.iter().copied(), differences.len());
        let spread = Spread::new(&differences, log_ratio);
        let finding = match &spread {
            Some(spread) if differences.len() >= MINIMUM_PAIRS => {
                if log_ratio.abs() > spread.half_width {
                    measure.finding(log_ratio > 0.0)
                } else {
                    Finding::NoDifference
                }
            }
            _ => Finding::TooFewPairs,
        };
        Some(Self {
            measure,
            pairs: differences.len(),
            a: geometric_mean(|(a, _)| *a),
            b: geometric_mean(|(_, b)| *b),
            ratio: log_ratio.exp(),
            low: spread.as_ref().map(|spread| (log_ratio - spread.half_width).exp()),
            high: spread.as_ref().map(|spread| (log_ratio + spread.half_width).exp()),
            detectable: spread.as_ref().map(|spread| spread.detectable.exp()),
            p_value: spread.as_ref().map(|spread| spread.p_value),
            lasting_noise: spread.as_ref().is_some_and(|spread| spread.is_lasting),
            finding,
        })
    }
}

/// How sure a mean of logarithms is.
struct Spread {
    /// Half the width of the 95 % interval.
    half_width: f64,
    detectable: f64,
    p_value: f64,
    is_lasting: bool,
}

impl Spread {
    /// `None` when there is no telling, with fewer than two values.
    fn new(values: &[f64], mean: f64) -> Option<Self> {
        let freedom = values.len().checked_sub(1).filter(|freedom| *freedom > 0)? as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let products: f64 = values.windows(2).map(|next| (next[0] - mean) * (next[1] - mean)).sum();
        let correlation = if squares > 0.0 { products / squares } else { 0.0 };
        let is_lasting = correlation > RESEMBLANCE / (values.len() as f64).sqrt();
        let fewer = if is_lasting { (1.0 + correlation) / (1.0 - correlation) } else { 1.0 };
        let standard_error = (squares / freedom / values.len() as f64 * fewer).sqrt();
        let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
        let quantile = |probability| student.inverse_cdf(probability);
        let half_width = quantile(1.0 - FALSE_ALARMS / 2.0) * standard_error;
        Some(Self {
            half_width,
            detectable: half_width + quantile(1.0 - MISSES) * standard_error,
            p_value: match (mean.abs() > 0.0, standard_error > 0.0) {
                (false, _) => 1.0,
                // All values are the same, and not zero.
                (true, false) => 0.0,
                (true, true) => 2.0 * student.sf(mean.abs() / standard_error),
            },
            is_lasting,
        })
    }
}

/// What all measures say together, by Hochberg's procedure, and which of them are the reason.
fn altogether(estimates: &[Estimate]) -> (Finding, Vec<Measure>) {
    let mut found: Vec<_> = estimates
        .iter()
        .filter(|estimate| estimate.finding != Finding::TooFewPairs)
        .filter_map(|estimate| Some((estimate.p_value?, estimate)))
        .collect();
    if found.is_empty() {
        return (Finding::TooFewPairs, Vec::new());
    }
    found.sort_by(|one, other| one.0.total_cmp(&other.0));
    // The weakest sign that holds at its level carries all stronger ones.
    let count = found.len();
    let holds = |index: usize| found[index].0 <= FALSE_ALARMS / (count - index) as f64;
    let enough = (0..count).rev().find(|index| holds(*index)).map_or(0, |index| index + 1);
    found.truncate(enough);
    let found = || found.iter().map(|(_, estimate)| estimate);
    let is_better = found().any(|estimate| estimate.finding == Finding::Better);
    let is_worse = found().any(|estimate| estimate.finding == Finding::Worse);
    let finding = match (is_better, is_worse) {
        (true, true) => Finding::Mixed,
        (true, false) => Finding::Better,
        (false, true) => Finding::Worse,
        (false, false) => Finding::NoDifference,
    };
    let mut because: Vec<_> = found().map(|estimate| estimate.measure).collect();
    because.sort();
    (finding, because)
}

fn mean(values: impl Iterator<Item = f64>, count: usize) -> f64 {
    values.sum::<f64>() / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(requests: u64, p50_ms: f64, p99_ms: f64) -> Slice {
        Slice { requests, seconds: 0.8, p50_ms: Some(p50_ms), p99_ms: Some(p99_ms) }
    }

    /// Pairs in which B has these multiples of A's values, with a noise of so many per cent up and down.
    fn pairs(count: usize, [rate, p50, p99]: [f64; 3], noise_percent: f64) -> Vec<Pair> {
        (0..count)
            .map(|index| {
                // In one pair of two up, in the other down, by the same factor: the geometric mean is exact.
                let noise = (1.0 + noise_percent / 100.0).powi(if index % 2 == 0 { 1 } else { -1 });
                let base = 1.0 + index as f64 / 10.0;
                Pair {
                    a: slice((1e9 * base) as u64, base, 5.0 * base),
                    b: slice(
                        (1e9 * base * rate * noise) as u64,
                        base * p50 * noise,
                        5.0 * base * p99 * noise,
                    ),
                }
            })
            .collect()
    }

    #[track_caller]
    fn assert_close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{actual}, not {expected}");
    }

    #[test]
    fn the_interval_is_students() {
        // Quantiles from the usual printed tables of t.
        for (pairs_count, quantile) in [(20, 2.0930), (30, 2.0452), (100, 1.9842)] {
            let estimate = Estimate::new(Measure::Rate, &pairs(pairs_count, [1.05, 1.0, 1.0], 10.0)).unwrap();
            let count = pairs_count as f64;
            let deviation = 1.1_f64.ln() * (count / (count - 1.0)).sqrt();
            let half_width = quantile * deviation / count.sqrt();
            assert_close(estimate.ratio, 1.05);
            assert!((estimate.low.unwrap().ln() - (1.05_f64.ln() - half_width)).abs() < 1e-4, "{estimate:?}");
            assert!(
                (estimate.high.unwrap().ln() - (1.05_f64.ln() + half_width)).abs() < 1e-4,
                "{estimate:?}"
            );
        }
    }

    #[test]
    fn the_interval_and_the_p_value_agree() {
        // The noise at which the interval just touches one has a p value of 5 %.
        for (noise_percent, is_found) in
            [(5.0, true), (10.0, true), (10.5, true), (10.9, false), (20.0, false)]
        {
            let estimate = Estimate::new(Measure::P50, &pairs(20, [1.0, 1.05, 1.0], noise_percent)).unwrap();
            assert_eq!(estimate.p_value.unwrap() < 0.05, is_found, "{noise_percent}: {estimate:?}");
            assert_eq!(estimate.low.unwrap() > 1.0, is_found, "{noise_percent}: {estimate:?}");
            assert_eq!(estimate.finding == Finding::Worse, is_found, "{noise_percent}: {estimate:?}");
        }
    }

    #[test]
    fn more_is_better_for_a_rate_and_worse_for_a_latency() {
        use Finding::{Better, Mixed, NoDifference, Worse};
        let table = [
            ([1.1, 1.0, 1.0], [Better, NoDifference, NoDifference], Better, &[Measure::Rate][..]),
            ([0.9, 1.0, 1.0], [Worse, NoDifference, NoDifference], Worse, &[Measure::Rate]),
            ([1.0, 1.1, 1.0], [NoDifference, Worse, NoDifference], Worse, &[Measure::P50]),
            ([1.0, 1.0, 0.9], [NoDifference, NoDifference, Better], Better, &[Measure::P99]),
            ([0.9, 1.2, 1.3], [Worse, Worse, Worse], Worse, &Measure::ALL),
            ([1.1, 1.0, 1.2], [Better, NoDifference, Worse], Mixed, &[Measure::Rate, Measure::P99]),
            ([1.0, 1.0, 1.0], [NoDifference; 3], NoDifference, &[]),
        ];
        for (ratios, findings, overall, because) in table {
            let comparison = Comparison::new(&pairs(20, ratios, 2.0));
            let actual: Vec<_> = comparison.estimates.iter().map(|estimate| estimate.finding).collect();
            assert_eq!(actual, findings, "{ratios:?}");
            assert_eq!((comparison.finding, comparison.because.as_slice()), (overall, because), "{ratios:?}");
        }
    }

    #[test]
    fn one_weak_sign_of_three_is_no_finding_altogether() {
        // With 10 % of noise, 5 % in one measure has a p value of about 0.03: enough alone, not as one of
        // three.
        let comparison = Comparison::new(&pairs(20, [1.05, 1.0, 1.0], 10.0));
        assert_eq!(comparison.estimate(Measure::Rate).unwrap().finding, Finding::Better);
        assert_eq!((comparison.finding, comparison.because.len()), (Finding::NoDifference, 0));
        // Three that agree are one.
        let comparison = Comparison::new(&pairs(20, [1.05, 1.0 / 1.05, 1.0 / 1.05], 10.0));
        assert_eq!((comparison.finding, comparison.because.len()), (Finding::Better, 3));
    }

    #[test]
    fn swapping_the_targets_gives_the_reciprocal() {
        let forth = pairs(21, [0.8, 1.2, 1.1], 7.0);
        let back: Vec<_> = forth.iter().map(|pair| Pair { a: pair.b, b: pair.a }).collect();
        for measure in Measure::ALL {
            let forth = Estimate::new(measure, &forth).unwrap();
            let back = Estimate::new(measure, &back).unwrap();
            assert_close(back.ratio, 1.0 / forth.ratio);
            assert_close(back.low.unwrap(), 1.0 / forth.high.unwrap());
            assert_close(back.p_value.unwrap(), forth.p_value.unwrap());
            assert_close(back.a, forth.b);
        }
    }

    #[test]
    fn a_verdict_needs_twenty_pairs_that_have_both_values() {
        for (count, expected) in
            [(1, Finding::TooFewPairs), (19, Finding::TooFewPairs), (20, Finding::Better)]
        {
            let comparison = Comparison::new(&pairs(count, [1.1, 1.0, 1.0], 1.0));
            assert_eq!(comparison.finding, expected, "{count} pairs");
            assert_eq!(comparison.estimates[0].low.is_some(), count > 1, "{count} pairs");
        }
        assert_eq!(Comparison::new(&[]).finding, Finding::TooFewPairs);

        let mut pairs = pairs(20, [1.1, 0.9, 0.9], 1.0);
        pairs[7].b = Slice { requests: 0, seconds: 0.8, p50_ms: None, p99_ms: None };
        pairs[8].a.p99_ms = None;
        let comparison = Comparison::new(&pairs);
        let counts: Vec<_> = comparison.estimates.iter().map(|estimate| estimate.pairs).collect();
        assert_eq!(counts, [19, 19, 18]);
        assert_eq!(comparison.finding, Finding::TooFewPairs);
        // One measure without enough values does not silence the others.
        pairs[7].b = slice(1_100_000_000, 0.9, 0.9);
        let comparison = Comparison::new(&pairs);
        assert_eq!(comparison.estimate(Measure::P99).unwrap().finding, Finding::TooFewPairs);
        assert_eq!(comparison.finding, Finding::Better);
    }

    #[test]
    fn pairs_that_resemble_their_neighbours_count_for_fewer() {
        // The same values: a block of each, and taking turns.
        let block: Vec<_> = (0..20).map(|index| if index < 10 { 1.3 } else { 0.9 }).collect();
        let turns: Vec<_> = (0..20).map(|index| if index % 2 == 0 { 1.3 } else { 0.9 }).collect();
        let estimate = |ratios: &[f64]| {
            let pairs: Vec<_> =
                ratios.iter().map(|ratio| Pair { a: slice(1, 1.0, 1.0), b: slice(1, *ratio, 1.0) }).collect();
            Estimate::new(Measure::P50, &pairs).unwrap()
        };
        let (block, turns) = (estimate(&block), estimate(&turns));
        assert!(block.lasting_noise && !turns.lasting_noise);
        assert_close(block.ratio, turns.ratio);
        // The correlation of the block's values with the next is 17/20.
        let width = |estimate: &Estimate| (estimate.high.unwrap() / estimate.low.unwrap()).ln();
        assert_close(width(&block) / width(&turns), (1.85_f64 / 0.15).sqrt());
    }

    #[test]
    fn equal_values_throughout_are_no_trouble() {
        let same = |ratio| Comparison::new(&pairs(20, [ratio, 1.0, 1.0], 0.0));
        let estimate = same(1.0).estimates[1];
        assert_eq!(estimate.finding, Finding::NoDifference);
        assert_eq!((estimate.low, estimate.high, estimate.p_value), (Some(1.0), Some(1.0), Some(1.0)));
        assert_eq!(same(2.0).finding, Finding::Better);
    }
}
