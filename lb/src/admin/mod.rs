//! The admin listener (`--admin`): an application of its own beside the one that carries traffic.
//!
//! It shares the connection loop with it and nothing else. It never changes what a client of the proxy gets.

mod app;
mod host;
mod metrics;
mod read;

pub use app::AdminApp;
