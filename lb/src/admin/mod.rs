//! The admin listener: health and metrics.

mod metrics;
mod read;

pub use read::answer;
