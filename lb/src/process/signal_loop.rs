//! The one Pingora service: starts listening, then handles signals until shutdown.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use pingora::server::configuration::ServerConf;
use pingora::server::{ListenFds, ShutdownWatch};
use pingora::services::Service;
use pingora_proxy::{HttpProxy, http_proxy};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::pid_file::PidFile;
use super::prepare::{self, Prepared};
use super::signals::{Signal, Signals};
use super::stapling;
use super::user::{self, Identity};
use super::workers::Runtimes;
use crate::admin::AdminApp;
use crate::cli::Options;
use crate::config::Loaded;
use crate::config::diagnostics::Diagnostic;
use crate::connection::Listeners;
use crate::connection::{Acceptor, Drain, Drained, Worker};
use crate::observe::error_log::{self, ErrorLogger, LAST_LINES};
use crate::observe::log_file::LogFiles;
use crate::observe::panics;
use crate::proxy::ProxyService;
use crate::server::ServerState;
use crate::server::Snapshot;
use crate::upstream::Runtime;

/// Time that the start waits for the first answers of DNS; servers that are found later join then.
const FIRST_ANSWERS: Duration = Duration::from_secs(2);

/// The values that live as long as the process, and the loop that changes them.
pub(super) struct SignalLoop {
    options: Options,
    logger: &'static ErrorLogger,
    runtime: Arc<Runtime>,
    identity: Option<Identity>,
    listeners: Listeners,
    daemonized: bool,
    state: Arc<ServerState>,
    acceptor: Acceptor<ServerState, HttpProxy<ProxyService>>,
    admin: Listeners,
    admin_runtime: Handle,
    pid_file: Option<PidFile>,
    /// Asks authorities about the certificates of the configuration in force.
    stapling: JoinSet<()>,
}

impl SignalLoop {
    #[expect(clippy::too_many_arguments, reason = "called once, with everything that the start has made")]
    pub(super) fn new(
        options: Options,
        logger: &'static ErrorLogger,
        log_files: LogFiles,
        runtime: Arc<Runtime>,
        prepared: Prepared,
        listeners: Listeners,
        admin: Listeners,
        daemonized: bool,
        conf: &Arc<ServerConf>,
        runtimes: Runtimes,
    ) -> Self {
        let Prepared { loaded, upstreams, logs, tls, caches, limits, identity, .. } = prepared;
        logs.access_logs.gather(&loaded.config.http.access_log_files);
        let slots = slots(&loaded, &listeners);
        let snapshot = Snapshot::new(loaded.config, upstreams, logs, tls, caches, limits, &slots);
        let state = ServerState::new(snapshot, Drain::default(), log_files);
        let service = ProxyService::new(state.clone());
        // A `HttpProxy` for each worker: its pool of connections to servers is used by one thread.
        let workers = runtimes
            .workers
            .into_iter()
            .map(|runtime| Worker::new(runtime, Arc::new(http_proxy(conf, service.of_another_worker()))))
            .collect();
        let acceptor = Acceptor::new(state.clone(), workers, state.drain.clone());
        Self {
            options,
            logger,
            runtime,
            identity,
            listeners,
            daemonized,
            state,
            acceptor,
            admin,
            admin_runtime: runtimes.admin,
            pid_file: None,
            stapling: JoinSet::new(),
        }
    }

    /// Starts accepting. An error here fails the start.
    async fn open(&mut self) -> Result<Signals, String> {
        let snapshot = self.state.current();
        let signals = Signals::new(self.daemonized).map_err(|error| error.to_string())?;
        snapshot.upstreams.start(FIRST_ANSWERS).await;
        if let Some(path) = &snapshot.config.main.pid {
            self.pid_file = Some(PidFile::write(path).map_err(|error| error.to_string())?);
        }
        if let Some(identity) = &self.identity {
            for error in self.state.log_files.give_to(identity.uid) {
                log::warn!("{error}");
            }
            for error in snapshot.caches.give_to(identity.uid) {
                log::warn!("chown() of a cache's folder failed: {error}");
            }
            user::assume(identity).map_err(|error| error.to_string())?;
        }
        // Their threads have the user that is named by `user`, as the process has now.
        snapshot.caches.start(&snapshot.config.http.caches, None);
        // The sockets were bound before; the user named by `user` reads from them.
        self.listeners.start(&self.acceptor);
        self.stapling = stapling::start(&snapshot.tls);
        self.loaded_now();
        // Last: its answers say that the start is done.
        let admin = AdminApp::new(self.state.clone());
        let worker = Worker::new(self.admin_runtime.clone(), admin.clone());
        self.admin.start(&Acceptor::new(admin, vec![worker], self.state.drain.clone()));
        self.logger.leave_console();
        if self.daemonized
            && let Err(error) = self.logger.redirect_standard_error()
        {
            log::warn!("{error}");
        }
        crate::notice!("cirque/{} is ready", env!("CARGO_PKG_VERSION"));
        Ok(signals)
    }

    fn loaded_now(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.state.totals.last_reload_unix_seconds.store(now.as_secs(), Relaxed);
    }

    /// HUP. All steps that can fail come before any change. It may wait for DNS; a signal that ends the process does
    /// not wait for it.
    async fn reload(&mut self, signals: &mut Signals, waiting: &mut VecDeque<Signal>) {
        crate::notice!("signal 1 (SIGHUP) received, reconfiguring");
        let outcome = tokio::select! {
            outcome = self.try_reload() => outcome,
            () = ending(signals, waiting) => return,
        };
        match outcome {
            Ok(()) => {
                self.state.totals.reloads_succeeded.increment();
                self.loaded_now();
                crate::notice!("reconfigured");
            }
            Err(findings) => {
                for finding in findings {
                    error_log::log_at(finding.severity, &finding.unlabelled());
                }
                self.state.totals.reloads_failed.increment();
                log::error!("the configuration in force stays as it was");
            }
        }
    }

    async fn try_reload(&mut self) -> Result<(), Vec<Diagnostic>> {
        let fatal = |error: &dyn std::fmt::Display| vec![Diagnostic::emerg(error.to_string(), None)];
        let current = self.state.current();
        let prepared = {
            let (options, runtime, files) =
                (self.options.clone(), self.runtime.clone(), self.state.log_files.clone());
            let current = current.clone();
            // A panic over a configuration refuses the reload.
            let work =
                move || panics::expendable(|| prepare::prepare(&options, &runtime, &files, Some(&current)));
            tokio::task::spawn_blocking(work).await.map_err(|error| fatal(&error))??
        };
        let Prepared { loaded, upstreams, .. } = &prepared;
        for warning in &loaded.warnings {
            error_log::log_at(warning.severity, &warning.unlabelled());
        }
        let wanted = prepare::wanted(&loaded.config);
        let change = self.listeners.prepare(&wanted).map_err(|error| fatal(&error))?;
        upstreams.start(FIRST_ANSWERS).await;
        self.logger
            .open(&self.state.log_files, &loaded.config.main.error_logs, &loaded.config.http.error_logs)
            .map_err(|error| fatal(&error))?;
        // From here on nothing fails and nothing waits.
        report_fixed(&current, loaded);
        let slots = slots(loaded, &self.listeners);
        let Prepared { loaded, upstreams, logs, tls, caches, limits, .. } = prepared;
        logs.access_logs.gather(&loaded.config.http.access_log_files);
        let next = Snapshot::new(loaded.config, upstreams, logs, tls, caches, limits, &slots);
        next.caches.start(&next.config.http.caches, Some(&current.caches));
        let state = self.state.clone();
        self.listeners.commit(change, &self.acceptor, || state.replace(next));
        current.upstreams.stop();
        self.stapling = stapling::start(&self.state.current().tls);
        Ok(())
    }

    /// USR1: opens the log files again.
    async fn reopen(&self) {
        crate::notice!("signal 10 (SIGUSR1) received, reopening logs");
        let files = self.state.log_files.clone();
        match tokio::task::spawn_blocking(move || panics::expendable(|| files.reopen())).await {
            Ok(errors) => error_log::report_reopening(&errors),
            Err(error) => log::error!("{error}"),
        }
        if self.daemonized
            && let Err(error) = self.logger.redirect_standard_error()
        {
            log::warn!("{error}");
        }
    }

    /// QUIT: accepts nothing new and finishes everything under way, within `worker_shutdown_timeout`.
    async fn quit(&mut self, signals: &mut Signals) -> ! {
        crate::notice!("signal 3 (SIGQUIT) received, gracefully shutting down");
        self.state.drain.begin();
        let limit = self.state.current().config.main.core.worker_shutdown_timeout;
        let drain = self.state.drain.clone();
        let drained = drain.drained(limit);
        tokio::pin!(drained);
        loop {
            tokio::select! {
                outcome = &mut drained => {
                    if let Drained::TimedOut { connections } = outcome {
                        log::warn!("worker_shutdown_timeout: {connections} connections are cut");
                    }
                    break;
                }
                signal = signals.next() => {
                    if matches!(signal, Signal::Terminate | Signal::Interrupt) {
                        break;
                    }
                }
            }
        }
        self.exit()
    }

    fn exit(&mut self) -> ! {
        crate::notice!("exit");
        if let Some(pid_file) = self.pid_file.take() {
            pid_file.remove();
        }
        self.listeners.remove_socket_files();
        self.state.log_files.flush(LAST_LINES);
        std::process::exit(0)
    }
}

#[async_trait]
impl Service for SignalLoop {
    async fn start_service(
        &mut self,
        _fds: Option<ListenFds>,
        _shutdown: ShutdownWatch,
        _listeners_per_fd: usize,
    ) {
        let mut signals = match self.open().await {
            Ok(signals) => signals,
            Err(error) => {
                crate::emerg!("{error}");
                self.listeners.remove_socket_files();
                if let Some(pid_file) = self.pid_file.take() {
                    pid_file.remove();
                }
                self.state.log_files.flush(LAST_LINES);
                std::process::exit(i32::from(crate::cli::EXIT_FAILURE));
            }
        };
        let mut waiting = VecDeque::new();
        loop {
            let signal = match waiting.pop_front() {
                Some(signal) => signal,
                None => signals.next().await,
            };
            match signal {
                Signal::Reload => self.reload(&mut signals, &mut waiting).await,
                Signal::Reopen => self.reopen().await,
                Signal::Quit => self.quit(&mut signals).await,
                Signal::Terminate | Signal::Interrupt => self.exit(),
                Signal::Unsupported(signal) => crate::notice!("{}", signal.explanation()),
            }
        }
    }

    fn name(&self) -> &str {
        "lb"
    }
}

/// Waits for a signal that ends the process and puts it before the signals that arrived meanwhile.
async fn ending(signals: &mut Signals, waiting: &mut VecDeque<Signal>) {
    loop {
        let signal = signals.next().await;
        if matches!(signal, Signal::Quit | Signal::Terminate | Signal::Interrupt) {
            waiting.push_front(signal);
            return;
        }
        if !waiting.contains(&signal) {
            waiting.push_back(signal);
        }
    }
}

/// The slot of each listener of a configuration, in order.
fn slots(loaded: &Loaded, listeners: &Listeners) -> Vec<usize> {
    loaded
        .config
        .http
        .listeners
        .iter()
        .map(|listener| {
            listeners.slot(&listener.address).expect("every listener of the configuration was bound")
        })
        .collect()
}

/// Logs the settings that a reload cannot change, because they were settled when the process began.
fn report_fixed(current: &Snapshot, next: &Loaded) {
    let (was, is) = (&current.config.main, &next.config.main);
    let kept = |snapshot: &crate::config::model::Config| -> usize {
        snapshot.http.upstreams.iter().map(|upstream| upstream.keepalive.connections).sum()
    };
    for (name, changed) in [
        ("worker_processes", was.core.worker_processes != is.core.worker_processes),
        ("worker_rlimit_nofile", was.core.worker_rlimit_nofile != is.core.worker_rlimit_nofile),
        (
            "user",
            was.core.user.as_ref().map(|user| (&user.name, &user.group))
                != is.core.user.as_ref().map(|user| (&user.name, &user.group)),
        ),
        ("pid", was.pid != is.pid),
        ("daemon", was.core.daemon != is.core.daemon),
        ("env", was.env != is.env),
        ("keepalive (the sum over all upstreams)", kept(&current.config) < kept(&next.config)),
    ] {
        if changed {
            log::warn!("a change of {name} takes effect when the process is started again");
        }
    }
}
