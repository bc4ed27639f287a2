//! The admin listener (`--admin`): an application of its own beside the one that carries traffic.
//!
//! It shares only the connection loop with it. It never changes the answers that a client of the proxy gets.

mod app;
mod host;
mod metrics;
mod read;

pub use app::AdminApp;
