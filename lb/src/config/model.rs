//! What a configuration means: the checked, fully resolved form that the rest of the program reads.
//!
//! Every inherited setting has been carried down to the [`Location`] that uses it, every default decided, every
//! name turned into an index. Past this point nobody validates again and nobody asks "was it given?" unless the
//! absence itself means something.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};

use super::template::Template;

/// A place in a configuration file: what every message about it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The file as the user would name it (the path given with `-c`, or the included file's).
    pub file: Arc<str>,
    /// Line, from 1; 0 for what has no lines (the directives of `-g`).
    pub line: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// One whole configuration.
#[derive(Debug)]
pub struct Config {
    /// What concerns the process.
    pub main: Main,
    /// What concerns traffic; empty when there is no `http` block.
    pub http: Http,
}

/// The main context: the process and its files. All paths are absolute or relative to the working directory,
/// with the prefix (`-p`) already applied.
#[derive(Debug)]
pub struct Main {
    /// `user`: whom to become once the sockets are bound.
    pub user: Option<User>,
    /// `worker_processes`: threads here.
    pub worker_processes: WorkerCount,
    /// `worker_rlimit_nofile`.
    pub worker_rlimit_nofile: Option<u64>,
    /// `worker_shutdown_timeout`: how long a graceful stop may take; `None` waits for the last request.
    pub worker_shutdown_timeout: Option<Duration>,
    /// `pid`: where the process writes its id; `None` for `pid off`.
    pub pid: Option<PathBuf>,
    /// `daemon`.
    pub daemon: bool,
    /// `error_log`, main context; never empty (the default stands when none is given).
    pub error_logs: Vec<ErrorLog>,
    /// `env`: what remains in the environment; `None` as value keeps the inherited one.
    pub env: Vec<(String, Option<String>)>,
}

/// `user name [group]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Group name; the user's name when not given, as nginx does.
    pub group: String,
    /// Where it was written.
    pub position: Position,
}

/// `worker_processes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerCount {
    /// One per processor this process may use.
    Auto,
    /// So many.
    Exactly(usize),
}

/// Where log lines go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LogDestination {
    /// The standard error stream (`error_log stderr`).
    Stderr,
    /// A file, opened for appending; `/dev/stdout` is one.
    File(PathBuf),
}

/// One `error_log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorLog {
    /// Where to.
    pub destination: LogDestination,
    /// From which severity on.
    pub level: Severity,
}

/// nginx's severities, most talkative first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// `debug`
    Debug,
    /// `info`
    Info,
    /// `notice`
    Notice,
    /// `warn`
    Warn,
    /// `error`
    Error,
    /// `crit`
    Crit,
    /// `alert`
    Alert,
    /// `emerg`
    Emerg,
}

impl Severity {
    /// nginx's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Crit => "crit",
            Self::Alert => "alert",
            Self::Emerg => "emerg",
        }
    }
}

/// Index into [`Http::servers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerId(pub usize);

/// Index into [`Http::upstreams`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UpstreamId(pub usize);

/// Index into [`Http::access_log_files`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccessLogFileId(pub usize);

/// Everything inside `http`.
#[derive(Debug, Default)]
pub struct Http {
    /// Each distinct listening address once, in order of appearance.
    pub listeners: Vec<Listener>,
    /// Virtual servers, in order of appearance.
    pub servers: Vec<Server>,
    /// `upstream` blocks in order, then one for each distinct address that a `proxy_pass` names directly.
    pub upstreams: Vec<Upstream>,
    /// Each distinct access log destination once.
    pub access_log_files: Vec<LogDestination>,
}

/// One listening address and the servers behind it.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Where to listen.
    pub address: ListenAddress,
    /// `backlog=`; nginx's default on Linux is 511.
    pub backlog: u32,
    /// `ipv6only=`; on by default.
    pub ipv6_only: bool,
    /// The server marked `default_server`, or the first on this address.
    pub default_server: ServerId,
    /// All servers on this address, in order.
    pub servers: Vec<ServerId>,
    /// The first `listen` that named it.
    pub position: Position,
}

/// A listening address as the operating system takes it. Two `listen` lines are the same listener when these are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// TCP.
    Inet(SocketAddr),
    /// A Unix domain socket.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A `server` block.
#[derive(Debug)]
pub struct Server {
    /// `server_name`s as matched; a server without any has the empty exact name, as in nginx.
    pub names: Vec<ServerName>,
    /// The first `server_name` as written (`$server_name`); empty when none.
    pub first_name: String,
    /// `client_header_timeout`: for the whole header, from its first byte.
    pub client_header_timeout: Duration,
    /// `large_client_header_buffers`: how many lines' worth of header a client may send.
    pub header_limits: HeaderLimits,
    /// `return` directly in the server: answered before any location is looked for.
    pub answer: Option<Return>,
    /// What applies where no location matches (and to `answer`): the server's own settings.
    pub fallback: Arc<Location>,
    /// Locations, nested ones flattened, in order of appearance.
    pub locations: Vec<Arc<Location>>,
    /// Where the block begins.
    pub position: Position,
}

/// `large_client_header_buffers number size`, read as limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderLimits {
    /// The longest request line (else 414) and the longest header field (else 400), in bytes.
    pub line_bytes: usize,
    /// The whole header (else 400), in bytes: number x size, plus nginx's 1 KiB first buffer.
    pub total_bytes: usize,
}

/// One name of a server. All are lower case.
#[derive(Debug, Clone)]
pub enum ServerName {
    /// `www.example.org`; the empty string matches requests without a Host.
    Exact(String),
    /// `*.example.org` holds `.example.org`.
    LeadingWildcard(String),
    /// `.example.org` holds `.example.org` and matches `example.org` too.
    DomainAndSubdomains(String),
    /// `mail.*` holds `mail.`.
    TrailingWildcard(String),
    /// `~^www\d+\.example\.org$`, matched in order of appearance, case-insensitively.
    Regex(regex::Regex),
}

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
    /// Field name as written.
    pub name: HeaderName,
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

/// `escape=` of a `log_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// `"`, `\` and bytes outside 32..=126 as `\xXX`; a variable without a value is `-`.
    Default,
    /// As a JSON string's inside; a variable without a value is empty.
    Json,
    /// As it is; a variable without a value is empty.
    None,
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
    pub name: HeaderName,
    /// Value.
    pub value: Template,
}

/// A field that a request to a server carries, made ready: a value that is the same for every request is made once.
#[derive(Debug, Clone)]
pub struct SentField {
    /// Field name.
    pub name: HeaderName,
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

/// An `upstream` block, or what a `proxy_pass` with an address stands for.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its name; the address as written for an implicit one.
    pub name: String,
    /// Made by a `proxy_pass` that names an address.
    pub implicit: bool,
    /// Its servers, in order, backups among them.
    pub servers: Vec<UpstreamServer>,
    /// `keepalive`, and what goes with it.
    pub keepalive: UpstreamKeepalive,
    /// `zone`'s name.
    pub zone: Option<String>,
    /// Whether every server is probed by a TCP connect each second (`health_check off` turns it off).
    pub probe: bool,
    /// For `resolve`: the upstream's `resolver`, or the http block's.
    pub resolver: Option<Resolver>,
    /// Where the block begins.
    pub position: Position,
}

/// `server` in an `upstream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamServer {
    /// Where it is.
    pub address: ServerAddress,
    /// The address as written (`backend:5000`).
    pub written: String,
    /// `weight=`, from 1.
    pub weight: u32,
    /// `max_fails=`; 0 never takes it out.
    pub max_fails: u32,
    /// `fail_timeout=`: the window and the time out of use.
    pub fail_timeout: Duration,
    /// `backup`
    pub backup: bool,
    /// `down`
    pub down: bool,
    /// `resolve`: follow DNS while running. Only with [`ServerAddress::Name`].
    pub resolve: bool,
    /// Where it was written.
    pub position: Position,
}

/// Where an upstream server is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServerAddress {
    /// An address that needs no look-up.
    Inet(SocketAddr),
    /// A host name and a port: looked up once at start, or followed with `resolve`.
    Name {
        /// Host name.
        host: String,
        /// Port; 80 when not written.
        port: u16,
    },
    /// A Unix domain socket.
    Unix(PathBuf),
}

/// `keepalive connections` and its companions in an `upstream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamKeepalive {
    /// Idle connections kept; 0 closes each after its request.
    pub connections: usize,
    /// `keepalive_requests`
    pub requests: u64,
    /// `keepalive_timeout`
    pub timeout: Duration,
}

/// `resolver` with `resolver_timeout`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resolver {
    /// Name servers, in order.
    pub servers: Vec<SocketAddr>,
    /// `valid=`: how long an answer stands, instead of its own time to live.
    pub valid: Option<Duration>,
    /// `ipv4=off` clears it.
    pub ipv4: bool,
    /// `ipv6=off` clears it.
    pub ipv6: bool,
    /// `resolver_timeout`
    pub timeout: Duration,
}
