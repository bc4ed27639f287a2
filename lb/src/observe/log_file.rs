//! Log files whose writers never wait for a disk.
//!
//! Runs once per request and access log. A line is copied into a buffer in memory under a lock of some tens of
//! nanoseconds; a thread of the file's own writes the buffer. The first line after a pause wakes that thread and is
//! written at once, so `tail -f` is prompt; then the thread rests for `GATHER`, so that under load one system call
//! carries hundreds of lines and no request pays for a wake-up. A thread per file, not one for all, because a pipe
//! whose reader hangs must not delay the others.
//!
//! When a file takes lines more slowly than they come, up to [`BOUND_BYTES`] wait (and as much again is being
//! written); beyond that lines are dropped and counted. NGINX would stop serving instead: that suits a log that must
//! have every line, this suits a proxy that must answer.
//!
//! `docs/decisions/010-log-files.md` tells why no crate does this.
//!
//! Before [`LogFiles::start_writers`] the calling thread writes its lines at once: start-up has no threads yet
//! (`daemon` would lose them) and its last lines must not wait in a buffer.

pub(super) mod by_path;
mod output;
mod sink;
mod syslog;
mod writer;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Uid;
use parking_lot::{Condvar, Mutex};
use thiserror::Error;

use self::by_path::PathLogs;
use self::output::Output;
use self::writer::{Replacement, Shared, State, Writer};
use crate::config::model::{Buffering, LogDestination, SyslogServer, SyslogSeverity};
use crate::observe::cells::Counter;
use crate::observe::rate_limited::RateLimited;
use crate::system_error::SystemError;

/// The most bytes that may wait per file: at 200 bytes a line and 10,000 lines a second, four seconds of a stuck
/// disk.
pub const BOUND_BYTES: usize = 8 << 20;

/// Time that the writer lets lines gather after it wrote some. A person at `tail -f` does not notice it.
const GATHER: Duration = Duration::from_millis(20);

/// Capacity that a buffer keeps after a burst.
const KEPT_BYTES: usize = 256 << 10;

/// The shortest time between two reports about a file, as in nginx.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);

/// The error of a log file that could not be opened. The messages are nginx's.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The system refused.
    #[error("open() \"{}\" failed {}", path.display(), SystemError(source))]
    Open {
        /// Path of the file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The name of a syslog server is not known.
    #[error("host not found in syslog server \"{written}\"")]
    NoSyslogServer {
        /// The server, as written.
        written: Box<str>,
    },
    /// No thread could be started to write it.
    #[error("no thread to write \"{}\" {}", path.display(), SystemError(source))]
    Thread {
        /// Path of the file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// All open log files of the process, each destination once. Clones are the same set.
#[derive(Debug, Clone, Default)]
pub struct LogFiles {
    registry: Arc<Mutex<Registry>>,
}

#[derive(Debug, Default)]
struct Registry {
    /// Weak: a file that no configuration uses any more is closed.
    files: HashMap<LogDestination, Weak<LogFile>>,
    writers_started: bool,
    by_path: Arc<PathLogs>,
}

/// The counts of one file, for the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFileTotals {
    /// The path, or `stderr`.
    pub name: String,
    /// Lines taken.
    pub lines: u64,
    /// Lines lost: too many waited, or the system refused them.
    pub dropped: u64,
}

impl LogFiles {
    /// The file for `destination`: the one already open, or a newly opened one. Blocks for as long as the system
    /// takes to open it.
    pub fn open(&self, destination: &LogDestination) -> Result<Arc<LogFile>, OpenError> {
        let mut registry = self.registry.lock();
        if let Some(file) = registry.files.get(destination).and_then(Weak::upgrade) {
            return Ok(file);
        }
        let file = Arc::new(LogFile::open(destination.clone())?);
        if registry.writers_started {
            file.start_writer()?;
        }
        registry.files.retain(|_, file| file.strong_count() > 0);
        registry.files.insert(destination.clone(), Arc::downgrade(&file));
        Ok(file)
    }

    /// Starts the threads that write lines from now on. Must come after `daemon`.
    pub fn start_writers(&self) -> Result<(), OpenError> {
        let mut registry = self.registry.lock();
        registry.writers_started = true;
        registry.files.values().filter_map(Weak::upgrade).try_for_each(|file| file.start_writer())
    }

    /// Opens every file again by its path, for logs that were rotated by renaming. A file that cannot be opened keeps
    /// its old handle. Blocks like [`open`](Self::open).
    pub fn reopen(&self) -> Vec<OpenError> {
        self.by_path().reopen();
        self.all().iter().filter_map(|file| file.reopen().err()).collect()
    }

    /// Waits until every line appended so far is written, at most `limit`; true if all were.
    pub fn flush(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let files = self.all();
        files.iter().for_each(|file| file.shared.hurry());
        let all = files.iter().all(|file| file.flush_until(deadline));
        self.by_path().flush(deadline) && all
    }

    /// Makes `owner` the owner of every regular log file, so that the process can reopen them after it became that
    /// user. nginx does the same. Must be called while the process is root.
    pub fn give_to(&self, owner: Uid) -> Vec<OpenError> {
        self.all().iter().filter_map(|file| file.give_to(owner).err()).collect()
    }

    /// The lines taken and lost by each file, by name.
    pub fn totals(&self) -> Vec<LogFileTotals> {
        let mut totals: Vec<_> = self.all().iter().map(|file| file.totals()).collect();
        totals.extend(self.by_path().totals());
        totals.sort_by(|a, b| a.name.cmp(&b.name));
        totals
    }

    /// The logs whose paths hold variables.
    pub(super) fn by_path(&self) -> Arc<PathLogs> {
        Arc::clone(&self.registry.lock().by_path)
    }

    fn all(&self) -> Vec<Arc<LogFile>> {
        self.registry.lock().files.values().filter_map(Weak::upgrade).collect()
    }
}

/// One log file. When dropped, it still writes the gathered lines, then closes.
#[derive(Debug)]
pub struct LogFile {
    shared: Arc<Shared>,
}

impl LogFile {
    fn open(destination: LogDestination) -> Result<Self, OpenError> {
        let output = Output::open(&destination)?;
        let state = State {
            gathered: Vec::new(),
            gathered_bytes: 0,
            written_bytes: 0,
            output: Some(output),
            replacement: None,
            writer: Writer::NotStarted,
            buffering: None,
            first_line: None,
            hurry: false,
            closing: false,
            complaints: RateLimited::new(COMPLAINT_INTERVAL),
        };
        Ok(Self {
            shared: Arc::new(Shared {
                destination,
                state: Mutex::new(state),
                work: Condvar::new(),
                progress: Condvar::new(),
                lines: Counter::default(),
                dropped: Counter::default(),
            }),
        })
    }

    /// Adds `line` and a newline. Never waits for the file once the writers have been started.
    pub fn append(&self, line: &[u8]) {
        self.shared.append(None, line);
    }

    /// The same for a line so severe, which syslog wants to know.
    pub fn append_severe(&self, severity: SyslogSeverity, line: &[u8]) {
        self.shared.append(Some(severity), line);
    }

    /// From now on lines are gathered so.
    pub fn gather(&self, buffering: Option<Buffering>) {
        let mut state = self.shared.state.lock();
        if state.buffering != buffering {
            state.buffering = buffering;
            // What was gathered by the rules before does not wait.
            state.hurry = !state.gathered.is_empty();
            self.shared.wake(&mut state);
        }
    }

    /// The lines that it took and lost.
    pub fn totals(&self) -> LogFileTotals {
        LogFileTotals {
            name: name(&self.shared.destination),
            lines: self.shared.lines.total(),
            dropped: self.shared.dropped.total(),
        }
    }

    /// The configured destination.
    pub fn destination(&self) -> &LogDestination {
        &self.shared.destination
    }

    /// True if it writes to a standard stream of this process rather than to a file of its own.
    pub fn is_standard_stream(&self) -> bool {
        sink::inherited_stream(&self.shared.destination).is_some()
    }

    /// True of a file of its own: no standard stream, no syslog server.
    pub fn is_file(&self) -> bool {
        matches!(self.shared.destination, LogDestination::File(_)) && !self.is_standard_stream()
    }

    /// A separate handle on the file, opened anew.
    /// `None` of a syslog server.
    pub fn open_again(&self) -> Result<Option<File>, OpenError> {
        Output::open(&self.shared.destination).map(Output::into_file)
    }

    fn reopen(&self) -> Result<(), OpenError> {
        let destination = &self.shared.destination;
        if self.is_standard_stream() {
            return Ok(());
        }
        let output = Output::open(destination)?;
        let mut state = self.shared.state.lock();
        if state.writer == Writer::NotStarted {
            state.output = Some(output);
            return Ok(());
        }
        // Of two in a row the later counts, from the point where the earlier would have begun.
        let old_bytes = state.replacement.take().map_or(state.gathered.len(), |earlier| earlier.old_bytes);
        state.replacement = Some(Replacement { output, old_bytes });
        self.shared.wake(&mut state);
        Ok(())
    }

    fn give_to(&self, owner: Uid) -> Result<(), OpenError> {
        if self.is_standard_stream() {
            return Ok(());
        }
        let Some(file) = self.open_again()? else { return Ok(()) };
        sink::give_to(&file, owner).map_err(|source| open_error(&self.shared.destination, source))
    }

    fn start_writer(&self) -> Result<(), OpenError> {
        let mut state = self.shared.state.lock();
        if state.writer != Writer::NotStarted {
            return Ok(());
        }
        let Some(output) = state.output.take() else {
            return Ok(());
        };
        let shared = Arc::clone(&self.shared);
        let spawned = thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_all(output));
        match spawned {
            Ok(_) => {
                state.writer = Writer::Busy;
                Ok(())
            }
            Err(source) => {
                let path = name(&self.shared.destination).into();
                Err(OpenError::Thread { path, source })
            }
        }
    }

    /// Waits until every line appended so far is written, at most until `deadline`; true if all were.
    pub fn flush(&self, deadline: Instant) -> bool {
        self.shared.hurry();
        self.flush_until(deadline)
    }

    fn flush_until(&self, deadline: Instant) -> bool {
        let mut state = self.shared.state.lock();
        let goal = state.gathered_bytes;
        while state.written_bytes < goal {
            if self.shared.progress.wait_until(&mut state, deadline).timed_out() {
                return state.written_bytes >= goal;
            }
        }
        true
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.closing = true;
        self.shared.wake(&mut state);
    }
}

fn name(destination: &LogDestination) -> String {
    match destination {
        LogDestination::Stderr => "stderr".to_owned(),
        LogDestination::File(path) => path.display().to_string(),
        LogDestination::Syslog(syslog) => match &syslog.server {
            SyslogServer::Udp { written, .. } => format!("syslog:server={written}"),
            SyslogServer::Unix(path) => format!("syslog:server=unix:{}", path.display()),
        },
    }
}

fn open_error(destination: &LogDestination, source: io::Error) -> OpenError {
    OpenError::Open { path: name(destination).into(), source }
}
