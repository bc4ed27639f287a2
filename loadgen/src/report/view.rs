//! What shows a run while it goes on: the live view where there is a terminal, else lines, or nothing.

use std::io::{self, Write};
use std::time::Duration;

use crate::plan::{Output, Plan};
use crate::report::live::{Live, Now};
use crate::report::progress::Progress;
use crate::report::terminal::{Screen, TerminalKind};

/// A run's view, on standard error.
#[derive(Debug)]
pub struct View {
    progress: Progress,
    live: Option<Live>,
    screen: Option<Screen>,
    /// What happened while the screen was taken.
    kept: Vec<String>,
    is_silent: bool,
}

/// Runs that end before this never show the live view: a flash of it tells nobody anything.
const FIRST_LOOK: Duration = Duration::from_millis(400);

/// As many lines are kept for the end of the live view; whoever prints more has a log.
const LINES_KEPT: usize = 1000;

impl View {
    /// The view that fits.
    pub fn new(plan: &Plan, terminal: TerminalKind) -> Self {
        let is_live = terminal == TerminalKind::Capable && !plan.plain;
        Self {
            progress: Progress::new(plan.goal, is_live),
            live: is_live.then(|| Live::new(format!("{} {}", plan.method, plan.mix.urls()), plan.goal)),
            screen: None,
            kept: Vec::new(),
            // Lines of single requests are progress enough.
            is_silent: plan.output == Output::TextWithRequests,
        }
    }

    /// How often [`View::show`] wants to be called.
    pub fn interval(&self) -> Duration {
        self.progress.interval()
    }

    /// Whether there is anybody to show anything to; looking is not free.
    pub fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Shows where the run stands.
    ///
    /// # Errors
    /// What the terminal says.
    pub fn show(&mut self, now: &Now) -> io::Result<()> {
        if self.is_silent {
            return Ok(());
        }
        let Some(live) = &mut self.live else { return self.progress.show(&mut io::stderr().lock(), now) };
        live.look(now);
        if self.screen.is_none() {
            if now.elapsed < FIRST_LOOK {
                return Ok(());
            }
            match Screen::enter() {
                Ok(screen) => self.screen = Some(screen),
                // Whatever this terminal lacks, a line it can show.
                Err(_) => {
                    self.live = None;
                    return self.progress.show(&mut io::stderr().lock(), now);
                }
            }
        }
        self.screen.as_mut().map_or(Ok(()), |screen| screen.draw(live))
    }

    /// Tells of something that happened: at once, or when the terminal is given back.
    pub fn tell(&mut self, line: &str) {
        if self.screen.is_some() {
            if self.kept.len() < LINES_KEPT {
                self.kept.push(line.to_owned());
            }
            return;
        }
        let mut stderr = io::stderr().lock();
        // A run is worth more than what is said of it, here and below.
        let _ = self.progress.clear(&mut stderr).and_then(|()| writeln!(stderr, "{line}"));
    }

    /// Gives the terminal back as it was.
    pub fn end(&mut self) {
        self.screen = None;
        let mut stderr = io::stderr().lock();
        let _ = self.progress.clear(&mut stderr);
        for line in self.kept.drain(..) {
            let _ = writeln!(stderr, "{line}");
        }
    }
}
