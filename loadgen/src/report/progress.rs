//! Where a run stands, on standard error: one line that is rewritten on a terminal, else a line a second.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use crate::plan::Goal;

/// Counts so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests with a 2xx answer.
    pub succeeded: u64,
    /// Requests that failed.
    pub failed: u64,
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

    /// Shows where the run stands after `elapsed`.
    ///
    /// # Errors
    /// What the output says.
    pub fn show(&mut self, out: &mut impl Write, elapsed: Duration, counts: Counts) -> io::Result<()> {
        let (before, done_before) = self.shown.unwrap_or_default();
        let done = counts.succeeded + counts.failed;
        let seconds = elapsed.saturating_sub(before).as_secs_f64();
        let per_second = if seconds > 0.0 { (done - done_before) as f64 / seconds } else { 0.0 };
        self.shown = Some((elapsed, done));

        let line = line(self.goal, elapsed, counts, per_second);
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

fn line(goal: Goal, elapsed: Duration, Counts { succeeded, failed }: Counts, per_second: f64) -> String {
    let done = succeeded + failed;
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
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Counts = Counts { succeeded: 990, failed: 10 };

    fn shown(progress: &mut Progress, elapsed_ms: u64, counts: Counts) -> String {
        let mut out = Vec::new();
        progress.show(&mut out, Duration::from_millis(elapsed_ms), counts).unwrap();
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
