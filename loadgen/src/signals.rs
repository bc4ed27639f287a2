//! Ctrl-C and SIGTERM, and the end of a program that does not end itself.
//!
//! A run hears signals itself, and answers them with a summary ([`crate::run`]). It cannot while it waits for whoever
//! should read its output, a pipe into a program that stands still for one. So a thread of its own hears them too. The
//! first signal is left to the run; so is the second, for `PATIENCE`; the third ends the program at once. What was
//! not written by then is lost, which is what somebody asks for who insists.

use std::io::{self, Write};
use std::process::exit;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::exit_codes;
use crate::report::terminal;

/// After a second signal the requests in flight are cut off, commands of `--at` are ended, and the reports are written;
/// this is twice what that takes.
const PATIENCE: Duration = Duration::from_secs(3);

/// For what is said at the very end: standard error may be what nobody reads.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// SIGINT and SIGTERM, which mean the same here.
#[derive(Debug)]
pub struct Signals {
    interrupts: Signal,
    terminations: Signal,
    heard: u32,
}

impl Signals {
    /// Those that come from here on. Needs a runtime.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        let interrupts = signal(SignalKind::interrupt())?;
        Ok(Self { interrupts, terminations: signal(SignalKind::terminate())?, heard: 0 })
    }

    /// Waits for the next. One that comes while nobody waits is not lost.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupts.recv() => {}
            _ = self.terminations.recv() => {}
        }
        self.heard += 1;
    }

    /// Waits for the next, unless there were two: who has insisted waits for nothing more.
    pub async fn next_unless_insisted(&mut self) {
        if self.heard < 2 {
            self.next().await;
        }
    }

    /// How many were waited for.
    pub fn heard(&self) -> u32 {
        self.heard
    }
}

/// Hears signals from here on.
///
/// # Errors
/// When the system refuses the thread or a signal handler.
pub fn watch() -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _inside = runtime.enter();
        Signals::listen()?
    };
    thread::Builder::new().name("loadgen-signals".to_owned()).spawn(move || {
        runtime.block_on(insisted(signals));
        give_up()
    })?;
    Ok(())
}

/// Waits until somebody has insisted on the end.
async fn insisted(mut signals: Signals) {
    signals.next().await;
    signals.next().await;
    // Whichever comes first.
    let _ = timeout(PATIENCE, signals.next()).await;
}

fn give_up() -> ! {
    let (said, is_said) = mpsc::channel();
    let _ = thread::Builder::new().spawn(move || {
        terminal::leave();
        let _ = writeln!(io::stderr(), "error: ended by signals before everything was written");
        let _ = said.send(());
    });
    let _ = is_said.recv_timeout(LAST_WORDS);
    exit(exit_codes::FAILED)
}
