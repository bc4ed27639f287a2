//! What a configuration means: the checked, fully resolved form that the rest of the program reads.
//!
//! Every inherited setting has been carried down to the [`Location`] that uses it, every default decided, every
//! name turned into an index. Past this point nobody validates again and nobody asks "was it given?" unless the
//! absence itself means something.

mod config;
mod location;
mod program;
mod server;
mod upstream;

pub use self::config::{
    AccessLogFile, AccessLogFileId, Config, ErrorLogsId, Http, Listener, Main, SecureServers, ServerId,
    TlsToServersId, UpstreamId,
};
pub use self::location::{
    AccessLog, AccessLogTarget, Action, Destination, LimitExcept, Location, Proxy, SentField, SentUri,
    SentValue,
};
pub use self::program::{If, Operation, Program};
pub use self::server::Server;
pub use self::upstream::{Handshake, Resolver, Upstream};
pub use super::address::{ListenAddress, ServerAddress};
pub use super::diagnostics::{Position, Severity};
pub use super::field_name::FieldName;
pub use super::modules::{
    AccessRules, AddHeader, Assigned, AuthBasic, AuthJwt, AuthRequest, Autoindex, AutoindexFormat,
    BalancingMethod, BindAddress, Buffering, CacheMethods, CachePath, CacheSwitch, CacheValid, Candidate,
    CertificateCache, CertificateSource, Charset, Client, Compression, Condition, ConfCommand,
    ConnectionLimit, CookieFlag, CookieFlags, Core, DocumentRoot, DroppedNames, EarlyHints, ErrorLog,
    ErrorPage, ErrorPages, Expires, ExpiresTime, FileTest, FlagChange, GrpcSettings, Gzip, GzipDisable,
    GzipProxied, GzipStatic, HeaderLimits, Headers, HeadersInherit, Http2, HttpCore, HttpVersion,
    IfModifiedSince, IgnoredHeaders, Index, Keepalive, KeepaliveTimeout, LastResort, LimitConn, LimitRate,
    LimitReq, LocationMatch, LogDestination, LogFilesKept, LogFormat, Mapping, Matched, MediaTypes, Methods,
    Mirror, NameServers, NextUpstream, OpenLogFiles, Pace as CachePace, PageStatus, Protocols, ProxyCache,
    ProxySettings, RealIp, RealIpHeader, RedirectRule, Referers, Replacement, RequestLimit, Requirement,
    Resolution, Return, ReturnContent, Rewrite, Rewriting, Satisfaction, Satisfy, SecureLink, ServerName,
    SessionCache, SetHeader, Settings, SizeValue, StaleConditions, StaticFiles, SubFilter, SubPair, SubPairs,
    Substitute, Substitution, Symlinks, Syslog, SyslogServer, SyslogSeverity, Tls, TlsToServers, TokenRealm,
    Trusted, TrustedName, TryFiles, Types, UpstreamKeepalive, UpstreamServer, User, ValidReferers,
    VerifyClient, WorkerCount, Written,
};
pub use super::zones::{LimitZone, ZoneId, ZoneKind};
pub use crate::script::Escape;
