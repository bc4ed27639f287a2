//! Access logs whose paths hold variables: each line goes to the file that its request names.
//!
//! One thread writes them all, so that no request waits for a file to be opened. `open_log_file_cache` says which files
//! it keeps open; without one, a file is opened and closed for every line, as nginx does. As in nginx, a line is left
//! out where the root directory of its request is not there, so that a client cannot make files by asking for hosts
//! that do not exist.
//!
//! A queue of [`BOUND_BYTES`] at most waits for the thread; beyond that lines are dropped and counted.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::sink::open_path;
use super::{BOUND_BYTES, COMPLAINT_INTERVAL, LogFileTotals, OpenError};
use crate::config::model::OpenLogFiles;
use crate::files::as_path;
use crate::observe::cells::Counter;
use crate::observe::rate_limited::RateLimited;
use crate::system_error::SystemError;

/// A line for the file of a path.
#[derive(Debug)]
pub struct PathLine {
    /// The file.
    pub path: Vec<u8>,
    /// The directory that must be there.
    pub root: Vec<u8>,
    /// The line, without its end.
    pub line: Vec<u8>,
    /// What the request's location says of open files.
    pub kept: OpenLogFiles,
}

impl PathLine {
    fn bytes(&self) -> usize {
        self.path.len() + self.root.len() + self.line.len()
    }
}

/// The logs by path of the process.
#[derive(Debug, Default)]
pub(in crate::observe) struct PathLogs {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// The writer waits here.
    work: Condvar,
    /// Callers of `flush` wait here.
    progress: Condvar,
    lines: Counter,
    dropped: Counter,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Vec<PathLine>,
    bytes: usize,
    taken: u64,
    done: u64,
    is_started: bool,
    reopen: bool,
    closing: bool,
}

impl PathLogs {
    /// Hands a line to the writer, which is started with the first. Never waits for a file.
    pub(in crate::observe) fn append(&self, line: PathLine) {
        let mut queue = self.shared.queue.lock();
        if queue.bytes + line.bytes() > BOUND_BYTES {
            drop(queue);
            self.shared.dropped.increment();
            return;
        }
        if !queue.is_started {
            let shared = Arc::clone(&self.shared);
            let spawned = thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_all());
            if let Err(source) = spawned {
                drop(queue);
                self.shared.dropped.increment();
                let path = as_path(&line.path).to_owned();
                crate::alert!("{}", OpenError::Thread { path, source });
                return;
            }
            queue.is_started = true;
        }
        queue.bytes += line.bytes();
        queue.taken += 1;
        queue.lines.push(line);
        drop(queue);
        self.shared.lines.increment();
        self.shared.work.notify_one();
    }

    /// Closes every file after the lines that wait, for logs that were rotated by renaming.
    pub(in crate::observe) fn reopen(&self) {
        self.shared.queue.lock().reopen = true;
        self.shared.work.notify_one();
    }

    /// Waits until every line is written, at most until `deadline`; true if all were.
    pub(in crate::observe) fn flush(&self, deadline: Instant) -> bool {
        let mut queue = self.shared.queue.lock();
        let goal = queue.taken;
        while queue.done < goal {
            if self.shared.progress.wait_until(&mut queue, deadline).timed_out() {
                return queue.done >= goal;
            }
        }
        true
    }

    /// The lines taken and lost, of all paths together; `None` where none has come.
    pub(in crate::observe) fn totals(&self) -> Option<LogFileTotals> {
        let (lines, dropped) = (self.shared.lines.total(), self.shared.dropped.total());
        let any = lines > 0 || dropped > 0;
        any.then(|| LogFileTotals { name: "by path".to_owned(), lines, dropped })
    }
}

impl Drop for PathLogs {
    fn drop(&mut self) {
        self.shared.queue.lock().closing = true;
        self.shared.work.notify_one();
    }
}

impl Shared {
    fn write_all(&self) {
        let mut files = OpenFiles::default();
        let mut complaints = RateLimited::new(COMPLAINT_INTERVAL);
        let mut batch = Vec::new();
        loop {
            let mut queue = self.queue.lock();
            while queue.lines.is_empty() && !queue.reopen {
                if queue.closing {
                    return;
                }
                // Files that nobody uses any more are closed without a line to come.
                let closes_next = files.closes_next();
                match closes_next {
                    Some(when) => {
                        self.work.wait_until(&mut queue, when);
                        files.close_unused(Instant::now());
                    }
                    None => self.work.wait(&mut queue),
                }
            }
            std::mem::swap(&mut queue.lines, &mut batch);
            queue.bytes = 0;
            let reopen = std::mem::take(&mut queue.reopen);
            drop(queue);

            let count = batch.len() as u64;
            for line in batch.drain(..) {
                if let Err(error) = files.write(&line, Instant::now()) {
                    self.dropped.increment();
                    if complaints.allow(Instant::now()).is_some() {
                        let path = String::from_utf8_lossy(&error.path);
                        crate::crit!("{} \"{path}\" failed {}", error.action, SystemError(&error.source));
                    }
                }
            }
            if reopen {
                files = OpenFiles::default();
            }
            self.queue.lock().done += count;
            self.progress.notify_all();
        }
    }
}

/// Why a line was lost.
#[derive(Debug)]
struct Lost {
    action: &'static str,
    path: Vec<u8>,
    source: io::Error,
}

#[derive(Debug)]
struct Open {
    /// `None` until it is used often enough to stay open.
    file: Option<File>,
    /// When the name was last seen to be this file's.
    checked: Instant,
    used: Instant,
    uses: u64,
    inactive: Duration,
}

/// The files that stay open, by path.
#[derive(Debug, Default)]
struct OpenFiles {
    files: HashMap<Vec<u8>, Open>,
}

impl OpenFiles {
    fn write(&mut self, line: &PathLine, now: Instant) -> Result<(), Lost> {
        let lost = |action, path: &[u8], source| Lost { action, path: path.to_vec(), source };
        if !line.root.is_empty() {
            let root = fs::metadata(as_path(&line.root));
            let root = root.map_err(|source| lost("testing existence of", &line.root, source))?;
            if !root.is_dir() {
                return Err(lost("testing existence of", &line.root, io::ErrorKind::NotADirectory.into()));
            }
        }
        let open = || open_path(as_path(&line.path)).map_err(|source| lost("open()", &line.path, source));
        let text = [&line.line[..], b"\n"].concat();
        let write = |file: &File| {
            let mut file = file;
            file.write_all(&text).map_err(|source| lost("write() to", &line.path, source))
        };
        if line.kept.most == 0 {
            return write(&open()?);
        }
        self.make_room(&line.path, line.kept.most, now);
        let entry = self.files.entry(line.path.clone()).or_insert_with(|| Open {
            file: None,
            checked: now,
            used: now,
            uses: 0,
            inactive: line.kept.inactive,
        });
        (entry.used, entry.inactive) = (now, line.kept.inactive);
        entry.uses += 1;
        if now.duration_since(entry.checked) >= line.kept.valid {
            entry.checked = now;
            if entry.file.as_ref().is_some_and(|file| !is_at(file, as_path(&line.path))) {
                entry.file = None;
            }
        }
        match &entry.file {
            Some(file) => write(file),
            None => {
                let file = open()?;
                let written = write(&file);
                if entry.uses >= line.kept.least_uses {
                    (entry.file, entry.checked) = (Some(file), now);
                }
                written
            }
        }
    }

    /// Closes what was not used for too long, and the longest unused where there are too many.
    fn make_room(&mut self, path: &[u8], most: usize, now: Instant) {
        self.close_unused(now);
        while self.files.len() >= most && !self.files.contains_key(path) {
            let oldest = self.files.iter().min_by_key(|(_, open)| open.used);
            let Some(oldest) = oldest.map(|(path, _)| path.clone()) else { return };
            self.files.remove(&oldest);
        }
    }

    fn close_unused(&mut self, now: Instant) {
        self.files.retain(|_, open| now < open.used + open.inactive);
    }

    fn closes_next(&self) -> Option<Instant> {
        self.files.values().map(|open| open.used + open.inactive).min()
    }
}

/// Whether the name still means this file.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata().map(identity), fs::metadata(path).map(identity)) {
        (Ok(open), Ok(named)) => open == named,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn line(path: &Path, root: &Path, kept: OpenLogFiles) -> PathLine {
        let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
        PathLine { path: bytes(path), root: bytes(root), line: b"a line".to_vec(), kept }
    }

    fn kept(most: usize) -> OpenLogFiles {
        OpenLogFiles { most, ..OpenLogFiles::OFF }
    }

    #[test]
    fn a_line_needs_the_root_of_its_request() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let mut files = OpenFiles::default();
        let missing = line(&path, &directory.path().join("nothing"), kept(0));
        let lost = files.write(&missing, Instant::now()).unwrap_err();
        assert_eq!(lost.action, "testing existence of");
        assert!(!path.exists());
        files.write(&line(&path, directory.path(), kept(0)), Instant::now()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a line\n");
        assert!(files.files.is_empty(), "nothing stays open without a cache");
    }

    #[test]
    fn so_many_files_stay_open_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let start = Instant::now();
        let mut files = OpenFiles::default();
        for (name, second) in [("a", 0), ("b", 1), ("a", 2), ("c", 3)] {
            let now = start + Duration::from_secs(second);
            files.write(&line(&directory.path().join(name), directory.path(), kept(2)), now).unwrap();
        }
        let mut open: Vec<_> =
            files.files.keys().map(|path| as_path(path).file_name().unwrap().to_owned()).collect();
        open.sort();
        assert_eq!(open, ["a", "c"]);
        assert_eq!(files.closes_next(), Some(start + Duration::from_secs(12)));
        files.close_unused(start + Duration::from_secs(12));
        assert_eq!(files.files.len(), 1);
    }

    #[test]
    fn a_file_stays_open_when_it_is_used_often_and_while_its_name_is_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let rules = OpenLogFiles { least_uses: 2, valid: Duration::from_secs(5), ..kept(2) };
        let start = Instant::now();
        let mut files = OpenFiles::default();
        let mut write = |second: u64| {
            let now = start + Duration::from_secs(second);
            files.write(&line(&path, directory.path(), rules), now).unwrap();
            files.files.values().all(|open| open.file.is_some())
        };
        assert!(!write(0), "used once");
        assert!(write(1));
        fs::rename(&path, directory.path().join("old.log")).unwrap();
        assert!(write(2));
        assert!(!path.exists(), "not looked at yet");
        assert!(write(7));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a line\n");
    }
}
