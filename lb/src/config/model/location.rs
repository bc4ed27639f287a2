//! A location, and what it does with a request.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};

use super::FieldName;

use super::{AccessLogFileId, Escape, Position, UpstreamId};
use crate::script::Template;

/// How a location is chosen by the normalised path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocationMatch {
    /// `location = /path`
    Exact(String),
    /// `location /path` and `location ^~ /path` (the same, as there are no regular expressions to stop).
    Prefix(String),
}

/// A location with every inherited setting resolved.
#[derive(Debug, Clone)]
pub struct Location {
    /// How it is chosen; the server's fallback has `Prefix("")`.
    pub pattern: LocationMatch,
    /// What it does.
    pub action: Action,
    /// `add_header`.
    pub add_headers: Arc<[AddHeader]>,
    /// `keepalive_timeout`: how long an idle client connection stays; zero closes after each answer.
    pub keepalive_timeout: Duration,
    /// The second value of `keepalive_timeout`: `Keep-Alive: timeout=` to the client.
    pub keepalive_header: Option<Duration>,
    /// `keepalive_requests`: how many requests a client connection may carry.
    pub keepalive_requests: u64,
    /// `client_max_body_size` in bytes; `None` is unlimited.
    pub client_max_body_bytes: Option<u64>,
    /// `client_body_timeout`: between two reads.
    pub client_body_timeout: Duration,
    /// `send_timeout`: between two writes to the client.
    pub send_timeout: Duration,
    /// `server_tokens`: whether the version is told.
    pub server_tokens: bool,
    /// `types`: extension (lower case, no dot) to media type.
    pub types: Arc<std::collections::HashMap<String, String>>,
    /// `default_type`.
    pub default_type: String,
    /// `access_log`; empty when off.
    pub access_logs: Arc<[AccessLog]>,
    /// Where the block begins.
    pub position: Position,
}

/// What a location does with a request.
#[derive(Debug, Clone)]
pub enum Action {
    /// `return`
    Return(Return),
    /// `proxy_pass`
    Proxy(Arc<Proxy>),
    /// Neither: 404, as there are no files to serve.
    NotFound,
}

/// `return code [text]`, `return code URL`, `return URL`.
#[derive(Debug, Clone)]
pub struct Return {
    /// The status; 444 closes the connection without an answer.
    pub status: StatusCode,
    /// What follows it.
    pub content: ReturnContent,
}

/// What a `return` carries.
#[derive(Debug, Clone)]
pub enum ReturnContent {
    /// Nothing: the standard page of that status.
    Standard,
    /// A text body, of the type that `types` and `default_type` give the request's path.
    Text(Template),
    /// A redirect target (301, 302, 303, 307, 308).
    Location(Template),
}

/// `add_header name value [always]`.
#[derive(Debug, Clone)]
pub struct AddHeader {
    /// Field name.
    pub name: FieldName,
    /// Value; an empty one adds nothing.
    pub value: Template,
    /// Without `always` only for 200, 201, 204, 206, 301, 302, 303, 304, 307, 308.
    pub always: bool,
}

/// One `access_log`.
#[derive(Debug, Clone)]
pub struct AccessLog {
    /// Which file.
    pub file: AccessLogFileId,
    /// How a line looks, without the newline.
    pub format: Arc<LogFormat>,
}

/// One `log_format`.
#[derive(Debug)]
pub struct LogFormat {
    /// Its name.
    pub name: String,
    /// `escape=`.
    pub escape: Escape,
    /// The line.
    pub template: Template,
}

/// `proxy_pass` and what goes with it.
#[derive(Debug)]
pub struct Proxy {
    /// Where to.
    pub upstream: UpstreamId,
    /// What follows the scheme up to the path, as written: `$proxy_host`, and so the default Host.
    pub host: String,
    /// `$proxy_port`: the port, 80 when not written.
    pub port: u16,
    /// The URI part of `proxy_pass`: what replaces the part of the normalised path that the location matched.
    /// `None` passes the request's own URI byte for byte.
    pub uri: Option<String>,
    /// `proxy_set_header`, with nginx's defaults (`Host $proxy_host`) where the configuration sets none of that name.
    /// A field whose value renders empty is not sent. Never `Connection`, `Upgrade`, `Keep-Alive`,
    /// `Transfer-Encoding` or `Content-Length`: those belong to the connection and Pingora keeps them.
    pub set_headers: Vec<SentField>,
    /// `proxy_http_version`: whether `1.0` was asked for (one request per upstream connection).
    pub http_1_0: bool,
    /// `proxy_connect_timeout`
    pub connect_timeout: Duration,
    /// `proxy_read_timeout`: between two reads.
    pub read_timeout: Duration,
    /// `proxy_send_timeout`: between two writes.
    pub send_timeout: Duration,
    /// `proxy_next_upstream`
    pub next_upstream: NextUpstream,
    /// Response fields that do not reach the client: nginx's own list, plus `proxy_hide_header`, less
    /// `proxy_pass_header`. Not `Server` and `Date`, which are replaced rather than taken out.
    pub hidden_headers: Vec<HeaderName>,
    /// A server's own `Server` reaches the client (`proxy_pass_header Server`).
    pub passes_server: bool,
    /// `proxy_redirect`: what a `Location` or `Refresh` of a server begins with when it names the server, and what takes
    /// its place; `None` for `proxy_redirect off`.
    pub redirect: Option<Redirect>,
    /// `proxy_buffering`: answers stream through in both cases; kept for what reports it.
    pub buffering: bool,
    /// `proxy_request_buffering`: whether a body that fits is read before a server is picked.
    pub request_buffering: bool,
    /// `proxy_ignore_headers` names `X-Accel-Redirect`.
    pub ignores_accel_redirect: bool,
}

/// How a server's own address in a redirect is turned into ours: nginx's `proxy_redirect default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The URL of `proxy_pass`, up to the path that replaces the location's.
    pub from: String,
    /// The location's path.
    pub to: String,
}

/// `proxy_set_header name value`.
#[derive(Debug, Clone)]
pub struct SetHeader {
    /// Field name.
    pub name: FieldName,
    /// Value.
    pub value: Template,
}

/// A field that a request to a server carries, made ready: a value that is the same for every request is made once.
#[derive(Debug, Clone)]
pub struct SentField {
    /// Field name.
    pub name: FieldName,
    /// Value.
    pub value: SentValue,
    /// An earlier field has the same name. Both are sent; what the client sent goes with the first.
    pub again: bool,
}

/// The value of a [`SentField`].
#[derive(Debug, Clone, PartialEq)]
pub enum SentValue {
    /// The empty string: the field is not sent, whatever the client sent.
    Nothing,
    /// Always this.
    Constant(HeaderValue),
    /// Another for each request; not sent where it renders empty.
    PerRequest(Template),
}

/// `proxy_next_upstream`: on which failures another server may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextUpstream {
    /// `error`: refused, reset or closed while connecting, sending or reading the answer's header.
    pub error: bool,
    /// `timeout`: the same, timed out.
    pub timeout: bool,
}
