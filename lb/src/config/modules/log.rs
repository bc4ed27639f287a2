//! Where logs go, and `error_log`.

use std::path::PathBuf;
use std::sync::Arc;

use super::syslog::{self, Syslog};
use crate::config::diagnostics::{Report, Severity};
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, HTTP, LOCATION, Row, SERVER, row, words};

/// nginx compiles its paths in; these are those of its own build.
pub(in crate::config) const DEFAULT_ERROR_LOG: &str = "logs/error.log";
/// How severe a message must be where no level is written.
pub(in crate::config) const DEFAULT_LEVEL: Severity = Severity::Error;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("error_log", HTTP, words(1, 2, "file | stderr | syslog:server=address[,parameter=value …] [level]"), Reads(error_log),
        "Where messages about requests go and how severe they must be. A level that has any inherits none").repeatable()
        .differs("one in `http` stands in for the `error_log` of the main context where there is none"),
    row("error_log", SERVER.or(LOCATION), words(1, 2, "file | stderr | syslog:server=address[,parameter=value …] [level]"), Reads(error_log),
        "Where messages about requests go and how severe they must be. A level that has any inherits none").repeatable()
        .differs("messages about a connection without a request go where the main context says"),
];

/// Where log lines go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LogDestination {
    /// The standard error stream (`error_log stderr`).
    Stderr,
    /// A file, opened for appending; `/dev/stdout` is one.
    File(PathBuf),
    /// A syslog server.
    Syslog(Arc<Syslog>),
}

/// One `error_log`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ErrorLog {
    /// Where to.
    pub destination: LogDestination,
    /// From which severity on.
    pub level: Severity,
}

/// The arguments of the `error_log` that holds without one.
pub(super) fn default_error_log() -> String {
    format!("{DEFAULT_ERROR_LOG} {}", DEFAULT_LEVEL.name())
}

/// Reads an `error_log`.
pub(super) fn error_log(block: &mut Block, directive: &Directive, report: &mut Report) {
    if let Some(log) = read_error_log(directive, report) {
        block.edit(|logs: &mut Vec<ErrorLog>| logs.push(log));
    }
}

fn read_error_log(directive: &Directive, report: &mut Report) -> Option<ErrorLog> {
    let destination = destination(directive, report)?;
    let level = match directive.arguments.get(1) {
        None => DEFAULT_LEVEL,
        Some(word) => match severity(&word.text) {
            Some(level) => level,
            None => {
                report.emerg_hint(
                    format!("invalid log level \"{}\"", word.text),
                    &directive.argument_position(1),
                    "it must be debug, info, notice, warn, error, crit, alert or emerg",
                );
                return None;
            }
        },
    };
    Some(ErrorLog { destination, level })
}

/// The severity of this name, or of one of the parts of nginx that can be debugged alone.
fn severity(name: &str) -> Option<Severity> {
    // The parts of nginx that can be debugged alone: all of ours, then.
    let parts_of_nginx = [
        "debug_core",
        "debug_alloc",
        "debug_mutex",
        "debug_event",
        "debug_http",
        "debug_mail",
        "debug_stream",
    ];
    if parts_of_nginx.contains(&name) {
        return Some(Severity::Debug);
    }
    Severity::named(name)
}

/// A file, the standard error stream or a syslog server.
pub(super) fn destination(directive: &Directive, report: &mut Report) -> Option<LogDestination> {
    let text = directive.argument(0);
    if let Some(parameters) = text.strip_prefix(syslog::PREFIX) {
        return match Syslog::read(parameters) {
            Ok(syslog) => Some(LogDestination::Syslog(Arc::new(syslog))),
            Err(words) => {
                let accepted = "syslog: is followed by server=address[:port] or server=unix:path, and may have \
                     facility=, severity=, tag= and nohostname, with commas between them";
                report.emerg_hint(words, &directive.argument_position(0), accepted);
                None
            }
        };
    }
    if text.starts_with("memory:") && directive.name == "error_log" {
        report.unsupported(directive, 0, "messages go to files, stderr or syslog, not to memory");
        return None;
    }
    if text.is_empty() {
        let message = format!("\"{}\" directive invalid value", directive.name);
        report.emerg_hint(message, &directive.argument_position(0), "\"\" is not the name of a file");
        return None;
    }
    Some(if text == "stderr" { LogDestination::Stderr } else { LogDestination::File(PathBuf::from(text)) })
}
