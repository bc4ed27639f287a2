//! The error log: the macros of the `log` crate, written as nginx's lines to nginx's files.
//!
//! ```text
//! 2026/11/22 10:04:05 [error] 1234#1240: connect() failed (111: Connection refused) ...
//! ```
//!
//! `log` has five levels and nginx eight severities. `debug!` and `trace!` become `[debug]`; `info!`, `warn!` and
//! `error!` keep their names; [`notice!`](crate::notice), [`crit!`](crate::crit), [`alert!`](crate::alert) and
//! [`emerg!`](crate::emerg) of this crate are the others: they carry the severity in the record's target.
//!
//! A line goes to every `error_log` whose level admits it. Lines of this program are held to that level alone; those
//! of the libraries beneath it to `warn` at most, since their `info` is about them and not about the proxy.
//! `RUST_LOG`, read by env_logger's filter, overrides both for the targets that it names, upwards and downwards: a
//! record that it asks for goes to every `error_log`.
//!
//! env_logger's own writer has one target and one lock, held while it writes; this log has several targets, and
//! requests may wait for no lock. So its filter decides and [`log_file`](super::log_file) writes.
//!
//! Lines about a request go to the `error_log`s of its level, where there are some: whoever logs them says so with
//! [`of_level`], which holds for the calling thread until its guard goes.
//!
//! While the program starts ([`ErrorLogger::leave_console`] ends that) everything from `warn` up also goes to
//! standard error in nginx's form for it, `lb: [emerg] ...`, unless an `error_log` goes there anyhow.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use log::{Level, LevelFilter, Log, Metadata, Record, SetLoggerError};

use super::clock;
use super::log_file::{LogFile, LogFiles, OpenError};
use crate::config::model::{ErrorLog, Severity};

/// Time allowed for writing the last log lines when the process ends.
pub const LAST_LINES: Duration = Duration::from_secs(1);

/// Target of a record made by [`notice!`](crate::notice).
pub const NOTICE: &str = "lb::notice";
/// Target of a record made by [`crit!`](crate::crit).
pub const CRIT: &str = "lb::crit";
/// Target of a record made by [`alert!`](crate::alert).
pub const ALERT: &str = "lb::alert";
/// Target of a record made by [`emerg!`](crate::emerg).
pub const EMERG: &str = "lb::emerg";

/// Logs at `[notice]`: normal but worth knowing, such as a reload.
#[macro_export]
macro_rules! notice {
    ($($argument:tt)+) => {
        ::log::log!(target: $crate::observe::error_log::NOTICE, ::log::Level::Info, $($argument)+)
    };
}

/// Logs at `[crit]`: something of the system failed that an operator must look at.
#[macro_export]
macro_rules! crit {
    ($($argument:tt)+) => {
        ::log::log!(target: $crate::observe::error_log::CRIT, ::log::Level::Error, $($argument)+)
    };
}

/// Logs at `[alert]`: something of this program failed and will go on failing.
#[macro_export]
macro_rules! alert {
    ($($argument:tt)+) => {
        ::log::log!(target: $crate::observe::error_log::ALERT, ::log::Level::Error, $($argument)+)
    };
}

/// Logs at `[emerg]`: the program cannot start, or a reload was refused.
#[macro_export]
macro_rules! emerg {
    ($($argument:tt)+) => {
        ::log::log!(target: $crate::observe::error_log::EMERG, ::log::Level::Error, $($argument)+)
    };
}

/// Logs at a [`Severity`] known only at run time, such as a diagnostic's.
pub fn log_at(severity: Severity, message: &dyn std::fmt::Display) {
    match severity {
        Severity::Debug => log::debug!("{message}"),
        Severity::Info => log::info!("{message}"),
        Severity::Notice => crate::notice!("{message}"),
        Severity::Warn => log::warn!("{message}"),
        Severity::Error => log::error!("{message}"),
        Severity::Crit => crate::crit!("{message}"),
        Severity::Alert => crate::alert!("{message}"),
        Severity::Emerg => crate::emerg!("{message}"),
    }
}

/// A part of a message that several lines may show, formatted only for a line that is written: the macros of `log`
/// format nothing below the current level, but a `let` before them would.
#[derive(Debug, Clone, Copy)]
pub struct OnDemand<F>(pub F);

impl<F: Fn() -> T, T: fmt::Display> fmt::Display for OnDemand<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0().fmt(f)
    }
}

/// The `error_log`s of a level, open.
#[derive(Debug)]
pub struct LevelLogs {
    outputs: Vec<Output>,
}

impl LevelLogs {
    /// Opens the logs of each list; blocks for as long as the system takes to open them.
    pub fn open_all(files: &LogFiles, lists: &[Vec<ErrorLog>]) -> Result<Vec<Arc<Self>>, OpenError> {
        lists.iter().map(|logs| Ok(Arc::new(Self { outputs: open_outputs(files, logs)? }))).collect()
    }
}

thread_local! {
    static LEVEL: RefCell<Option<Arc<LevelLogs>>> = const { RefCell::new(None) };
}

/// What this thread logs until the guard goes is about a request of a level that has these logs.
pub fn of_level(logs: Option<&Arc<LevelLogs>>) -> LevelGuard {
    let before = LEVEL.try_with(|level| level.replace(logs.cloned())).ok().flatten();
    LevelGuard { before, not_send: PhantomData }
}

/// Ends what [`of_level`] began.
#[derive(Debug)]
pub struct LevelGuard {
    before: Option<Arc<LevelLogs>>,
    /// It belongs to the thread that made it.
    not_send: PhantomData<*const ()>,
}

impl Drop for LevelGuard {
    fn drop(&mut self) {
        let before = self.before.take();
        let _ = LEVEL.try_with(|level| level.replace(before));
    }
}

fn open_outputs(files: &LogFiles, logs: &[ErrorLog]) -> Result<Vec<Output>, OpenError> {
    logs.iter().map(|log| Ok(Output { file: files.open(&log.destination)?, level: log.level })).collect()
}

/// The logger of the process.
#[derive(Debug)]
pub struct ErrorLogger {
    rust_log: Option<String>,
    state: ArcSwap<State>,
}

/// Installs the logger, with nothing but the console. `rust_log` is the value of `RUST_LOG`. Starts no thread.
pub fn install(rust_log: Option<String>) -> Result<&'static ErrorLogger, SetLoggerError> {
    // Once per process, for as long as it lives.
    let logger: &'static ErrorLogger = Box::leak(Box::new(ErrorLogger::new(rust_log)));
    log::set_logger(logger)?;
    log::set_max_level(logger.state.load().filters.most_verbose());
    Ok(logger)
}

impl ErrorLogger {
    fn new(rust_log: Option<String>) -> Self {
        let rust_log = rust_log.filter(|text| !text.trim().is_empty());
        let state = State::new(Vec::new(), true, Severity::Emerg, rust_log.as_deref());
        Self { rust_log, state: ArcSwap::from_pointee(state) }
    }

    /// Opens `logs` and sends lines there from now on; called at the start and after each reload. `levels` are the
    /// lists of levels, which may take less severe lines. On an error, nothing changes.
    pub fn open(
        &self,
        files: &LogFiles,
        logs: &[ErrorLog],
        levels: &[Vec<ErrorLog>],
    ) -> Result<(), OpenError> {
        let outputs = open_outputs(files, logs)?;
        let lowest_of_levels = levels.iter().flatten().map(|log| log.level).min().unwrap_or(Severity::Emerg);
        self.replace(outputs, self.state.load().console, lowest_of_levels);
        Ok(())
    }

    /// Ends the output on the console, when the start is over.
    pub fn leave_console(&self) {
        let state = self.state.load();
        self.replace(state.outputs.clone(), false, state.lowest_of_levels);
    }

    /// Redirects standard error to the first error log that is a file, so that a panic's message is found there;
    /// nginx does the same once it runs. Does nothing when an error log is standard error. Must be called again after
    /// a reopening and after a reload.
    pub fn redirect_standard_error(&self) -> Result<(), OpenError> {
        let state = self.state.load();
        if state.outputs.iter().any(|output| output.file.is_standard_stream()) {
            return Ok(());
        }
        // A syslog server is none.
        let mut files = state.outputs.iter().filter(|output| output.file.is_file());
        let Some(file) = files.next().map(|output| output.file.open_again()).transpose()?.flatten() else {
            return Ok(());
        };
        nix::unistd::dup2_stderr(&file)
            .map_err(|errno| OpenError::Open { path: "stderr".into(), source: errno.into() })
    }

    fn replace(&self, outputs: Vec<Output>, console: bool, lowest_of_levels: Severity) {
        let state = State::new(outputs, console, lowest_of_levels, self.rust_log.as_deref());
        log::set_max_level(state.filters.most_verbose());
        self.state.store(Arc::new(state));
    }
}

impl Log for ErrorLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let state = self.state.load();
        let wanted = severity(metadata) >= state.lowest_severity;
        state.filters.enabled(metadata) && (wanted || state.filters.asked_for(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        let state = self.state.load();
        if state.filters.admit(record) {
            state.write(record, SystemTime::now());
        }
    }

    /// Waits until all lines are written, for a bounded time: used when the process ends.
    fn flush(&self) {
        let deadline = Instant::now() + LAST_LINES;
        for output in &self.state.load().outputs {
            output.file.flush(deadline);
        }
    }
}

#[derive(Debug, Clone)]
struct Output {
    file: Arc<LogFile>,
    level: Severity,
}

#[derive(Debug)]
struct State {
    outputs: Vec<Output>,
    console: bool,
    /// The lowest severity that any output takes, those of levels included.
    lowest_severity: Severity,
    lowest_of_levels: Severity,
    filters: Filters,
}

/// The level of the console while the program starts, as in nginx.
const CONSOLE_LEVEL: Severity = Severity::Warn;

impl State {
    fn new(outputs: Vec<Output>, console: bool, lowest_of_levels: Severity, rust_log: Option<&str>) -> Self {
        let lowest_severity = outputs
            .iter()
            .map(|output| output.level)
            .chain(console.then_some(CONSOLE_LEVEL))
            .chain([lowest_of_levels])
            .min()
            .unwrap_or(Severity::Emerg);
        Self {
            outputs,
            console,
            lowest_severity,
            lowest_of_levels,
            filters: Filters::new(lowest_severity, rust_log),
        }
    }

    fn write(&self, record: &Record<'_>, now: SystemTime) {
        let severity = severity(record.metadata());
        let asked_for = self.filters.asked_for(record.metadata());
        let takes = |level: Severity| severity >= level || asked_for;
        // Cloned: a log file that reports an error of its own comes here again.
        let of_level = LEVEL.try_with(|level| level.borrow().clone()).ok().flatten();
        let outputs = of_level.as_ref().map_or(&self.outputs, |level| &level.outputs);
        if outputs.iter().any(|output| takes(output.level)) {
            with_line(|line| {
                format_line(line, record, severity, now);
                for output in outputs.iter().filter(|output| takes(output.level)) {
                    output.file.append_severe(severity.into(), line);
                }
            });
        }
        let on_terminal =
            || self.outputs.iter().any(|output| takes(output.level) && output.file.is_standard_stream());
        if self.console && takes(CONSOLE_LEVEL) && !on_terminal() {
            with_line(|line| {
                line.extend_from_slice(b"lb: [");
                line.extend_from_slice(severity.name().as_bytes());
                line.extend_from_slice(b"] ");
                push_message(line, record);
                line.push(b'\n');
                // A closed standard error leaves no way to report the failure.
                let _ = io::stderr().write_all(line);
            });
        }
    }
}

/// env_logger's filter for this program's records, the libraries' records, and those that `RUST_LOG` alone asks for.
struct Filters {
    own: env_logger::Logger,
    library: env_logger::Logger,
    asked_for: Option<env_logger::Logger>,
}

impl std::fmt::Debug for Filters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filters")
            .field("own", &self.own.filter())
            .field("library", &self.library.filter())
            .field("asked_for", &self.asked_for.as_ref().map(env_logger::Logger::filter))
            .finish()
    }
}

/// Repeats at length the lines of `upstream::check` about each server.
const REPETITIVE: &str = "pingora_load_balancing";

impl Filters {
    fn new(lowest: Severity, rust_log: Option<&str>) -> Self {
        let filter = |level: Option<LevelFilter>, silenced: Option<&str>| {
            let mut builder = env_logger::Builder::new();
            if let Some(level) = level {
                builder.filter_level(level);
            }
            if let Some(module) = silenced {
                builder.filter_module(module, LevelFilter::Off);
            }
            if let Some(directives) = rust_log {
                builder.parse_filters(directives);
            }
            builder.build()
        };
        let own = level_filter(lowest);
        Self {
            own: filter(Some(own), None),
            library: filter(Some(own.min(LevelFilter::Warn)), Some(REPETITIVE)),
            asked_for: rust_log.map(|_| filter(None, None)),
        }
    }

    fn most_verbose(&self) -> LevelFilter {
        self.own.filter().max(self.library.filter())
    }

    fn of(&self, target: &str) -> &env_logger::Logger {
        if is_own(target) { &self.own } else { &self.library }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.of(metadata.target()).enabled(metadata)
    }

    fn admit(&self, record: &Record<'_>) -> bool {
        self.of(record.target()).matches(record)
    }

    fn asked_for(&self, metadata: &Metadata<'_>) -> bool {
        self.asked_for.as_ref().is_some_and(|filter| filter.enabled(metadata))
    }
}

fn is_own(target: &str) -> bool {
    target == "lb" || target.starts_with("lb::")
}

/// The most verbose level of `log` that a severity needs.
fn level_filter(severity: Severity) -> LevelFilter {
    match severity {
        Severity::Debug => LevelFilter::Trace,
        Severity::Info | Severity::Notice => LevelFilter::Info,
        Severity::Warn => LevelFilter::Warn,
        Severity::Error | Severity::Crit | Severity::Alert | Severity::Emerg => LevelFilter::Error,
    }
}

/// nginx's severity of a record.
fn severity(metadata: &Metadata<'_>) -> Severity {
    match (metadata.target(), metadata.level()) {
        (EMERG, _) => Severity::Emerg,
        (ALERT, _) => Severity::Alert,
        (CRIT, _) => Severity::Crit,
        (NOTICE, _) => Severity::Notice,
        (_, Level::Error) => Severity::Error,
        (_, Level::Warn) => Severity::Warn,
        (_, Level::Info) => Severity::Info,
        (_, Level::Debug | Level::Trace) => Severity::Debug,
    }
}

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Calls `make` with an empty buffer that is used again and again.
fn with_line(make: impl Fn(&mut Vec<u8>)) {
    let reused = LINE.try_with(|line| {
        // Already in use when a log file reports an error of its own while it takes a line.
        let Ok(mut line) = line.try_borrow_mut() else { return false };
        line.clear();
        make(&mut line);
        true
    });
    if !matches!(reused, Ok(true)) {
        make(&mut Vec::new());
    }
}

fn format_line(line: &mut Vec<u8>, record: &Record<'_>, severity: Severity, now: SystemTime) {
    clock::with_text(now, |time| line.extend_from_slice(time.error_log().as_bytes()));
    // Read anew each time: `daemon` changes both.
    let (process, thread) = (std::process::id(), nix::unistd::gettid());
    let _ = write!(line, " [{}] {process}#{thread}: ", severity.name());
    push_message(line, record);
}

/// The message on one line. Control characters are escaped: clients wrote much of the logged text, and one entry must
/// stay one line.
fn push_message(line: &mut Vec<u8>, record: &Record<'_>) {
    let start = line.len();
    if !is_own(record.target()) {
        let _ = write!(line, "{}: ", record.target());
    }
    let _ = write!(line, "{}", record.args());
    let end = line.trim_ascii_end().len().max(start);
    line.truncate(end);
    if !line[start..].iter().any(u8::is_ascii_control) {
        return;
    }
    let message = line.split_off(start);
    for byte in message {
        if byte.is_ascii_control() {
            let _ = write!(line, "\\x{byte:02X}");
        } else {
            line.push(byte);
        }
    }
}

/// Logs the errors of [`LogFiles::reopen`] as nginx does.
pub fn report_reopening(errors: &[OpenError]) {
    for error in errors {
        crate::emerg!("{error}");
    }
}

#[cfg(test)]
mod tests;
