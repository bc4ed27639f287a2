//! Going into the background, as `daemon on` (nginx's default) asks for.
//!
//! What follows is nginx's order: the parent reads the configuration, opens the logs and binds every address, so
//! all that can fail on the terminal fails there; then it forks and exits with 0, and the child, in a session of
//! its own, starts its threads and writes the pid file. So exit 0 means "every address is bound", and the pid file
//! means "every listener accepts". (A parent that waits for the child's word would say both at once, but a fork
//! that leaves the parent running needs `unsafe`, which this workspace forbids, and nobody's init script expects it.)
//!
//! Only the thread that forks exists in the child. [`detach`] therefore counts threads first and refuses if there
//! are others: a runtime or a log writer started too early would be gone without a sound.

use std::fs::{self, File, OpenOptions};
use std::io;

use thiserror::Error;

use crate::system_error::SystemError;

/// Why the process stayed in the foreground.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// Threads would be lost. This is a mistake in the start-up order, not the user's.
    #[error("cannot go into the background with {0} threads running")]
    Threads(usize),
    /// `fork` or `setsid`.
    #[error("daemon() failed {}", SystemError(.0))]
    Fork(io::Error),
    /// `/dev/null`.
    #[error("open() \"/dev/null\" failed {}", SystemError(.0))]
    Null(io::Error),
    /// Putting `/dev/null` in the place of a standard stream.
    #[error("dup2() failed {}", SystemError(.0))]
    Redirect(io::Error),
}

/// What becomes of standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandardError {
    /// It stays what it is: for `error_log stderr`.
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
    // Opened first, so that a missing /dev/null is said on the terminal.
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

/// How many threads this process has; 1 where `/proc` is not mounted, as nothing better is known there.
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
