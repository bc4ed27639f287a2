//! Checks a password, off the worker: the file is read and the hash computed by a thread that serves nobody, and never more
//! of them at a time than the machine has processors.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, LazyLock};

use tokio::sync::Semaphore;

use crate::passwords::{self, Verified};
use crate::request::{PasswordCheck, PasswordVerdict};

/// Who may compute. A check that waits holds no thread.
static PROCESSORS: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))));

/// What a check has come to.
pub(super) enum Checked {
    /// The user is in the file.
    Known(Verified),
    /// The file has no such user.
    NoUser,
    /// The file cannot be opened.
    NoFile(io::Error),
    /// It cannot be read.
    Unread(io::Error),
}

impl Checked {
    /// What follows from it.
    pub(super) fn verdict(&self) -> PasswordVerdict {
        match self {
            Self::Known(Verified::Right) => PasswordVerdict::Right,
            Self::Known(Verified::Wrong) | Self::NoUser => PasswordVerdict::Wrong,
            Self::NoFile(error) if error.kind() == io::ErrorKind::NotFound => PasswordVerdict::NoFile,
            Self::Known(Verified::Unsupported) | Self::NoFile(_) | Self::Unread(_) => PasswordVerdict::Failed,
        }
    }
}

/// Checks a password.
pub(super) async fn check(check: Arc<PasswordCheck>) -> Checked {
    off_the_worker(move || look(&check)).await.unwrap_or_else(Checked::NoFile)
}

/// Does work that takes its time, once there is a processor for it.
pub(super) async fn off_the_worker<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let permit = Arc::clone(&PROCESSORS).acquire_owned().await;
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    done.await.map_err(io::Error::other)
}

fn look(check: &PasswordCheck) -> Checked {
    let mut file = match File::open(&check.file) {
        Ok(file) => file,
        Err(error) => return Checked::NoFile(error),
    };
    let mut text = Vec::new();
    if let Err(error) = file.read_to_end(&mut text) {
        return Checked::Unread(error);
    }
    match passwords::kept_of(&text, &check.user) {
        Some(kept) => Checked::Known(passwords::verify(&check.password, kept)),
        None => Checked::NoUser,
    }
}
