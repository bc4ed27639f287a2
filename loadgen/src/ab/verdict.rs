//! What a comparison means, in words. Pure.

use super::plan::Purpose;
use super::statistics::{Comparison, Estimate, Finding, MINIMUM_PAIRS, Measure};
use crate::report::figures::change;

/// What the pairs mean, in lines.
pub(super) fn verdict(purpose: Purpose, result: &Comparison) -> Vec<String> {
    let (_, other) = names(purpose);
    let sentences: Vec<_> = result
        .because
        .iter()
        .filter_map(|measure| result.estimate(*measure))
        .map(|estimate| difference(other, estimate))
        .collect();
    match (result.finding, purpose) {
        (Finding::TooFewPairs, _) => {
            let pairs = result.estimates.iter().map(|estimate| estimate.pairs).max().unwrap_or(0);
            vec![format!(
                "Verdict: none, as it takes {MINIMUM_PAIRS} pairs with answers from both; there are {pairs}."
            )]
        }
        (Finding::NoDifference, Purpose::Comparison) => {
            let mut lines = vec![format!("Verdict: no difference found{}.", would_have_been_seen(result))];
            if result.estimates.iter().any(|e| matches!(e.finding, Finding::Better | Finding::Worse)) {
                lines.push("What stands out in the table is within the chance that three looks have.".into());
            }
            lines
        }
        (Finding::NoDifference, Purpose::NoiseFloor) => {
            vec![format!(
                "Noise floor: no difference found, as it should be{}.",
                would_have_been_seen(result)
            )]
        }
        (Finding::Better | Finding::Worse | Finding::Mixed, Purpose::Comparison) => {
            let mut sentences = sentences.into_iter();
            let mut lines: Vec<_> =
                sentences.next().map(|first| format!("Verdict: {first}.")).into_iter().collect();
            lines.extend(sentences.map(|sentence| format!("         {sentence}.")));
            lines
        }
        (Finding::Better | Finding::Worse | Finding::Mixed, Purpose::NoiseFloor) => {
            let mut lines =
                vec!["Noise floor: A differs from itself, which chance does once in 20 times:".into()];
            lines.extend(sentences.into_iter().map(|sentence| format!("         {sentence}.")));
            lines.push("If it happens again, something favours one of two equal targets here.".into());
            lines
        }
    }
}

/// A difference that was found, in words.
fn difference(other: &str, estimate: &Estimate) -> String {
    let percent = |ratio: f64| change((ratio - 1.0).abs());
    let words = match (estimate.measure, estimate.ratio > 1.0) {
        (Measure::Rate, true) => format!("{other} is {} % faster", percent(estimate.ratio)),
        (Measure::Rate, false) => format!("{other} is {} % slower", percent(estimate.ratio)),
        (measure, is_above) => format!(
            "{other}'s {} is {} % {}",
            name(measure),
            percent(estimate.ratio),
            if is_above { "higher" } else { "lower" }
        ),
    };
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => {
            let (near, far) = if estimate.ratio > 1.0 { (low, high) } else { (high, low) };
            format!("{words} (95 % CI {} to {} %)", percent(near), percent(far))
        }
        _ => words,
    }
}

/// How large a difference would not have gone unnoticed.
fn would_have_been_seen(result: &Comparison) -> String {
    let parts: Vec<_> = result
        .estimates
        .iter()
        .filter(|estimate| estimate.pairs >= MINIMUM_PAIRS)
        .filter_map(|estimate| Some((name(estimate.measure), estimate.detectable?)))
        .map(|(name, detectable)| format!("{} % in {name}", change(detectable - 1.0)))
        .collect();
    match parts.as_slice() {
        [] => String::new(),
        parts => format!(";\none of {} would have been seen", parts.join(", ")),
    }
}

/// What the two are called.
pub(super) fn names(purpose: Purpose) -> (&'static str, &'static str) {
    match purpose {
        Purpose::NoiseFloor => ("A", "A2"),
        Purpose::Comparison => ("A", "B"),
    }
}

pub(super) fn name(measure: Measure) -> &'static str {
    match measure {
        Measure::Rate => "rate",
        Measure::P50 => "p50",
        Measure::P99 => "p99",
    }
}

pub(super) fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Better => "better",
        Finding::Worse => "worse",
        Finding::Mixed => "better and worse",
        Finding::NoDifference => "no different",
        Finding::TooFewPairs => "not known",
    }
}
