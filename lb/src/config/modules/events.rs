//! The `events` block: which system calls nginx uses. Ours are tokio's, so nothing here has an effect.

use crate::config::table::{EVENTS, FLAG, NUMBER, Row, TIME, no_effect, one};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    no_effect(
        "worker_connections",
        EVENTS,
        NUMBER,
        "connections are limited by open files only (`worker_rlimit_nofile`)",
    ).without("512"),
    no_effect("use", EVENTS, one("method"), "the system's best method (epoll on Linux) is used"),
    no_effect("multi_accept", EVENTS, FLAG, "connections are accepted as they come").without("off"),
    no_effect("accept_mutex", EVENTS, FLAG, "there is one process: nobody to take turns with").without("off"),
    no_effect("accept_mutex_delay", EVENTS, TIME, "there is one process: nobody to take turns with").without("500ms"),
    no_effect("worker_aio_requests", EVENTS, NUMBER, "files are read by the runtime's own threads").without("32"),
    no_effect(
        "debug_connection",
        EVENTS,
        one("address"),
        "the level of `error_log` holds for all connections",
    )
    .repeatable(),
];
