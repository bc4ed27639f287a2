//! What is recorded: metrics, access log, error log.
//!
//! A request is recorded once, at its end.

pub mod cells;
