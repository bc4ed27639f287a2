//! What a configuration means: the checked, fully resolved form that the rest of the program reads.
//!
//! Every inherited setting has been carried down to the [`Location`] that uses it, every default decided, every
//! name turned into an index. Past this point nobody validates again and nobody asks "was it given?" unless the
//! absence itself means something.

mod config;
mod field_name;
mod listener;
mod location;
mod server;
mod upstream;

pub use self::config::{
    AccessLogFileId, Config, ErrorLog, Http, LogDestination, Main, ServerId, UpstreamId, User, WorkerCount,
};
pub use self::field_name::FieldName;
pub use self::listener::Listener;
pub use self::location::{
    AccessLog, Action, AddHeader, Location, LocationMatch, LogFormat, NextUpstream, Proxy, Redirect, Return,
    ReturnContent, SentField, SentValue, SetHeader,
};
pub use self::server::{HeaderLimits, Server, ServerName};
pub use self::upstream::{Resolver, Upstream, UpstreamKeepalive, UpstreamServer};
pub use super::address::{ListenAddress, ServerAddress};
pub use super::diagnostics::{Position, Severity};
pub use crate::script::Escape;
