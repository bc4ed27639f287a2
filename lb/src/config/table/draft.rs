//! What has been read so far, level by level: a setting is `None` until a directive of that level gives it.
//!
//! Drafts are what the readers in `modules/` fill and what [`crate::config::build`] turns into the model. Settings
//! keep the form in which they were written where their meaning depends on something read later.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::config::address::Target;
use crate::config::model::{
    AddHeader, ErrorLog, HeaderLimits, ListenAddress, LocationMatch, LogDestination, LogFormat, NextUpstream,
    Position, Return, ServerName, SetHeader, UpstreamServer, User, WorkerCount,
};

/// The main context.
#[derive(Debug, Default)]
pub(in crate::config) struct MainDraft {
    pub(in crate::config) user: Option<User>,
    pub(in crate::config) worker_processes: Option<WorkerCount>,
    pub(in crate::config) worker_rlimit_nofile: Option<u64>,
    pub(in crate::config) worker_shutdown_timeout: Option<Duration>,
    pub(in crate::config) pid: Option<PidFile>,
    pub(in crate::config) daemon: Option<bool>,
    pub(in crate::config) error_logs: Vec<ErrorLog>,
    pub(in crate::config) env: Vec<(String, Option<String>)>,
    /// Whether an `events` block was seen: nginx insists on one.
    pub(in crate::config) events: bool,
    pub(in crate::config) http: Option<HttpDraft>,
}

/// `pid`.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) enum PidFile {
    Off,
    Path(String),
}

/// The `http` block.
#[derive(Debug, Default)]
pub(in crate::config) struct HttpDraft {
    pub(in crate::config) settings: Settings,
    pub(in crate::config) servers: Vec<ServerDraft>,
    pub(in crate::config) upstreams: Vec<UpstreamDraft>,
    pub(in crate::config) log_formats: Vec<LogFormatDraft>,
    /// `error_log` inside `http`, which stands in for a missing one of the main context.
    pub(in crate::config) error_logs: Vec<ErrorLog>,
}

#[derive(Debug)]
pub(in crate::config) struct LogFormatDraft {
    pub(in crate::config) format: LogFormat,
    pub(in crate::config) position: Position,
    pub(in crate::config) order: usize,
}

/// A `server` block.
#[derive(Debug)]
pub(in crate::config) struct ServerDraft {
    pub(in crate::config) settings: Settings,
    pub(in crate::config) listens: Vec<ListenDraft>,
    /// Whether any `listen` stood there, understood or not.
    pub(in crate::config) listen_seen: bool,
    pub(in crate::config) names: Vec<NameDraft>,
    pub(in crate::config) locations: Vec<LocationDraft>,
    pub(in crate::config) position: Position,
}

/// One `listen`.
#[derive(Debug)]
pub(in crate::config) struct ListenDraft {
    pub(in crate::config) addresses: Vec<ListenAddress>,
    pub(in crate::config) default_server: bool,
    pub(in crate::config) backlog: Option<u32>,
    pub(in crate::config) ipv6_only: Option<bool>,
    /// Whether it sets an option of the socket: only one `listen` of an address may.
    pub(in crate::config) sets_options: bool,
    pub(in crate::config) position: Position,
}

/// One name of `server_name`.
#[derive(Debug)]
pub(in crate::config) struct NameDraft {
    pub(in crate::config) written: String,
    pub(in crate::config) name: ServerName,
    pub(in crate::config) position: Position,
}

/// A `location` block.
#[derive(Debug)]
pub(in crate::config) struct LocationDraft {
    pub(in crate::config) pattern: LocationMatch,
    pub(in crate::config) settings: Settings,
    pub(in crate::config) nested: Vec<LocationDraft>,
    pub(in crate::config) position: Position,
}

/// An `upstream` block.
#[derive(Debug)]
pub(in crate::config) struct UpstreamDraft {
    pub(in crate::config) name: String,
    pub(in crate::config) servers: Vec<UpstreamServer>,
    /// Whether any `server` stood there, understood or not.
    pub(in crate::config) server_seen: bool,
    pub(in crate::config) keepalive: Option<usize>,
    pub(in crate::config) keepalive_requests: Option<u64>,
    pub(in crate::config) keepalive_timeout: Option<Duration>,
    pub(in crate::config) zone: Option<Zone>,
    pub(in crate::config) resolver: Option<ResolverDraft>,
    pub(in crate::config) resolver_timeout: Option<Duration>,
    pub(in crate::config) probe: Option<bool>,
    pub(in crate::config) position: Position,
}

/// `zone name [size]`.
#[derive(Debug)]
pub(in crate::config) struct Zone {
    pub(in crate::config) name: String,
    pub(in crate::config) bytes: Option<u64>,
    pub(in crate::config) position: Position,
}

/// `resolver`, still without its timeout.
#[derive(Debug, Clone)]
pub(in crate::config) struct ResolverDraft {
    pub(in crate::config) servers: Vec<SocketAddr>,
    pub(in crate::config) valid: Option<Duration>,
    pub(in crate::config) ipv4: bool,
    pub(in crate::config) ipv6: bool,
}

/// All `access_log`s of one level.
#[derive(Debug, Clone, Default)]
pub(in crate::config) struct AccessLogs {
    /// `off` anywhere among them.
    pub(in crate::config) off: bool,
    pub(in crate::config) written: Vec<AccessLogDraft>,
}

/// One `access_log`.
#[derive(Debug, Clone)]
pub(in crate::config) struct AccessLogDraft {
    pub(in crate::config) destination: LogDestination,
    /// The name of its format, `combined` when none is written.
    pub(in crate::config) format: String,
    pub(in crate::config) position: Position,
    pub(in crate::config) order: usize,
}

/// `proxy_pass`.
#[derive(Debug, Clone)]
pub(in crate::config) struct ProxyPass {
    /// What follows `http://`, as written.
    pub(in crate::config) written: String,
    pub(in crate::config) target: Target,
    pub(in crate::config) position: Position,
}

/// Settings of `http`, `server` and `location`.
///
/// The first group belongs to the block that it stands in; all else is inherited from the level above where a
/// level says nothing.
#[derive(Debug, Clone, Default)]
pub(in crate::config) struct Settings {
    pub(in crate::config) answer: Option<Return>,
    pub(in crate::config) proxy_pass: Option<ProxyPass>,
    pub(in crate::config) probe: Option<bool>,

    pub(in crate::config) add_headers: Option<Vec<AddHeader>>,
    pub(in crate::config) keepalive_timeout: Option<(Duration, Option<Duration>)>,
    pub(in crate::config) keepalive_requests: Option<u64>,
    /// The inner `None` is no limit.
    pub(in crate::config) client_max_body_bytes: Option<Option<u64>>,
    pub(in crate::config) client_header_timeout: Option<Duration>,
    pub(in crate::config) client_body_timeout: Option<Duration>,
    pub(in crate::config) header_limits: Option<HeaderLimits>,
    pub(in crate::config) send_timeout: Option<Duration>,
    pub(in crate::config) server_tokens: Option<bool>,
    pub(in crate::config) types: Option<Arc<HashMap<String, String>>>,
    pub(in crate::config) default_type: Option<String>,
    pub(in crate::config) access_logs: Option<AccessLogs>,
    pub(in crate::config) resolver: Option<ResolverDraft>,
    pub(in crate::config) resolver_timeout: Option<Duration>,
    pub(in crate::config) proxy: ProxySettings,
}

/// The inherited part of the proxy module's settings.
#[derive(Debug, Clone, Default)]
pub(in crate::config) struct ProxySettings {
    /// As written, those that belong to the connection left out: a level that has any inherits none.
    pub(in crate::config) set_headers: Option<Vec<SetHeader>>,
    pub(in crate::config) http_1_0: Option<bool>,
    pub(in crate::config) connect_timeout: Option<Duration>,
    pub(in crate::config) read_timeout: Option<Duration>,
    pub(in crate::config) send_timeout: Option<Duration>,
    pub(in crate::config) next_upstream: Option<NextUpstream>,
    pub(in crate::config) hide_headers: Option<Vec<HeaderName>>,
    pub(in crate::config) pass_headers: Option<Vec<HeaderName>>,
    pub(in crate::config) redirect: Option<bool>,
    pub(in crate::config) buffering: Option<bool>,
    pub(in crate::config) request_buffering: Option<bool>,
    /// Whether `proxy_ignore_headers` names `X-Accel-Redirect`.
    pub(in crate::config) ignores_accel_redirect: Option<bool>,
}

impl Settings {
    /// Takes from the level above what this level does not say.
    pub(in crate::config) fn inherit(self, above: &Self) -> Self {
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
            request_buffering,
            ignores_accel_redirect,
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
            request_buffering: request_buffering.or(above.request_buffering),
            ignores_accel_redirect: ignores_accel_redirect.or(above.ignores_accel_redirect),
        }
    }
}

impl ServerDraft {
    pub(in crate::config) fn new(position: Position) -> Self {
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
