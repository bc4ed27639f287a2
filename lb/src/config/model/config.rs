//! The whole configuration: the process, and everything inside `http`.

use std::path::PathBuf;
use std::time::Duration;

use super::{Listener, Position, Server, Severity, Upstream};

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
