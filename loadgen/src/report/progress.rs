//! Where a run stands, on standard error, in plain text: a line a second, or one line that is rewritten where a terminal
//! has no room for more.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use crate::plan::Goal;
use crate::report::figures::ms;
use crate::report::live::{Now, recent_latency};

/// Counts so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests with a 2xx answer.
    pub succeeded: u64,
    /// Requests that failed.
    pub failed: u64,
}

impl Counts {
    /// Those that ended, well or not.
    pub fn total(&self) -> u64 {
        self.succeeded + self.failed
    }
}

/// The line.
#[derive(Debug)]
pub struct Progress {
    goal: Goal,
    is_terminal: bool,
    shown: Option<(Duration, u64)>,
}

/// Clears the line that stands there.
const REWRITE: &str = "\r\x1b[K";

impl Progress {
    /// For a run with this goal; `is_terminal` says whether a line can be rewritten.
    pub fn new(goal: Goal, is_terminal: bool) -> Self {
        Self { goal, is_terminal, shown: None }
    }

    /// How often [`Progress::show`] wants to be called.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(if self.is_terminal { 200 } else { 1000 })
    }

    /// Shows where the run stands.
    ///
    /// # Errors
    /// What the output says.
    pub fn show(&mut self, out: &mut impl Write, now: &Now) -> io::Result<()> {
        let (before, done_before) = self.shown.unwrap_or_default();
        let (elapsed, done) = (now.elapsed, now.counts.total());
        let seconds = elapsed.saturating_sub(before).as_secs_f64();
        let per_second = if seconds > 0.0 { done.saturating_sub(done_before) as f64 / seconds } else { 0.0 };
        self.shown = Some((elapsed, done));

        let line = line(self.goal, now, per_second);
        if !self.is_terminal {
            return writeln!(out, "{line}");
        }
        write!(out, "{REWRITE}{line}")?;
        out.flush()
    }

    /// Takes the line away, so that what comes next does not stand behind it.
    ///
    /// # Errors
    /// What the output says.
    pub fn clear(&mut self, out: &mut impl Write) -> io::Result<()> {
        if !self.is_terminal || self.shown.is_none() {
            return Ok(());
        }
        write!(out, "{REWRITE}")?;
        out.flush()
    }
}

fn line(goal: Goal, now: &Now, per_second: f64) -> String {
    let (elapsed, done, failed) = (now.elapsed, now.counts.total(), now.counts.failed);
    let mut line = format!("{:6.1}s  {done}", elapsed.as_secs_f64());
    let part = match goal {
        Goal::Number(number) => {
            // Writing to a string cannot fail, here and below.
            let _ = write!(line, " of {number}");
            done as f64 / number as f64
        }
        Goal::Time(time) => elapsed.as_secs_f64() / time.as_secs_f64(),
    };
    let _ = write!(
        line,
        " requests ({:.0}%)  {per_second:.0}/s  {failed} failed",
        (part * 100.0).min(100.0).floor()
    );
    if now.unsent > 0 {
        let _ = write!(line, "  {} unsent", now.unsent);
    }
    if let Some(latency) = recent_latency(now) {
        let _ = write!(line, "  p99 {}", ms(latency.p99));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Counts = Counts { succeeded: 990, failed: 10 };

    fn shown(progress: &mut Progress, elapsed_ms: u64, counts: Counts) -> String {
        let mut out = Vec::new();
        let now = Now { elapsed: Duration::from_millis(elapsed_ms), counts, ..Now::default() };
        progress.show(&mut out, &now).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_rate_is_that_since_the_last_line() {
        let mut progress = Progress::new(Goal::Number(2000), false);
        assert_eq!(
            shown(&mut progress, 1000, COUNTS),
            "   1.0s  1000 of 2000 requests (50%)  1000/s  10 failed\n"
        );
        let counts = Counts { succeeded: 1239, ..COUNTS };
        assert_eq!(
            shown(&mut progress, 1500, counts),
            "   1.5s  1249 of 2000 requests (62%)  498/s  10 failed\n"
        );
    }

    #[test]
    fn a_timed_run_counts_time() {
        let mut progress = Progress::new(Goal::Time(Duration::from_secs(4)), false);
        assert_eq!(shown(&mut progress, 1000, COUNTS), "   1.0s  1000 requests (25%)  1000/s  10 failed\n");
        assert_eq!(shown(&mut progress, 5000, COUNTS), "   5.0s  1000 requests (100%)  0/s  10 failed\n");
    }

    #[test]
    fn what_is_known_besides_stands_behind() {
        let recent = [crate::report::live::tests::slot(10, 1.0, 6.44)];
        let now = Now { counts: COUNTS, unsent: 3, recent: &recent, ..Now::default() };
        assert_eq!(
            line(Goal::Number(2000), &now, 1000.0),
            "   0.0s  1000 of 2000 requests (50%)  1000/s  10 failed  3 unsent  p99 6.44 ms"
        );
    }

    #[test]
    fn a_terminal_line_is_rewritten_and_taken_away() {
        let mut progress = Progress::new(Goal::Number(2000), true);
        let mut out = Vec::new();
        progress.clear(&mut out).unwrap();
        assert!(out.is_empty());
        assert_eq!(
            shown(&mut progress, 1000, COUNTS),
            "\r\x1b[K   1.0s  1000 of 2000 requests (50%)  1000/s  10 failed"
        );
        progress.clear(&mut out).unwrap();
        assert_eq!(out, REWRITE.as_bytes());
    }
}
