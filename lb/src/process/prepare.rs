//! Reads and checks a configuration, and does everything that may wait for a disk or for DNS, or fail.
//!
//! The start, `lb -t` and a reload share it, so that a test or a reload refuses the configurations that a
//! start would. It binds no address and starts no thread: the caller does, which knows the sockets that are already
//! open.

use std::sync::Arc;

use super::user::{self, Identity};
use super::{environment, pid_file, real_ip};
use crate::cache::Zones;
use crate::cli::Options;
use crate::config::diagnostics::Diagnostic;
use crate::config::model::{Config, ListenAddress, LogDestination, WorkerCount};
use crate::config::{self, Loaded, Source};
use crate::connection::listen::plan::{self, Wanted};
use crate::limits;
use crate::observe::access_log::AccessLogs;
use crate::observe::cells;
use crate::observe::error_log::LevelLogs;
use crate::observe::log_file::{LogFile, LogFiles};
use crate::server::{Logs, Snapshot};
use crate::tls;
use crate::upstream::{Runtime, Upstreams};

/// A configuration that was read, checked, and found to be possible on this machine.
pub(super) struct Prepared {
    pub(super) loaded: Loaded,
    pub(super) upstreams: Upstreams,
    pub(super) logs: Logs,
    pub(super) tls: tls::Servers,
    pub(super) caches: Zones,
    pub(super) limits: limits::Zones,
    /// The open error logs: kept open until lines are sent there.
    _error_logs: Vec<Arc<LogFile>>,
    /// The user to become, if one is configured and can be assumed.
    pub(super) identity: Option<Identity>,
}

/// Reads the configuration, looks up its names and opens its logs: everything that may wait for a disk or for DNS.
/// The same for start, test and reload.
pub(super) fn prepare(
    options: &Options,
    runtime: &Arc<Runtime>,
    files: &LogFiles,
    previous: Option<&Snapshot>,
) -> Result<Prepared, Vec<Diagnostic>> {
    let mut loaded = config::load(&source(options))?;
    cells::expect_workers(worker_threads(loaded.config.main.core.worker_processes));
    let main = &loaded.config.main;
    let fatal = |error: &dyn std::fmt::Display| vec![Diagnostic::emerg(error.to_string(), None)];
    let identity = match &main.core.user {
        Some(user) if user::is_super_user() => {
            let found = user::look_up(user)
                .map_err(|error| vec![Diagnostic::emerg(error.to_string(), user.position.clone())])?;
            Some(found)
        }
        Some(user) => {
            loaded.warnings.push(Diagnostic::warn(user::IGNORED, user.position.clone()));
            None
        }
        None => None,
    };
    let main = &loaded.config.main;
    for name in environment::without_effect(&main.env) {
        loaded.warnings.push(Diagnostic::warn(
            format!(
                "\"env {name}\" has no effect here: no program is started and nothing reads that variable"
            ),
            None,
        ));
    }
    refuse_shared_admin_address(&loaded.config, options)?;
    let error_logs = main.error_logs.iter().map(|log| files.open(&log.destination));
    let error_logs = error_logs.collect::<Result<_, _>>().map_err(|error| fatal(&error))?;
    let http = &loaded.config.http;
    let logs = Logs {
        access_logs: AccessLogs::open(files, &http.access_log_files).map_err(|error| fatal(&error))?,
        error_logs: LevelLogs::open_all(files, &http.error_logs).map_err(|error| fatal(&error))?,
    };
    if let Some(pid) = main.pid.as_ref().filter(|_| previous.is_none()) {
        pid_file::check(pid).map_err(|error| fatal(&error))?;
    }
    real_ip::look_up_names(&loaded.config.http)?;
    // As in nginx, paths of certificates are relative to the folder of the configuration file.
    let folder = options.configuration.parent().unwrap_or(&options.prefix);
    let previous_tls = previous.map(|snapshot| &snapshot.tls);
    let (tls, warnings) = tls::Servers::load(&loaded.config.http, folder, previous_tls)?;
    loaded.warnings.extend(warnings);
    let limits =
        limits::Zones::new(&loaded.config.http.limit_zones, previous.map(|snapshot| &snapshot.limits))?;
    let caches = Zones::prepare(&loaded.config.http.caches, previous.map(|snapshot| &snapshot.caches))
        .map_err(|error| vec![Diagnostic::emerg(error.to_string(), error.position().clone())])?;
    let upstreams = runtime.prepare(&loaded.config.http, previous.map(|snapshot| &snapshot.upstreams))?;
    loaded.warnings.extend_from_slice(upstreams.warnings());
    Ok(Prepared { loaded, upstreams, logs, tls, caches, limits, _error_logs: error_logs, identity })
}

/// One address cannot be both: clients of one would be served by the other. A wildcard and a specific address of one
/// port cannot be bound beside each other.
fn refuse_shared_admin_address(config: &Config, options: &Options) -> Result<(), Vec<Diagnostic>> {
    let Some(admin) = options.admin.map(ListenAddress::Inet) else { return Ok(()) };
    for listener in &config.http.listeners {
        let listen = &listener.address;
        let message = if *listen == admin {
            format!("the admin address {admin} (--admin or LB_ADMIN) is also a \"listen\"")
        } else if plan::covers(listen, &admin) || plan::covers(&admin, listen) {
            format!(
                "the admin address {admin} (--admin or LB_ADMIN) overlaps with \"listen {listen}\": give it a port of its own"
            )
        } else {
            continue;
        };
        return Err(vec![Diagnostic::emerg(message, listener.position.clone())]);
    }
    Ok(())
}

/// The source of the configuration, from the command line.
pub(super) fn source(options: &Options) -> Source {
    Source {
        path: options.configuration.clone(),
        prefix: options.prefix.clone(),
        global_directives: (!options.directives.is_empty()).then(|| options.directives.clone()),
        default_error_log: Some(match &options.error_log {
            // No option names a syslog server.
            LogDestination::Stderr | LogDestination::Syslog(_) => "stderr".into(),
            LogDestination::File(path) => path.clone(),
        }),
    }
}

/// Every address that a configuration listens on.
pub(super) fn wanted(config: &Config) -> Vec<Wanted> {
    config.http.listeners.iter().map(Wanted::from).collect()
}

/// The address of the admin surface, which comes from the command line and so holds for the whole life of the
/// process.
pub(super) fn wanted_for_admin(options: &Options) -> Vec<Wanted> {
    options.admin.map(|address| Wanted::admin(ListenAddress::Inet(address))).into_iter().collect()
}

/// The number of workers for `worker_processes`.
pub(super) fn worker_threads(count: WorkerCount) -> usize {
    match count {
        WorkerCount::Auto => std::thread::available_parallelism().map_or(1, usize::from),
        WorkerCount::Exactly(count) => count.max(1),
    }
}
