//! The report for people. Its beginning is the original stress test's output to the letter, so that whoever
//! reads or parses that finds it here; what the original did not know stands below it, in 80 columns.

use std::io::{self, Write};

use crate::plan::Plan;
use crate::record::{ErrorKind, Outcome};
use crate::summary::Summary;

/// What separates the parts.
const RULE: &str = "------------------------------------------------------------";

/// Writes what is going to be done.
///
/// # Errors
/// What the output says.
pub fn header(out: &mut impl Write, plan: &Plan) -> io::Result<()> {
    writeln!(out, "Sending {} to {}", plan.goal, plan.url)?;
    writeln!(out, "Concurrency: {}", plan.concurrency)?;
    writeln!(out, "{RULE}")
}

/// Writes the line of one request.
///
/// # Errors
/// What the output says.
pub fn request(out: &mut impl Write, number: u64, outcome: Outcome, latency_ns: u64) -> io::Result<()> {
    let seconds = latency_ns as f64 / 1e9;
    match outcome.result {
        Ok(status) => writeln!(out, "Request {number}: Status {status}, Time: {seconds:.3}s"),
        Err(kind) => writeln!(out, "Request {number}: Failed, {}, Time: {seconds:.3}s", kind.words()),
    }
}

/// Writes the result.
///
/// # Errors
/// What the output says.
pub fn summary(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let Summary { requests, latency_ms, .. } = summary;
    let average_s = latency_ms.as_ref().map_or(0.0, |latency| latency.mean / 1e3);
    writeln!(out, "{RULE}")?;
    writeln!(out, "Total requests: {}", requests.total)?;
    writeln!(out, "Successful: {}", requests.successful)?;
    writeln!(out, "Failed: {}", requests.failed)?;
    writeln!(out, "Average response time: {average_s:.3}s")?;
    writeln!(out, "Total time: {:.3}s", summary.elapsed_s)?;
    writeln!(out, "Requests per second: {:.2}", summary.requests_per_second)?;

    if summary.interrupted {
        writeln!(out, "Interrupted; unfinished requests: {}", requests.unfinished)?;
    }
    writeln!(out)?;
    if let Some(latency) = latency_ms {
        writeln!(
            out,
            "Latency: p50 {}, p90 {}, p99 {}, max {}",
            ms(latency.p50),
            ms(latency.p90),
            ms(latency.p99),
            ms(latency.max)
        )?;
    }
    if summary.longest_gap_ms > 0.0 {
        writeln!(out, "Longest gap between successful answers: {}", ms(summary.longest_gap_ms))?;
    }
    if requests.resent > 0 {
        writeln!(out, "Sent again, as the kept-alive connection had been closed: {}", requests.resent)?;
    }
    failures(out, summary)?;
    backends(out, summary)
}

/// One line for each kind of failure, with the statuses in place of "not 2xx".
fn failures(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let statuses = summary.statuses.iter().filter(|(status, _)| !(200..300).contains(*status));
    for (status, count) in statuses {
        writeln!(out, "Failed with status {status}: {count}")?;
    }
    for (kind, count) in &summary.errors {
        if *count > 0 && *kind != ErrorKind::Non2xx {
            writeln!(out, "Failed, {}: {count}", kind.words())?;
        }
    }
    Ok(())
}

fn backends(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    if summary.backends.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = summary.backends.iter().map(|backend| printable(&backend.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("(unnamed)".len());
    writeln!(out)?;
    writeln!(out, "{:<width$}  {:>10}  {:>7}  {:>10}", "Backend", "Answers", "Share", "Errors")?;
    for (name, backend) in names.iter().zip(&summary.backends) {
        let percent = backend.share * 100.0;
        writeln!(out, "{name:<width$}  {:>10}  {percent:>6.2}%  {:>10}", backend.answers, backend.errors)?;
    }
    let unnamed = summary.answers_without_backend;
    if unnamed > 0 {
        let answers: u64 = summary.statuses.values().sum();
        let percent = unnamed as f64 / answers as f64 * 100.0;
        writeln!(out, "{:<width$}  {unnamed:>10}  {percent:>6.2}%", "(unnamed)")?;
    }
    Ok(())
}

/// A name comes from the network: control characters must not reach a terminal.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// As many digits as mean something.
fn ms(ms: f64) -> String {
    match ms {
        100.0.. => format!("{ms:.0} ms"),
        10.0.. => format!("{ms:.1} ms"),
        _ => format!("{ms:.2} ms"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::honesty::Generator;
    use crate::summary::{BackendShare, Connections, Latency, Load, Requests};

    fn plain() -> Summary {
        Summary {
            url: "http://localhost:80".into(),
            method: "GET".into(),
            connections: Connections { asked: 50, opened: 50 },
            threads: 2,
            interrupted: false,
            requests: Requests {
                total: 20000,
                successful: 20000,
                failed: 0,
                unfinished: 0,
                resent: 0,
                unsent: 0,
            },
            elapsed_s: 12.3451,
            requests_per_second: 1620.449,
            latency_ms: Some(Latency {
                min: 1.0,
                mean: 25.4,
                p50: 0.314,
                p90: 31.41,
                p95: 40.0,
                p99: 314.2,
                p99_9: 400.0,
                max: 500.0,
            }),
            longest_gap_ms: 0.0,
            errors: ErrorKind::ALL.into_iter().map(|kind| (kind, 0)).collect(),
            statuses: BTreeMap::from([(200, 20000)]),
            backends: Vec::new(),
            answers_without_backend: 20000,
            load: Load::Closed,
            service_ms: None,
            latency_histogram: Vec::new(),
            shares: None,
            timeline: None,
            failovers: Vec::new(),
            generator: Generator::default(),
            truth: None,
            objectives: Vec::new(),
        }
    }

    fn text(summarised: &Summary) -> String {
        let mut out = Vec::new();
        summary(&mut out, summarised).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_summary_begins_as_the_original_did() {
        assert_eq!(
            text(&plain()),
            "------------------------------------------------------------\n\
             Total requests: 20000\n\
             Successful: 20000\n\
             Failed: 0\n\
             Average response time: 0.025s\n\
             Total time: 12.345s\n\
             Requests per second: 1620.45\n\
             \n\
             Latency: p50 0.31 ms, p90 31.4 ms, p99 314 ms, max 500 ms\n"
        );
    }

    #[test]
    fn what_went_wrong_and_who_answered_stands_below() {
        let mut summary = plain();
        summary.interrupted = true;
        summary.requests =
            Requests { total: 20, successful: 10, failed: 10, unfinished: 2, resent: 3, unsent: 0 };
        summary.longest_gap_ms = 12.34;
        summary.latency_ms = None;
        summary.statuses = BTreeMap::from([(200, 10), (502, 6)]);
        summary.errors.insert(ErrorKind::Non2xx, 6);
        summary.errors.insert(ErrorKind::Refused, 4);
        let share = |name: &str, answers, share, errors| BackendShare {
            name: name.into(),
            answers,
            share,
            errors,
            classes: BTreeMap::new(),
            latency_ms: None,
        };
        summary.backends = vec![share("backend-1", 8, 0.5, 0), share("evil\x1b[2J", 4, 0.25, 2)];
        summary.answers_without_backend = 4;
        let text = text(&summary);
        let below = text.split_once("Requests per second: 1620.45\n").unwrap().1;
        assert_eq!(
            below,
            "Interrupted; unfinished requests: 2\n\
             \n\
             Longest gap between successful answers: 12.3 ms\n\
             Sent again, as the kept-alive connection had been closed: 3\n\
             Failed with status 502: 6\n\
             Failed, connection refused: 4\n\
             \n\
             Backend       Answers    Share      Errors\n\
             backend-1           8   50.00%           0\n\
             evil\u{fffd}[2J            4   25.00%           2\n\
             (unnamed)           4   25.00%\n"
        );
    }

    #[test]
    fn a_request_has_its_line() {
        let line = |result| {
            let mut out = Vec::new();
            request(&mut out, 3, Outcome { result, backend: None }, 23_400_000).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(line(Ok(200)), "Request 3: Status 200, Time: 0.023s\n");
        assert_eq!(line(Err(ErrorKind::Reset)), "Request 3: Failed, connection reset, Time: 0.023s\n");
    }
}
