//! The state that all connections share: the current snapshot, the process's counts, the shutdown flag.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::snapshot::Snapshot;
use crate::connection::Drain;
use crate::observe::log_file::LogFiles;
use crate::observe::totals::Totals;

/// The process-wide state.
pub struct ServerState {
    snapshot: ArcSwap<Snapshot>,
    /// Counts since the start.
    pub totals: Totals,
    /// Connections, and the graceful stop.
    pub drain: Drain,
    /// The open log files.
    pub log_files: LogFiles,
}

impl ServerState {
    /// The state of a process that begins with `snapshot`.
    pub fn new(snapshot: Arc<Snapshot>, drain: Drain, log_files: LogFiles) -> Arc<Self> {
        Arc::new(Self { snapshot: ArcSwap::new(snapshot), totals: Totals::default(), drain, log_files })
    }

    /// The current snapshot.
    pub fn current(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Makes `snapshot` the current one. Requests under way keep the one they hold.
    pub fn replace(&self, snapshot: Arc<Snapshot>) {
        self.snapshot.store(snapshot);
    }

    /// True until a stop begins. The admin listener, which tells it, answers nobody before every listener accepts.
    pub fn is_ready(&self) -> bool {
        !self.drain.has_begun()
    }
}
