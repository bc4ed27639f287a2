//! nginx's `ngx_http_log_module`.

use std::time::Duration;

use super::log::{self, LogDestination};
use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{
    Argument, Arguments, Block, HTTP, IF_IN_LOCATION, LEVELS, LIMIT_EXCEPT, Row, at_least, row, settings,
};
use crate::config::values;
use crate::script::{Escape, Template};

/// nginx compiles its paths in; these are those of its own build.
pub(in crate::config) const DEFAULT_ACCESS_LOG: &str = "logs/access.log";

/// nginx's predefined format.
pub(in crate::config) const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status \
     $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";

/// Beyond nginx: the name of a format that is there without a `log_format`, unless the configuration has one of this
/// name.
pub(in crate::config) const JSON_NAME: &str = "json";
/// One object per line, for collectors.
pub(in crate::config) const JSON: &str = "{\"time\":\"$time_iso8601\",\"remote_addr\":\"$remote_addr\",\
     \"remote_user\":\"$remote_user\",\"method\":\"$request_method\",\"scheme\":\"$scheme\",\"host\":\"$host\",\
     \"uri\":\"$request_uri\",\"protocol\":\"$server_protocol\",\"status\":$status,\
     \"bytes_sent\":$bytes_sent,\"body_bytes_sent\":$body_bytes_sent,\"request_length\":$request_length,\
     \"request_time\":$request_time,\"request_id\":\"$request_id\",\"referer\":\"$http_referer\",\
     \"user_agent\":\"$http_user_agent\",\"upstream_addr\":\"$upstream_addr\",\
     \"upstream_status\":\"$upstream_status\",\"upstream_connect_time\":\"$upstream_connect_time\",\
     \"upstream_response_time\":\"$upstream_response_time\"}";

/// nginx's buffer of a log with `gzip` that names none.
const GZIP_BUFFER_BYTES: u64 = 64 << 10;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("access_log", LEVELS.or(IF_IN_LOCATION).or(LIMIT_EXCEPT), at_least(1, "file | syslog:server=address[,parameter=value …] [format [buffer=size] [gzip[=level]] [flush=time] [if=condition]] | off"), Reads(access_log),
        "Where a line for each request goes, and how it looks; the file's name may hold variables. A level that has any inherits none").repeatable()
        .default(|| format!("{DEFAULT_ACCESS_LOG} combined")),
    row("log_format", HTTP, at_least(2, "name [escape=default | json | none] string …"), Reads(log_format),
        "A format of the access log, of strings with variables; must stand before the `access_log` that names it. Beyond nginx: without one of this name, `json` is a format with one object per line").repeatable().without("combined"),
];

settings! {
    /// The files of access logs whose names hold variables.
    LogFilesKept {
        "open_log_file_cache" in LEVELS,
        rules: OpenLogFiles as OpenLogFiles = OpenLogFiles::OFF,
        "How many files of access logs whose names hold variables stay open, and for how long";
    }
}

/// `open_log_file_cache`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpenLogFiles {
    /// `max=`: how many; none where it is `off`.
    pub most: usize,
    /// `inactive=`: closed when not used for so long.
    pub inactive: Duration,
    /// `min_uses=`: kept only when used so often within `inactive`.
    pub least_uses: u64,
    /// `valid=`: how often to look whether the file of that name is still the one that is open.
    pub valid: Duration,
}

impl OpenLogFiles {
    /// Every file is closed after the line.
    pub const OFF: Self =
        Self { most: 0, inactive: Duration::from_secs(10), least_uses: 1, valid: Duration::from_secs(60) };
}

impl Argument for OpenLogFiles {
    type Value = Self;

    const ARGUMENTS: Arguments =
        at_least(1, "max=number [inactive=time] [min_uses=number] [valid=time] | off");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let mut rules = Self::OFF;
        for (index, word) in directive.words().enumerate() {
            let read = match word.split_once('=') {
                None if word == "off" => {
                    rules = Self::OFF;
                    *into = Some(rules);
                    continue;
                }
                Some(("max", number)) => values::number(number).map(|number| rules.most = number as usize),
                Some(("inactive", time)) => values::seconds(time).map(|time| rules.inactive = time),
                Some(("min_uses", number)) => values::number(number)
                    .filter(|number| *number > 0)
                    .map(|number| rules.least_uses = number),
                Some(("valid", time)) => values::seconds(time).map(|time| rules.valid = time),
                _ => None,
            };
            if read.is_none() {
                report.emerg_hint(
                    format!("invalid \"open_log_file_cache\" parameter \"{word}\""),
                    &directive.argument_position(index),
                    "it must be off, max=number, inactive=time, min_uses=number or valid=time",
                );
                return;
            }
        }
        if rules.most == 0 && into.is_none() {
            let message = "\"open_log_file_cache\" must have \"max\" parameter";
            report.emerg(message, &directive.position);
            return;
        }
        *into = Some(rules);
    }

    fn print(value: &Self) -> String {
        match value.most {
            0 => "off".to_owned(),
            most => format!("max={most}"),
        }
    }
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

    use super::{Buffering, OpenLogFiles};
    use super::{COMBINED, JSON};
    use crate::config::model::{AccessLog, AccessLogTarget, Escape, Http, LogDestination};
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
