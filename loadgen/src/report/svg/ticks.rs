//! Round numbers for axes. Pure.

/// Multiples of 1, 2 or 5 times a power of ten, from 0 to the first at or above `high`: about as many as asked for.
/// The last is where the axis ends.
pub fn linear(high: f64, about: usize) -> Vec<f64> {
    if !high.is_finite() || high <= 0.0 {
        return vec![0.0, 1.0];
    }
    let wanted = high / about.max(1) as f64;
    let exponent = wanted.log10().floor() as i32;
    // Among the four candidates the first step that is large enough.
    let steps = [(1.0, exponent), (2.0, exponent), (5.0, exponent), (1.0, exponent + 1)];
    let (mantissa, exponent) =
        steps.into_iter().find(|(m, e)| m * 10_f64.powi(*e) >= wanted * 0.999).unwrap_or((1.0, exponent + 1));
    let count = (high / (mantissa * 10_f64.powi(exponent)) - 1e-9).ceil() as u64;
    // By division where the step is a fraction: 3 × 0.1 is not 0.3.
    let tick = |index: u64| match exponent {
        0.. => index as f64 * mantissa * 10_f64.powi(exponent),
        _ => index as f64 * mantissa / 10_f64.powi(-exponent),
    };
    (0..=count.max(1)).map(tick).collect()
}

/// 1, 2 and 5 times powers of ten from the last at or below `low` to the first at or above `high`; only powers of ten
/// when there would be more than `at_most`.
pub fn logarithmic(low: f64, high: f64, at_most: usize) -> Vec<f64> {
    let low = if low.is_finite() && low > 0.0 { low } else { 1.0 };
    let high = if high.is_finite() && high > low { high } else { low * 10.0 };
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let power =
        |exponent: i32| if exponent < 0 { 1.0 / 10_f64.powi(-exponent) } else { 10_f64.powi(exponent) };
    let fine: Vec<f64> =
        (first..=last).flat_map(|exponent| [1.0, 2.0, 5.0].map(|m| m * power(exponent))).collect();
    let begin = fine.iter().rposition(|tick| *tick <= low * 1.000_001).unwrap_or(0);
    let end = fine.iter().position(|tick| *tick >= high * 0.999_999).unwrap_or(fine.len() - 1);
    let fine = &fine[begin..=end];
    if fine.len() <= at_most {
        return fine.to_vec();
    }
    (first..=last).map(power).collect()
}

/// Steps of time in milliseconds that people count in.
const TIME_STEPS_MS: [f64; 24] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3,
    300e3, 600e3, 900e3, 1_800e3, 3_600e3, 7_200e3, 21_600e3,
];

/// Times from 0 to the last at or below `end_ms`, at most about as many as asked for.
pub fn time_ms(end_ms: f64, about: usize) -> Vec<f64> {
    if !end_ms.is_finite() || end_ms <= 0.0 {
        return vec![0.0];
    }
    let wanted = end_ms / about.max(1) as f64;
    // Days on end: whole days, as many as it takes.
    let day_ms = 86_400e3;
    let step = TIME_STEPS_MS
        .into_iter()
        .find(|step| *step >= wanted)
        .unwrap_or_else(|| (wanted / day_ms).ceil() * day_ms);
    (0..=(end_ms / step + 1e-9).floor() as u64).map(|index| index as f64 * step).collect()
}

/// A time on an axis that ends at `end_ms`.
pub fn time_label(at_ms: f64, end_ms: f64) -> String {
    let seconds = at_ms / 1e3;
    if end_ms < 2_000.0 {
        format!("{at_ms:.0} ms")
    } else if end_ms < 120e3 {
        let text = format!("{seconds:.1}");
        format!("{} s", text.trim_end_matches(".0"))
    } else if end_ms < 7_200e3 {
        format!("{}:{:02}", seconds as u64 / 60, seconds as u64 % 60)
    } else {
        format!("{}:{:02} h", seconds as u64 / 3600, seconds as u64 / 60 % 60)
    }
}

/// A number on an axis: `20k`, `1.5M`, `0.05`.
pub fn label(value: f64) -> String {
    let (value, suffix) = match value.abs() {
        1e9.. => (value / 1e9, "G"),
        1e6.. => (value / 1e6, "M"),
        1e4.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{value:.3}");
    format!("{}{suffix}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A latency on an axis, in milliseconds.
pub fn latency_label(ms: f64) -> String {
    match ms {
        1_000.0.. => format!("{} s", label(ms / 1e3)),
        1.0.. => format!("{} ms", label(ms)),
        _ if ms > 0.0 => format!("{} µs", label(ms * 1e3)),
        _ => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_ticks_are_round_and_cover_the_values() {
        let table: &[(f64, usize, &[f64])] = &[
            (1620.4, 4, &[0.0, 500.0, 1000.0, 1500.0, 2000.0]),
            (20_000.0, 4, &[0.0, 5000.0, 10_000.0, 15_000.0, 20_000.0]),
            (0.3, 3, &[0.0, 0.1, 0.2, 0.3]),
            (7.0, 4, &[0.0, 2.0, 4.0, 6.0, 8.0]),
            (1.0, 4, &[0.0, 0.5, 1.0]),
            (0.0, 4, &[0.0, 1.0]),
            (f64::NAN, 4, &[0.0, 1.0]),
        ];
        for (high, about, expected) in table {
            assert_eq!(linear(*high, *about), *expected, "{high}");
        }
        for exponent in -90..90 {
            let high = 1.37 * 10_f64.powf(f64::from(exponent) / 10.0);
            let ticks = linear(high, 4);
            assert!(
                (2..=7).contains(&ticks.len()) && *ticks.last().unwrap() >= high * 0.999,
                "{high}: {ticks:?}"
            );
        }
    }

    #[test]
    fn logarithmic_ticks_enclose_the_values() {
        assert_eq!(logarithmic(0.31, 4.0, 12), [0.2, 0.5, 1.0, 2.0, 5.0]);
        assert_eq!(logarithmic(0.05, 3000.0, 12), [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        assert_eq!(logarithmic(1.0, 1.0, 12), [1.0, 2.0, 5.0, 10.0]);
        assert_eq!(logarithmic(0.0, 0.0, 12), [1.0, 2.0, 5.0, 10.0]);
    }

    #[test]
    fn times_are_counted_as_people_count_them() {
        assert_eq!(time_ms(2_000.0, 8), [0.0, 500.0, 1000.0, 1500.0, 2000.0]);
        assert_eq!(time_ms(65_000.0, 8).last(), Some(&60_000.0));
        assert_eq!(time_ms(0.0, 8), [0.0]);
        assert!(time_ms(400.0 * 86_400e3, 8).len() <= 9);
        let labels = |end_ms: f64| {
            let ticks = time_ms(end_ms, 4);
            ticks.into_iter().map(|at| time_label(at, end_ms)).collect::<Vec<_>>()
        };
        assert_eq!(labels(1_000.0), ["0 ms", "500 ms", "1000 ms"]);
        assert_eq!(labels(2_000.0), ["0 s", "0.5 s", "1 s", "1.5 s", "2 s"]);
        assert_eq!(labels(240e3), ["0:00", "1:00", "2:00", "3:00", "4:00"]);
        assert_eq!(labels(4.0 * 3600e3), ["0:00 h", "1:00 h", "2:00 h", "3:00 h", "4:00 h"]);
    }

    #[test]
    fn labels_are_short() {
        let labels = [0.0, 0.05, 500.0, 2000.0, 15_000.0, 1.5e6].map(label);
        assert_eq!(labels, ["0", "0.05", "500", "2000", "15k", "1.5M"]);
        let latencies = [0.0, 0.05, 1.0, 200.0, 5000.0].map(latency_label);
        assert_eq!(latencies, ["0", "50 µs", "1 ms", "200 ms", "5 s"]);
    }
}
