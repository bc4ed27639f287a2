//! The main context: the process and its files (nginx's core module).

use super::Effect::{Expanded, Ignored, Main, Opens};
use super::{
    ANYWHERE, Block, FLAG, LOCATION, MAIN, NUMBER, OFFSET, Row, SERVER, TIME, at_least, no_effect, one,
    refused, row, words,
};
use crate::config::diagnostics::Report;
use crate::config::draft::{MainDraft, PidFile};
use crate::config::model::{User, WorkerCount};
use crate::config::syntax::Directive;

use super::log;

/// More threads than any machine has processors, fewer than would hurt by mistake.
const MAX_WORKERS: u64 = 1024;

pub(super) const ROWS: &[Row] = &[
    row("user", MAIN, words(1, 2, "user [group]"), "", Main(user), "Whom to become once the sockets are bound, when started as root; without it nothing changes"),
    row("worker_processes", MAIN, one("number \\| auto"), "1", Main(worker_processes), "How many threads serve requests; `auto` is one per processor. There is one process in any case"),
    row("worker_rlimit_nofile", MAIN, NUMBER, "", Main(|main, d, r| main.worker_rlimit_nofile = r.number(d, 0)), "The limit on open files (`RLIMIT_NOFILE`)"),
    row("worker_shutdown_timeout", MAIN, TIME, "", Main(|main, d, r| main.worker_shutdown_timeout = r.milliseconds(d, 0)), "How long a graceful stop may take; without it, until the last request has ended"),
    row("pid", MAIN, one("file \\| off"), "logs/lb.pid", Main(pid), "Where the process writes its id, once every listener accepts"),
    row("daemon", MAIN, FLAG, "on", Main(|main, d, r| main.daemon = r.flag(d, 0)), "Whether to go to the background"),
    row("env", MAIN, one("variable[=value]"), "", Main(env), "Keeps or sets a variable of the environment").repeatable(),
    row("error_log", MAIN, words(1, 2, "file \\| stderr [debug \\| info \\| notice \\| warn \\| error \\| crit \\| alert \\| emerg]"), "logs/error.log error", Main(|main, d, r| main.error_logs.extend(log::error_log(d, r))), "Where messages go and how severe they must be").repeatable(),
    row("events", MAIN, words(0, 0, "{ … }"), "", Opens(Block::Events), "How connections are processed; must be there, as in nginx, and may be empty"),
    row("http", MAIN, words(0, 0, "{ … }"), "", Opens(Block::Http), "Everything about HTTP"),
    row("include", ANYWHERE, one("file \\| mask"), "", Expanded, "Reads other files in its place; relative to the directory of the main file, in alphabetical order, the files of a mask may be none").repeatable(),
    no_effect("master_process", MAIN, FLAG, "there is one process, which is master and worker in one"),
    no_effect("lock_file", MAIN, one("file"), "there is one process: nothing to lock"),
    no_effect("pcre_jit", MAIN, FLAG, "regular expressions are compiled to automata, there is no JIT to switch"),
    no_effect("ssl_engine", MAIN, one("device"), "there is no TLS here to accelerate"),
    no_effect("ssl_object_cache_inheritable", MAIN, FLAG, "there are no TLS objects to cache"),
    no_effect("thread_pool", MAIN, words(2, 3, "name threads=number [max_queue=number]"), "no file is served, so none is read in a pool").repeatable(),
    no_effect("timer_resolution", MAIN, TIME, "the clock is read when it is needed"),
    no_effect("working_directory", MAIN, one("directory"), "no file name is relative to it, and core dumps follow the system's settings"),
    no_effect("worker_cpu_affinity", MAIN, at_least(1, "mask …"), "threads run where the system puts them"),
    no_effect("worker_priority", MAIN, one("number"), "threads run at the priority that the process was started with"),
    no_effect("worker_rlimit_core", MAIN, OFFSET, "the limit on core dumps is what the process was started with"),
    no_effect("debug_points", MAIN, one("abort \\| stop"), "there are no debug points"),
    row("error_log", SERVER | LOCATION, words(1, 2, "file [level]"), "", Ignored("all messages go where the error_log of the main context says"), "").repeatable(),
    refused("load_module", MAIN, "there are no loadable modules; what the module does is either built in or not available"),
    refused("stream", MAIN, "only HTTP is balanced"),
    refused("mail", MAIN, "only HTTP is balanced"),
    refused("google_perftools_profiles", MAIN, "there is no profiler built in"),
];

fn user(main: &mut MainDraft, directive: &Directive, report: &mut Report) {
    let name = directive.argument(0).to_owned();
    let group = match directive.arguments.get(1) {
        Some(group) => group.text.clone(),
        None => name.clone(),
    };
    if name.is_empty() || group.is_empty() {
        report.emerg("\"user\" directive invalid value", &directive.position);
        return;
    }
    main.user = Some(User { name, group, position: directive.position.clone() });
}

fn worker_processes(main: &mut MainDraft, directive: &Directive, report: &mut Report) {
    if directive.argument(0) == "auto" {
        main.worker_processes = Some(WorkerCount::Auto);
        return;
    }
    let count = crate::config::values::number(directive.argument(0))
        .filter(|count| (1..=MAX_WORKERS).contains(count));
    match count.and_then(|count| usize::try_from(count).ok()) {
        Some(count) => main.worker_processes = Some(WorkerCount::Exactly(count)),
        None => report.emerg_hint(
            "\"worker_processes\" directive invalid value",
            &directive.argument_position(0),
            format!("\"{}\" is neither \"auto\" nor a number from 1 to {MAX_WORKERS}", directive.argument(0)),
        ),
    }
}

fn pid(main: &mut MainDraft, directive: &Directive, report: &mut Report) {
    main.pid = match directive.argument(0) {
        "" => {
            report.emerg("\"pid\" directive invalid value", &directive.position);
            None
        }
        "off" => Some(PidFile::Off),
        path => Some(PidFile::Path(path.to_owned())),
    };
}

fn env(main: &mut MainDraft, directive: &Directive, report: &mut Report) {
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
    main.env.push((name.to_owned(), value));
}
