//! How many requests took how long: bars over a logarithmic axis, with the percentiles marked.

use super::chart::Room;
use crate::report::figures;
use crate::report::svg::markup::{At, Markup};
use crate::report::svg::scale::Scale;
use crate::report::svg::ticks;
use crate::summary::Latency;

/// Below this, a latency is below the resolution, and zero has no logarithm.
const LEAST_MS: f64 = 0.001;

/// One bar.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bar {
    from_ms: f64,
    to_ms: f64,
    count: f64,
}

/// The buckets of `histogram` (upper bound in milliseconds, count) in `bars` bars of the same width on a logarithmic
/// axis. A bucket that lies in several bars is shared out among them by its width, so that buckets of uneven width
/// draw no teeth. `min` is where the first bucket begins.
fn bars(histogram: &[(f64, u64)], min: f64, bars: usize) -> Vec<Bar> {
    let Some((last, _)) = histogram.iter().rfind(|(_, count)| *count > 0) else { return Vec::new() };
    let low = min.max(LEAST_MS);
    // A run in which all took the same still has a bar with a width.
    let high = last.max(low * 1.1);
    let width = (high / low).log10() / bars as f64;
    let mut counts = vec![0.0; bars];
    let position = |ms: f64| ((ms.max(low) / low).log10() / width).clamp(0.0, bars as f64);
    let mut before = low;
    for (upper, count) in histogram {
        let (from, to) = (position(before.min(*upper)), position(*upper));
        before = upper.max(low);
        if *count == 0 {
            continue;
        }
        if to - from < 1e-9 {
            counts[(to.ceil() as usize).clamp(1, bars) - 1] += *count as f64;
            continue;
        }
        for (index, sum) in counts.iter_mut().enumerate().take(to.ceil() as usize).skip(from as usize) {
            let part = (to.min(index as f64 + 1.0) - from.max(index as f64)) / (to - from);
            *sum += part * *count as f64;
        }
    }
    let bound = |index: usize| low * 10_f64.powf(index as f64 * width);
    let bar = |(index, count)| Bar { from_ms: bound(index), to_ms: bound(index + 1), count };
    counts.into_iter().enumerate().map(bar).collect()
}

/// Draws the histogram.
pub(super) fn draw(out: &mut Markup, room: &Room, histogram: &[(f64, u64)], latency: &Latency) {
    let bars = bars(histogram, latency.min, if room.is_wide { 72 } else { 36 });
    let all: f64 = bars.iter().map(|bar| bar.count).sum();
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return };
    if all <= 0.0 {
        return;
    }
    let high = bars.iter().map(|bar| bar.count / all).fold(0.0, f64::max);
    let ticks = ticks::linear(high * 100.0, 4);
    let scale = room.upwards(ticks.last().copied().unwrap_or(100.0));
    let across = Scale::logarithmic(first.from_ms, last.to_ms, room.left() + 6.0, room.right() - 6.0);
    let label = format!(
        "Latency of successful requests: half took at most {}, 99 % at most {}",
        figures::ms(latency.p50),
        figures::ms(latency.p99)
    );
    room.draw(out, "histogram", &label, &[], |chart| {
        room.grid(chart, scale, &ticks, |percent| format!("{} %", ticks::label(percent)));
        for bar in bars.iter().filter(|bar| bar.count >= 0.5) {
            let (left, right) = (across.at(bar.from_ms), across.at(bar.to_ms));
            // What is there is seen, however little.
            let top = scale.at(bar.count / all * 100.0).min(room.bottom() - 1.0);
            let title = format!(
                "{} to {}: {} ({})",
                figures::ms(bar.from_ms),
                figures::ms(bar.to_ms),
                figures::counted(bar.count.round() as u64, "request", "requests"),
                figures::percent(bar.count / all)
            );
            let (x, width) = (At(left + 0.5), At((right - left - 1.0).max(1.0)));
            let (y, height) = (At(top), At(room.bottom() - top));
            chart.element(
                "rect",
                &[("class", &"bar"), ("x", &x), ("y", &y), ("width", &width), ("height", &height)],
                |bar| bar.text_element("title", &[], title),
            );
        }
        percentiles(chart, room, across, latency);
        let labels: Vec<_> = ticks::logarithmic(first.from_ms, last.to_ms, room.labels_across())
            .into_iter()
            .filter(|tick| (first.from_ms..=last.to_ms).contains(tick))
            .collect();
        room.below(chart, across, &labels, ticks::latency_label);
    });
}

/// Lines where half, 90 and 99 per cent of the requests had their answers, named at the top.
fn percentiles(chart: &mut Markup, room: &Room, across: Scale, latency: &Latency) {
    let mut free_from = 0.0;
    for (name, value) in
        [("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99), ("max", latency.max)]
    {
        let x = across.at(value);
        let class = format!("percentile {name}");
        chart.element("g", &[("class", &class)], |mark| {
            mark.text_element("title", &[], format!("{name}: {}", figures::ms(value)));
            let (top, bottom) = (At(room.top() - 4.0), At(room.bottom()));
            mark.empty("line", &[("x1", &At(x)), ("x2", &At(x)), ("y1", &top), ("y2", &bottom)]);
            let half = 14.0;
            let (class, begin) =
                if x + half > room.right() { ("end", x - 2.0 * half) } else { ("middle", x - half) };
            // Where two lie close together, the legend beside the chart has both.
            if begin >= free_from {
                let y = At(room.top() - 8.0);
                mark.text_element("text", &[("class", &class), ("x", &At(x)), ("y", &y)], name);
                free_from = begin + 2.0 * half + 4.0;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_in_a_bar() {
        let table: &[(&[(f64, u64)], f64)] = &[
            (&[(1.0, 5), (2.0, 10), (4.0, 0), (100.0, 3)], 0.5),
            (&[(3.0, 7)], 3.0),
            (&[(0.0, 7), (0.001, 4)], 0.0),
            (&[(0.5, 1), (0.6, 1), (1000.0, 1)], 0.5),
        ];
        for (histogram, min) in table {
            let expected: u64 = histogram.iter().map(|(_, count)| count).sum();
            let bars = bars(histogram, *min, 20);
            assert_eq!(bars.len(), 20);
            let sum: f64 = bars.iter().map(|bar| bar.count).sum();
            assert!((sum - expected as f64).abs() < 1e-6, "{histogram:?}: {bars:?}");
            let is_chained = bars.windows(2).all(|pair| (pair[0].to_ms - pair[1].from_ms).abs() < 1e-9);
            assert!(is_chained, "{bars:?}");
        }
        assert_eq!(bars(&[], 1.0, 20), []);
        assert_eq!(bars(&[(1.0, 0)], 1.0, 20), []);
    }

    #[test]
    fn a_wide_bucket_is_shared_out() {
        // From 1 to 100 in two bars of a decade each, and half of the upper decade in a bucket of its own.
        let bars = bars(&[(10.0, 8), (100.0, 4)], 1.0, 4);
        let counts: Vec<_> = bars.iter().map(|bar| bar.count.round()).collect();
        assert_eq!(counts, [4.0, 4.0, 2.0, 2.0]);
    }
}
