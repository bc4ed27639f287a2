//! What all connections share while the process lives: the snapshot in force, the process's counts, and the word
//! that it is time to go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::config::model::HeaderLimits;
use crate::connection::{ConnectionFacts, Drain, Front, Limits, ListenerFacts, ListenerKind, Refused};
use crate::observe::log_file::LogFiles;
use crate::observe::totals::{Totals, status_class};
use crate::snapshot::Snapshot;

/// What a client may send on the admin listener, which no configuration describes.
const ADMIN_LIMITS: Limits = Limits {
    header_timeout: Duration::from_secs(10),
    first_request_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_secs(75),
    header: HeaderLimits { line_bytes: 8 * 1024, total_bytes: 32 * 1024 },
    server_tokens: true,
};

/// The process-wide state.
pub struct Edge {
    snapshot: ArcSwap<Snapshot>,
    /// The one before, for what is still coming in on addresses that the present one does not have.
    retired: ArcSwapOption<Snapshot>,
    /// Counts since the start.
    pub totals: Totals,
    /// Connections, and the graceful stop.
    pub drain: Drain,
    /// The open log files.
    pub log_files: LogFiles,
    accepting: AtomicBool,
}

impl Edge {
    /// The state of a process that begins with `snapshot`.
    pub fn new(snapshot: Arc<Snapshot>, drain: Drain, log_files: LogFiles) -> Arc<Self> {
        Arc::new(Self {
            snapshot: ArcSwap::new(snapshot),
            retired: ArcSwapOption::empty(),
            totals: Totals::default(),
            drain,
            log_files,
            accepting: AtomicBool::new(false),
        })
    }

    /// The snapshot in force.
    pub fn current(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts another snapshot in force and returns the one before. Requests under way keep the one they hold.
    pub fn replace(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        let previous = self.snapshot.swap(snapshot);
        self.retired.store(Some(previous.clone()));
        previous
    }

    /// The snapshot before the one in force.
    pub fn retired(&self) -> Option<Arc<Snapshot>> {
        self.retired.load_full()
    }

    /// Says that every listener accepts.
    pub fn mark_accepting(&self) {
        self.accepting.store(true, Ordering::Release);
    }

    /// Whether new requests are welcome: every listener accepts, and no stop has been asked for.
    pub fn is_ready(&self) -> bool {
        self.accepting.load(Ordering::Acquire) && !self.drain.has_begun()
    }
}

impl Front for Edge {
    type Snapshot = Snapshot;

    fn snapshot(&self) -> Arc<Snapshot> {
        self.current()
    }

    fn limits(&self, snapshot: &Snapshot, listener: &ListenerFacts) -> Limits {
        match snapshot.listener(listener) {
            Some(listener) => {
                let server = &snapshot.config.http.servers[listener.default_server.0];
                Limits {
                    header_timeout: server.client_header_timeout,
                    first_request_timeout: server.client_header_timeout,
                    idle_timeout: server.fallback.keepalive_timeout,
                    header: server.header_limits,
                    server_tokens: server.fallback.server_tokens,
                }
            }
            None => ADMIN_LIMITS,
        }
    }

    fn refused(&self, snapshot: &Arc<Snapshot>, connection: &Arc<ConnectionFacts>, refused: &Refused<'_>) {
        if connection.listener.kind == ListenerKind::Admin {
            return;
        }
        self.totals.refused.increment();
        self.totals
            .requests
            .increment(status_class((refused.bytes_sent > 0).then_some(refused.status.as_u16())));
        crate::proxy::record::refused(snapshot, connection, refused);
    }
}
