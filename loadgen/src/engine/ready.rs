//! Threads that are started together or not at all: each says when it has what it needs, before any sends a request.
//!
//! What the system refuses at the start (a poller, a timer, for lack of descriptors) so ends a run that has not begun.
//! Found out later it would cost a run's results, or leave the others waiting.

use std::io;
use std::sync::mpsc;

/// One thread's part.
#[derive(Debug, Clone)]
pub(super) struct Ready(mpsc::Sender<Option<io::Error>>);

/// The part of who started them.
#[derive(Debug)]
pub(super) struct AllReady(mpsc::Receiver<Option<io::Error>>);

/// Both parts; the first is to be cloned for every thread, and dropped.
pub(super) fn channel() -> (Ready, AllReady) {
    let (sender, receiver) = mpsc::channel();
    (Ready(sender), AllReady(receiver))
}

impl Ready {
    /// Says that the thread has what it needs, or why not; answers with what it has.
    pub(super) fn tell<T>(self, result: io::Result<T>) -> Option<T> {
        let (value, error) = match result {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(error)),
        };
        // Nobody listens any more when another could not start.
        let _ = self.0.send(error);
        value
    }
}

impl AllReady {
    /// Waits until so many have told.
    ///
    /// # Errors
    /// The first that could not start; the others may not have told yet.
    pub(super) fn wait(self, threads: usize) -> io::Result<()> {
        for _ in 0..threads {
            let error = match self.0.recv() {
                Ok(None) => continue,
                Ok(Some(error)) => error,
                Err(_) => io::Error::other("it ended before it had begun"),
            };
            let message = format!("not all of {threads} threads could start: {error}");
            return Err(io::Error::new(error.kind(), message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_cannot_start_is_enough() {
        let refused = || io::Error::other("refused");
        let table: [(Vec<io::Result<u8>>, Option<&str>); 4] = [
            (vec![Ok(1), Ok(2), Ok(3)], None),
            (vec![Ok(1), Err(refused()), Ok(3)], Some("not all of 3 threads could start: refused")),
            (vec![Err(refused())], Some("not all of 3 threads could start: refused")),
            // It panicked.
            (vec![Ok(1), Ok(2)], Some("not all of 3 threads could start: it ended before it had begun")),
        ];
        for (results, expected) in table {
            let (ready, all_ready) = channel();
            for result in results {
                let value = result.as_ref().ok().copied();
                assert_eq!(ready.clone().tell(result), value);
            }
            drop(ready);
            let actual = all_ready.wait(3).err().map(|error| error.to_string());
            assert_eq!(actual.as_deref(), expected);
        }
    }
}
