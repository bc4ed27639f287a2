//! When to stop. QUIT, TERM and INT all mean the same: end the event streams, finish what was begun, exit. A second
//! signal means: at once.
//!
//! Actix's own handling ends open requests on QUIT and INT, which is not what `docker stop` with nginx's stop signal,
//! or a person at the terminal, expects.

use std::io;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// The signals that stop the server. They are caught from the moment this exists.
#[derive(Debug)]
pub(crate) struct StopSignals {
    quit: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// # Errors
    /// If a handler cannot be installed.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one; returns its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.quit.recv() => "SIGQUIT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Held by whoever decides to stop: dropping it tells every [`Stopping`].
#[derive(Debug)]
pub(crate) struct Running(#[expect(dead_code, reason = "only its end is a message")] watch::Sender<()>);

/// Tells when the server begins to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stopping(watch::Receiver<()>);

/// A server that runs until the first half is dropped.
pub(crate) fn running() -> (Running, Stopping) {
    let (sender, receiver) = watch::channel(());
    (Running(sender), Stopping(receiver))
}

impl Stopping {
    /// Waits until the server begins to stop.
    pub(crate) async fn wait(mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn every_clone_learns_of_the_stop() {
        let (running, stopping) = running();
        let early = stopping.clone();
        assert_eq!(early.clone().wait().now_or_never(), None);
        drop(running);
        assert_eq!(early.wait().now_or_never(), Some(()));
        assert_eq!(stopping.wait().now_or_never(), Some(()));
    }
}
