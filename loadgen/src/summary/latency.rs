//! The latency distribution: its points, its bars, and what was never answered among them.

use hdrhistogram::Histogram;

use super::Latency;
use crate::record::latency_histogram;

/// All threads' histograms as one; `None` when there is none.
pub(super) fn added_up<'a>(parts: impl Iterator<Item = &'a Histogram<u64>>) -> Option<Histogram<u64>> {
    parts.fold(None, |all, part| {
        let mut all = all.unwrap_or_else(latency_histogram);
        all.add(part).expect("all threads' histograms have the same bounds");
        Some(all)
    })
}

impl Latency {
    pub(super) fn of(histogram: &Histogram<u64>, sum_ns: u64) -> Option<Self> {
        if histogram.is_empty() {
            return None;
        }
        let quantile = |quantile| to_ms(histogram.value_at_quantile(quantile));
        Some(Self {
            min: to_ms(histogram.min()),
            mean: to_ms(sum_ns / histogram.len()),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p95: quantile(0.95),
            p99: quantile(0.99),
            p99_9: quantile(0.999),
            max: to_ms(histogram.max()),
        })
    }
}

/// The latency that this part of the requests did not exceed, when some were never sent or never answered: those
/// rank behind every answer. Infinite where the percentile is one of theirs.
pub(super) fn quantile_of_all_ms(latency_ns: &Histogram<u64>, endless: u64, quantile: f64) -> f64 {
    let answered = latency_ns.len();
    // Without any, the very value that is reported.
    if endless == 0 {
        return to_ms(latency_ns.value_at_quantile(quantile));
    }
    let rank = (quantile * (answered + endless) as f64).ceil();
    if rank > answered as f64 {
        return f64::INFINITY;
    }
    to_ms(latency_ns.value_at_quantile(rank / answered as f64))
}

/// The first bar of the histogram ends here: no answer comes in less.
const FIRST_BAR_NS: u64 = 1000;
/// By how much each bar ends above the one before: a twelfth of a doubling, so that 40 bars make a decade.
const BAR_RATIO: f64 = 1.059_463_094_359_295_3;

pub(super) fn bars(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    if histogram.is_empty() {
        return Vec::new();
    }
    histogram
        .iter_log(FIRST_BAR_NS, BAR_RATIO)
        .map(|step| (step.value_iterated_to() as f64 / 1e6, step.count_since_last_iteration()))
        .skip_while(|(_, count)| *count == 0)
        .collect()
}

/// Milliseconds, to the microsecond: more digits are noise.
pub(super) fn to_ms(ns: u64) -> f64 {
    (ns as f64 / 1e3).round() / 1e3
}
