//! Log files from outside: what arrives in a file, what happens when it is rotated, slow, stuck or gone.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lb::config::model::{AccessLogFile, AccessLogFileId, Buffering, LogDestination};
use lb::observe::access_log::AccessLogs;
use lb::observe::log_file::{BOUND_BYTES, LogFile, LogFiles};
use nix::sys::stat::Mode;

const LONG: Duration = Duration::from_secs(20);

fn file(path: &Path) -> LogDestination {
    LogDestination::File(path.to_owned())
}

fn access_log(path: &Path) -> AccessLogFile {
    AccessLogFile { destination: file(path), buffering: None }
}

/// A set whose writers run, and one file of it.
fn started(path: &Path) -> (LogFiles, Arc<LogFile>) {
    let files = LogFiles::default();
    let log = files.open(&file(path)).unwrap();
    files.start_writers().unwrap();
    (files, log)
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn fifo(directory: &Path) -> PathBuf {
    let path = directory.join("fifo");
    nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
    path
}

/// Whether this process has `path` open.
fn is_open(path: &Path) -> bool {
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .any(|target| target == path)
}

#[test]
fn a_line_arrives_without_being_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (_files, log) = started(&path);
    for number in 0..3 {
        log.append(format!("line {number}").as_bytes());
        until("the line is in the file", || lines(&path).len() == number + 1);
    }
    assert_eq!(lines(&path), ["line 0", "line 1", "line 2"]);
}

#[test]
fn before_the_writers_start_a_line_is_there_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("error.log");
    let files = LogFiles::default();
    let log = files.open(&file(&path)).unwrap();
    log.append(b"first words");
    assert_eq!(lines(&path), ["first words"]);
    files.start_writers().unwrap();
    log.append(b"and more");
    assert!(files.flush(LONG));
    assert_eq!(lines(&path), ["first words", "and more"]);
}

#[test]
fn many_threads_keep_their_lines_whole_and_in_order() {
    const THREADS: usize = 8;
    const LINES: usize = 20_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (files, log) = started(&path);
    thread::scope(|scope| {
        for writer in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                for number in 0..LINES {
                    let padding = "x".repeat(number % 97);
                    log.append(format!("{writer} {number} {padding}.").as_bytes());
                    // A burst without a pause may run into the bound, which is not what is tested here.
                    if number % 1000 == 0 {
                        thread::yield_now();
                    }
                }
            });
        }
    });
    assert!(files.flush(LONG));
    assert_eq!(log.totals().dropped, 0);
    let mut next = [0; THREADS];
    for line in lines(&path) {
        let [writer, number, padding] = line.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
        let (writer, number): (usize, usize) = (writer.parse().unwrap(), number.parse().unwrap());
        assert_eq!(number, next[writer], "{line}");
        assert_eq!(padding, format!("{}.", "x".repeat(number % 97)), "{line}");
        next[writer] += 1;
    }
    assert_eq!(next, [LINES; THREADS]);
}

#[test]
fn a_rotated_file_keeps_what_came_before_and_the_new_one_gets_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let rotated = directory.path().join("access.log.1");
    let (files, log) = started(&path);
    log.append(b"before");
    assert!(files.flush(LONG));
    fs::rename(&path, &rotated).unwrap();
    log.append(b"renamed, not reopened");
    assert!(files.flush(LONG));
    assert!(!path.exists());
    assert!(files.reopen().is_empty());
    log.append(b"after");
    assert!(files.flush(LONG));
    assert_eq!(lines(&path), ["after"]);
    assert_eq!(lines(&rotated), ["before", "renamed, not reopened"]);
    until("the old file is closed", || !is_open(&rotated));
}

#[test]
fn rotation_under_load_loses_no_line() {
    const LINES: usize = 50_000;
    const ROTATIONS: usize = 10;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (files, log) = started(&path);
    let rotated = |number: usize| directory.path().join(format!("access.log.{number}"));
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..LINES {
                log.append(number.to_string().as_bytes());
                if number % 1000 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
        for number in 0..ROTATIONS {
            thread::sleep(Duration::from_millis(4));
            fs::rename(&path, rotated(number)).unwrap();
            assert!(files.reopen().is_empty());
            until("the new file exists", || path.exists());
        }
    });
    assert!(files.flush(LONG));
    let all: Vec<String> =
        (0..ROTATIONS).map(rotated).chain([path.clone()]).flat_map(|path| lines(&path)).collect();
    assert_eq!(all.len(), LINES);
    assert!(all.iter().enumerate().all(|(index, line)| *line == index.to_string()), "out of order");
}

#[test]
fn a_file_that_cannot_be_reopened_stays_with_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("logs");
    fs::create_dir(&inner).unwrap();
    let path = inner.join("access.log");
    let (files, log) = started(&path);
    let moved = directory.path().join("moved");
    fs::rename(&inner, &moved).unwrap();
    let errors: Vec<_> = files.reopen().iter().map(ToString::to_string).collect();
    assert_eq!(errors, [format!("open() \"{}\" failed (2: No such file or directory)", path.display())]);
    log.append(b"still written");
    assert!(files.flush(LONG));
    assert_eq!(lines(&moved.join("access.log")), ["still written"]);
}

/// The reader of a pipe hangs: no append waits, what does not fit is dropped and counted, what was taken arrives
/// whole once the reader goes on.
#[test]
fn a_stuck_reader_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = fifo(directory.path());
    let (files, log) = started(&path);
    let reader = File::open(&path).unwrap();
    let padding = "x".repeat(190);
    let appended = 3 * BOUND_BYTES / padding.len();

    let mut slowest = Duration::ZERO;
    for number in 0..appended {
        let line = format!("{number} {padding}.");
        let before = Instant::now();
        log.append(line.as_bytes());
        slowest = slowest.max(before.elapsed());
    }
    // A blocked write would last for ever; the margin is for a busy machine that stops this thread.
    assert!(slowest < Duration::from_secs(2), "an append took {slowest:?}");
    let totals = log.totals();
    assert!(totals.dropped > 0);
    assert_eq!(totals.lines + totals.dropped, appended as u64);
    assert!(totals.lines as usize * padding.len() < 2 * BOUND_BYTES + (1 << 20), "{totals:?}");

    let before = Instant::now();
    assert!(!files.flush(Duration::from_millis(50)), "flushed into a stuck pipe");
    assert!(before.elapsed() < Duration::from_secs(2));

    let mut reader = BufReader::new(reader).lines();
    let mut last = None;
    for _ in 0..totals.lines {
        let line = reader.next().unwrap().unwrap();
        let (number, rest) = line.split_once(' ').unwrap();
        let number: usize = number.parse().unwrap();
        assert!(last.is_none_or(|last| last < number), "{number} after {last:?}");
        assert_eq!(rest, format!("{padding}."));
        last = Some(number);
    }
    log.append(b"back to normal");
    assert_eq!(reader.next().unwrap().unwrap(), "back to normal");
    assert!(files.flush(LONG));
    assert_eq!(log.totals().dropped, totals.dropped);
}

#[test]
fn a_pipe_without_a_reader_is_opened_at_once_and_keeps_lines_for_one_to_come() {
    let directory = tempfile::tempdir().unwrap();
    let path = fifo(directory.path());
    let (files, log) = started(&path);
    log.append(b"early");
    assert!(files.flush(LONG));
    let mut reader = OpenOptions::new().read(true).open(&path).unwrap();
    let mut bytes = [0; 6];
    reader.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"early\n");
}

#[test]
fn lines_lost_to_a_full_disk_are_counted() {
    let (files, log) = started(Path::new("/dev/full"));
    for _ in 0..5 {
        log.append(b"x");
    }
    assert!(files.flush(LONG));
    until("all are counted", || log.totals().dropped == 5);
    assert_eq!(log.totals().lines, 5);
}

#[test]
fn one_path_is_one_file_over_logs_and_reloads_and_closes_with_the_last_user() {
    let directory = tempfile::tempdir().unwrap();
    let [shared, old] = ["shared.log", "old.log"].map(|name| directory.path().join(name));
    let files = LogFiles::default();
    let error_log = files.open(&file(&shared)).unwrap();
    let first = AccessLogs::open(&files, &[access_log(&shared), access_log(&old)]).unwrap();
    files.start_writers().unwrap();
    assert_eq!(files.totals().len(), 2);

    let second = AccessLogs::open(&files, &[access_log(&shared)]).unwrap();
    assert!(Arc::ptr_eq(&error_log, &files.open(&file(&shared)).unwrap()));
    first.write(AccessLogFileId(0), b"old configuration");
    first.write(AccessLogFileId(1), b"last words");
    second.write(AccessLogFileId(0), b"new configuration");
    drop(first);
    until("the unused file is closed", || !is_open(&old));
    assert_eq!(lines(&old), ["last words"], "a file that is closed loses nothing");
    assert!(files.flush(LONG));
    assert_eq!(lines(&shared), ["old configuration", "new configuration"]);
    assert_eq!(files.totals().len(), 1);
}

#[test]
fn a_configuration_with_a_bad_path_opens_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let good = directory.path().join("good.log");
    let bad = directory.path().join("none/bad.log");
    let files = LogFiles::default();
    let error = AccessLogs::open(&files, &[access_log(&good), access_log(&bad)]).unwrap_err();
    let expected = format!("open() \"{}\" failed (2: No such file or directory)", bad.display());
    assert_eq!(error.to_string(), expected);
    assert!(!is_open(&good));
    let error = files.open(&file(directory.path())).unwrap_err();
    assert!(error.to_string().ends_with("failed (21: Is a directory)"), "{error}");
}

#[test]
fn a_buffer_waits_until_it_is_full_or_old() {
    let directory = tempfile::tempdir().unwrap();
    let [full, old] = ["full.log", "old.log"].map(|name| directory.path().join(name));
    let files = LogFiles::default();
    let buffered = |path: &Path, flush| {
        let buffering = Some(Buffering { bytes: 20, flush, gzip_level: None });
        AccessLogFile { destination: file(path), buffering }
    };
    let wanted = [buffered(&full, None), buffered(&old, Some(Duration::from_millis(50)))];
    let logs = AccessLogs::open(&files, &wanted).unwrap();
    files.start_writers().unwrap();
    logs.gather(&wanted);
    let [waits, ages] = [AccessLogFileId(0), AccessLogFileId(1)];
    logs.write(waits, b"first line");
    logs.write(ages, b"first line");
    until("the old buffer is written", || lines(&old) == ["first line"]);
    assert_eq!(lines(&full), Vec::<String>::new(), "11 bytes of 20 wait");
    logs.write(waits, b"second line");
    until("the full buffer is written", || lines(&full) == ["first line", "second line"]);
    logs.write(waits, b"third line");
    assert!(files.flush(LONG));
    assert_eq!(lines(&full).len(), 3, "the end of the process does not wait");
}

#[test]
fn a_compressed_log_reads_as_one_text() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log.gz");
    let files = LogFiles::default();
    let buffering = Some(Buffering { bytes: 64 << 10, flush: None, gzip_level: Some(1) });
    let wanted = [AccessLogFile { destination: file(&path), buffering }];
    let logs = AccessLogs::open(&files, &wanted).unwrap();
    files.start_writers().unwrap();
    logs.gather(&wanted);
    for line in ["one", "two"] {
        logs.write(AccessLogFileId(0), line.as_bytes());
        assert!(files.flush(LONG));
    }
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "one\ntwo\n");
}
