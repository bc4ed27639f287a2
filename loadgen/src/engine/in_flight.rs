//! Requests that are cut off with the run: whoever drops a connection's loop in the middle of one has it noted.

use super::worker::Worker;

/// One request on its way. Dropped before it ended, it was given up.
pub(super) struct InFlight<'a> {
    pub(super) worker: &'a Worker,
    pub(super) planned_ns: u64,
}

impl InFlight<'_> {
    /// There is an outcome, which tells more.
    pub(super) fn ended(self) {
        std::mem::forget(self);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let now_ns = self.worker.now_ns();
        self.worker.record_mut().given_up(self.planned_ns, now_ns);
    }
}
