//! The counts of the whole process, as clients see it. Counts of one server live in its
//! [`Peer`](crate::upstream::Peer).

use std::sync::atomic::AtomicU64;

use super::cells::{Counter, CounterSet, DurationHistogram};
use super::reasons::Generated;

/// Why a request was tried again: the `reason` label of `lb_retries_total`.
pub const RETRY_REASONS: [&str; 7] = [
    "connect_error",
    "connect_timeout",
    "closed",
    "read_timeout",
    "write_timeout",
    "invalid_answer",
    "stale_connection",
];

/// Classes of status codes, as labels; the last is for requests that ended without an answer.
pub const STATUS_CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

/// The class's index for a status, or for none.
pub fn status_class(status: Option<u16>) -> usize {
    match status {
        Some(status @ 100..=599) => usize::from(status / 100 - 1),
        _ => STATUS_CLASSES.len() - 1,
    }
}

/// What happened since the process started.
#[derive(Debug, Default)]
pub struct Totals {
    /// Requests by the class of their answer's status.
    pub requests: CounterSet<6>,
    /// From a request's first byte to its answer's last. Streams of our own are not in it.
    pub durations: DurationHistogram,
    /// Answers of our own by reason.
    pub generated: CounterSet<{ Generated::COUNT }>,
    /// Further tries by the failure before them.
    pub retries: CounterSet<{ RETRY_REASONS.len() }>,
    /// Requests refused by the connection loop, before any of the above.
    pub refused: Counter,
    /// Reloads that took effect.
    pub reloads_succeeded: Counter,
    /// Reloads that changed nothing.
    pub reloads_failed: Counter,
    /// When the configuration in force was read, in seconds since 1970.
    pub last_reload_unix_seconds: AtomicU64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_fall_into_their_classes() {
        for (status, class) in
            [(Some(100), "1xx"), (Some(204), "2xx"), (Some(599), "5xx"), (Some(600), "none"), (None, "none")]
        {
            assert_eq!(STATUS_CLASSES[status_class(status)], class, "{status:?}");
        }
    }
}
