//! Files that log lines go to, without ever making the writer of a line wait for a disk.
//!
//! Runs once per request and access log. A line is copied into a buffer in memory under a lock of some tens of
//! nanoseconds; a thread of the file's own writes what has gathered. The first line after a pause wakes that thread
//! and is written at once, so `tail -f` is prompt; then it rests for `GATHER`, so that under load one system call
//! carries hundreds of lines and no request pays for a wake-up. A thread per file, not one for all, because a pipe
//! whose reader hangs must not hold up the others.
//!
//! When a file takes lines more slowly than they come, up to [`BOUND_BYTES`] wait (and as much again is on its way);
//! beyond that lines are dropped and counted. NGINX would stop serving instead. A log that must have every line at
//! any price needs NGINX's way; a proxy that must answer needs this one.
//!
//! Why this is not a crate's: `docs/decisions/010-log-files.md`.
//!
//! Before [`LogFiles::start_writers`] lines are written at once, by whoever has them: start-up has no threads yet
//! (`daemon` would lose them) and its last words must not wait in a buffer.

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

/// How much may wait per file: at 200 bytes a line and 10,000 lines a second, four seconds of a stuck disk.
pub const BOUND_BYTES: usize = 8 << 20;

/// How long the writer lets lines gather after it wrote some. Far below what a person at `tail -f` notices.
const GATHER: Duration = Duration::from_millis(20);

/// What a buffer keeps of its size after a burst.
const KEPT_BYTES: usize = 256 << 10;

/// At most one complaint about a file in this time, as nginx has it.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);

/// Why a log file could not be opened. The messages are nginx's.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The system refused.
    #[error("open() \"{}\" failed {}", path.display(), SystemError(source))]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No thread could be had to write it.
    #[error("no thread to write \"{}\" {}", path.display(), SystemError(source))]
    Thread {
        /// The file.
        path: PathBuf,
        /// What the system said.
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

/// How a file fared: for the metrics.
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

    /// From now on lines are written by threads. Belongs after `daemon`.
    pub fn start_writers(&self) -> Result<(), OpenError> {
        let mut registry = self.registry.lock();
        registry.writers_started = true;
        registry.files.values().filter_map(Weak::upgrade).try_for_each(|file| file.start_writer())
    }

    /// Opens every file again by its path, for logs that were rotated by renaming. A file that cannot be opened
    /// stays with what it has. Blocks like [`open`](Self::open).
    pub fn reopen(&self) -> Vec<OpenError> {
        self.all().iter().filter_map(|file| file.reopen().err()).collect()
    }

    /// Waits until every line appended so far is written, at most `limit`; whether it came to that.
    pub fn flush(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let files = self.all();
        files.iter().for_each(|file| file.shared.hurry());
        files.iter().all(|file| file.flush_until(deadline))
    }

    /// Makes `owner` the owner of every regular log file, so that it can reopen them after the process became it.
    /// nginx does the same. For as long as the process is root.
    pub fn give_to(&self, owner: Uid) -> Vec<OpenError> {
        self.all().iter().filter_map(|file| file.give_to(owner).err()).collect()
    }

    /// What each file took and lost, by name.
    pub fn totals(&self) -> Vec<LogFileTotals> {
        let mut totals: Vec<_> = self.all().iter().map(|file| file.totals()).collect();
        totals.sort_by(|a, b| a.name.cmp(&b.name));
        totals
    }

    fn all(&self) -> Vec<Arc<LogFile>> {
        self.registry.lock().files.values().filter_map(Weak::upgrade).collect()
    }
}

/// One log file. Dropped, it still writes what has gathered, then closes.
#[derive(Debug)]
pub struct LogFile {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    destination: LogDestination,
    state: Mutex<State>,
    /// The writer waits here for something to do.
    work: Condvar,
    /// Those who flush wait here for `written_bytes` to grow.
    progress: Condvar,
    lines: Counter,
    dropped: Counter,
}

#[derive(Debug)]
struct State {
    gathered: Vec<u8>,
    /// All bytes ever gathered, and all that left the writer's hands, written or lost.
    gathered_bytes: u64,
    written_bytes: u64,
    /// The sink, as long as there is no writer thread to have it.
    sink: Option<Sink>,
    /// What the writer is to change to.
    replacement: Option<Replacement>,
    writer: Writer,
    /// Somebody waits for a flush: do not rest.
    hurry: bool,
    closing: bool,
    complaints: RateLimited,
}

/// A file opened again.
#[derive(Debug)]
struct Replacement {
    sink: Sink,
    /// How much of what has gathered still belongs to the old file.
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

    /// What it took and lost.
    pub fn totals(&self) -> LogFileTotals {
        LogFileTotals {
            name: name(&self.shared.destination).display().to_string(),
            lines: self.shared.lines.total(),
            dropped: self.shared.dropped.total(),
        }
    }

    /// Where it goes.
    pub fn destination(&self) -> &LogDestination {
        &self.shared.destination
    }

    /// Whether it writes to a standard stream of this process rather than to a file of its own.
    pub fn is_standard_stream(&self) -> bool {
        sink::inherited_stream(&self.shared.destination).is_some()
    }

    /// A handle of its own on the file, opened anew.
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
        // Of two in a row the later counts, from where the earlier would have begun.
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

    /// Waits until every line appended so far is written, at most until `deadline`; whether it came to that.
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
            // Released first: the complaint may well come back to this very file.
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

    /// Wakes the writer, unless it is already on its way.
    fn wake(&self, state: &mut MutexGuard<'_, State>) {
        if state.writer == Writer::Idle {
            state.writer = Writer::Busy;
        }
        // Also when it is busy: it may be resting, and what it is woken for may not wait.
        self.work.notify_one();
    }

    fn hurry(&self) {
        let mut state = self.state.lock();
        state.hurry = true;
        self.wake(&mut state);
    }

    /// The writer's whole life.
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

    /// Lets lines gather, unless something will not wait.
    fn rest(&self) {
        let deadline = Instant::now() + GATHER;
        let mut state = self.state.lock();
        while !(state.hurry || state.closing || state.replacement.is_some()) {
            if self.work.wait_until(&mut state, deadline).timed_out() {
                return;
            }
        }
    }

    /// Counts what a write lost and complains of it, now and then.
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
