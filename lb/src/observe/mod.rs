//! Metrics, access log and error log.
//!
//! A request is recorded once, at its end.

pub mod access_log;
pub mod cells;
pub mod clock;
pub mod error_log;
pub mod exposition;
pub mod handshakes;
pub mod histogram;
pub mod log_file;
pub mod panics;
pub mod process_metrics;
pub mod rate_limited;
pub mod reasons;
pub mod status;
pub mod totals;

use std::sync::LazyLock;

/// The machine's name (`$hostname`), read once.
pub fn hostname() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        nix::unistd::gethostname().map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned())
    });
    &NAME
}
