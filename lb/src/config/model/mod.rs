//! What a configuration means: the checked, fully resolved form that the rest of the program reads.
//!
//! Every inherited setting has been carried down to the [`Location`] that uses it, every default decided, every
//! name turned into an index. Past this point nobody validates again and nobody asks "was it given?" unless the
//! absence itself means something.

mod config;
mod location;
mod server;
mod upstream;

pub use self::config::{AccessLogFileId, Config, Http, Listener, Main, ServerId, UpstreamId};
pub use self::location::{AccessLog, Action, Location, Proxy, SentField, SentValue};
pub use self::server::Server;
pub use self::upstream::{Resolver, Upstream};
pub use super::address::{ListenAddress, ServerAddress};
pub use super::diagnostics::{Position, Severity};
pub use super::field_name::FieldName;
pub use super::modules::{
    AddHeader, BalancingMethod, BindAddress, Client, CookieFlag, CookieFlags, Core, ErrorLog, FlagChange,
    HeaderLimits, Headers, HttpCore, IgnoredHeaders, Keepalive, KeepaliveTimeout, LocationMatch,
    LogDestination, LogFormat, Matched, NameServers, NextUpstream, ProxySettings, RedirectRule, Replacement,
    Resolution, Return, ReturnContent, Rewriting, ServerName, SetHeader, Settings, Types, UpstreamKeepalive,
    UpstreamServer, User, WorkerCount,
};
pub use crate::script::Escape;
