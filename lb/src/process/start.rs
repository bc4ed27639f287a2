//! The steps from a command line to a serving process, ordered so that each failure is reported where the operator
//! sees it.
//!
//! Read and check everything; open the logs; bind every address; go into the background; only then start threads. The
//! order is nginx's: errors that the terminal can show happen there, with nothing started, and exit code 1.

use std::io::Write;
use std::process::ExitCode;

use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server, ShutdownSignal, ShutdownSignalWatch};

use super::daemon::{self, StandardError};
use super::prepare::{prepare, source, wanted, wanted_for_admin, worker_threads};
use super::signal_loop::SignalLoop;
use super::{environment, pid_file, workers};
use crate::cli::{EXIT_FAILURE, EXIT_SUCCESS, Options, SignalRequest};
use crate::config::diagnostics::Diagnostic;
use crate::config::model::{Config, LogDestination, Severity};
use crate::config::{self, Loaded};
use crate::connection::Listeners;
use crate::observe::error_log::{self, ErrorLogger};
use crate::observe::log_file::LogFiles;
use crate::open_files;
use crate::upstream::Runtime;

/// `lb -t`, `lb -T`.
pub fn test(options: &Options, dump: bool, quiet: bool) -> ExitCode {
    let file = options.configuration.display();
    let outcome = prepare(options, &Runtime::new(), &LogFiles::default(), None);
    match outcome {
        Ok(prepared) => {
            say_all(
                prepared.loaded.warnings.iter().filter(|warning| !quiet || warning.severity > Severity::Warn),
            );
            if !quiet {
                say(&format!("lb: the configuration file {file} syntax is ok\n"));
                say(&format!("lb: configuration file {file} test is successful\n"));
            }
            if dump {
                print_files(&prepared.loaded);
            }
            ExitCode::from(EXIT_SUCCESS)
        }
        Err(findings) => {
            say_all(&findings);
            say(&format!("lb: configuration file {file} test failed\n"));
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

/// `lb -s`.
pub fn signal(options: &Options, request: SignalRequest) -> ExitCode {
    let loaded = match config::load(&source(options)) {
        Ok(loaded) => loaded,
        Err(findings) => {
            say_all(&findings);
            return ExitCode::from(EXIT_FAILURE);
        }
    };
    let Some(path) = &loaded.config.main.pid else {
        say("lb: [error] \"pid off\" leaves no file to find the process by; send the signal yourself\n");
        return ExitCode::from(EXIT_FAILURE);
    };
    match pid_file::signal(path, request.signal()) {
        Ok(()) => ExitCode::from(EXIT_SUCCESS),
        Err(error) => {
            say(&format!("lb: [error] {error}\n"));
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

/// Serves until a signal ends the process. Returns only if the start failed.
pub fn run(options: Options, logger: &'static ErrorLogger) -> ExitCode {
    match start(options, logger) {
        Ok(never) => match never {},
        Err(findings) => {
            for finding in findings {
                error_log::log_at(finding.severity, &finding.unlabelled());
                // The logger prints warnings and worse on the console; the findings that explain them belong there
                // too.
                if finding.severity < Severity::Warn {
                    say(&format!("lb: {finding}\n"));
                }
            }
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

fn start(
    options: Options,
    logger: &'static ErrorLogger,
) -> Result<std::convert::Infallible, Vec<Diagnostic>> {
    let fatal = |error: &dyn std::fmt::Display| vec![Diagnostic::emerg(error.to_string(), None)];
    let runtime = Runtime::new();
    let log_files = LogFiles::default();
    let prepared = prepare(&options, &runtime, &log_files, None)?;
    let main = &prepared.loaded.config.main;
    let missing = environment::missing(&main.env, |name| std::env::var_os(name));
    if !missing.is_empty() {
        return Err(fatal(&environment::restart_with(&missing)));
    }
    logger
        .open(&log_files, &main.error_logs, &prepared.loaded.config.http.error_logs)
        .map_err(|error| fatal(&error))?;
    for warning in &prepared.loaded.warnings {
        error_log::log_at(warning.severity, &warning.unlabelled());
    }
    let listeners = Listeners::bind(&wanted(&prepared.loaded.config)).map_err(|error| fatal(&error))?;
    let admin = Listeners::bind(&wanted_for_admin(&options)).map_err(|error| fatal(&error))?;
    if main.core.daemon {
        let to_stderr = main.error_logs.iter().any(|log| log.destination == LogDestination::Stderr);
        daemon::detach(if to_stderr { StandardError::Keep } else { StandardError::Null })
            .map_err(|error| fatal(&error))?;
    }
    log_files.start_writers().map_err(|error| fatal(&error))?;
    if let Err(error) = open_files::apply(main.core.worker_rlimit_nofile) {
        crate::alert!("{error}");
    }
    let daemonized = main.core.daemon;
    let runtimes = workers::start(worker_threads(main.core.worker_processes))
        .map_err(|error| fatal(&format_args!("a thread cannot be started: {error}")))?;
    let conf = server_conf(&prepared.loaded.config);
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let signal_loop = SignalLoop::new(
        options,
        logger,
        log_files,
        runtime,
        prepared,
        listeners,
        admin,
        daemonized,
        &server.configuration,
        runtimes,
    );
    server.add_service(signal_loop);
    server.run(RunArgs { shutdown_signal: Box::new(OwnSignals) });
    Err(fatal(&"the server ended without being asked to"))
}

/// The pool's size is fixed when the process starts and a reload may ask for more; and the default of 32 per upstream
/// would close and reopen connections as soon as more clients than that are served at a time (measured with 64: one
/// new connection per ten requests, a third of the processor time). `keepalive_timeout` removes surplus connections.
const LEAST_KEPT: usize = 1024;

/// Pingora's settings that matter when it neither listens, nor daemonises, nor stops anything.
fn server_conf(config: &Config) -> ServerConf {
    let kept: usize = config.http.upstreams.iter().map(|upstream| upstream.keepalive.connections).sum();
    ServerConf {
        // Threads of the one service, the signal loop: it reloads, probes and resolves. Requests have the workers.
        threads: 1,
        work_stealing: false,
        // Each worker's `HttpProxy` has one pool for all upstreams. So `keepalive` counts per worker, as in nginx.
        upstream_keepalive_pool_size: kept.max(LEAST_KEPT),
        // Tries are counted by `request::retry`; Pingora's own limit must never be the lower one.
        max_retries: usize::MAX,
        ..ServerConf::default()
    }
}

/// Pingora's own meanings of QUIT and TERM, and its grace periods, are replaced by the signal loop of
/// [`signal_loop`](super::signal_loop), which ends the process itself.
struct OwnSignals;

#[async_trait::async_trait]
impl ShutdownSignalWatch for OwnSignals {
    async fn recv(&self) -> ShutdownSignal {
        std::future::pending().await
    }
}

fn print_files(loaded: &Loaded) {
    let mut out = std::io::stdout().lock();
    for file in &loaded.files {
        // A reader that left has seen enough.
        let _ = writeln!(out, "# configuration file {}:", file.path.display())
            .and_then(|()| out.write_all(&file.text))
            .and_then(|()| writeln!(out));
    }
}

fn say_all<'a>(findings: impl IntoIterator<Item = &'a Diagnostic>) {
    for finding in findings {
        say(&format!("lb: {finding}\n"));
    }
}

fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
