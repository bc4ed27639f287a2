//! The gathered lines of one log file, and the thread that writes them.
//!
//! Lines are written 20 ms after the first of a burst. A file with `buffer=` waits until that many bytes have gathered,
//! or `flush=` after the first of them, as in nginx; with `gzip` what is written at once is a member of a gzip file. A
//! rotation, a flush and the end of the process do not wait.

use std::io::Write;
use std::time::{Instant, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::output::Output;
use super::sink::WriteError;
use super::syslog;
use super::{BOUND_BYTES, GATHER, KEPT_BYTES, name};
use crate::config::model::{Buffering, LogDestination, SyslogSeverity};
use crate::observe::cells::Counter;
use crate::observe::rate_limited::RateLimited;
use crate::system_error::SystemError;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) destination: LogDestination,
    pub(super) state: Mutex<State>,
    /// The writer waits here for lines or a replacement.
    pub(super) work: Condvar,
    /// Callers of `flush` wait here for `written_bytes` to grow.
    pub(super) progress: Condvar,
    pub(super) lines: Counter,
    pub(super) dropped: Counter,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) gathered: Vec<u8>,
    /// All bytes ever gathered, and all that the writer is done with, written or lost.
    pub(super) gathered_bytes: u64,
    pub(super) written_bytes: u64,
    /// The open destination, until a writer thread takes it.
    pub(super) output: Option<Output>,
    /// The file that the writer is to change to.
    pub(super) replacement: Option<Replacement>,
    pub(super) writer: Writer,
    /// How lines are gathered; `None` where they are written soon.
    pub(super) buffering: Option<Buffering>,
    /// When the line at the beginning of a buffer came, where lines may not wait for ever.
    pub(super) first_line: Option<Instant>,
    /// A flush is waiting: the writer must not rest.
    pub(super) hurry: bool,
    pub(super) closing: bool,
    pub(super) complaints: RateLimited,
}

/// A file opened again.
#[derive(Debug)]
pub(super) struct Replacement {
    pub(super) output: Output,
    /// The number of gathered bytes that still belong to the old file.
    pub(super) old_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    NotStarted,
    /// Writing, or resting on purpose: it will look at the buffer by itself.
    Busy,
    /// Waiting for a line: must be woken.
    Idle,
}

/// When the writer is to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Now,
    At(Instant),
    /// When something happens.
    Later,
}

impl State {
    fn due(&self, now: Instant) -> Due {
        if self.replacement.is_some() {
            return Due::Now;
        }
        if self.gathered.is_empty() {
            return Due::Later;
        }
        let Some(buffering) = self.buffering.filter(|_| !(self.hurry || self.closing)) else {
            return Due::Now;
        };
        if self.gathered.len() as u64 >= buffering.bytes {
            return Due::Now;
        }
        match self.first_line.zip(buffering.flush).map(|(first, flush)| first + flush) {
            Some(at) if at <= now => Due::Now,
            Some(at) => Due::At(at),
            None => Due::Later,
        }
    }
}

impl Shared {
    /// Adds a line; `severity` is for syslog, and decides nothing here.
    pub(super) fn append(&self, severity: Option<SyslogSeverity>, line: &[u8]) {
        let mut state = self.state.lock();
        if state.writer == Writer::NotStarted {
            let mut text = Vec::with_capacity(line.len() + 1);
            self.push_line(&mut text, severity, line);
            let Some(output) = &mut state.output else { return };
            self.lines.increment();
            let lost = output.write_lines(&text);
            return self.account_for(state, lost.err());
        }
        // A buffer may be larger than what waits by itself.
        let bound = state.buffering.map_or(0, |buffering| buffering.bytes.saturating_mul(2));
        let bound = usize::try_from(bound).unwrap_or(usize::MAX).max(BOUND_BYTES);
        if state.gathered.len() + line.len() >= bound {
            self.dropped.increment();
            let complain = state.complaints.allow(Instant::now()).is_some();
            // Released first: the report may go to this very file.
            drop(state);
            if complain {
                crate::alert!(
                    "\"{}\" takes lines more slowly than they come: {} dropped so far",
                    name(&self.destination),
                    self.dropped.total()
                );
            }
            return;
        }
        let before = state.gathered.len();
        let mut gathered = std::mem::take(&mut state.gathered);
        self.push_line(&mut gathered, severity, line);
        state.gathered_bytes += (gathered.len() - before) as u64;
        state.gathered = gathered;
        if before == 0 && state.buffering.is_some_and(|buffering| buffering.flush.is_some()) {
            state.first_line = Some(Instant::now());
        }
        if state.writer == Writer::Idle {
            let wakes = match state.buffering {
                None => true,
                // It has to learn when the flush is due.
                Some(Buffering { bytes, .. }) => {
                    state.gathered.len() as u64 >= bytes || before == 0 && state.first_line.is_some()
                }
            };
            if wakes {
                self.wake(&mut state);
            }
        }
        drop(state);
        self.lines.increment();
    }

    fn push_line(&self, text: &mut Vec<u8>, severity: Option<SyslogSeverity>, line: &[u8]) {
        match &self.destination {
            LogDestination::Syslog(to) => {
                let severity = severity.unwrap_or(to.severity);
                syslog::push_message(text, to, severity, SystemTime::now(), line);
            }
            LogDestination::Stderr | LogDestination::File(_) => {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
        }
    }

    /// Wakes the writer, unless it is already running.
    pub(super) fn wake(&self, state: &mut MutexGuard<'_, State>) {
        if state.writer == Writer::Idle {
            state.writer = Writer::Busy;
        }
        // Also when it is busy: it may be resting, and a flush or a replacement must not wait.
        self.work.notify_one();
    }

    pub(super) fn hurry(&self) {
        let mut state = self.state.lock();
        state.hurry = true;
        self.wake(&mut state);
    }

    /// The writer thread's loop.
    pub(super) fn write_all(&self, mut output: Output) {
        let mut batch = Vec::new();
        loop {
            let mut state = self.state.lock();
            loop {
                match state.due(Instant::now()) {
                    Due::Now => break,
                    Due::Later if state.closing => return,
                    Due::Later => {
                        // Nobody waits for what is written already.
                        state.hurry = false;
                        state.writer = Writer::Idle;
                        self.work.wait(&mut state);
                    }
                    Due::At(when) => {
                        state.writer = Writer::Idle;
                        self.work.wait_until(&mut state, when);
                    }
                }
            }
            state.writer = Writer::Busy;
            state.hurry = false;
            state.first_line = None;
            std::mem::swap(&mut state.gathered, &mut batch);
            let replacement = state.replacement.take();
            let buffering = state.buffering;
            drop(state);

            let gzip_level = buffering.and_then(|buffering| buffering.gzip_level);
            let mut rest = batch.as_slice();
            if let Some(Replacement { output: new, old_bytes }) = replacement {
                let (old, after) = rest.split_at(old_bytes);
                self.write_batch(&mut output, old, gzip_level);
                output = new;
                rest = after;
            }
            self.write_batch(&mut output, rest, gzip_level);

            batch.clear();
            batch.shrink_to(KEPT_BYTES);
            if buffering.is_none() {
                self.rest();
            }
        }
    }

    fn write_batch(&self, output: &mut Output, lines: &[u8], gzip_level: Option<u32>) {
        let result = match gzip_level.filter(|_| !lines.is_empty()) {
            None => output.write_lines(lines),
            Some(level) => output.write_whole(&compressed(lines, level), lines),
        };
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
    fn account_for(&self, mut state: MutexGuard<'_, State>, lost: Option<WriteError>) {
        let Some(WriteError { lines, source }) = lost else {
            return;
        };
        self.dropped.add(lines);
        let complain = state.complaints.allow(Instant::now()).is_some();
        drop(state);
        if complain {
            crate::alert!("write() to \"{}\" failed {}", name(&self.destination), SystemError(&source));
        }
    }
}

/// `lines` as one member of a gzip file.
fn compressed(lines: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(lines.len() / 4), Compression::new(level));
    // Writing to memory does not fail.
    let _ = encoder.write_all(lines);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use super::*;

    fn state(buffering: Option<Buffering>) -> State {
        State {
            gathered: Vec::new(),
            gathered_bytes: 0,
            written_bytes: 0,
            output: None,
            replacement: None,
            writer: Writer::Idle,
            buffering,
            first_line: None,
            hurry: false,
            closing: false,
            complaints: RateLimited::new(Duration::from_secs(60)),
        }
    }

    #[test]
    fn a_buffer_is_written_when_it_is_full_old_or_wanted() {
        let now = Instant::now();
        let later = now + Duration::from_secs(5);
        let buffering = Buffering { bytes: 10, flush: None, gzip_level: None };
        let mut plain = state(None);
        assert_eq!(plain.due(now), Due::Later);
        plain.gathered.extend_from_slice(b"line\n");
        assert_eq!(plain.due(now), Due::Now);

        let mut full = state(Some(buffering));
        full.gathered.extend_from_slice(b"line\n");
        assert_eq!(full.due(now), Due::Later);
        full.gathered.extend_from_slice(b"line\n");
        assert_eq!(full.due(now), Due::Now);

        let flush = Some(Duration::from_secs(5));
        let mut old = state(Some(Buffering { flush, ..buffering }));
        old.gathered.extend_from_slice(b"line\n");
        old.first_line = Some(now);
        assert_eq!(old.due(now), Due::At(later));
        assert_eq!(old.due(later), Due::Now);

        let mut wanted = state(Some(buffering));
        wanted.hurry = true;
        assert_eq!(wanted.due(now), Due::Later, "nothing is there");
        wanted.gathered.extend_from_slice(b"line\n");
        assert_eq!(wanted.due(now), Due::Now);
    }

    #[test]
    fn members_of_a_gzip_file_read_as_one_text() {
        let mut file = compressed(b"one\n", 1);
        file.extend(compressed(b"two\n", 9));
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(file.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }
}
