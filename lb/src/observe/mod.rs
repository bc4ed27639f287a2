//! What is recorded: metrics, access log, error log.
//!
//! A request is recorded once, at its end.

pub mod access_log;
pub mod cells;
pub mod clock;
pub mod error_log;
pub mod exposition;
pub mod log_file;
pub mod process_metrics;
