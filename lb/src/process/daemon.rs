//! Going into the background, for `daemon on` (nginx's default).
//!
//! The order is nginx's: the parent reads the configuration, opens the logs and binds every address, so that every
//! failure that the terminal can show happens there; then it forks and exits with 0, and the child, in a session of
//! its own, starts its threads and writes the pid file. So exit 0 means "every address is bound", and the pid file
//! means "every listener accepts". (A parent that waits for a message from the child would report both at once, but a
//! fork that leaves the parent running needs `unsafe`, which this workspace forbids, and no init script expects it.)
//!
//! Only the thread that forks exists in the child. [`detach`] therefore counts threads first and refuses if there are
//! others: a runtime or a log writer started too early would be lost silently.

use std::fs::{self, File, OpenOptions};
use std::io;

use thiserror::Error;

use crate::system_error::SystemError;

/// The reason why the process stayed in the foreground.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// Threads would be lost: a mistake in the start-up order, not the user's.
    #[error("cannot go into the background with {0} threads running")]
    Threads(usize),
    /// `fork` or `setsid` failed.
    #[error("daemon() failed {}", SystemError(.0))]
    Fork(io::Error),
    /// `/dev/null` could not be opened.
    #[error("open() \"/dev/null\" failed {}", SystemError(.0))]
    Null(io::Error),
    /// A standard stream could not be replaced by `/dev/null`.
    #[error("dup2() failed {}", SystemError(.0))]
    Redirect(io::Error),
}

/// The target of standard error in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandardError {
    /// Unchanged: for `error_log stderr`.
    Keep,
    /// `/dev/null`, until the error log takes it over.
    Null,
}

/// Forks, ends the parent with exit code 0, and goes on in the child: a session of its own, the same working
/// directory (relative paths keep their meaning on reload), standard input and output on `/dev/null`.
pub fn detach(standard_error: StandardError) -> Result<(), DaemonError> {
    let threads = thread_count();
    if threads > 1 {
        return Err(DaemonError::Threads(threads));
    }
    // Opened first, so that the terminal shows the error of a missing /dev/null.
    let null = OpenOptions::new().read(true).write(true).open("/dev/null").map_err(DaemonError::Null)?;
    nix::unistd::daemon(true, true).map_err(|errno| DaemonError::Fork(errno.into()))?;
    silence(&null, standard_error).map_err(|errno| DaemonError::Redirect(errno.into()))
}

fn silence(null: &File, standard_error: StandardError) -> nix::Result<()> {
    nix::unistd::dup2_stdin(null)?;
    nix::unistd::dup2_stdout(null)?;
    match standard_error {
        StandardError::Keep => Ok(()),
        StandardError::Null => nix::unistd::dup2_stderr(null),
    }
}

/// The number of threads of this process; 1 where `/proc` is not mounted.
fn thread_count() -> usize {
    fs::read_dir("/proc/self/task").map_or(1, |tasks| tasks.count().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_is_not_forked() {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || held.recv().is_err());
        assert!(matches!(detach(StandardError::Keep), Err(DaemonError::Threads(2..))));
        drop(release);
        other.join().unwrap();
    }
}
