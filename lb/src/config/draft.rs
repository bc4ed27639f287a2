//! What has been read so far, level by level: a setting is `None` until a directive of that level gives it.
//!
//! Drafts are what the readers in `directives/` fill and what [`super::assemble`] turns into the model. Settings
//! keep the form in which they were written where their meaning depends on something read later.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::address::Target;
use super::model::{
    AddHeader, ErrorLog, HeaderLimits, ListenAddress, LocationMatch, LogDestination, LogFormat, NextUpstream,
    Position, Return, ServerName, SetHeader, UpstreamServer, User, WorkerCount,
};

/// The main context.
#[derive(Debug, Default)]
pub(super) struct MainDraft {
    pub(super) user: Option<User>,
    pub(super) worker_processes: Option<WorkerCount>,
    pub(super) worker_rlimit_nofile: Option<u64>,
    pub(super) worker_shutdown_timeout: Option<Duration>,
    pub(super) pid: Option<PidFile>,
    pub(super) daemon: Option<bool>,
    pub(super) error_logs: Vec<ErrorLog>,
    pub(super) env: Vec<(String, Option<String>)>,
    /// Whether an `events` block was seen: nginx insists on one.
    pub(super) events: bool,
    pub(super) http: Option<HttpDraft>,
}

/// `pid`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PidFile {
    Off,
    Path(String),
}

/// The `http` block.
#[derive(Debug, Default)]
pub(super) struct HttpDraft {
    pub(super) settings: Settings,
    pub(super) servers: Vec<ServerDraft>,
    pub(super) upstreams: Vec<UpstreamDraft>,
    pub(super) log_formats: Vec<LogFormatDraft>,
    /// `error_log` inside `http`, which stands in for a missing one of the main context.
    pub(super) error_logs: Vec<ErrorLog>,
}

#[derive(Debug)]
pub(super) struct LogFormatDraft {
    pub(super) format: LogFormat,
    pub(super) position: Position,
    pub(super) order: usize,
}

/// A `server` block.
#[derive(Debug)]
pub(super) struct ServerDraft {
    pub(super) settings: Settings,
    pub(super) listens: Vec<ListenDraft>,
    /// Whether any `listen` stood there, understood or not.
    pub(super) listen_seen: bool,
    pub(super) names: Vec<NameDraft>,
    pub(super) locations: Vec<LocationDraft>,
    pub(super) position: Position,
}

/// One `listen`.
#[derive(Debug)]
pub(super) struct ListenDraft {
    pub(super) addresses: Vec<ListenAddress>,
    pub(super) default_server: bool,
    pub(super) backlog: Option<u32>,
    pub(super) ipv6_only: Option<bool>,
    /// Whether it sets an option of the socket: only one `listen` of an address may.
    pub(super) sets_options: bool,
    pub(super) position: Position,
}

/// One name of `server_name`.
#[derive(Debug)]
pub(super) struct NameDraft {
    pub(super) written: String,
    pub(super) name: ServerName,
    pub(super) position: Position,
}

/// A `location` block.
#[derive(Debug)]
pub(super) struct LocationDraft {
    pub(super) pattern: LocationMatch,
    pub(super) settings: Settings,
    pub(super) nested: Vec<LocationDraft>,
    pub(super) position: Position,
}

/// An `upstream` block.
#[derive(Debug)]
pub(super) struct UpstreamDraft {
    pub(super) name: String,
    pub(super) servers: Vec<UpstreamServer>,
    /// Whether any `server` stood there, understood or not.
    pub(super) server_seen: bool,
    pub(super) keepalive: Option<usize>,
    pub(super) keepalive_requests: Option<u64>,
    pub(super) keepalive_timeout: Option<Duration>,
    pub(super) zone: Option<Zone>,
    pub(super) resolver: Option<ResolverDraft>,
    pub(super) resolver_timeout: Option<Duration>,
    pub(super) probe: Option<bool>,
    pub(super) position: Position,
}

/// `zone name [size]`.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) name: String,
    pub(super) bytes: Option<u64>,
    pub(super) position: Position,
}

/// `resolver`, still without its timeout.
#[derive(Debug, Clone)]
pub(super) struct ResolverDraft {
    pub(super) servers: Vec<SocketAddr>,
    pub(super) valid: Option<Duration>,
    pub(super) ipv4: bool,
    pub(super) ipv6: bool,
}

/// All `access_log`s of one level.
#[derive(Debug, Clone, Default)]
pub(super) struct AccessLogs {
    /// `off` anywhere among them.
    pub(super) off: bool,
    pub(super) written: Vec<AccessLogDraft>,
}

/// One `access_log`.
#[derive(Debug, Clone)]
pub(super) struct AccessLogDraft {
    pub(super) destination: LogDestination,
    /// The name of its format, `combined` when none is written.
    pub(super) format: String,
    pub(super) position: Position,
    pub(super) order: usize,
}

/// `proxy_pass`.
#[derive(Debug, Clone)]
pub(super) struct ProxyPass {
    /// What follows `http://`, as written.
    pub(super) written: String,
    pub(super) target: Target,
    pub(super) position: Position,
}

/// Settings of `http`, `server` and `location`.
///
/// The first group belongs to the block that it stands in; all else is inherited from the level above where a
/// level says nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub(super) answer: Option<Return>,
    pub(super) proxy_pass: Option<ProxyPass>,
    pub(super) probe: Option<bool>,

    pub(super) add_headers: Option<Vec<AddHeader>>,
    pub(super) keepalive_timeout: Option<(Duration, Option<Duration>)>,
    pub(super) keepalive_requests: Option<u64>,
    /// The inner `None` is no limit.
    pub(super) client_max_body_bytes: Option<Option<u64>>,
    pub(super) client_header_timeout: Option<Duration>,
    pub(super) client_body_timeout: Option<Duration>,
    pub(super) header_limits: Option<HeaderLimits>,
    pub(super) send_timeout: Option<Duration>,
    pub(super) server_tokens: Option<bool>,
    pub(super) types: Option<Arc<HashMap<String, String>>>,
    pub(super) default_type: Option<String>,
    pub(super) access_logs: Option<AccessLogs>,
    pub(super) resolver: Option<ResolverDraft>,
    pub(super) resolver_timeout: Option<Duration>,
    pub(super) proxy: ProxySettings,
}

/// The inherited part of the proxy module's settings.
#[derive(Debug, Clone, Default)]
pub(super) struct ProxySettings {
    /// As written, those that belong to the connection left out: a level that has any inherits none.
    pub(super) set_headers: Option<Vec<SetHeader>>,
    pub(super) http_1_0: Option<bool>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) read_timeout: Option<Duration>,
    pub(super) send_timeout: Option<Duration>,
    pub(super) next_upstream: Option<NextUpstream>,
    pub(super) hide_headers: Option<Vec<HeaderName>>,
    pub(super) pass_headers: Option<Vec<HeaderName>>,
    pub(super) redirect: Option<bool>,
    pub(super) buffering: Option<bool>,
}

impl Settings {
    /// Takes from the level above what this level does not say.
    pub(super) fn inherit(self, above: &Self) -> Self {
        // Destructured, so that a new setting cannot be forgotten here.
        let Self {
            answer,
            proxy_pass,
            probe,
            add_headers,
            keepalive_timeout,
            keepalive_requests,
            client_max_body_bytes,
            client_header_timeout,
            client_body_timeout,
            header_limits,
            send_timeout,
            server_tokens,
            types,
            default_type,
            access_logs,
            resolver,
            resolver_timeout,
            proxy,
        } = self;
        Self {
            answer,
            proxy_pass,
            probe,
            add_headers: add_headers.or_else(|| above.add_headers.clone()),
            keepalive_timeout: keepalive_timeout.or(above.keepalive_timeout),
            keepalive_requests: keepalive_requests.or(above.keepalive_requests),
            client_max_body_bytes: client_max_body_bytes.or(above.client_max_body_bytes),
            client_header_timeout: client_header_timeout.or(above.client_header_timeout),
            client_body_timeout: client_body_timeout.or(above.client_body_timeout),
            header_limits: header_limits.or(above.header_limits),
            send_timeout: send_timeout.or(above.send_timeout),
            server_tokens: server_tokens.or(above.server_tokens),
            types: types.or_else(|| above.types.clone()),
            default_type: default_type.or_else(|| above.default_type.clone()),
            access_logs: access_logs.or_else(|| above.access_logs.clone()),
            resolver: resolver.or_else(|| above.resolver.clone()),
            resolver_timeout: resolver_timeout.or(above.resolver_timeout),
            proxy: proxy.inherit(&above.proxy),
        }
    }
}

impl ProxySettings {
    fn inherit(self, above: &Self) -> Self {
        let Self {
            set_headers,
            http_1_0,
            connect_timeout,
            read_timeout,
            send_timeout,
            next_upstream,
            hide_headers,
            pass_headers,
            redirect,
            buffering,
        } = self;
        Self {
            set_headers: set_headers.or_else(|| above.set_headers.clone()),
            http_1_0: http_1_0.or(above.http_1_0),
            connect_timeout: connect_timeout.or(above.connect_timeout),
            read_timeout: read_timeout.or(above.read_timeout),
            send_timeout: send_timeout.or(above.send_timeout),
            next_upstream: next_upstream.or(above.next_upstream),
            hide_headers: hide_headers.or_else(|| above.hide_headers.clone()),
            pass_headers: pass_headers.or_else(|| above.pass_headers.clone()),
            redirect: redirect.or(above.redirect),
            buffering: buffering.or(above.buffering),
        }
    }
}

impl ServerDraft {
    pub(super) fn new(position: Position) -> Self {
        Self {
            settings: Settings::default(),
            listens: Vec::new(),
            listen_seen: false,
            names: Vec::new(),
            locations: Vec::new(),
            position,
        }
    }
}
