//! Signals, with nginx's meanings: QUIT ends gracefully, TERM and INT at once, HUP reloads, USR1 reopens the logs.
//!
//! Two of nginx's have no counterpart, and are logged instead of ignored silently: USR2 (start a new binary; its
//! default action would end this process) and WINCH (stop the workers). The Rust runtime ignores PIPE before `main`,
//! and there are no children whose end CHLD could report.
//!
//! A signal that arrives before [`Signals::new`] would have its default action, which for HUP, USR1 and USR2 ends the
//! process and for QUIT dumps core. [`hold`], the first call in `main`, keeps those pending until then; TERM and INT
//! keep their defaults, so a start that hangs can always be ended.

use std::future::pending;
use std::io;

use nix::sys::signal::{SigSet, Signal as System};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::cli::SignalRequest;

/// A request of the operator to the running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// QUIT: finish what is in flight, accept nothing new, end.
    Quit,
    /// TERM: end at once.
    Terminate,
    /// INT: end at once.
    Interrupt,
    /// HUP: read the configuration again.
    Reload,
    /// USR1: open the log files again.
    Reopen,
    /// A signal that nginx acts on and this program does not: worth a `[notice]`.
    Unsupported(Unsupported),
}

/// A signal that nginx knows and this program does not support.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// USR2
    UpgradeBinary,
    /// WINCH
    StopWorkers,
}

impl Unsupported {
    /// The message to the operator.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::UpgradeBinary => {
                "signal SIGUSR2 ignored: a running process is not replaced by a new binary here; start the new \
                 one beside it or behind another address, then stop this one with SIGQUIT"
            }
            Self::StopWorkers => {
                "signal SIGWINCH ignored: there are no worker processes to stop; SIGQUIT stops gracefully"
            }
        }
    }
}

impl SignalRequest {
    /// The signal that `lb -s` sends for it.
    pub fn signal(self) -> System {
        match self {
            Self::Stop => System::SIGTERM,
            Self::Quit => System::SIGQUIT,
            Self::Reopen => System::SIGUSR1,
            Self::Reload => System::SIGHUP,
        }
    }
}

fn held_signals() -> SigSet {
    [System::SIGHUP, System::SIGUSR1, System::SIGUSR2, System::SIGQUIT].into_iter().collect()
}

/// Keeps HUP, USR1, USR2 and QUIT pending until [`Signals::new`]. For the first lines of `main`: threads started
/// later inherit it.
pub fn hold() -> io::Result<()> {
    held_signals().thread_block().map_err(io::Error::from)
}

/// The stream of signals to this process.
#[derive(Debug)]
pub struct Signals {
    quit: Stream,
    terminate: Stream,
    interrupt: Stream,
    reload: Stream,
    reopen: Stream,
    upgrade: Stream,
    /// Only in the background: a terminal sends WINCH whenever its window changes size.
    stop_workers: Option<Stream>,
}

impl Signals {
    /// Starts to receive signals, and releases those that [`hold`] kept pending. Needs a tokio runtime with I/O; the
    /// default actions are gone for the rest of the process's life.
    pub fn new(daemonized: bool) -> io::Result<Self> {
        let signals = Self {
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
            upgrade: signal(SignalKind::user_defined2())?,
            stop_workers: daemonized.then(|| signal(SignalKind::window_change())).transpose()?,
        };
        // One thread that takes them is enough: these signals are sent to the process.
        held_signals().thread_unblock()?;
        Ok(signals)
    }

    /// The next signal; of several that wait, the one that ends the process soonest. May be dropped and called
    /// again without losing a signal; of several equal ones that arrived together, one is reported.
    pub async fn next(&mut self) -> Signal {
        let Self { quit, terminate, interrupt, reload, reopen, upgrade, stop_workers } = self;
        let stop_workers = async {
            match stop_workers {
                Some(stream) => stream.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(()) = terminate.recv() => Signal::Terminate,
            Some(()) = interrupt.recv() => Signal::Interrupt,
            Some(()) = quit.recv() => Signal::Quit,
            Some(()) = reload.recv() => Signal::Reload,
            Some(()) = reopen.recv() => Signal::Reopen,
            Some(()) = upgrade.recv() => Signal::Unsupported(Unsupported::UpgradeBinary),
            Some(()) = stop_workers => Signal::Unsupported(Unsupported::StopWorkers),
            // A stream ends only with its runtime, and then this loop no longer runs.
            else => pending().await,
        }
    }
}
