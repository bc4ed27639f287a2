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

mod sink;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Uid;
use parking_lot::{Condvar, Mutex, MutexGuard};
use thiserror::Error;

use self::sink::Sink;
use crate::config::model::LogDestination;
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
        self.all().iter().filter_map(|file| file.reopen().err()).collect()
    }

    /// Waits until every line appended so far is written, at most `limit`; true if all were.
    pub fn flush(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let files = self.all();
        files.iter().for_each(|file| file.shared.hurry());
        files.iter().all(|file| file.flush_until(deadline))
    }

    /// Makes `owner` the owner of every regular log file, so that the process can reopen them after it became that
    /// user. nginx does the same. Must be called while the process is root.
    pub fn give_to(&self, owner: Uid) -> Vec<OpenError> {
        self.all().iter().filter_map(|file| file.give_to(owner).err()).collect()
    }

    /// The lines taken and lost by each file, by name.
    pub fn totals(&self) -> Vec<LogFileTotals> {
        let mut totals: Vec<_> = self.all().iter().map(|file| file.totals()).collect();
        totals.sort_by(|a, b| a.name.cmp(&b.name));
        totals
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

#[derive(Debug)]
struct Shared {
    destination: LogDestination,
    state: Mutex<State>,
    /// The writer waits here for lines or a replacement.
    work: Condvar,
    /// Callers of `flush` wait here for `written_bytes` to grow.
    progress: Condvar,
    lines: Counter,
    dropped: Counter,
}

#[derive(Debug)]
struct State {
    gathered: Vec<u8>,
    /// All bytes ever gathered, and all that the writer is done with, written or lost.
    gathered_bytes: u64,
    written_bytes: u64,
    /// The sink, until a writer thread takes it.
    sink: Option<Sink>,
    /// The file that the writer is to change to.
    replacement: Option<Replacement>,
    writer: Writer,
    /// A flush is waiting: the writer must not rest.
    hurry: bool,
    closing: bool,
    complaints: RateLimited,
}

/// A file opened again.
#[derive(Debug)]
struct Replacement {
    sink: Sink,
    /// The number of gathered bytes that still belong to the old file.
    old_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    NotStarted,
    /// Writing, or resting on purpose: it will look at the buffer by itself.
    Busy,
    /// Waiting for a line: must be woken.
    Idle,
}

impl LogFile {
    fn open(destination: LogDestination) -> Result<Self, OpenError> {
        let sink = Sink::open(&destination).map_err(|source| open_error(&destination, source))?;
        let state = State {
            gathered: Vec::new(),
            gathered_bytes: 0,
            written_bytes: 0,
            sink: Some(sink),
            replacement: None,
            writer: Writer::NotStarted,
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
        self.shared.append(line);
    }

    /// The lines that it took and lost.
    pub fn totals(&self) -> LogFileTotals {
        LogFileTotals {
            name: name(&self.shared.destination).display().to_string(),
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

    /// A separate handle on the file, opened anew.
    pub fn open_again(&self) -> Result<File, OpenError> {
        Sink::open(&self.shared.destination)
            .map(Sink::into_file)
            .map_err(|source| open_error(&self.shared.destination, source))
    }

    fn reopen(&self) -> Result<(), OpenError> {
        let destination = &self.shared.destination;
        if self.is_standard_stream() {
            return Ok(());
        }
        let sink = Sink::open(destination).map_err(|source| open_error(destination, source))?;
        let mut state = self.shared.state.lock();
        if state.writer == Writer::NotStarted {
            state.sink = Some(sink);
            return Ok(());
        }
        // Of two in a row the later counts, from the point where the earlier would have begun.
        let old_bytes = state.replacement.take().map_or(state.gathered.len(), |earlier| earlier.old_bytes);
        state.replacement = Some(Replacement { sink, old_bytes });
        self.shared.wake(&mut state);
        Ok(())
    }

    fn give_to(&self, owner: Uid) -> Result<(), OpenError> {
        let file = match &self.shared.destination {
            LogDestination::File(_) if !self.is_standard_stream() => self.open_again()?,
            LogDestination::File(_) | LogDestination::Stderr => return Ok(()),
        };
        sink::give_to(&file, owner).map_err(|source| open_error(&self.shared.destination, source))
    }

    fn start_writer(&self) -> Result<(), OpenError> {
        let mut state = self.shared.state.lock();
        if state.writer != Writer::NotStarted {
            return Ok(());
        }
        let Some(sink) = state.sink.take() else {
            return Ok(());
        };
        let shared = Arc::clone(&self.shared);
        let spawned = thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_all(sink));
        match spawned {
            Ok(_) => {
                state.writer = Writer::Busy;
                Ok(())
            }
            Err(source) => {
                let path = name(&self.shared.destination).to_owned();
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

impl Shared {
    fn append(&self, line: &[u8]) {
        let mut state = self.state.lock();
        if state.writer == Writer::NotStarted {
            let Some(sink) = &mut state.sink else { return };
            self.lines.increment();
            let lost = sink.write_lines(&[line, b"\n"].concat());
            return self.account_for(state, lost.err());
        }
        if state.gathered.len() + line.len() >= BOUND_BYTES {
            self.dropped.increment();
            let complain = state.complaints.allow(Instant::now()).is_some();
            // Released first: the report may go to this very file.
            drop(state);
            if complain {
                crate::alert!(
                    "\"{}\" takes lines more slowly than they come: {} dropped so far",
                    name(&self.destination).display(),
                    self.dropped.total()
                );
            }
            return;
        }
        state.gathered.extend_from_slice(line);
        state.gathered.push(b'\n');
        state.gathered_bytes += line.len() as u64 + 1;
        if state.writer == Writer::Idle {
            self.wake(&mut state);
        }
        drop(state);
        self.lines.increment();
    }

    /// Wakes the writer, unless it is already running.
    fn wake(&self, state: &mut MutexGuard<'_, State>) {
        if state.writer == Writer::Idle {
            state.writer = Writer::Busy;
        }
        // Also when it is busy: it may be resting, and a flush or a replacement must not wait.
        self.work.notify_one();
    }

    fn hurry(&self) {
        let mut state = self.state.lock();
        state.hurry = true;
        self.wake(&mut state);
    }

    /// The writer thread's loop.
    fn write_all(&self, mut sink: Sink) {
        let mut batch = Vec::new();
        loop {
            let mut state = self.state.lock();
            while state.gathered.is_empty() && state.replacement.is_none() {
                if state.closing {
                    return;
                }
                state.writer = Writer::Idle;
                self.work.wait(&mut state);
            }
            state.writer = Writer::Busy;
            state.hurry = false;
            std::mem::swap(&mut state.gathered, &mut batch);
            let replacement = state.replacement.take();
            drop(state);

            let mut rest = batch.as_slice();
            if let Some(Replacement { sink: new, old_bytes }) = replacement {
                let (old, after) = rest.split_at(old_bytes);
                self.write_batch(&mut sink, old);
                sink = new;
                rest = after;
            }
            self.write_batch(&mut sink, rest);

            batch.clear();
            batch.shrink_to(KEPT_BYTES);
            self.rest();
        }
    }

    fn write_batch(&self, sink: &mut Sink, lines: &[u8]) {
        let result = sink.write_lines(lines);
        let mut state = self.state.lock();
        state.written_bytes += lines.len() as u64;
        self.progress.notify_all();
        self.account_for(state, result.err());
    }

    /// Lets lines gather, unless a flush or a replacement is waiting.
    fn rest(&self) {
        let deadline = Instant::now() + GATHER;
        let mut state = self.state.lock();
        while !(state.hurry || state.closing || state.replacement.is_some()) {
            if self.work.wait_until(&mut state, deadline).timed_out() {
                return;
            }
        }
    }

    /// Counts the lines that a write lost and reports them, at a limited rate.
    fn account_for(&self, mut state: MutexGuard<'_, State>, lost: Option<sink::WriteError>) {
        let Some(sink::WriteError { lines, source }) = lost else {
            return;
        };
        self.dropped.add(lines);
        let complain = state.complaints.allow(Instant::now()).is_some();
        drop(state);
        if complain {
            crate::alert!(
                "write() to \"{}\" failed {}",
                name(&self.destination).display(),
                SystemError(&source)
            );
        }
    }
}

fn name(destination: &LogDestination) -> &Path {
    match destination {
        LogDestination::Stderr => Path::new("stderr"),
        LogDestination::File(path) => path,
    }
}

fn open_error(destination: &LogDestination, source: io::Error) -> OpenError {
    OpenError::Open { path: name(destination).to_owned(), source }
}
