//! What the figures say, in sentences: the same in the text and in the HTML report. Pure.

use crate::objective::{Judged, Measure, Verdict};
use crate::report::figures::{count, counted, percent};
use crate::shares::ShareVerdict;
use crate::summary::{Load, Summary, Truth};
use crate::timeline::Mark;

/// How a run went, as a colour or a sign can say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should.
    Good,
    /// Not as it should.
    Bad,
    /// The figures cannot be trusted, or there are none.
    Doubtful,
}

/// How the requests ended, in one sentence.
pub fn outcome(summary: &Summary) -> (Tone, String) {
    let requests = &summary.requests;
    let unsent = requests.unsent;
    if requests.total == 0 {
        return (Tone::Doubtful, "No request ended".to_owned());
    }
    if requests.failed == 0 && requests.hung > 0 {
        let hung = counted(requests.hung, "request", "requests");
        return (Tone::Bad, format!("{hung} hung until the run was ended"));
    }
    let of = counted(requests.total, "request", "requests");
    if requests.failed == 0 && unsent == 0 {
        let every = if requests.total == 1 { "The only request" } else { "Every request" };
        return (Tone::Good, format!("{every} succeeded"));
    }
    if requests.failed == 0 {
        return (Tone::Doubtful, format!("All {of} sent succeeded, {} could not be sent", count(unsent)));
    }
    if requests.successful == 0 {
        return (Tone::Bad, format!("All {of} failed"));
    }
    let part = percent(requests.failed as f64 / requests.total as f64);
    (Tone::Bad, format!("{} of {of} failed ({part})", count(requests.failed)))
}

/// Whether the objectives were met, in one sentence; `None` when none was stated.
pub fn objectives(judged: &[Judged]) -> Option<(Tone, String)> {
    let all = judged.len() as u64;
    let met = judged.iter().filter(|judged| judged.verdict == Verdict::Met).count() as u64;
    Some(match (all, met) {
        (0, _) => return None,
        (1, 1) => (Tone::Good, "The objective was met".to_owned()),
        (1, _) => (Tone::Bad, "The objective was missed".to_owned()),
        (all, met) if all == met => (Tone::Good, format!("All {all} objectives were met")),
        (all, met) => (Tone::Bad, format!("{} of {all} objectives were missed", all - met)),
    })
}

/// One objective's value and verdict.
pub fn verdict(judged: &Judged) -> String {
    let value = match judged.value {
        None if judged.samples == 0 => "nothing was measured".to_owned(),
        // A ratio to nothing has no number, and with one backend there is no ratio.
        None if judged.verdict == Verdict::TooFewSamples => "nothing to compare".to_owned(),
        None => "beyond any limit".to_owned(),
        Some(value) => format!("{}{}", number(value), unit(judged.measure)),
    };
    match judged.verdict {
        Verdict::Met | Verdict::Missed => value,
        Verdict::TooFewSamples => format!(
            "{value}, from {} where it takes {}",
            counted(judged.samples, "sample", "samples"),
            count(judged.minimum_samples)
        ),
    }
}

/// The unit in which an objective's value is given. A time is always in milliseconds.
fn unit(measure: Measure) -> &'static str {
    match measure {
        Measure::Errors | Measure::Unsent => " %",
        Measure::Shares => "",
        Measure::Rate => "/s",
        Measure::P50
        | Measure::P90
        | Measure::P95
        | Measure::P99
        | Measure::P999
        | Measure::Max
        | Measure::Mean
        | Measure::Gap => " ms",
    }
}

/// Three significant digits, which is what an objective is stated with.
fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Whether the backends got what they should have got.
pub fn shares(verdict: &ShareVerdict) -> String {
    let ShareVerdict { expected, max_to_min, chi_square, degrees_of_freedom, p_value, even } = verdict;
    let first = expected.first().copied().unwrap_or(0.0);
    let equal = expected.iter().all(|share| (share - first).abs() < 1e-9);
    let what = match (equal, even) {
        (true, true) => "Shares are as even as chance makes them, or more so",
        (true, false) => "Shares are not even",
        (false, true) => "Shares follow the weights",
        (false, false) => "Shares do not follow the weights",
    };
    let p = if *p_value < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p_value:.3}") };
    let ratio = if max_to_min.is_finite() {
        format!("largest to smallest {max_to_min:.2}")
    } else {
        "one got none".to_owned()
    };
    format!("{what}: {ratio} (chi-square {chi_square:.1}, {degrees_of_freedom} df, {p})")
}

/// The same where no backend was dead, as a second sentence.
pub fn shares_while_alive(verdict: &ShareVerdict) -> String {
    format!("While no backend was lost: {}", shares(verdict))
}

/// What the backends' own counters say about repeated requests.
pub fn truth(truth: &Truth, summary: &Summary) -> String {
    let unread = truth.sources.iter().filter(|source| source.counted.is_none()).count() as u64;
    if unread > 0 {
        let sources = counted(unread, "source", "sources");
        return format!("Backends counted {} requests; {sources} gave no whole count", count(truth.counted));
    }
    let counts = format!(
        "Backends counted {} for {} sent",
        counted(truth.counted, "request", "requests"),
        count(summary.sent())
    );
    match truth.amplification {
        Some(amplification) => format!("{counts}: {amplification:.3} tries per request"),
        None => counts,
    }
}

/// How the requests were paced.
pub fn load(summary: &Summary) -> String {
    let connections = counted(summary.connections.asked as u64, "connection", "connections");
    match &summary.load {
        Load::Closed => format!("closed loop, {connections}"),
        Load::Open { stages } => match stages.as_slice() {
            [first, rest @ ..] if rest.iter().all(|stage| stage.rate == first.rate) => {
                format!("open loop, {} requests per second on {connections}", trimmed(first.rate))
            }
            stages => {
                let points: Vec<_> = stages
                    .iter()
                    .map(|stage| format!("{} s: {}/s", trimmed(stage.at_s), trimmed(stage.rate)))
                    .collect();
                format!("open loop, {}, on {connections}", points.join(", "))
            }
        },
    }
}

/// How an `--at` command went.
pub fn mark(mark: &Mark) -> String {
    if let Some(error) = &mark.error {
        return error.clone();
    }
    match (mark.ended_ms, mark.status) {
        (None, _) => "STOPPED, still running at the end".to_owned(),
        (Some(_), None) => "could not be started, or was ended by a signal".to_owned(),
        (Some(ended_ms), Some(status)) => {
            format!("exit status {status} after {:.2} s", (ended_ms - mark.at_ms) / 1e3)
        }
    }
}

/// A number without needless zeros.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::summary::Stage;

    #[test]
    fn the_outcome_counts_everything_that_was_due() {
        let mut summary = fixtures::calm();
        assert_eq!(outcome(&summary), (Tone::Good, "Every request succeeded".to_owned()));
        summary.requests.unsent = 3;
        let (tone, words) = outcome(&summary);
        assert_eq!(tone, Tone::Doubtful);
        assert!(words.ends_with("sent succeeded, 3 could not be sent"), "{words}");
        assert_eq!(outcome(&fixtures::only_errors()), (Tone::Bad, "All 4,210 requests failed".to_owned()));
        summary.requests.hung = 4;
        assert_eq!(outcome(&summary), (Tone::Bad, "4 requests hung until the run was ended".to_owned()));
        summary.requests.total = 0;
        assert_eq!(outcome(&summary).0, Tone::Doubtful);
    }

    #[test]
    fn objectives_that_were_not_proved_are_missed() {
        let judged = |verdict| Judged {
            objective: "p99<20ms".into(),
            measure: Measure::P99,
            value: Some(12.345),
            samples: 1,
            minimum_samples: 100,
            verdict,
        };
        assert_eq!(objectives(&[]), None);
        let (met, few) = (judged(Verdict::Met), judged(Verdict::TooFewSamples));
        assert_eq!(verdict(&met), "12.3 ms");
        assert_eq!(verdict(&few), "12.3 ms, from 1 sample where it takes 100");
        assert_eq!(
            objectives(std::slice::from_ref(&met)),
            Some((Tone::Good, "The objective was met".to_owned()))
        );
        let both = objectives(&[met, few]);
        assert_eq!(both, Some((Tone::Bad, "1 of 2 objectives were missed".to_owned())));
    }

    #[test]
    fn what_has_no_number_is_said_in_words() {
        for (samples, expected) in [(0, "nothing was measured"), (500, "beyond any limit")] {
            let judged = Judged {
                objective: "share.max/share.min<2".into(),
                measure: Measure::Shares,
                value: None,
                samples,
                minimum_samples: 1,
                verdict: Verdict::Missed,
            };
            assert_eq!(verdict(&judged), expected);
        }
    }

    #[test]
    fn values_have_the_unit_of_their_objective() {
        for (measure, objective, expected) in [
            (Measure::P99, "p99<20ms", "2.50 ms"),
            (Measure::Max, "max<1m", "2.50 ms"),
            (Measure::Gap, "gap<1s", "2.50 ms"),
            (Measure::Errors, "errors<0.1%", "2.50 %"),
            (Measure::Shares, "share.max/share.min<1.2", "2.50"),
            (Measure::Rate, "rate>2", "2.50/s"),
        ] {
            let judged = Judged {
                objective: objective.into(),
                measure,
                value: Some(2.5),
                samples: 10,
                minimum_samples: 1,
                verdict: Verdict::Missed,
            };
            assert_eq!(verdict(&judged), expected, "{objective}");
        }
    }

    #[test]
    fn pacing_is_said_as_it_was_asked_for() {
        let mut summary = fixtures::calm();
        summary.load = Load::Open { stages: vec![Stage { at_s: 0.0, rate: 0.5 }] };
        assert_eq!(load(&summary), "open loop, 0.5 requests per second on 64 connections");
        summary.load = Load::Open {
            stages: vec![Stage { at_s: 0.0, rate: 1000.0 }, Stage { at_s: 30.0, rate: 20_000.0 }],
        };
        assert_eq!(load(&summary), "open loop, 0 s: 1000/s, 30 s: 20000/s, on 64 connections");
    }
}
