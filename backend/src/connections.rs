//! How many connections are open, so that a stop can end with the last one.
//!
//! Actix looks once a second whether its workers are done; an empty server should be gone at once. Touched when a
//! connection opens and closes, never per request.

use std::sync::Arc;

use tokio::sync::watch;

/// The open connections of all workers.
#[derive(Debug, Clone)]
pub(crate) struct Connections(Arc<watch::Sender<usize>>);

/// An open connection; counts until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection(Connections);

impl Connections {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// Counts a connection for as long as the returned value lives.
    pub(crate) fn open(&self) -> OpenConnection {
        self.0.send_modify(|count| *count += 1);
        OpenConnection(self.clone())
    }

    /// How many are open now.
    pub(crate) fn count(&self) -> usize {
        *self.0.borrow()
    }

    /// Waits until none is open.
    pub(crate) async fn all_closed(&self) {
        // An error would mean that the sender is gone, which `self` holds.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn the_wait_ends_with_the_last_connection() {
        let connections = Connections::new();
        let first = connections.open();
        let second = connections.open();
        assert_eq!(connections.count(), 2);
        drop(first);
        assert_eq!(connections.all_closed().now_or_never(), None);
        drop(second);
        assert_eq!(connections.all_closed().now_or_never(), Some(()));
    }
}
