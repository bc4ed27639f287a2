//! The main context: the process and its files (nginx's core module).

use std::time::Duration;

use super::log;
use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::Effect::{Expanded, Opens, Reads};
use crate::config::table::{
    ANYWHERE, Argument, Arguments, Block, EVENTS, FLAG, Flag, HTTP, IF_IN_LOCATION, IF_IN_SERVER, MAIN,
    Maybe, Number, OFFSET, Row, TIME, Time, at_least, no_effect, one, refused, row, settings, words,
};
use crate::config::values;

/// nginx compiles its path in; this is that of its own build, with our name for the process.
pub(in crate::config) const DEFAULT_PID: &str = "logs/lb.pid";

/// More threads than any machine has processors, fewer than would hurt by mistake.
const MAX_WORKERS: u64 = 1024;

settings! {
    /// The process: who it is and what it may use.
    Core {
        "user" in MAIN,
        user: Option<User> as Maybe<User> = None,
        "Whom to become once the sockets are bound, when started as root",
        differs "without it the process stays who it is; nginx becomes `nobody`";

        "worker_processes" in MAIN,
        worker_processes: WorkerCount as WorkerCount = WorkerCount::Exactly(1),
        "How many threads serve requests; `auto` is one per processor",
        differs "there is one process in any case";

        "worker_rlimit_nofile" in MAIN,
        worker_rlimit_nofile: Option<u64> as Maybe<Number> = None,
        "The limit on open files (`RLIMIT_NOFILE`)";

        "worker_shutdown_timeout" in MAIN,
        worker_shutdown_timeout: Option<Duration> as Maybe<Time> = None,
        "How long a graceful stop may take; without it, until the last request has ended";

        "daemon" in MAIN,
        daemon: bool as Flag = true,
        "Whether to go to the background";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("pid", MAIN, one("file | off"), Reads(pid),
        "Where the process writes its id, once every listener accepts").default(|| DEFAULT_PID.to_owned()),
    row("env", MAIN, one("variable[=value]"), Reads(env),
        "Keeps or sets a variable of the environment").repeatable(),
    row("error_log", MAIN, words(1, 2, "file | stderr | syslog:server=address[,parameter=value …] [debug | info | notice | warn | error | crit | alert | emerg]"), Reads(log::error_log),
        "Where messages go and how severe they must be").repeatable().default(log::default_error_log),
    row("events", MAIN, words(0, 0, "{ … }"), Opens(|d, _, _| Block::new(EVENTS, d.position.clone())),
        "How connections are processed; must be there, as in nginx, and may be empty"),
    row("http", MAIN, words(0, 0, "{ … }"), Opens(|d, _, _| Block::new(HTTP, d.position.clone())),
        "Everything about HTTP"),
    row("include", ANYWHERE.or(IF_IN_SERVER).or(IF_IN_LOCATION), one("file | mask"), Expanded,
        "Reads other files in its place; relative to the directory of the main file, in alphabetical order, the files of a mask may be none").repeatable(),
    no_effect("master_process", MAIN, FLAG, "there is one process, which is master and worker in one").without("on"),
    no_effect("lock_file", MAIN, one("file"), "there is one process: nothing to lock").without("logs/nginx.lock"),
    no_effect("pcre_jit", MAIN, FLAG,
        "regular expressions are compiled to automata, there is no JIT to switch").without("off"),
    no_effect("ssl_engine", MAIN, one("device"), "there is no TLS here to accelerate"),
    no_effect("ssl_object_cache_inheritable", MAIN, FLAG, "there are no TLS objects to cache").without("on"),
    no_effect("thread_pool", MAIN, words(2, 3, "name threads=number [max_queue=number]"),
        "files are read by the runtime's own threads").without("default threads=32 max_queue=65536").repeatable(),
    no_effect("timer_resolution", MAIN, TIME, "the clock is read when it is needed"),
    no_effect("working_directory", MAIN, one("directory"),
        "no file name is relative to it, and core dumps follow the system's settings"),
    no_effect("worker_cpu_affinity", MAIN, at_least(1, "mask …"), "threads run where the system puts them"),
    no_effect("worker_priority", MAIN, one("number"),
        "threads run at the priority that the process was started with").without("0"),
    no_effect("worker_rlimit_core", MAIN, OFFSET,
        "the limit on core dumps is what the process was started with"),
    no_effect("debug_points", MAIN, one("abort | stop"), "there are no debug points"),
    refused("load_module", MAIN,
        "there are no loadable modules; what the module does is either built in or not available"),
    refused("stream", MAIN, "only HTTP is balanced; leave TCP and UDP to nginx or HAProxy on ports of their own"),
    refused("mail", MAIN, "only HTTP is balanced; leave mail to nginx on ports of its own"),
    refused("google_perftools_profiles", MAIN, "there is no profiler built in"),
];

/// `user name [group]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Group name; the user's name when not given, as nginx does.
    pub group: String,
    /// Where it was written.
    pub position: Position,
}

impl Argument for User {
    type Value = Self;

    const ARGUMENTS: Arguments = words(1, 2, "user [group]");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let name = directive.argument(0).to_owned();
        let group = match directive.arguments.get(1) {
            Some(group) => group.text.clone(),
            None => name.clone(),
        };
        if name.is_empty() || group.is_empty() {
            report.emerg("\"user\" directive invalid value", &directive.position);
            return;
        }
        *into = Some(Self { name, group, position: directive.position.clone() });
    }

    fn print(value: &Self) -> String {
        format!("{} {}", value.name, value.group)
    }
}

/// `worker_processes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerCount {
    /// One per processor this process may use.
    Auto,
    /// So many.
    Exactly(usize),
}

impl Argument for WorkerCount {
    type Value = Self;

    const ARGUMENTS: Arguments = one("number | auto");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        if directive.argument(0) == "auto" {
            *into = Some(Self::Auto);
            return;
        }
        let count = values::number(directive.argument(0)).filter(|count| (1..=MAX_WORKERS).contains(count));
        match count.and_then(|count| usize::try_from(count).ok()) {
            Some(count) => *into = Some(Self::Exactly(count)),
            None => report.emerg_hint(
                "\"worker_processes\" directive invalid value",
                &directive.argument_position(0),
                format!(
                    "\"{}\" is neither \"auto\" nor a number from 1 to {MAX_WORKERS}",
                    directive.argument(0)
                ),
            ),
        }
    }

    fn print(value: &Self) -> String {
        match value {
            Self::Auto => "auto".to_owned(),
            Self::Exactly(count) => count.to_string(),
        }
    }
}

/// `pid`.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) enum PidFile {
    Off,
    Path(String),
}

fn pid(block: &mut Block, directive: &Directive, report: &mut Report) {
    let pid = match directive.argument(0) {
        "" => {
            report.emerg("\"pid\" directive invalid value", &directive.position);
            return;
        }
        "off" => PidFile::Off,
        path => PidFile::Path(path.to_owned()),
    };
    block.edit(|given| *given = Some(pid));
}

/// `env`: what remains in the environment; a name without a value keeps the inherited one.
#[derive(Debug, Default)]
pub(in crate::config) struct Environment(pub(in crate::config) Vec<(String, Option<String>)>);

fn env(block: &mut Block, directive: &Directive, report: &mut Report) {
    let text = directive.argument(0);
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() || text.contains('\0') {
        report.emerg_hint(
            "\"env\" directive invalid value",
            &directive.argument_position(0),
            format!("\"{text}\" names no variable"),
        );
        return;
    }
    block.edit(|Environment(kept)| kept.push((name.to_owned(), value)));
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use crate::config::model::{LogDestination, Severity, WorkerCount};
    use crate::config::testing::{accepted, in_main, refused, warnings};

    #[test]
    fn the_process_is_described() {
        let main = accepted(&in_main(
            "user www data; worker_processes auto; worker_rlimit_nofile 9000; worker_shutdown_timeout 1m; \
             pid run/lb.pid; daemon off; env PATH; env A=b=c; error_log stderr debug_http; error_log e.log;",
        ))
        .main;
        let user = main.core.user.clone().unwrap();
        assert_eq!((user.name.as_str(), user.group.as_str()), ("www", "data"));
        assert_eq!(main.core.worker_processes, WorkerCount::Auto);
        assert_eq!(main.core.worker_rlimit_nofile, Some(9000));
        assert_eq!(main.core.worker_shutdown_timeout, Some(Duration::from_secs(60)));
        assert_eq!(main.pid, Some(PathBuf::from("/prefix/run/lb.pid")));
        assert!(!main.core.daemon);
        assert_eq!(main.env, [("PATH".to_owned(), None), ("A".to_owned(), Some("b=c".to_owned()))]);
        assert_eq!(main.error_logs[0].destination, LogDestination::Stderr);
        assert_eq!(main.error_logs[0].level, Severity::Debug);
        assert_eq!(main.error_logs[1].destination, LogDestination::File("/prefix/e.log".into()));
        assert_eq!(main.error_logs[1].level, Severity::Error);
    }

    #[test]
    fn silence_means_nginxs_defaults() {
        let main = accepted(&in_main("")).main;
        assert_eq!(main.core.user, None);
        assert_eq!(main.core.worker_processes, WorkerCount::Exactly(1));
        assert_eq!(main.pid, Some(PathBuf::from("/prefix/logs/lb.pid")));
        assert!(main.core.daemon);
        assert_eq!(main.error_logs[0].destination, LogDestination::File("/prefix/logs/error.log".into()));
        assert_eq!(accepted(&in_main("user www;")).main.core.user.clone().unwrap().group, "www");
        assert_eq!(accepted(&in_main("pid off;")).main.pid, None);
        let inside_http = accepted(&in_main("http { error_log stderr warn; }")).main;
        assert_eq!(inside_http.error_logs[0].destination, LogDestination::Stderr);
    }

    #[test]
    fn mistyped_values_are_refused() {
        let cases = [
            ("worker_processes 0;", "\"worker_processes\" directive invalid value in /conf/nginx.conf:1"),
            ("worker_processes x;", "\"worker_processes\" directive invalid value"),
            ("worker_rlimit_nofile -1;", "\"worker_rlimit_nofile\" directive invalid number"),
            ("worker_shutdown_timeout 1y;", "\"worker_shutdown_timeout\" directive invalid value"),
            ("daemon 1;", "invalid value \"1\" in \"daemon\" directive, it must be \"on\" or \"off\""),
            ("daemon on; daemon on;", "\"daemon\" directive is duplicate"),
            ("env =x;", "\"env\" directive invalid value"),
            ("error_log stderr loud;", "invalid log level \"loud\""),
            ("error_log memory:1m;", "\"memory:1m\" in the \"error_log\" directive is not supported"),
            ("user \"\";", "\"user\" directive invalid value"),
            ("load_module a.so;", "nginx's directive \"load_module\" is not supported"),
            ("stream { server { listen 1; } }", "nginx's directive \"stream\" is not supported"),
        ];
        for (text, message) in cases {
            refused(&in_main(text), message);
        }
    }

    #[test]
    fn what_has_no_effect_says_why() {
        let warnings = warnings(&in_main("master_process off;\ntimer_resolution 100ms;"));
        assert_eq!(
            warnings[0],
            "[warn] \"master_process\" has no effect here: there is one process, which is master and worker in one \
             in /conf/nginx.conf:1"
        );
        assert!(warnings[1].ends_with("in /conf/nginx.conf:2"));
        refused(&in_main("timer_resolution soon;"), "\"timer_resolution\" directive invalid value");
    }
}
