//! The report for people. Its beginning is the original stress test's output to the letter, so that whoever
//! reads or parses that finds it here; what the original did not know stands below it, in 80 columns.

use std::io::{self, Write};

use crate::honesty::Generator;
use crate::objective::Verdict;
use crate::plan::Plan;
use crate::record::{ErrorKind, Outcome};
use crate::report::figures::{self, ms, printable};
use crate::report::words;
use crate::summary::{BackendLatency, Connections, Summary};

/// What separates the parts.
pub(crate) const RULE: &str = "------------------------------------------------------------";

/// As wide as a terminal is at least.
const COLUMNS: usize = 80;

/// Writes what is going to be done.
///
/// # Errors
/// What the output says.
pub fn header(out: &mut impl Write, plan: &Plan) -> io::Result<()> {
    writeln!(out, "Sending {} to {}", plan.goal, plan.mix.urls())?;
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
    let requests = &summary.requests;
    let average_s = summary.latency_ms.as_ref().map_or(0.0, |latency| latency.mean / 1e3);
    writeln!(out, "{RULE}")?;
    writeln!(out, "Total requests: {}", requests.total)?;
    writeln!(out, "Successful: {}", requests.successful)?;
    writeln!(out, "Failed: {}", requests.failed)?;
    writeln!(out, "Average response time: {average_s:.3}s")?;
    writeln!(out, "Total time: {:.3}s", summary.elapsed_s)?;
    writeln!(out, "Requests per second: {:.2}", summary.requests_per_second)?;

    if summary.interrupted {
        write!(out, "Interrupted; unfinished requests: {}", requests.unfinished)?;
        match requests.hung {
            0 => writeln!(out)?,
            hung => writeln!(out, ", of which hung: {hung}")?,
        }
    }
    let unsent = summary.requests.unsent;
    if unsent > 0 {
        writeln!(out, "Due, but not sent as no connection was free: {unsent}")?;
    }
    writeln!(out)?;
    latencies(out, summary)?;
    if summary.longest_gap_ms > 0.0 {
        writeln!(out, "Longest gap between successful answers: {}", ms(summary.longest_gap_ms))?;
    }
    if requests.resent > 0 {
        writeln!(out, "Sent again, as the kept-alive connection had been closed: {}", requests.resent)?;
    }
    failures(out, summary)?;
    targets(out, summary)?;
    backends(out, summary)?;
    failovers(out, summary)?;
    objectives(out, summary)?;
    honesty(out, summary)
}

/// From when requests were due, and in an open loop also from when they were sent.
fn latencies(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    for (name, latency) in [("Latency", &summary.latency_ms), ("Service", &summary.service_ms)] {
        if let Some(latency) = latency {
            let [p50, p90, p99, max] = [latency.p50, latency.p90, latency.p99, latency.max].map(ms);
            writeln!(out, "{name}: p50 {p50}, p90 {p90}, p99 {p99}, max {max}")?;
        }
    }
    let unsent = summary.requests.unsent;
    if unsent > 0 && summary.latency_ms.is_some() {
        writeln!(
            out,
            "(of those that were sent; objectives rank the {} unsent behind them)",
            figures::count(unsent)
        )?;
    }
    if summary.service_ms.is_some() {
        writeln!(out, "(latency from when a request was due, service from when it was sent)")?;
    }
    Ok(())
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

/// What came of each URL, when there are several.
fn targets(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    if summary.targets.len() < 2 {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(out, "{:>6}  {:>10}  {:>8}  URL", "Weight", "Requests", "Failed")?;
    for target in &summary.targets {
        let url = printable(&target.url);
        writeln!(out, "{:>6}  {:>10}  {:>8}  {url}", target.weight, target.requests, target.failed)?;
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
    write!(out, "{:<width$}  {:>10}  {:>7}  {:>8}", "Backend", "Answers", "Share", "Errors")?;
    let has_latency = summary.backends.iter().any(|backend| backend.latency_ms.is_some());
    if has_latency {
        write!(out, "  {:>8}  {:>8}  {:>8}", "p50", "p99", "max")?;
    }
    writeln!(out)?;
    for (name, backend) in names.iter().zip(&summary.backends) {
        let percent = backend.share * 100.0;
        write!(out, "{name:<width$}  {:>10}  {percent:>6.2}%  {:>8}", backend.answers, backend.errors)?;
        if let Some(BackendLatency { p50, p99, max }) = backend.latency_ms {
            write!(out, "  {:>8}  {:>8}  {:>8}", ms(p50), ms(p99), ms(max))?;
        }
        writeln!(out)?;
    }
    let unnamed = summary.answers_without_backend;
    if unnamed > 0 {
        let answers: u64 = summary.statuses.values().sum();
        let percent = unnamed as f64 / answers as f64 * 100.0;
        writeln!(out, "{:<width$}  {unnamed:>10}  {percent:>6.2}%", "(unnamed)")?;
    }
    if let Some(verdict) = &summary.shares {
        wrapped(out, &format!("{}.", words::shares(verdict)), "")?;
    }
    match &summary.shares_while_alive {
        Some(verdict) => wrapped(out, &format!("{}.", words::shares_while_alive(verdict)), ""),
        None => Ok(()),
    }
}

/// What was done to the target, and the lines that scripts look for: each stands on one line, however long.
fn failovers(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let marks = summary.timeline.as_ref().map_or(&[][..], |timeline| timeline.marks.as_slice());
    if marks.is_empty() && summary.failovers.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    for mark in marks {
        let command = printable(&mark.command);
        wrapped(out, &format!("At {:.2} s: {command}: {}", mark.at_ms / 1e3, words::mark(mark)), "    ")?;
    }
    for failover in &summary.failovers {
        writeln!(out, "{}", printable(&failover.to_string()))?;
    }
    Ok(())
}

fn objectives(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    if summary.objectives.is_empty() {
        return Ok(());
    }
    let width = summary.objectives.iter().map(|judged| judged.objective.chars().count()).max().unwrap_or(0);
    writeln!(out)?;
    for judged in &summary.objectives {
        let sign = if judged.verdict == Verdict::Met { '✓' } else { '✗' };
        writeln!(out, "{sign} {:<width$}  {}", printable(&judged.objective), words::verdict(judged))?;
    }
    Ok(())
}

/// What the backends counted, and whether the generator kept up.
fn honesty(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let Generator { lag_us, cpu_share, cpu_us_per_request, saturated } = &summary.generator;
    if summary.truth.is_some() || lag_us.is_some() || !cpu_share.is_empty() || !saturated.is_empty() {
        writeln!(out)?;
    }
    if let Some(truth) = &summary.truth {
        wrapped(out, &format!("{}.", words::truth(truth, summary)), "")?;
        for source in &truth.sources {
            if let Some(error) = &source.error {
                wrapped(out, &printable(&format!("  {}: {error}", source.url)), "    ")?;
            }
        }
    }
    if let Some(lag) = lag_us {
        let [p50, p99, max] = [lag.p50, lag.p99, lag.max].map(figures::us);
        writeln!(out, "Sent later than planned: p50 {p50}, p99 {p99}, max {max}")?;
    }
    if !cpu_share.is_empty() {
        let busiest = cpu_share.iter().copied().fold(0.0, f64::max);
        let threads = figures::counted(cpu_share.len() as u64, "thread", "threads");
        let each = figures::us(*cpu_us_per_request);
        writeln!(
            out,
            "Generator: {each} of processor time per request, {threads}, busiest {:.0} %",
            busiest * 100.0
        )?;
        let Connections { asked, opened, peak } = summary.connections;
        writeln!(out, "Connections: {asked} asked for, {peak} open at once at most, {opened} opened in all")?;
    }
    if !saturated.is_empty() {
        writeln!(out, "WARNING: the generator was the bottleneck: these figures are its own:")?;
        for reason in saturated {
            wrapped(out, &format!("  {}", printable(reason)), "    ")?;
        }
    }
    Ok(())
}

/// A sentence in lines of 80 columns, those after the first behind `indent`. A word that is longer stays whole.
fn wrapped(out: &mut impl Write, sentence: &str, indent: &str) -> io::Result<()> {
    let mut line = String::new();
    for word in sentence.split_inclusive(' ') {
        if !line.trim().is_empty() && line.chars().count() + word.trim_end().chars().count() > COLUMNS {
            writeln!(out, "{}", line.trim_end())?;
            line = indent.to_owned();
        }
        line.push_str(word);
    }
    writeln!(out, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::honesty::Generator;
    use crate::report::fixtures;
    use crate::summary::{BackendShare, Latency, Load, Requests};

    fn plain() -> Summary {
        Summary {
            url: "http://localhost:80".into(),
            targets: Vec::new(),
            method: "GET".into(),
            connections: Connections { asked: 50, opened: 50, peak: 50 },
            threads: 2,
            interrupted: false,
            requests: Requests {
                total: 20000,
                successful: 20000,
                failed: 0,
                unfinished: 0,
                hung: 0,
                unconnected: 0,
                unsent: 0,
                resent: 0,
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
            shares_while_alive: None,
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
        summary.requests = Requests {
            total: 20,
            successful: 10,
            failed: 10,
            unfinished: 2,
            hung: 1,
            unconnected: 0,
            unsent: 0,
            resent: 3,
        };
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
            "Interrupted; unfinished requests: 2, of which hung: 1\n\
             \n\
             Longest gap between successful answers: 12.3 ms\n\
             Sent again, as the kept-alive connection had been closed: 3\n\
             Failed with status 502: 6\n\
             Failed, connection refused: 4\n\
             \n\
             Backend       Answers    Share    Errors\n\
             backend-1           8   50.00%         0\n\
             evil\u{fffd}[2J            4   25.00%         2\n\
             (unnamed)           4   25.00%\n"
        );
    }

    #[test]
    fn everything_that_was_measured_is_said_in_80_columns() {
        let mut summary = fixtures::killed_backend();
        summary.generator.saturated = vec!["connections asked for and not opened: 12 of 64".to_owned()];
        let text = text(&summary);
        assert_eq!(
            text.split_once("\n\nLatency").unwrap().1,
            "\
: p50 1.98 ms, p90 3.21 ms, p99 6.44 ms, max 41.2 ms
Service: p50 1.98 ms, p90 3.21 ms, p99 5.90 ms, max 41.2 ms
(latency from when a request was due, service from when it was sent)
Longest gap between successful answers: 3.10 ms
Failed with status 502: 4
Failed, connection reset: 12
Failed, timed out: 8

Backend       Answers    Share    Errors       p50       p99       max
backend-1       33235   27.76%         0   1.90 ms   6.10 ms   31.5 ms
backend-2       20036   16.73%         5   1.93 ms   6.10 ms   32.5 ms
backend-3       33235   27.76%         0   1.96 ms   6.10 ms   33.5 ms
backend-4       33235   27.76%         0   1.99 ms   6.10 ms   34.5 ms
Shares are not even: largest to smallest 1.55 (chi-square 4021.7, 3 df, p <
0.001).

At 10.00 s: docker kill cirque-backend-2: exit status 0 after 0.31 s
At 19.50 s: docker start cirque-backend-2: exit status 0 after 0.40 s
failover backend-2: gap 340 ms, 20 errors, even again after 1.2 s

✓ p99<20ms     6.44 ms
✓ errors<0.1%  0.017 %
✗ gap<200ms    340 ms

Backends counted 31,207 requests; 1 source gave no whole count.
  http://127.0.0.1:5002: connection refused
Sent later than planned: p50 12 µs, p99 84 µs, max 1.31 ms
Generator: 6.6 µs of processor time per request, 2 threads, busiest 41 %
Connections: 64 asked for, 64 open at once at most, 64 opened in all
WARNING: the generator was the bottleneck: these figures are its own:
  connections asked for and not opened: 12 of 64
"
        );
        for (name, summary) in fixtures::all() {
            for line in self::text(&summary).lines() {
                assert!(line.chars().count() <= COLUMNS, "{name}: {line}");
            }
        }
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
