use std::fs;
use std::path::Path;

use super::*;
use crate::config::model::LogDestination;

/// A logger of its own, in front of files that are written at once.
fn logger(directory: &Path, rust_log: &str, logs: &[(&str, Severity)]) -> ErrorLogger {
    let logger = ErrorLogger::new(Some(rust_log.to_owned()));
    let logs: Vec<_> = logs
        .iter()
        .map(|(name, level)| ErrorLog {
            destination: LogDestination::File(directory.join(name)),
            level: *level,
        })
        .collect();
    logger.open(&LogFiles::default(), &logs, &[]).unwrap();
    logger.leave_console();
    logger
}

fn say(logger: &ErrorLogger, target: &str, level: Level, message: &str) {
    let metadata = Metadata::builder().target(target).level(level).build();
    let arguments = format_args!("{message}");
    // As the macros of `log` do: ask first.
    if logger.enabled(&metadata) {
        logger.log(&Record::builder().metadata(metadata).args(arguments).build());
    }
}

/// The text of each line after `[`.
fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split_once(" [").unwrap().1.to_owned()).collect()
}

/// `#thread` differs from run to run.
fn severities(path: &Path) -> Vec<String> {
    lines(path).iter().map(|line| line.split_once(']').unwrap().0.to_owned()).collect()
}

fn say_everything(logger: &ErrorLogger) {
    for (target, level) in [
        ("lb::proxy", Level::Trace),
        ("lb::proxy", Level::Debug),
        ("lb", Level::Info),
        (NOTICE, Level::Info),
        ("lb", Level::Warn),
        ("lb", Level::Error),
        (CRIT, Level::Error),
        (ALERT, Level::Error),
        (EMERG, Level::Error),
    ] {
        say(logger, target, level, "x");
    }
}

#[test]
fn each_destination_gets_its_level_and_above() {
    let directory = tempfile::tempdir().unwrap();
    let logs = [
        ("debug", Severity::Debug),
        ("notice", Severity::Notice),
        ("error", Severity::Error),
        ("emerg", Severity::Emerg),
    ];
    say_everything(&logger(directory.path(), "", &logs));
    let all = ["debug", "debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"];
    for (name, from) in [("debug", 0), ("notice", 3), ("error", 5), ("emerg", 8)] {
        assert_eq!(severities(&directory.path().join(name)), all[from..], "{name}");
    }
}

#[test]
fn a_line_is_nginxs() {
    let directory = tempfile::tempdir().unwrap();
    let logger = logger(directory.path(), "", &[("log", Severity::Error)]);
    say(&logger, "lb::proxy", Level::Error, "connect() failed");
    let text = fs::read_to_string(directory.path().join("log")).unwrap();
    let form =
        regex::Regex::new(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[error\] (\d+)#(\d+): connect\(\) failed\n$");
    let captures = form.unwrap().captures(&text).unwrap_or_else(|| panic!("{text:?}"));
    assert_eq!(captures[1], std::process::id().to_string());
    assert_eq!(captures[2], nix::unistd::gettid().to_string());
}

#[test]
fn one_entry_stays_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let logger = logger(directory.path(), "", &[("log", Severity::Error)]);
    say(&logger, "lb", Level::Error, "first\n2026/01/01 [emerg] forged\x1b[31m \u{e9}\n");
    let lines = lines(&directory.path().join("log"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].ends_with(r"first\x0A2026/01/01 [emerg] forged\x1B[31m é"), "{lines:?}");
}

#[test]
fn libraries_are_held_to_warnings_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let logger = logger(directory.path(), "", &[("log", Severity::Debug)]);
    for level in [Level::Debug, Level::Info, Level::Warn] {
        say(&logger, "pingora_core::server", level, "x");
    }
    let lines = lines(&directory.path().join("log"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("warn]") && lines[0].ends_with(": pingora_core::server: x"), "{lines:?}");
}

#[test]
fn rust_log_raises_and_lowers_what_it_names() {
    let cases: [(&str, &[&str]); 5] = [
        ("", &["lb::a error"]),
        ("lb::a=debug", &["lb::a debug", "lb::a info", "lb::a error"]),
        ("pingora=info", &["lb::a error", "pingora info"]),
        ("lb::a=off", &[]),
        ("info", &["lb::a info", "lb::a error", "pingora info"]),
    ];
    for (rust_log, expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        let logger = logger(directory.path(), rust_log, &[("log", Severity::Error)]);
        for (target, level) in [
            ("lb::a", Level::Debug),
            ("lb::a", Level::Info),
            ("lb::a", Level::Error),
            ("pingora", Level::Debug),
            ("pingora", Level::Info),
        ] {
            let message = format!("{target} {}", level.as_str().to_lowercase());
            say(&logger, target, level, &message);
        }
        let text = fs::read_to_string(directory.path().join("log")).unwrap();
        let said: Vec<_> = text
            .lines()
            .map(|line| line.rsplitn(3, ' ').take(2).collect::<Vec<_>>())
            .map(|words| format!("{} {}", words[1], words[0]))
            .collect();
        assert_eq!(said, expected, "RUST_LOG={rust_log}");
    }
}

#[test]
fn a_log_that_cannot_be_opened_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let logger = logger(directory.path(), "", &[("log", Severity::Error)]);
    let missing = directory.path().join("none/log");
    let bad = ErrorLog { destination: LogDestination::File(missing.clone()), level: Severity::Debug };
    let error = logger.open(&LogFiles::default(), &[bad], &[]).unwrap_err();
    let expected = format!("open() \"{}\" failed (2: No such file or directory)", missing.display());
    assert_eq!(error.to_string(), expected);
    say(&logger, "lb", Level::Error, "still here");
    assert_eq!(lines(&directory.path().join("log")).len(), 1);
}

#[test]
fn a_part_on_demand_is_made_for_written_lines_alone() {
    let directory = tempfile::tempdir().unwrap();
    let logger = logger(directory.path(), "", &[("log", Severity::Crit)]);
    let made = std::cell::Cell::new(0);
    let part = OnDemand(|| {
        made.set(made.get() + 1);
        "with a part"
    });
    let say = |target: &str, level| {
        let metadata = Metadata::builder().target(target).level(level).build();
        if logger.enabled(&metadata) {
            logger.log(&Record::builder().metadata(metadata).args(format_args!("failed {part}")).build());
        }
    };
    say("lb", Level::Error);
    assert_eq!(made.get(), 0);
    say(CRIT, Level::Error);
    assert_eq!(made.get(), 1);
    assert!(lines(&directory.path().join("log"))[0].ends_with("failed with a part"));
}

#[test]
fn lines_of_a_level_go_to_its_logs_alone() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| LogDestination::File(directory.path().join(name));
    let lines = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap().lines().count();
    let files = LogFiles::default();
    let logger = ErrorLogger::new(None);
    let main = [ErrorLog { destination: at("main"), level: Severity::Error }];
    let level = vec![vec![ErrorLog { destination: at("level"), level: Severity::Info }]];
    logger.open(&files, &main, &level).unwrap();
    logger.leave_console();
    let level = LevelLogs::open_all(&files, &level).unwrap();
    say(&logger, "lb", Level::Info, "nobody wants it");
    {
        let _level = of_level(level.first());
        say(&logger, "lb", Level::Info, "of the level");
        {
            let _none = of_level(None);
            say(&logger, "lb", Level::Error, "of main");
        }
        say(&logger, "lb", Level::Error, "of the level again");
    }
    say(&logger, "lb", Level::Error, "of main again");
    assert_eq!((lines("main"), lines("level")), (2, 2));
}
