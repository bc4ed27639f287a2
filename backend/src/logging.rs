//! Log lines on standard output. The program's own news is written as the original wrote it,
//! `[2025-11-08 10:30:45] Current RPS: 1234`; everything else also names its level and where it comes from.
//!
//! `RUST_LOG` chooses what is written, in env_logger's syntax.

use std::{
    fmt::Arguments,
    io::{self, Write},
    sync::mpsc::{SyncSender, sync_channel},
};

use env_logger::{Builder, Env, Target};
use log::{Level, info};

/// Without `RUST_LOG`. Actix reports what clients do wrong, and the connections that fault injection closes, as
/// errors; those are no news of this server.
const DEFAULT_FILTER: &str = "warn,backend=info,actix_http=off";

/// Starts the logger; once, before anything is logged.
pub(crate) fn start() {
    Builder::from_env(Env::default().default_filter_or(DEFAULT_FILTER))
        .target(Target::Stdout)
        .format(|out, record| {
            let time = chrono::Local::now().format("%Y-%m-%d %H:%M:%S");
            write_line(out, &time, record.level(), record.target(), record.args())
        })
        .init();
}

/// Writes the rate's line each second from a thread of its own: standard output that nobody reads (a stopped pager, a
/// full disk behind the container's log) then costs log lines, and not the event streams.
#[derive(Debug)]
pub(crate) struct RateLog(SyncSender<u64>);

impl RateLog {
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn start() -> io::Result<Self> {
        let (sender, receiver) = sync_channel(1);
        std::thread::Builder::new().name("rate-log".to_owned()).spawn(move || {
            for rate in receiver {
                info!("Current RPS: {rate}");
            }
        })?;
        Ok(Self(sender))
    }

    /// Has the line written, unless the last one still waits.
    pub(crate) fn write(&self, rate: u64) {
        let _ = self.0.try_send(rate);
    }
}

fn write_line(
    out: &mut dyn Write,
    time: &dyn std::fmt::Display,
    level: Level,
    target: &str,
    message: &Arguments<'_>,
) -> io::Result<()> {
    let own =
        target == env!("CARGO_CRATE_NAME") || target.starts_with(concat!(env!("CARGO_CRATE_NAME"), "::"));
    match level {
        Level::Info if own => writeln!(out, "[{time}] {message}"),
        _ => writeln!(out, "[{time}] {level} {target}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_is_plain_and_the_rest_names_level_and_source() {
        for (level, target, expected) in [
            (Level::Info, "backend", "[now] hello\n"),
            (Level::Info, "backend::server", "[now] hello\n"),
            (Level::Warn, "backend::server", "[now] WARN backend::server: hello\n"),
            (Level::Info, "actix_server", "[now] INFO actix_server: hello\n"),
            (Level::Info, "backend_of_another", "[now] INFO backend_of_another: hello\n"),
        ] {
            let mut line = Vec::new();
            write_line(&mut line, &"now", level, target, &format_args!("hello")).unwrap();
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }
}
