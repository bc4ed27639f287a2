//! Checks a password, off the worker: the file is read and the hash computed by a thread that serves nobody, and never more
//! of them at a time than the machine has processors.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, LazyLock};

use pingora_proxy::Session;
use tokio::sync::Semaphore;

use super::checked::Checked;
use super::context::Request;
use super::record;
use crate::passwords::{self, Verified};
use crate::request::{PasswordCheck, PasswordVerdict};

/// Who may compute. A check that waits holds no thread.
static PROCESSORS: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))));

/// Checks a password, and tells what is wrong with it.
pub(super) async fn check(session: &Session, request: &mut Request, check: PasswordCheck) -> PasswordVerdict {
    let check = Arc::new(check);
    let work = Arc::clone(&check);
    let checked = off_the_worker(move || look(&work)).await.unwrap_or_else(Checked::NoFile);
    record::password(session, request, &check, &checked);
    match checked {
        Checked::Known(Verified::Right) => PasswordVerdict::Right,
        Checked::Known(Verified::Wrong) | Checked::NoUser => PasswordVerdict::Wrong,
        Checked::NoFile(error) if error.kind() == io::ErrorKind::NotFound => PasswordVerdict::NoFile,
        Checked::Known(Verified::Unsupported) | Checked::NoFile(_) | Checked::Unread(_) => {
            PasswordVerdict::Failed
        }
    }
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
