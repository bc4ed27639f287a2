//! The directives, one file for each module of nginx.

pub(super) mod core;
pub(super) mod elsewhere;
pub(super) mod events;
pub(super) mod headers;
pub(super) mod http;
pub(super) mod listen;
pub(super) mod location;
pub(super) mod log;
pub(super) mod proxy;
pub(super) mod resolver;
pub(super) mod rewrite;
mod server_name;
pub(super) mod upstream;
