//! The Pingora `ProxyHttp` service: gather facts, ask a pure part, apply its answer.
//!
//! Runs for every request. With `connection/` and `content/` it is the only room that knows Pingora's session. A
//! request holds the snapshot that the connection loop gave it from its first hook to its last, and is recorded
//! once, in [`record`].

mod answer;
pub mod context;
pub mod failure;
mod gather;
pub mod headers;
mod host;
pub mod record;
pub mod retry;
pub mod reuse;
mod service;
pub mod values;
mod write;

pub use service::ProxyService;
