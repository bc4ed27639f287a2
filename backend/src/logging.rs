//! Log lines on standard output. The program's own news is written as the original wrote it,
//! `[2025-11-08 10:30:45] Current RPS: 1234`; everything else also names its level and where it comes from.
//!
//! A thread of its own writes them. Standard output that nobody reads (a stopped pager, a full disk behind the
//! container's log) then costs log lines, and neither requests nor the event streams nor a graceful stop.
//!
//! `RUST_LOG` chooses what is written, in env_logger's syntax.

use std::{
    fmt::Arguments,
    io::{self, Write},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::Duration,
};

use env_logger::{Builder, Env, Target};
use log::Level;

/// Without `RUST_LOG`. Actix reports what clients do wrong, and the connections that fault injection closes, as
/// errors; those are no news of this server.
const DEFAULT_FILTER: &str = "warn,backend=info,actix_http=off";

/// Lines that may wait to be written; beyond these, lines are lost.
const WAITING_LINES: usize = 1024;

/// How long the end of the program waits for standard output to take the last lines.
const LAST_LINES_TIMEOUT: Duration = Duration::from_secs(1);

/// The writing thread, as seen by the one who ends the program.
#[derive(Debug)]
pub(crate) struct Log(SyncSender<Message>);

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    /// All lines before this are to be written; the sender is dropped when they are.
    Written(SyncSender<()>),
}

/// What env_logger writes to.
struct Queue(SyncSender<Message>);

/// Starts the logger; once, before anything is logged.
///
/// # Errors
/// If no thread can be started.
pub(crate) fn start() -> io::Result<Log> {
    let (sender, receiver) = sync_channel(WAITING_LINES);
    std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_all(receiver, &mut io::stdout()))?;
    Builder::from_env(Env::default().default_filter_or(DEFAULT_FILTER))
        .target(Target::Pipe(Box::new(Queue(sender.clone()))))
        .format(|out, record| {
            let time = chrono::Local::now().format("%Y-%m-%d %H:%M:%S");
            write_line(out, &time, record.level(), record.target(), record.args())
        })
        .init();
    Ok(Log(sender))
}

impl Log {
    /// Waits until what was logged has been written, but not for long.
    pub(crate) fn finish(self) {
        let (written, all_written) = sync_channel(0);
        if self.0.try_send(Message::Written(written)).is_ok() {
            let _ = all_written.recv_timeout(LAST_LINES_TIMEOUT);
        }
    }
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.0.try_send(Message::Line(line.to_vec()));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(messages: Receiver<Message>, out: &mut dyn Write) {
    for message in messages {
        match message {
            // There is nowhere to report a failure to.
            Message::Line(line) => _ = out.write_all(&line).and_then(|()| out.flush()),
            Message::Written(written) => drop(written),
        }
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

    #[test]
    fn lines_that_nobody_takes_are_dropped_instead_of_waited_for() {
        let (sender, receiver) = sync_channel(2);
        let writer = std::thread::spawn(|| {
            let mut queue = Queue(sender);
            for line in ["one\n", "two\n", "three\n"] {
                queue.write_all(line.as_bytes()).unwrap();
            }
        });
        let begin = std::time::Instant::now();
        while !writer.is_finished() {
            assert!(begin.elapsed() < Duration::from_secs(10), "a line is waited for");
            std::thread::yield_now();
        }
        let mut out = Vec::new();
        write_all(receiver, &mut out);
        assert_eq!(out, b"one\ntwo\n");
    }
}
