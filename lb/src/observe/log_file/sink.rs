//! The open end of a log file: the kind of file behind a path, and the means to keep lines whole in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::unistd::Uid;

use crate::config::model::LogDestination;

/// nginx's mode for log files.
const MODE: u32 = 0o644;

/// A write of up to this size reaches a pipe in one piece even when others write to it (`PIPE_BUF` on Linux,
/// pipe(7)).
const ATOMIC_PIPE_BYTES: usize = 4096;

/// Pause before writing to a full non-blocking pipe again.
const FULL_PIPE_PAUSE: Duration = Duration::from_millis(10);

/// A longer chain of symbolic links is a loop to the kernel too.
const LONGEST_LINK_CHAIN: usize = 40;

/// The open destination of the lines.
#[derive(Debug)]
pub(super) struct Sink {
    file: File,
    /// A pipe gets its lines in pieces that cannot be torn: standard output and standard error often share one.
    pipe: bool,
    /// The last write ended inside a line.
    torn: bool,
}

/// A standard stream that the process was started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StandardStream {
    Output,
    Error,
}

/// The error of an incomplete write.
#[derive(Debug)]
pub(super) struct WriteError {
    /// The number of lost lines, the torn one included.
    pub(super) lines: u64,
    pub(super) source: io::Error,
}

impl Sink {
    pub(super) fn open(destination: &LogDestination) -> io::Result<Self> {
        let file = match (inherited_stream(destination), destination) {
            (Some(stream), _) => duplicate(stream)?,
            (None, LogDestination::File(path)) => open_path(path)?,
            (None, LogDestination::Stderr) => duplicate(StandardStream::Error)?,
            (None, LogDestination::Syslog(_)) => return Err(io::ErrorKind::Unsupported.into()),
        };
        let pipe = file.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo());
        Ok(Self { file, pipe, torn: false })
    }

    pub(super) fn into_file(self) -> File {
        self.file
    }

    /// Writes `lines`, which ends with a newline or is empty.
    pub(super) fn write_lines(&mut self, lines: &[u8]) -> Result<(), WriteError> {
        if lines.is_empty() {
            return Ok(());
        }
        if self.torn {
            // The rest of the torn line is lost; the next one begins on a line of its own.
            self.write_bytes(b"\n")
                .map_err(|(_, source)| WriteError { lines: count_lines(lines), source })?;
            self.torn = false;
        }
        let mut rest = lines;
        while !rest.is_empty() {
            let piece_bytes = if self.pipe { whole_lines(rest, ATOMIC_PIPE_BYTES) } else { rest.len() };
            if let Err((written, source)) = self.write_bytes(&rest[..piece_bytes]) {
                self.torn = written > 0 && rest[written - 1] != b'\n';
                return Err(WriteError { lines: count_lines(&rest[written..]), source });
            }
            rest = &rest[piece_bytes..];
        }
        Ok(())
    }

    /// Like `write_all`, but returns how far it came, and waits for a full pipe that another holder made
    /// non-blocking.
    pub(super) fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut written = 0;
        while written < bytes.len() {
            match self.file.write(&bytes[written..]) {
                Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(FULL_PIPE_PAUSE),
                Err(error) => return Err((written, error)),
            }
        }
        Ok(())
    }
}

/// The number of bytes of `lines` to write at once: as many whole lines as fit into `most`, at least one line.
fn whole_lines(lines: &[u8], most: usize) -> usize {
    if lines.len() <= most {
        return lines.len();
    }
    match memchr::memrchr(b'\n', &lines[..most]) {
        Some(end) => end + 1,
        None => memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1),
    }
}

pub(super) fn count_lines(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// The standard stream that `destination` names, through symbolic links too (the official NGINX image links its log
/// files to `/dev/stdout` and `/dev/stderr`).
///
/// Such a stream is used through the descriptor that the process was started with and not opened by its path: that
/// fails where standard output is a socket, and where it is a pipe or terminal of another user, as in a container
/// that does not run as root.
pub(super) fn inherited_stream(destination: &LogDestination) -> Option<StandardStream> {
    let path = match destination {
        LogDestination::File(path) => path,
        LogDestination::Stderr => return Some(StandardStream::Error),
        LogDestination::Syslog(_) => return None,
    };
    let mut path = path.clone();
    for _ in 0..LONGEST_LINK_CHAIN {
        if let Some(stream) = stream_of(&path) {
            return Some(stream);
        }
        let target = fs::read_link(&path).ok()?;
        path = path.parent().map(|parent| parent.join(&target)).unwrap_or(target);
    }
    None
}

fn stream_of(path: &Path) -> Option<StandardStream> {
    match path.to_str()? {
        "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => Some(StandardStream::Output),
        "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => Some(StandardStream::Error),
        _ => None,
    }
}

fn duplicate(stream: StandardStream) -> io::Result<File> {
    let descriptor = match stream {
        StandardStream::Output => io::stdout().as_fd().try_clone_to_owned()?,
        StandardStream::Error => io::stderr().as_fd().try_clone_to_owned()?,
    };
    Ok(File::from(descriptor))
}

pub(super) fn open_path(path: &Path) -> io::Result<File> {
    let fifo = fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
    let mut options = OpenOptions::new();
    if fifo {
        // Opened for reading too, Linux neither waits for a reader nor fails without one (fifo(7)): written lines
        // wait in the pipe, and a collector may come, go and return.
        options.read(true).write(true);
    } else {
        options.append(true).create(true).mode(MODE);
    }
    options.open(path)
}

/// Makes `owner` the owner of a regular file that belongs to another user.
pub(super) fn give_to(file: &File, owner: Uid) -> io::Result<()> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.uid() == owner.as_raw() {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(owner.as_raw()), None)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_piece_is_whole_lines_and_at_least_one() {
        for (lines, most, expected) in [
            ("a\n", 8, 2),
            ("aaa\nbbb\n", 8, 8),
            ("aaa\nbbb\nccc\n", 8, 8),
            ("aaa\nbbb\nccc\n", 7, 4),
            ("aaaaaaaaaa\nb\n", 4, 11),
        ] {
            assert_eq!(whole_lines(lines.as_bytes(), most), expected, "{lines:?} {most}");
        }
    }

    #[test]
    fn a_standard_stream_is_found_through_links() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        symlink("/dev/stderr", at("error.log")).unwrap();
        symlink("error.log", at("relative.log")).unwrap();
        symlink("loop.log", at("loop.log")).unwrap();
        fs::write(at("plain.log"), "").unwrap();
        for (path, expected) in [
            (PathBuf::from("/dev/stdout"), Some(StandardStream::Output)),
            (PathBuf::from("/proc/self/fd/2"), Some(StandardStream::Error)),
            (at("error.log"), Some(StandardStream::Error)),
            (at("relative.log"), Some(StandardStream::Error)),
            (at("loop.log"), None),
            (at("plain.log"), None),
            (at("missing.log"), None),
        ] {
            assert_eq!(inherited_stream(&LogDestination::File(path.clone())), expected, "{path:?}");
        }
        assert_eq!(inherited_stream(&LogDestination::Stderr), Some(StandardStream::Error));
    }

    /// A sink on the writing end of a pipe.
    fn pipe_sink() -> (io::PipeReader, Sink) {
        let (reader, writer) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        (reader, Sink { file, pipe: true, torn: false })
    }

    #[test]
    fn a_lost_batch_is_counted_in_lines() {
        let (reader, mut sink) = pipe_sink();
        drop(reader);
        let error = sink.write_lines(b"one\ntwo\nthree\n").unwrap_err();
        assert_eq!((error.lines, error.source.kind()), (3, io::ErrorKind::BrokenPipe));
    }

    #[test]
    fn after_a_torn_line_the_next_begins_on_its_own() {
        let (mut reader, mut sink) = pipe_sink();
        sink.write_bytes(b"tor").unwrap();
        sink.torn = true;
        sink.write_lines(b"whole\n").unwrap();
        drop(sink);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "tor\nwhole\n");
    }

    #[test]
    fn a_file_that_is_full_refuses_every_line() {
        // /dev/full answers every write with ENOSPC.
        let mut sink = Sink::open(&LogDestination::File("/dev/full".into())).unwrap();
        let error = sink.write_lines(b"one\ntwo\n").unwrap_err();
        assert_eq!((error.lines, error.source.raw_os_error()), (2, Some(28)));
    }
}
