//! Blocks to the model: settings are inherited, names turned into indices, and what only shows when all is read is
//! checked.
//!
//! This runs after mistakes too, so that those it finds are reported with the others; what it returns then is
//! dropped.

mod listeners;
mod locations;
mod logs;
mod program;
mod proxies;
#[cfg(test)]
mod tests;
mod tls;
mod upstreams;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::locations::{Builder, Level};
use self::logs::{AccessLogs, ErrorLogs};
use self::proxies::Proxies;
use super::diagnostics::{Diagnostic, Report};
use super::model::{
    CachePath, CacheSwitch, Config, Core, ErrorLog, Http, Location, LogDestination, Main, Server, ServerName,
};
use super::modules::core::{DEFAULT_PID, Environment, PidFile};
use super::modules::log::{DEFAULT_ERROR_LOG, DEFAULT_LEVEL};
use super::modules::resolver::Resolution;
use super::modules::server_name::GivenName;
use super::table::{Block, EVENTS, HTTP, LOCATION, SERVER, UPSTREAM};
use crate::script::Template;

/// What the checks need to know beside the drafts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// `-p`: where relative paths begin.
    pub(super) prefix: &'a Path,
    /// The folder of the configuration file: where names of certificates begin, as in nginx.
    pub(super) folder: &'a Path,
    /// `-e`.
    pub(super) default_error_log: Option<&'a Path>,
    /// Whether the directory of the default access log and pid file is there.
    pub(super) has_log_directory: bool,
    /// Whether ports below 1024 may be bound: decides nginx's default port.
    pub(super) root: bool,
}

/// The directory of nginx's default files. An installed nginx has it. Where it is missing nothing is written by
/// default, rather than nothing started.
pub(super) const LOG_DIRECTORY: &str = "logs";

pub(super) fn build(mut main: Block, around: Surroundings<'_>, report: &mut Report) -> Config {
    if main.take_children(EVENTS).is_empty() {
        let finding = Diagnostic::emerg("no \"events\" section in configuration", None);
        report.add(finding.with_hint("nginx insists on it; an empty one will do: events {}"));
    }
    let mut http = main.take_children(HTTP).pop();
    let inside_http = http.as_mut().and_then(Block::take::<Vec<ErrorLog>>).unwrap_or_default();
    let error_logs: Vec<ErrorLog> = main.take().unwrap_or_default();
    // Where the main context has none, those of `http` are everybody's, and no level's own.
    let (error_logs, inside_http) =
        if error_logs.is_empty() { (inside_http, Vec::new()) } else { (error_logs, inside_http) };
    let Environment(env) = main.take().unwrap_or_default();
    let model = Main {
        core: Core::inherit(&Arc::default(), &mut main),
        pid: match main.take::<Option<PidFile>>().flatten() {
            None => around.has_log_directory.then(|| around.prefix.join(DEFAULT_PID)),
            Some(PidFile::Off) => None,
            Some(PidFile::Path(path)) => Some(around.prefix.join(path)),
        },
        error_logs: error_logs_or_default(error_logs, around),
        env,
    };
    debug_assert!(main.is_spent(), "{main:?}");
    let http = http.map(|http| build_http(http, inside_http, around, report)).unwrap_or_default();
    Config { main: model, http }
}

fn error_logs_or_default(written: Vec<ErrorLog>, around: Surroundings<'_>) -> Vec<ErrorLog> {
    if written.is_empty() {
        let destination = match around.default_error_log {
            Some(path) if path == Path::new("stderr") => LogDestination::Stderr,
            Some(path) => LogDestination::File(path.to_owned()),
            None => LogDestination::File(PathBuf::from(DEFAULT_ERROR_LOG)),
        };
        return vec![ErrorLog { destination: with_prefix(destination, around), level: DEFAULT_LEVEL }];
    }
    let resolve = |log: ErrorLog| ErrorLog { destination: with_prefix(log.destination, around), ..log };
    written.into_iter().map(resolve).collect()
}

fn with_prefix(destination: LogDestination, around: Surroundings<'_>) -> LogDestination {
    match destination {
        LogDestination::Stderr => LogDestination::Stderr,
        LogDestination::File(path) => LogDestination::File(around.prefix.join(path)),
        LogDestination::Syslog(syslog) => LogDestination::Syslog(syslog),
    }
}

fn build_http(
    mut http: Block,
    error_logs: Vec<ErrorLog>,
    around: Surroundings<'_>,
    report: &mut Report,
) -> Http {
    let (listeners, servers) = listeners::build(http.take_children(SERVER), around.root, report);
    let resolution = Resolution::inherit(&Arc::default(), &mut http);
    let upstreams = upstreams::build(http.take_children(UPSTREAM), &resolution, report);
    let logs = AccessLogs::new(http.take().unwrap_or_default(), around);
    let caches: Vec<CachePath> = http.take().unwrap_or_default();
    let prefix = around.prefix.to_string_lossy();
    let mut builder = Builder {
        proxies: Proxies::new(upstreams, around.folder.to_owned()),
        logs,
        error_logs: ErrorLogs::default(),
        prefix: &prefix,
        server_names: Vec::new(),
        report,
    };
    let mut level = builder.level(&mut http, &Level::default());
    level.settings.resolver = resolution;
    level.error_logs = builder.error_logs(error_logs);
    debug_assert!(http.is_spent(), "{http:?}");
    let servers: Vec<Server> =
        servers.into_iter().map(|server| build_server(server, &level, &mut builder)).collect();
    tls::check(&listeners, &servers, builder.report);
    let Builder { proxies, logs, error_logs, report, .. } = builder;
    let in_prefix =
        |path: CachePath| CachePath { folder: path.folder.map(|folder| around.prefix.join(folder)), ..path };
    let caches: Vec<CachePath> = caches.into_iter().map(in_prefix).collect();
    check_caches(&servers, &caches, report);
    Http {
        listeners,
        charsets: servers.iter().flat_map(Server::all_locations).flat_map(charsets).collect(),
        servers,
        upstreams: proxies.upstreams,
        tls_to_servers: proxies.tls_to_servers,
        definitions: Vec::new(),
        variables: crate::script::ByName::default(),
        reads: crate::script::Reads::default(),
        computed: Vec::new(),
        limit_zones: Vec::new(),
        folder: around.folder.to_owned(),
        access_log_files: logs.files,
        error_logs: error_logs.0,
        caches,
    }
}

/// Every zone that a location names has to be there.
fn check_caches(servers: &[Server], caches: &[CachePath], report: &mut Report) {
    for location in servers.iter().flat_map(Server::all_locations) {
        if let CacheSwitch::Zone(name, position) = &location.settings.cache.zone
            && !caches.iter().any(|known| known.name == *name)
        {
            report.emerg(format!("\"proxy_cache\" zone \"{name}\" is unknown"), position);
        }
    }
}

/// The character sets that a location names.
fn charsets(location: &Location) -> impl Iterator<Item = String> {
    let charset = &location.settings.charset;
    let names = [&charset.name, &charset.source].into_iter().flatten().filter_map(Template::as_literal);
    names.map(str::to_ascii_lowercase)
}

fn build_server(mut server: Block, http: &Level, builder: &mut Builder<'_>) -> Server {
    let level = builder.level(&mut server, http);
    let names: Vec<GivenName> = server.take().unwrap_or_default();
    let first_name = names.first().map(|name| shown_name(&name.written).to_owned()).unwrap_or_default();
    let mut names: Vec<ServerName> = names.into_iter().map(|name| name.name).collect();
    if names.is_empty() {
        names.push(ServerName::Exact(String::new()));
    }
    builder.server_names.clone_from(&names);
    let program = builder.program_of_server(&mut server, &level);
    let fallback = Arc::new(builder.fallback(&mut server, &level));
    let locations = builder.locations(server.take_children(LOCATION), &level, &[]);
    debug_assert!(server.is_spent(), "{server:?}");
    Server { names, first_name, program, fallback, locations, position: server.position }
}

/// `$server_name`: the name as written, without what makes it a pattern.
fn shown_name(written: &str) -> &str {
    written.strip_prefix(['.', '~']).unwrap_or(written)
}
