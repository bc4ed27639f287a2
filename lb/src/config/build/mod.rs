//! Drafts to the model: settings are inherited, defaults decided, names turned into indices, and what only shows
//! when all is read is checked.
//!
//! This runs after mistakes too, so that those it finds are reported with the others; what it returns then is
//! dropped.

mod listeners;
mod locations;
mod logs;
mod upstreams;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use self::locations::Assembler;
use self::logs::AccessLogs;
use super::diagnostics::{Diagnostic, Report};
use super::model::{
    Config, ErrorLog, HeaderLimits, Http, LogDestination, Main, Server, ServerName, Severity, WorkerCount,
};
use super::table::draft::{HttpDraft, MainDraft, PidFile, ServerDraft, Settings};

/// What the checks need to know beside the drafts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// `-p`: where relative paths begin.
    pub(super) prefix: &'a Path,
    /// `-e`.
    pub(super) default_error_log: Option<&'a Path>,
    /// Whether the directory of the default access log and pid file is there.
    pub(super) has_log_directory: bool,
    /// Whether ports below 1024 may be bound: decides nginx's default port.
    pub(super) root: bool,
}

/// nginx compiles its paths in; these are those of its own build, with our name for the process. An installed nginx
/// has that directory. Where it is missing nothing is written by default, rather than nothing started.
pub(super) const LOG_DIRECTORY: &str = "logs";
const DEFAULT_ERROR_LOG: &str = "logs/error.log";
const DEFAULT_PID: &str = "logs/lb.pid";

/// nginx's default for a client's header, body and for writing to it.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(60);

/// nginx's `large_client_header_buffers 4 8k`, and its first buffer of 1k.
const HEADER_LIMITS: HeaderLimits = HeaderLimits { line_bytes: 8 << 10, total_bytes: 4 * (8 << 10) + 1024 };

pub(super) fn assemble(draft: MainDraft, around: Surroundings<'_>, report: &mut Report) -> Config {
    let MainDraft {
        user,
        worker_processes,
        worker_rlimit_nofile,
        worker_shutdown_timeout,
        pid,
        daemon,
        error_logs,
        env,
        events,
        http,
    } = draft;
    if !events {
        let finding = Diagnostic::emerg("no \"events\" section in configuration", None);
        report.add(finding.with_hint("nginx insists on it; an empty one will do: events {}"));
    }
    let mut http = http.unwrap_or_default();
    let inside_http = std::mem::take(&mut http.error_logs);
    let error_logs = if error_logs.is_empty() { inside_http } else { error_logs };
    let main = Main {
        user,
        worker_processes: worker_processes.unwrap_or(WorkerCount::Exactly(1)),
        worker_rlimit_nofile,
        worker_shutdown_timeout,
        pid: match pid {
            None => around.has_log_directory.then(|| around.prefix.join(DEFAULT_PID)),
            Some(PidFile::Off) => None,
            Some(PidFile::Path(path)) => Some(around.prefix.join(path)),
        },
        daemon: daemon.unwrap_or(true),
        error_logs: error_logs_or_default(error_logs, around),
        env,
    };
    Config { main, http: assemble_http(http, around, report) }
}

fn error_logs_or_default(written: Vec<ErrorLog>, around: Surroundings<'_>) -> Vec<ErrorLog> {
    if written.is_empty() {
        let destination = match around.default_error_log {
            Some(path) if path == Path::new("stderr") => LogDestination::Stderr,
            Some(path) => LogDestination::File(path.to_owned()),
            None => LogDestination::File(PathBuf::from(DEFAULT_ERROR_LOG)),
        };
        return vec![ErrorLog { destination: with_prefix(destination, around), level: Severity::Error }];
    }
    let resolve = |log: ErrorLog| ErrorLog { destination: with_prefix(log.destination, around), ..log };
    written.into_iter().map(resolve).collect()
}

fn with_prefix(destination: LogDestination, around: Surroundings<'_>) -> LogDestination {
    match destination {
        LogDestination::Stderr => LogDestination::Stderr,
        LogDestination::File(path) => LogDestination::File(around.prefix.join(path)),
    }
}

fn assemble_http(draft: HttpDraft, around: Surroundings<'_>, report: &mut Report) -> Http {
    let HttpDraft { settings, servers: server_drafts, upstreams, log_formats, error_logs: _ } = draft;
    let (listeners, mut server_drafts) = listeners::assemble(server_drafts, around.root, report);
    let logs = AccessLogs::new(log_formats, around);
    logs.check(&settings, &server_drafts, report);
    let mut assembler = Assembler {
        upstreams: upstreams::assemble(upstreams, &settings, report),
        logs,
        report,
        default_types: Arc::new(default_types()),
    };
    let servers =
        server_drafts.drain(..).map(|server| assemble_server(server, &settings, &mut assembler)).collect();
    let Assembler { upstreams, logs, .. } = assembler;
    Http { listeners, servers, upstreams, access_log_files: logs.files }
}

fn assemble_server(draft: ServerDraft, above: &Settings, assembler: &mut Assembler<'_>) -> Server {
    let ServerDraft { settings, names, locations, position, listens: _, listen_seen: _ } = draft;
    let settings = settings.inherit(above);
    let fallback = assembler.fallback(&settings, position.clone());
    let first_name = names.first().map(|name| shown_name(&name.written).to_owned()).unwrap_or_default();
    let mut names: Vec<ServerName> = names.into_iter().map(|name| name.name).collect();
    if names.is_empty() {
        names.push(ServerName::Exact(String::new()));
    }
    Server {
        names,
        first_name,
        client_header_timeout: settings.client_header_timeout.unwrap_or(CLIENT_TIMEOUT),
        header_limits: settings.header_limits.unwrap_or(HEADER_LIMITS),
        answer: settings.answer.clone(),
        fallback: Arc::new(fallback),
        locations: assembler.locations(locations, &settings),
        position,
    }
}

/// `$server_name`: the name as written, without what makes it a pattern.
fn shown_name(written: &str) -> &str {
    written.strip_prefix(['.', '~']).unwrap_or(written)
}

/// nginx's own three.
fn default_types() -> HashMap<String, String> {
    [("html", "text/html"), ("gif", "image/gif"), ("jpg", "image/jpeg")]
        .into_iter()
        .map(|(extension, media_type)| (extension.to_owned(), media_type.to_owned()))
        .collect()
}
