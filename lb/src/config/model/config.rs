//! The whole configuration: the process, and everything inside `http`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::{
    Buffering, CachePath, Core, ErrorLog, LimitZone, ListenAddress, LogDestination, Position, Server,
    TlsToServers, Upstream,
};
use crate::script::{ByName, Computed, Definition, Reads};

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
    /// `user`, `worker_processes`, `daemon` and the like.
    pub core: Arc<Core>,
    /// `pid`: where the process writes its id; `None` for `pid off`.
    pub pid: Option<PathBuf>,
    /// `error_log`, main context; never empty (the default stands when none is given).
    pub error_logs: Vec<ErrorLog>,
    /// `env`: what remains in the environment; `None` as value keeps the inherited one.
    pub env: Vec<(String, Option<String>)>,
}

/// Index into [`Http::servers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerId(pub usize);

/// Index into [`Http::upstreams`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UpstreamId(pub usize);

/// Index into [`Http::tls_to_servers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TlsToServersId(pub usize);

/// How TLS is spoken to servers, somewhere.
#[derive(Debug, Clone)]
pub struct SecureServers {
    /// `proxy_ssl_*`
    pub settings: Arc<TlsToServers>,
    /// What the names of its directives begin with: `proxy_ssl`, `grpc_ssl`.
    pub prefix: &'static str,
    /// Where relative names of its files begin.
    pub folder: PathBuf,
    /// The first that asked for it.
    pub position: Position,
}

/// Index into [`Http::access_log_files`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccessLogFileId(pub usize);

/// Index into [`Http::error_logs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorLogsId(pub usize);

/// A destination of access logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLogFile {
    /// Where to.
    pub destination: LogDestination,
    /// How lines are gathered; `None` where they are written soon.
    pub buffering: Option<Buffering>,
}

/// Everything inside `http`.
#[derive(Debug, Default)]
pub struct Http {
    /// Each distinct listening address once, in order of appearance.
    pub listeners: Vec<Listener>,
    /// Virtual servers, in order of appearance.
    pub servers: Vec<Server>,
    /// `upstream` blocks in order, then one for each distinct address that a `proxy_pass` names directly.
    pub upstreams: Vec<Upstream>,
    /// How TLS is spoken to servers, each distinct way once.
    pub tls_to_servers: Vec<SecureServers>,
    /// Where the values of the configuration's own variables come from, by slot.
    pub definitions: Vec<Definition>,
    /// The blocks that work out the values of variables, in order of appearance.
    pub computed: Vec<Computed>,
    /// The variables by name, where the configuration makes subrequests.
    pub variables: ByName,
    /// What the configuration's templates ask of requests.
    pub reads: Reads,
    /// The folder of the configuration file: where names of password files and keys begin.
    pub folder: PathBuf,
    /// `limit_req_zone`, `limit_conn_zone`
    pub limit_zones: Vec<LimitZone>,
    /// The character sets that `charset` and `source_charset` name, in lower case: a server may ask for one of them.
    pub charsets: BTreeSet<String>,
    /// Each distinct access log destination once.
    pub access_log_files: Vec<AccessLogFile>,
    /// The `error_log`s of levels that have some, each distinct list once.
    pub error_logs: Vec<Vec<ErrorLog>>,
    /// `proxy_cache_path`, in order of appearance. Their folders are absolute or relative to the working directory.
    pub caches: Vec<CachePath>,
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
    /// Some `listen` of the address says `http2`.
    pub http2: bool,
    /// `proxy_protocol`: connections begin with a header that says who the client is.
    pub proxy_protocol: bool,
    /// The server marked `default_server`, or the first on this address.
    pub default_server: ServerId,
    /// `ssl`: clients speak TLS on it, to every server behind it.
    pub ssl: bool,
    /// All servers on this address, in order.
    pub servers: Vec<ServerId>,
    /// The first `listen` that named it.
    pub position: Position,
}
