//! The comparison for people, in 80 columns, and as JSON. Pure but for the writing.
//!
//! The numbers come as a table, and what they mean as sentences below it, so that nobody has to know what an
//! interval is to read the result.

use std::io::{self, Write};
use std::time::Duration;

use super::plan::{AbPlan, Phase, Purpose};
use super::slice::SideCounts;
use super::statistics::{Comparison, Estimate, MINIMUM_FOR_P99, MINIMUM_PAIRS, Measure, Pair};
use super::summary::{AbSummary, Compared};
use super::verdict::{name, names, verdict, word};
use crate::report::text::RULE;

/// Writes what is going to be done.
///
/// # Errors
/// What the output says; so do the others.
pub fn header(out: &mut impl Write, plan: &AbPlan) -> io::Result<()> {
    match &plan.b {
        Some(b) => {
            writeln!(out, "Comparing A {}", plan.a.mix.urls())?;
            writeln!(out, "     with B {}", b.mix.urls())?;
            if plan.noise_floor {
                writeln!(out, "after A with itself")?;
            }
        }
        None => writeln!(out, "Comparing A {} with itself", plan.a.mix.urls())?,
    }
    writeln!(
        out,
        "{} pairs of slices of {:?}, of which the first {} % are dropped",
        plan.pairs, plan.slice, plan.head_percent
    )?;
    writeln!(out, "Random order, --seed {}", plan.seed)?;
    writeln!(out, "Concurrency: {}", plan.a.concurrency)?;
    writeln!(out, "Takes about {}", rough(plan.duration()))?;
    writeln!(out, "{RULE}")
}

/// Writes the line of one pair, which is not the last word on anything.
pub fn pair(
    out: &mut impl Write,
    number: usize,
    plan: &AbPlan,
    phase: &Phase,
    pair: &Pair,
) -> io::Result<()> {
    let (one, other) = names(phase.purpose);
    let value = |measure: Measure, slice| {
        measure.of(slice).map_or_else(|| "none".to_owned(), |value| quantity(measure, value))
    };
    let ratio = match (Measure::Rate.of(&pair.a), Measure::Rate.of(&pair.b)) {
        (Some(a), Some(b)) => format!("{:.3}", b / a),
        _ => "-".to_owned(),
    };
    writeln!(
        out,
        "pair {number} of {}: {one} {}, {other} {}, ratio {ratio}",
        plan.pairs,
        value(Measure::Rate, &pair.a),
        value(Measure::Rate, &pair.b),
    )
}

/// Writes the result.
pub fn summary(out: &mut impl Write, summary: &AbSummary) -> io::Result<()> {
    if summary.interrupted {
        writeln!(out, "Interrupted.")?;
    }
    if let Some(noise_floor) = &summary.noise_floor {
        part(out, Purpose::NoiseFloor, noise_floor, summary)?;
    }
    if let Some(comparison) = &summary.comparison {
        if summary.noise_floor.is_some() {
            writeln!(out)?;
        }
        part(out, Purpose::Comparison, comparison, summary)?;
    }
    Ok(())
}

/// Writes the result as one JSON object, and nothing else.
pub fn json(out: &mut impl Write, summary: &AbSummary) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, summary)?;
    writeln!(out)
}

fn part(out: &mut impl Write, purpose: Purpose, compared: &Compared, summary: &AbSummary) -> io::Result<()> {
    let (one, other) = names(purpose);
    let Compared { a, b, result, ended_early, .. } = compared;
    if !result.estimates.is_empty() {
        table(out, purpose, &result.estimates)?;
    }
    if let Some(reason) = ended_early {
        writeln!(out, "Ended early: {reason}.")?;
    }
    for line in verdict(purpose, result) {
        writeln!(out, "{line}")?;
    }
    if result.estimates.iter().any(|estimate| estimate.lasting_noise) {
        writeln!(
            out,
            "One of them was favoured over several pairs on end, for which the intervals are\n\
             wider: compare again, with more --pairs, before you rely on the verdict."
        )?;
    }
    for (name, counts) in [(one, a), (other, b)] {
        remarks(out, name, counts, result)?;
    }
    if result.pairs >= MINIMUM_PAIRS
        && result.estimate(Measure::P99).is_none_or(|p99| p99.pairs < MINIMUM_PAIRS)
    {
        writeln!(
            out,
            "For a verdict on p99, slices must have {MINIMUM_FOR_P99} answers: use a longer --slice."
        )?;
    }
    writeln!(
        out,
        "loadgen used {:.0} % of its {} with {one} and {:.0} % with {other}.",
        a.generator_cpu_share * 100.0,
        match summary.threads {
            1 => "thread".to_owned(),
            threads => format!("{threads} threads"),
        },
        b.generator_cpu_share * 100.0
    )?;
    if compared.is_saturated() {
        writeln!(
            out,
            "loadgen itself was the bottleneck: the figures are its own. Give it more\n\
             --threads, or the targets fewer connections (-c)."
        )?;
    }
    Ok(())
}

fn table(out: &mut impl Write, purpose: Purpose, estimates: &[Estimate]) -> io::Result<()> {
    let (one, other) = names(purpose);
    let ratio = format!("{other}/{one}");
    writeln!(
        out,
        "Measure {one:>13}{other:>13}{ratio:>9}   {interval:<17}  {other} is",
        interval = "95 % CI"
    )?;
    for estimate in estimates {
        let interval = match (estimate.low, estimate.high) {
            (Some(low), Some(high)) => format!("{low:.3} to {high:.3}"),
            _ => "unknown".to_owned(),
        };
        writeln!(
            out,
            "{:<8}{:>13}{:>13}{:>9.3}   {interval:<17}  {}",
            name(estimate.measure),
            quantity(estimate.measure, estimate.a),
            quantity(estimate.measure, estimate.b),
            estimate.ratio,
            word(estimate.finding),
        )?;
    }
    writeln!(out)
}

/// What is to be known of one target besides its figures.
fn remarks(out: &mut impl Write, name: &str, counts: &SideCounts, result: &Comparison) -> io::Result<()> {
    let SideCounts { successful, failed, errors, silent_slices, .. } = counts;
    if *failed > 0 {
        writeln!(out, "{name} failed {failed} of {} requests:", successful + failed)?;
        for (kind, count) in errors {
            writeln!(out, "    {}: {count}", kind.words())?;
        }
    }
    if *silent_slices > 0 {
        writeln!(
            out,
            "{name} had no successful answer in {silent_slices} of {} slices, which no ratio shows.",
            result.pairs
        )?;
    }
    Ok(())
}

/// With as many digits as mean something.
fn quantity(measure: Measure, value: f64) -> String {
    let decimals = match value {
        1000.0.. => 0,
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    match measure {
        Measure::Rate => format!("{value:.decimals$}/s"),
        Measure::P50 | Measure::P99 => format!("{value:.decimals$} ms"),
    }
}

/// A time that nobody will check to the second.
fn rough(time: Duration) -> String {
    match time.as_secs() {
        0..=119 => format!("{} s", time.as_secs_f64().ceil()),
        seconds @ 120..=7199 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ab::summary::tests::summary as example;
    use crate::record::ErrorKind;

    fn text(summarised: &AbSummary) -> String {
        let mut out = Vec::new();
        summary(&mut out, summarised).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 80 && line == line.trim_end()), "{text}");
        text
    }

    fn comparison(summary: &mut AbSummary) -> &mut Compared {
        summary.comparison.as_mut().unwrap()
    }

    #[test]
    fn a_difference_is_a_table_and_a_sentence_for_each_sign_of_it() {
        assert_eq!(
            text(&example(20, 0.9)),
            "\
Measure             A            B      B/A   95 % CI            B is
rate          12500/s      11250/s    0.900   0.893 to 0.907     worse
p50          2.000 ms     2.222 ms    1.111   1.103 to 1.120     worse
p99          3.000 ms     3.333 ms    1.111   1.103 to 1.120     worse

Verdict: B is 10.0 % slower (95 % CI 9.3 to 10.7 %).
         B's p50 is 11.1 % higher (95 % CI 10.3 to 12.0 %).
         B's p99 is 11.1 % higher (95 % CI 10.3 to 12.0 %).
loadgen used 30 % of its 2 threads with A and 30 % with B.
"
        );
    }

    #[test]
    fn no_difference_says_what_would_have_been_seen() {
        let text = text(&example(20, 1.0));
        let below = text.split_once("\n\n").unwrap().1;
        assert_eq!(
            below,
            "\
Verdict: no difference found;
one of 1.4 % in rate, 1.4 % in p50, 1.4 % in p99 would have been seen.
loadgen used 30 % of its 2 threads with A and 30 % with B.
"
        );
    }

    #[test]
    fn a_better_target_is_called_so() {
        let text = text(&example(20, 2.5));
        assert!(text.contains("B is 150.0 % faster (95 % CI 148."), "{text}");
        assert!(text.contains("B's p50 is 60.0 % lower (95 % CI 59."), "{text}");
    }

    #[test]
    fn too_few_pairs_give_no_verdict() {
        let mut summary = example(19, 0.5);
        summary.interrupted = true;
        let text = text(&summary);
        assert!(text.starts_with("Interrupted.\nMeasure"), "{text}");
        assert!(
            text.contains("\nVerdict: none, as it takes 20 pairs with answers from both; there are 19.\n"),
            "{text}"
        );
        assert!(text.contains("  not known\n"), "{text}");
    }

    #[test]
    fn no_pair_at_all_has_no_table() {
        let text = text(&example(0, 1.0));
        assert!(text.starts_with("Verdict: none, ") && text.contains("; there are 0.\n"), "{text}");
    }

    #[test]
    fn a_noise_floor_has_its_own_words() {
        for (ratio, expected) in [
            (1.0, "Noise floor: no difference found, as it should be;\none of 1."),
            (0.9, "Noise floor: A differs from itself, which chance does once in 20 times:\n"),
        ] {
            let mut summary = example(20, ratio);
            summary.noise_floor = summary.comparison.take();
            let text = text(&summary);
            assert!(text.contains(expected) && text.contains("A2/A"), "{text}");
        }
    }

    #[test]
    fn what_else_is_to_be_known_stands_below() {
        let mut summary = example(20, 0.9);
        summary.threads = 1;
        let compared = comparison(&mut summary);
        compared.ended_early = Some("B did not answer any more".into());
        compared.b.failed = 7;
        compared.b.errors.insert(ErrorKind::Reset, 7);
        compared.b.silent_slices = 2;
        compared.b.generator_cpu_share = 0.97;
        compared.result.estimates.pop();
        compared.result.estimates[0].lasting_noise = true;
        let text = text(&summary);
        for expected in [
            "\nOne of them was favoured over several pairs on end, ",
            "\nEnded early: B did not answer any more.\n",
            "\nB failed 7 of 180007 requests:\n    connection reset: 7\n",
            "\nB had no successful answer in 2 of 20 slices",
            "\nFor a verdict on p99, slices must have 100 answers",
            "\nloadgen used 30 % of its thread with A and 97 % with B.\n",
            "\nloadgen itself was the bottleneck",
        ] {
            assert!(text.contains(expected), "no {expected:?} in {text}");
        }
    }

    #[test]
    fn times_are_rough() {
        for (ms, expected) in [(800, "1 s"), (42_000, "42 s"), (150_000, "3 min"), (8_000_000, "3 h")] {
            assert_eq!(rough(Duration::from_millis(ms)), expected);
        }
    }
}
