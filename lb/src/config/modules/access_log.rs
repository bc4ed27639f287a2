//! nginx's `ngx_http_log_module`.

use std::time::Duration;

use super::log::{self, LogDestination};
use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, IF_IN_LOCATION, LEVELS, LIMIT_EXCEPT, Row, at_least, row};
use crate::config::values;
use crate::script::Template;

/// nginx compiles its paths in; these are those of its own build.
pub(in crate::config) const DEFAULT_ACCESS_LOG: &str = "logs/access.log";

/// nginx's buffer of a log with `gzip` that names none.
const GZIP_BUFFER_BYTES: u64 = 64 << 10;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("access_log", LEVELS.or(IF_IN_LOCATION).or(LIMIT_EXCEPT), at_least(1, "file | syslog:server=address[,parameter=value …] [format [buffer=size] [gzip[=level]] [flush=time] [if=condition]] | off"), Reads(access_log),
        "Where a line for each request goes, and how it looks; the file's name may hold variables. A level that has any inherits none").repeatable()
        .default(|| format!("{DEFAULT_ACCESS_LOG} combined")),
];

/// How the lines of a file are gathered before they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Buffering {
    /// `buffer=`: lines are written when so many bytes wait.
    pub bytes: u64,
    /// `flush=`: no line waits longer.
    pub flush: Option<Duration>,
    /// `gzip`: what is written at once is a member of a gzip file, of this level.
    pub gzip_level: Option<u32>,
}

/// All `access_log`s of one level.
#[derive(Debug, Default)]
pub(in crate::config) struct GivenAccessLogs {
    /// `off` anywhere among them.
    pub(in crate::config) off: bool,
    pub(in crate::config) written: Vec<GivenAccessLog>,
}

/// Where an `access_log` goes.
#[derive(Debug)]
pub(in crate::config) enum GivenTarget {
    Fixed(LogDestination),
    /// A path with variables, absolute or under the prefix.
    Path {
        text: String,
        path: Template,
    },
}

/// One `access_log`.
#[derive(Debug)]
pub(in crate::config) struct GivenAccessLog {
    pub(in crate::config) target: GivenTarget,
    /// As written.
    pub(in crate::config) written: String,
    /// The name of its format, `combined` when none is written.
    pub(in crate::config) format: String,
    /// `if=`
    pub(in crate::config) condition: Option<Template>,
    pub(in crate::config) buffering: Option<Buffering>,
    pub(in crate::config) position: Position,
    pub(in crate::config) order: usize,
}

fn access_log(block: &mut Block, directive: &Directive, report: &mut Report) {
    block.edit(|logs| read_access_log(logs, directive, report));
}

fn read_access_log(logs: &mut GivenAccessLogs, directive: &Directive, report: &mut Report) {
    let written = directive.argument(0);
    if written == "off" {
        if directive.arguments.len() > 1 {
            report.invalid_parameter(directive, 1, "nothing after \"off\"");
        }
        logs.off = true;
        return;
    }
    let is_syslog = written.starts_with("syslog:");
    let target = if written.contains('$') && !is_syslog {
        let Some(path) = report.template(directive, 0) else { return };
        GivenTarget::Path { text: written.to_owned(), path }
    } else {
        let Some(destination) = log::destination(directive, report) else { return };
        GivenTarget::Fixed(destination)
    };
    let format = directive.arguments.get(1).map_or("combined", |word| &word.text).to_owned();
    let mut condition = None;
    let (mut buffer_bytes, mut flush, mut gzip_level) = (None, None, None);
    for (index, word) in directive.words().enumerate().skip(2) {
        let complaint = match word.split_once('=') {
            Some(("buffer", size)) => {
                buffer_bytes = values::size(size).filter(|size| *size > 0);
                buffer_bytes.is_none().then(|| format!("invalid buffer size \"{size}\""))
            }
            Some(("flush", time)) => {
                flush = values::milliseconds(time).filter(|time| !time.is_zero());
                flush.is_none().then(|| format!("invalid flush time \"{time}\""))
            }
            Some(("gzip", level)) => {
                gzip_level = values::number(level).and_then(|level| u32::try_from(level).ok());
                gzip_level = gzip_level.filter(|level| (1..=9).contains(level));
                gzip_level.is_none().then(|| format!("invalid compression level \"{level}\""))
            }
            Some(("if", text)) => {
                condition = report.compile(text, &directive.argument_position(index));
                continue;
            }
            None if word == "gzip" => {
                gzip_level = Some(1);
                None
            }
            _ => Some(format!("invalid parameter \"{word}\"")),
        };
        if let Some(complaint) = complaint {
            report.emerg_hint(
                complaint,
                &directive.argument_position(index),
                "\"access_log\" accepts a file, a format, buffer=size, flush=time, gzip[=level] and if=condition",
            );
            return;
        }
    }
    let bytes = buffer_bytes.or_else(|| gzip_level.map(|_| GZIP_BUFFER_BYTES));
    let complaint = match bytes {
        None if flush.is_some() => Some(format!("no buffer is defined for access_log \"{written}\"")),
        Some(_) if is_syslog => Some("logs to syslog cannot be buffered".to_owned()),
        Some(_) if matches!(target, GivenTarget::Path { .. }) => {
            Some("buffered logs cannot have variables in name".to_owned())
        }
        _ => None,
    };
    if let Some(complaint) = complaint {
        report.emerg(complaint, &directive.position);
        return;
    }
    logs.written.push(GivenAccessLog {
        target,
        written: written.to_owned(),
        format,
        condition,
        buffering: bytes.map(|bytes| Buffering { bytes, flush, gzip_level }),
        position: directive.position.clone(),
        order: directive.order,
    });
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::Buffering;
    use crate::config::model::{AccessLog, AccessLogTarget, Escape, Http, LogDestination, OpenLogFiles};
    use crate::config::modules::log_format::{COMBINED, JSON};
    use crate::config::testing::{accepted, in_http, in_location, refused};
    use crate::script::{Named, Names, Template, Variable};

    fn destinations(http: &Http) -> Vec<&LogDestination> {
        http.access_log_files.iter().map(|file| &file.destination).collect()
    }

    fn file(log: &AccessLog) -> usize {
        match &log.target {
            AccessLogTarget::Fixed(id) => id.0,
            AccessLogTarget::Path(_) => panic!("a path with variables"),
        }
    }

    #[test]
    fn the_predefined_formats_compile() {
        let combined = Template::compile(COMBINED, &(), &mut Names::default()).unwrap();
        assert_eq!(combined.variables().count(), 8);
        let mut names = Names::default();
        let json = Template::compile(JSON, &(), &mut names).unwrap();
        assert!(
            json.variables()
                .all(|variable| matches!(variable, Variable::Named(_) | Variable::RequestHeader(_))),
            "{json:?}"
        );
    }

    #[test]
    fn a_buffer_belongs_to_the_file() {
        let http = accepted(&in_http(
            "access_log a.log combined gzip=3 flush=5s; server { access_log a.log; location / { return 204; } }
             server { access_log b.log combined buffer=32k; location / { return 204; } }",
        ))
        .http;
        let buffering: Vec<_> = http.access_log_files.iter().map(|file| file.buffering).collect();
        let flush = Some(std::time::Duration::from_secs(5));
        assert_eq!(buffering[0], Some(Buffering { bytes: 64 << 10, flush, gzip_level: Some(3) }));
        assert_eq!(buffering[1], Some(Buffering { bytes: 32 << 10, flush: None, gzip_level: None }));
    }

    #[test]
    fn a_path_with_variables_is_absolute() {
        let http = accepted(&in_http(
            "open_log_file_cache max=7 inactive=20s min_uses=2 valid=1m;
             server { access_log logs/$host.log; access_log /var/$host.log json; location / { return 204; } }",
        ))
        .http;
        let location = &http.servers[0].locations[0];
        let starts: Vec<&str> = location
            .access_logs
            .iter()
            .map(|log| match &log.target {
                AccessLogTarget::Path(path) => path.literal_start(),
                AccessLogTarget::Fixed(_) => "fixed",
            })
            .collect();
        assert_eq!(starts, ["/prefix/", "/var/"]);
        let kept = location.settings.log_files.rules;
        let seconds = std::time::Duration::from_secs;
        assert_eq!(kept, OpenLogFiles { most: 7, inactive: seconds(20), least_uses: 2, valid: seconds(60) });
    }

    #[test]
    fn error_logs_of_a_level_replace_those_above() {
        let http = accepted(
            "error_log main.log; events {} http { error_log a.log warn; error_log stderr;
             server { location / { return 204; } location /b { error_log b.log; return 204; } } }",
        )
        .http;
        let of = |index: usize| {
            let id = http.servers[0].locations[index].error_logs.unwrap();
            http.error_logs[id.0].iter().map(|log| log.level.name()).collect::<Vec<_>>()
        };
        assert_eq!((of(0), of(1)), (vec!["warn", "error"], vec!["error"]));
        let alone = accepted("events {} http { error_log a.log; server { location / { return 204; } } }");
        assert_eq!(alone.http.servers[0].locations[0].error_logs, None, "the main context has it");
    }

    #[test]
    fn without_access_log_there_is_nginxs_default() {
        let http = accepted(&in_location("return 204;")).http;
        assert_eq!(destinations(&http), [&LogDestination::File(PathBuf::from("/prefix/logs/access.log"))]);
        let log = &http.servers[0].locations[0].access_logs[0];
        assert_eq!((file(log), log.format.name.as_str()), (0, "combined"));
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
        assert_eq!((file(&logs[0]), file(&logs[1])), (0, 1));
        assert_eq!(logs[0].format.escape, Escape::Json);
        let variables: Vec<&Variable> = logs[0].format.template.variables().collect();
        assert_eq!(variables, [&Variable::Named(Named::Status), &Variable::Named(Named::Host)]);
        assert_eq!(
            (server.locations[1].access_logs.len(), file(&server.locations[1].access_logs[0])),
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
            ("access_log a.log combined flush=1s;", "no buffer is defined for access_log \"a.log\""),
            ("access_log $host.log combined buffer=1k;", "buffered logs cannot have variables in name"),
            ("access_log syslog:server=x combined gzip;", "logs to syslog cannot be buffered"),
            ("access_log syslog:facility=user;", "no syslog server specified"),
            (
                "access_log a.log combined buffer=1k; server { access_log a.log combined buffer=2k; }",
                "access_log \"a.log\" already defined with conflicting parameters",
            ),
            ("open_log_file_cache inactive=2s;", "\"open_log_file_cache\" must have \"max\" parameter"),
            ("open_log_file_cache x;", "invalid \"open_log_file_cache\" parameter \"x\""),
            (
                "open_log_file_cache max=1; open_log_file_cache off;",
                "\"open_log_file_cache\" directive is duplicate",
            ),
            (
                "server { error_log syslog:server=a,tag=; error_log \"\"; }",
                "\"error_log\" directive invalid value",
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
    }
}
