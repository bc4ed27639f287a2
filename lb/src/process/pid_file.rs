//! The pid file, by which scripts and `lb -s` find the process.
//!
//! It is written whole under another name and renamed, so a reader never finds it empty, and it appears only when the
//! caller writes it (once every listener accepts). Where renaming is impossible (the process may write the file but
//! not the directory, as with a single mounted file; or the path is `/dev/null`, common in containers) it is written
//! in place, as nginx does.
//!
//! It is removed at the end only if it still holds our own number: a successor may have taken it over. A process that
//! gave up root can often no longer remove it from `/run`; then it is emptied through the handle that is still open,
//! so that no later `lb -s` signals another process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nix::unistd::{AccessFlags, access};
use thiserror::Error;

use crate::system_error::SystemError;

/// The owner may write it; everyone may read it.
const MODE: u32 = 0o644;

/// A number needs eleven bytes; a longer file is not a pid file and not worth reading whole.
const LONGEST_BYTES: u64 = 64;

/// The error of a pid file that could not be written or used. The messages are nginx's.
#[derive(Debug, Error)]
pub enum PidFileError {
    /// It could not be opened.
    #[error("open() \"{}\" failed {}", path.display(), SystemError(source))]
    Open {
        /// Path of the file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It could not be written.
    #[error("write() to \"{}\" failed {}", path.display(), SystemError(source))]
    Write {
        /// Path of the file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It could not be read.
    #[error("read() \"{}\" failed {}", path.display(), SystemError(source))]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It holds no process id.
    #[error("invalid PID number \"{text}\" in \"{}\"", path.display())]
    Invalid {
        /// Path of the file.
        path: PathBuf,
        /// Its contents.
        text: String,
    },
    /// The process could not be signalled.
    #[error("kill({pid}, {signal}) failed {}", SystemError(source))]
    Kill {
        /// Its process id.
        pid: i32,
        /// The signal's number.
        signal: i32,
        /// The system's error.
        source: io::Error,
    },
}

/// The pid file of this process; removed when dropped. [`std::process::exit`] drops nothing: call
/// [`remove`](Self::remove) before it.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
    pid: u32,
    removed: bool,
}

impl PidFile {
    /// Writes this process's id to `path`. Must come after `daemon`, which changes the id.
    pub fn write(path: &Path) -> Result<Self, PidFileError> {
        Self::write_number(path, std::process::id())
    }

    fn write_number(path: &Path, pid: u32) -> Result<Self, PidFileError> {
        let text = format!("{pid}\n");
        let file = match replace(path, text.as_bytes()) {
            Some(file) => file,
            None => write_in_place(path, text.as_bytes())?,
        };
        Ok(Self { path: path.to_owned(), file, pid, removed: false })
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file if it still holds our number.
    pub fn remove(mut self) {
        self.withdraw();
    }

    fn withdraw(&mut self) {
        if self.removed {
            return;
        }
        self.removed = true;
        if !is_regular(&self.path) || !matches!(read(&self.path), Ok(pid) if pid.unsigned_abs() == self.pid) {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path)
            && self.file.set_len(0).is_err()
        {
            log::warn!("unlink() \"{}\" failed {}", self.path.display(), SystemError(&error));
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// Tests whether a pid file could be written to `path`, for the start and `lb -t`. Creates nothing, not even for a
/// moment: a script that waits for the file takes it as the sign that every listener accepts.
pub fn check(path: &Path) -> Result<(), PidFileError> {
    let failed = |source| PidFileError::Open { path: path.to_owned(), source };
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory =
                path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            access(directory, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|errno| failed(errno.into()))
        }
        Err(error) => Err(failed(error)),
        Ok(_) => Ok(()),
    }
}

/// The process id in the file at `path`.
pub fn read(path: &Path) -> Result<i32, PidFileError> {
    let file = File::open(path).map_err(|source| PidFileError::Open { path: path.to_owned(), source })?;
    let mut bytes = Vec::new();
    file.take(LONGEST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|source| PidFileError::Read { path: path.to_owned(), source })?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_end_matches(['\r', '\n']);
    parse(text).ok_or_else(|| PidFileError::Invalid { path: path.to_owned(), text: text.to_owned() })
}

/// Sends `signal` to the process whose id is in the file at `path`: the whole of `lb -s`.
pub fn signal(path: &Path, signal: Signal) -> Result<(), PidFileError> {
    let pid = read(path)?;
    kill(Pid::from_raw(pid), signal).map_err(|errno| PidFileError::Kill {
        pid,
        signal: signal as i32,
        source: errno.into(),
    })
}

/// Accepts digits only, and not 0, which would signal the caller's own process group.
fn parse(text: &str) -> Option<i32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|pid| *pid > 0)
}

fn is_regular(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Writes under a temporary name and renames; `None` where that is impossible or wrong.
fn replace(path: &Path, text: &[u8]) -> Option<File> {
    // Only a plain file, or nothing, is replaced: a rename over /dev/null or a symbolic link would destroy it.
    if let Ok(metadata) = fs::symlink_metadata(path)
        && !metadata.is_file()
    {
        return None;
    }
    let mut temporary_name = path.file_name()?.to_owned();
    temporary_name.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(temporary_name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&temporary).ok()?;
    let done = file.write_all(text).and_then(|()| fs::rename(&temporary, path));
    if done.is_err() {
        let _ = fs::remove_file(&temporary);
        return None;
    }
    Some(file)
}

fn write_in_place(path: &Path, text: &[u8]) -> Result<File, PidFileError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(MODE)
        .open(path)
        .map_err(|source| PidFileError::Open { path: path.to_owned(), source })?;
    file.write_all(text).map_err(|source| PidFileError::Write { path: path.to_owned(), source })?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn it_holds_our_number_and_goes_with_us() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lb.pid");
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777 & !0o644, 0);
        assert_eq!(names(directory.path()), ["lb.pid"], "no temporary file stays");
        drop(file);
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn a_successors_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lb.pid");
        let ours = PidFile::write_number(&path, 4_000_001).unwrap();
        let successor = PidFile::write_number(&path, 4_000_002).unwrap();
        ours.remove();
        assert_eq!(fs::read_to_string(&path).unwrap(), "4000002\n");
        successor.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_link_and_a_device_are_written_through_and_stay() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("target");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let file = PidFile::write_number(&link, 7).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "7\n");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        file.remove();

        PidFile::write(Path::new("/dev/null")).unwrap().remove();
        assert!(!is_regular(Path::new("/dev/null")) && Path::new("/dev/null").exists());
    }

    #[test]
    fn the_check_leaves_nothing_behind_and_names_what_fails() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lb.pid");
        check(&path).unwrap();
        assert!(!path.exists());
        fs::write(&path, "12\n").unwrap();
        check(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "12\n");

        let missing = directory.path().join("none/lb.pid");
        let expected = format!("open() \"{}\" failed (2: No such file or directory)", missing.display());
        assert_eq!(check(&missing).unwrap_err().to_string(), expected);
        assert_eq!(PidFile::write(&missing).unwrap_err().to_string(), expected);
        assert_eq!(signal(&missing, Signal::SIGHUP).unwrap_err().to_string(), expected);
    }

    #[test]
    fn only_a_positive_number_is_signalled() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lb.pid");
        for (text, shown) in [
            ("", ""),
            ("\n", ""),
            ("0\n", "0"),
            ("-1\n", "-1"),
            ("x1\n", "x1"),
            ("99999999999", "99999999999"),
        ] {
            fs::write(&path, text).unwrap();
            let expected = format!("invalid PID number \"{shown}\" in \"{}\"", path.display());
            assert_eq!(signal(&path, Signal::SIGHUP).unwrap_err().to_string(), expected, "{text:?}");
        }
        // Above the largest pid_max that Linux allows (2^22).
        fs::write(&path, "4194305\n").unwrap();
        let error = signal(&path, Signal::SIGHUP).unwrap_err().to_string();
        assert_eq!(error, "kill(4194305, 1) failed (3: No such process)");
    }
}
