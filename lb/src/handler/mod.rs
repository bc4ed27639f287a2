//! What answers a request besides a proxied server.

pub mod page;
