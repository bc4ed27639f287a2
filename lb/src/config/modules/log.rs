//! `error_log`, and nginx's `ngx_http_log_module`.

use std::path::PathBuf;

use crate::config::diagnostics::{Position, Report, Severity};
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{
    Block, HTTP, IF_IN_LOCATION, LEVELS, LIMIT_EXCEPT, LOCATION, Row, SERVER, at_least, no_effect, row, words,
};
use crate::config::values;
use crate::script::{Escape, Template};

/// nginx compiles its paths in; these are those of its own build.
pub(in crate::config) const DEFAULT_ACCESS_LOG: &str = "logs/access.log";
pub(in crate::config) const DEFAULT_ERROR_LOG: &str = "logs/error.log";
/// How severe a message must be where no level is written.
pub(in crate::config) const DEFAULT_LEVEL: Severity = Severity::Error;

/// nginx's predefined format.
pub(in crate::config) const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status \
     $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("access_log", LEVELS.or(IF_IN_LOCATION).or(LIMIT_EXCEPT), at_least(1, "file [format [buffer=size] [gzip[=level]] [flush=time] [if=condition]] | off"), Reads(access_log),
        "Where a line for each request goes, and how it looks. A level that has any inherits none").repeatable()
        .differs("`buffer=`, `flush=` and `gzip` are accepted without effect, as lines are written in the background, as plain text; variables in the name and `syslog:` are refused").default(|| format!("{DEFAULT_ACCESS_LOG} combined")),
    row("log_format", HTTP, at_least(2, "name [escape=default | json | none] string …"), Reads(log_format),
        "A format of the access log, of strings with variables; must stand before the `access_log` that names it").repeatable().without("combined"),
    row("error_log", HTTP, words(1, 2, "file | stderr [level]"), Reads(error_log),
        "Where messages go and how severe they must be").repeatable()
        .differs("it stands in for the `error_log` of the main context where there is none, and holds for all messages"),
    row("error_log", SERVER.or(LOCATION), words(1, 2, "file | stderr [level]"), Reads(no_error_log_here),
        "Where messages go and how severe they must be").repeatable()
        .differs("accepted with a warning: all messages go where the `error_log` of the main context says"),
    no_effect("open_log_file_cache", LEVELS, at_least(1, "…"), "log files stay open until USR1"),
];

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

/// A `log_format` and when it was read.
#[derive(Debug)]
pub(in crate::config) struct GivenFormat {
    pub(in crate::config) format: LogFormat,
    pub(in crate::config) position: Position,
    pub(in crate::config) order: usize,
}

/// All `access_log`s of one level.
#[derive(Debug, Default)]
pub(in crate::config) struct GivenAccessLogs {
    /// `off` anywhere among them.
    pub(in crate::config) off: bool,
    pub(in crate::config) written: Vec<GivenAccessLog>,
}

/// One `access_log`.
#[derive(Debug)]
pub(in crate::config) struct GivenAccessLog {
    pub(in crate::config) destination: LogDestination,
    /// The name of its format, `combined` when none is written.
    pub(in crate::config) format: String,
    /// `if=`
    pub(in crate::config) condition: Option<Template>,
    pub(in crate::config) position: Position,
    pub(in crate::config) order: usize,
}

/// The arguments of the `error_log` that holds without one.
pub(super) fn default_error_log() -> String {
    format!("{DEFAULT_ERROR_LOG} {}", DEFAULT_LEVEL.name())
}

/// Reads an `error_log` of the main context or of `http`.
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

fn no_error_log_here(_: &mut Block, directive: &Directive, report: &mut Report) {
    if read_error_log(directive, report).is_some() {
        let reason = "all messages go where the error_log of the main context says";
        report.warn(format!("\"error_log\" has no effect here: {reason}"), &directive.position);
    }
}

fn severity(name: &str) -> Option<Severity> {
    use Severity::{Alert, Crit, Debug, Emerg, Error, Info, Notice, Warn};
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
        return Some(Debug);
    }
    [Debug, Info, Notice, Warn, Error, Crit, Alert, Emerg].into_iter().find(|level| level.name() == name)
}

/// A file or the standard error stream.
fn destination(directive: &Directive, report: &mut Report) -> Option<LogDestination> {
    let text = directive.argument(0);
    if text.starts_with("syslog:") {
        report.unsupported(directive, 0, "messages go to files or stderr, not to syslog");
        return None;
    }
    if text.starts_with("memory:") {
        report.unsupported(directive, 0, "messages go to files or stderr, not to memory");
        return None;
    }
    if text.is_empty() {
        let message = format!("\"{}\" directive invalid value", directive.name);
        report.emerg_hint(message, &directive.argument_position(0), "\"\" is not the name of a file");
        return None;
    }
    Some(if text == "stderr" { LogDestination::Stderr } else { LogDestination::File(PathBuf::from(text)) })
}

fn access_log(block: &mut Block, directive: &Directive, report: &mut Report) {
    block.edit(|logs| read_access_log(logs, directive, report));
}

fn read_access_log(logs: &mut GivenAccessLogs, directive: &Directive, report: &mut Report) {
    if directive.argument(0) == "off" {
        if directive.arguments.len() > 1 {
            report.invalid_parameter(directive, 1, "nothing after \"off\"");
        }
        logs.off = true;
        return;
    }
    if directive.argument(0).contains('$') {
        report.unsupported(directive, 0, "the name of a log file cannot hold variables");
        return;
    }
    let Some(destination) = destination(directive, report) else { return };
    let format = directive.arguments.get(1).map_or("combined", |word| &word.text).to_owned();
    let mut condition = None;
    for (index, word) in directive.words().enumerate().skip(2) {
        let complaint = match word.split_once('=') {
            Some(("buffer", size)) => {
                let valid = values::size(size).is_some_and(|size| size > 0);
                (!valid).then(|| format!("invalid buffer size \"{size}\""))
            }
            Some(("flush", time)) => {
                let valid = values::milliseconds(time).is_some_and(|time| !time.is_zero());
                (!valid).then(|| format!("invalid flush time \"{time}\""))
            }
            Some(("gzip", level)) => {
                let valid = values::number(level).is_some_and(|level| (1..=9).contains(&level));
                (!valid).then(|| format!("invalid compression level \"{level}\""))
            }
            Some(("if", text)) => {
                condition = report.compile(text, &directive.argument_position(index));
                continue;
            }
            None if word == "gzip" => None,
            _ => Some(format!("invalid parameter \"{word}\"")),
        };
        match complaint {
            None => without_effect(directive, index, report),
            Some(complaint) => report.emerg_hint(
                complaint,
                &directive.argument_position(index),
                "\"access_log\" accepts a file, a format, buffer=size, flush=time, gzip[=level] and if=condition",
            ),
        }
    }
    let (position, order) = (directive.position.clone(), directive.order);
    logs.written.push(GivenAccessLog { destination, format, condition, position, order });
}

fn without_effect(directive: &Directive, index: usize, report: &mut Report) {
    let word = directive.argument(index);
    let reason = "lines are written in the background, as plain text";
    let message = format!("\"{word}\" in the \"access_log\" directive has no effect here: {reason}");
    report.warn(message, &directive.argument_position(index));
}

fn log_format(http: &mut Block, directive: &Directive, report: &mut Report) {
    let name = directive.argument(0);
    let known = |format: &GivenFormat| format.format.name == name;
    if name == "combined" || http.given::<Vec<GivenFormat>>().is_some_and(|formats| formats.iter().any(known))
    {
        report.emerg(format!("duplicate \"log_format\" name \"{name}\""), &directive.argument_position(0));
        return;
    }
    let (escape, first) = match directive.argument(1).strip_prefix("escape=") {
        None => (Escape::Default, 1),
        Some("default") => (Escape::Default, 2),
        Some("json") => (Escape::Json, 2),
        Some("none") => (Escape::None, 2),
        Some(other) => {
            report.emerg_hint(
                format!("unknown log format escaping \"{other}\""),
                &directive.argument_position(1),
                "it must be default, json or none",
            );
            (Escape::Default, 2)
        }
    };
    // Compiled one by one, as in nginx: no variable's name goes on in the next string.
    let template = (first..directive.arguments.len())
        .filter_map(|index| report.template(directive, index))
        .reduce(Template::followed_by)
        .unwrap_or_default();
    let given = GivenFormat {
        format: LogFormat { name: name.to_owned(), escape, template },
        position: directive.position.clone(),
        order: directive.order,
    };
    http.edit(|formats: &mut Vec<GivenFormat>| formats.push(given));
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::COMBINED;
    use crate::config::model::{Escape, LogDestination};
    use crate::config::testing::{accepted, in_http, in_location, refused, warnings};
    use crate::script::{Named, Names, Template, Variable};

    #[test]
    fn the_predefined_format_compiles() {
        let combined = Template::compile(COMBINED, &(), &mut Names::default()).unwrap();
        assert_eq!(combined.variables().count(), 8);
    }

    #[test]
    fn without_access_log_there_is_nginxs_default() {
        let http = accepted(&in_location("return 204;")).http;
        assert_eq!(http.access_log_files, [LogDestination::File(PathBuf::from("/prefix/logs/access.log"))]);
        let log = &http.servers[0].locations[0].access_logs[0];
        assert_eq!((log.file.0, log.format.name.as_str()), (0, "combined"));
    }

    #[test]
    fn formats_and_files_are_shared() {
        let http = accepted(&in_http(
            "log_format a escape=json '$status' ' $host'; access_log /var/x.log a; access_log x.log; \
             server { location / { return 204; } location /b { access_log /var/x.log; return 204; } \
             location /c { access_log off; access_log x.log; return 204; } }",
        ))
        .http;
        assert_eq!(http.access_log_files.len(), 2);
        let server = &http.servers[0];
        let logs = &server.locations[0].access_logs;
        assert_eq!((logs[0].file.0, logs[1].file.0), (0, 1));
        assert_eq!(logs[0].format.escape, Escape::Json);
        let variables: Vec<&Variable> = logs[0].format.template.variables().collect();
        assert_eq!(variables, [&Variable::Named(Named::Status), &Variable::Named(Named::Host)]);
        assert_eq!(
            (server.locations[1].access_logs.len(), server.locations[1].access_logs[0].file.0),
            (1, 0)
        );
        assert_eq!(server.locations[2].access_logs.len(), 0, "off outweighs what stands beside it");
    }

    #[test]
    fn mistakes() {
        let cases = [
            ("access_log a.log nosuch;", "unknown log format \"nosuch\""),
            ("access_log a.log late; log_format late x;", "unknown log format \"late\""),
            ("access_log a.log buffer=1k;", "unknown log format \"buffer=1k\""),
            ("access_log a.log combined buffer=x;", "invalid buffer size \"x\""),
            ("access_log a.log combined flush=0;", "invalid flush time \"0\""),
            ("access_log a.log combined gzip=10;", "invalid compression level \"10\""),
            ("access_log a.log combined x;", "invalid parameter \"x\""),
            ("access_log a.log combined if=$nope;", "unknown \"nope\" variable"),
            ("access_log $host.log;", "\"$host.log\" in the \"access_log\" directive is not supported"),
            (
                "access_log syslog:server=x;",
                "\"syslog:server=x\" in the \"access_log\" directive is not supported",
            ),
            ("server { error_log stderr loud; }", "invalid log level \"loud\""),
            ("access_log off x;", "invalid parameter \"x\""),
            ("log_format a '$nope';", "unknown \"nope\" variable"),
            ("log_format a escape=xml x;", "unknown log format escaping \"xml\""),
            ("log_format a x; log_format a y;", "duplicate \"log_format\" name \"a\""),
            ("log_format combined y;", "duplicate \"log_format\" name \"combined\""),
        ];
        for (text, message) in cases {
            refused(&in_http(text), message);
        }
        assert!(
            warnings(&in_http("access_log a.log combined buffer=32k;"))[0].contains("has no effect here")
        );
    }
}
