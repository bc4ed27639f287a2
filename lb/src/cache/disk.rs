//! The files of a zone. Every call here may block.
//!
//! A file appears whole or not at all: it is written under another name in its folder and renamed. Its name is the key's MD5
//! sum in hexadecimal digits, in folders named by the last digits of it, as in nginx.

use std::fmt::Write;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::Key;
use super::entry::{Damage, Head};
use crate::files::{PIECE_BYTES, read_up_to};

/// Who may see what is kept, as in nginx: the user of the workers alone.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// What a file takes is counted in blocks of the file system, as in nginx.
const BLOCK_BYTES: u64 = 4096;

/// Where the files of a zone are.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    levels: Vec<usize>,
}

/// A kept answer, opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) head: Head,
    pub(super) body: Body,
}

/// The body of a kept answer.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// All of it.
    Memory(Bytes),
    /// In a file, from this place on.
    File(Arc<File>, u64),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOpened {
    /// There is no file.
    #[error("is not there")]
    Missing,
    /// The system failed.
    #[error("{0}")]
    System(#[from] io::Error),
    /// The head is damaged.
    #[error("{0}")]
    Damaged(#[from] Damage),
    /// The body has not the length that the head says.
    #[error("has a body of another length than its head says")]
    Length,
    /// The key has the sum of the wanted one, and is another.
    #[error("is for another key with the same MD5 sum")]
    OtherKey,
}

/// A file that is being written, and goes again if it is not finished.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) file: Arc<File>,
    path: PathBuf,
    is_finished: bool,
}

impl Disk {
    pub(super) fn new(folder: PathBuf, levels: Vec<usize>) -> Self {
        Self { folder, levels }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn levels(&self) -> &[usize] {
        &self.levels
    }

    /// Makes the folder where it is not there. As in nginx, the one around it has to be there.
    pub(super) fn prepare(&self) -> io::Result<()> {
        match DirBuilder::new().mode(FOLDER_MODE).create(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    /// The path of a key's file.
    pub(super) fn path(&self, key: &Key) -> PathBuf {
        let mut name = String::with_capacity(32);
        for byte in key {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        let mut path = self.folder.clone();
        let mut end = name.len();
        for level in &self.levels {
            path.push(&name[end - level..end]);
            end -= level;
        }
        path.push(name);
        path
    }

    /// Opens the answer for `wanted`, and reads it where it is small.
    pub(super) fn open(&self, key: &Key, wanted: &[u8]) -> Result<Opened, NotOpened> {
        match self.open_once(key, wanted) {
            // The times may just have been written over.
            Err(NotOpened::Damaged(Damage::Checksum)) => self.open_once(key, wanted),
            opened => opened,
        }
    }

    fn open_once(&self, key: &Key, wanted: &[u8]) -> Result<Opened, NotOpened> {
        let file = File::open(self.path(key)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => NotOpened::Missing,
            _ => NotOpened::System(error),
        })?;
        let length = file.metadata()?.len();
        let mut start = read_up_to(&file, 0, PIECE_BYTES)?;
        let head_bytes = Head::length(&start)?;
        if head_bytes > start.len() {
            start = read_up_to(&file, 0, head_bytes)?;
        }
        let head = Head::decode(&start)?;
        if head.key != wanted {
            return Err(NotOpened::OtherKey);
        }
        if length != head_bytes as u64 + head.body_bytes {
            return Err(NotOpened::Length);
        }
        let body = match start.len() as u64 == length {
            true => Body::Memory(Bytes::from(start).slice(head_bytes..)),
            false => Body::File(Arc::new(file), head_bytes as u64),
        };
        Ok(Opened { head, body })
    }

    /// The head of a file, without its body.
    pub(super) fn head(&self, key: &Key) -> Option<Head> {
        let file = File::open(self.path(key)).ok()?;
        let mut start = read_up_to(&file, 0, PIECE_BYTES).ok()?;
        let head_bytes = Head::length(&start).ok()?;
        if head_bytes > start.len() {
            start = read_up_to(&file, 0, head_bytes).ok()?;
        }
        Head::decode(&start).ok()
    }

    /// Begins a file.
    pub(super) fn begin(&self, key: &Key) -> io::Result<Unfinished> {
        let mut path = self.path(key);
        let name =
            format!("{}.{:010}", path.file_name().unwrap_or_default().to_string_lossy(), fastrand::u32(..));
        path.set_file_name(name);
        let create = || File::options().read(true).write(true).create_new(true).mode(FILE_MODE).open(&path);
        let file = match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(folder) = path.parent() {
                    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
                }
                create()?
            }
            made => made?,
        };
        Ok(Unfinished { file: Arc::new(file), path, is_finished: false })
    }

    /// Makes a file that was written the key's.
    pub(super) fn finish(&self, key: &Key, mut unfinished: Unfinished) -> io::Result<()> {
        fs::rename(&unfinished.path, self.path(key))?;
        unfinished.is_finished = true;
        Ok(())
    }

    /// Writes another head of the same length over the one of the key's file.
    pub(super) fn confirm(&self, key: &Key, head: &Head) -> io::Result<()> {
        let Some(bytes) = head.encode() else { return Ok(()) };
        let file = File::options().read(true).write(true).open(self.path(key))?;
        let start = read_up_to(&file, 0, 16)?;
        // Another answer may have taken its place.
        match Head::length(&start) {
            Ok(length) if length == bytes.len() => file.write_all_at(&bytes, 0),
            _ => Ok(()),
        }
    }

    /// Removes the key's file, which may be gone already.
    pub(super) fn remove(&self, key: &Key) {
        remove(&self.path(key));
    }

    /// What a file of so many bytes takes.
    pub(super) fn taken(bytes: u64) -> u64 {
        bytes.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES)
    }

    /// How many bytes are free on the file system.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        let figures = nix::sys::statvfs::statvfs(&self.folder).ok()?;
        // Their types are others elsewhere.
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
        Some((figures.blocks_available() as u64).saturating_mul(figures.fragment_size() as u64))
    }
}

impl Unfinished {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let path = std::mem::take(&mut self.path);
        match tokio::runtime::Handle::try_current() {
            // A worker waits for no disk.
            Ok(runtime) => drop(runtime.spawn_blocking(move || remove(&path))),
            Err(_) => remove(&path),
        }
    }
}

/// The key that a file of this name belongs to.
pub(super) fn key_of(name: &str) -> Option<Key> {
    if name.len() != 32 || !name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return None;
    }
    let mut key = Key::default();
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(name.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(key)
}

/// Whether a file of this name was begun and not finished by an earlier process.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.split_once('.').is_some_and(|(key, rest)| {
        key_of(key).is_some() && rest.len() == 10 && rest.bytes().all(|byte| byte.is_ascii_digit())
    })
}

pub(super) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        crate::crit!(
            "unlink() \"{}\" failed ({})",
            path.display(),
            crate::system_error::number_first(&error.to_string())
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::freshness::Times;
    use super::*;

    const KEY: Key = *b"\xb7\xf5\x4b\x2d\xf7\x77\x37\x22\xd3\x82\xf4\x80\x9d\x65\x02\x9c";

    fn disk(folder: &Path) -> Disk {
        Disk::new(folder.to_owned(), vec![1, 2])
    }

    fn head(body_bytes: u64) -> Head {
        Head {
            body_bytes,
            times: Times::default(),
            stored_ms: 0,
            variant: None,
            status: 200,
            key: b"k".to_vec(),
            reason: Vec::new(),
            fields: Vec::new(),
        }
    }

    fn put(disk: &Disk, head: &Head, body: &[u8]) {
        let begun = disk.begin(&KEY).unwrap();
        let start = head.encode().unwrap();
        begun.file.write_all_at(&start, 0).unwrap();
        begun.file.write_all_at(body, start.len() as u64).unwrap();
        disk.finish(&KEY, begun).unwrap();
    }

    #[test]
    fn files_lie_where_nginx_puts_them() {
        let path = disk(Path::new("/data/nginx/cache")).path(&KEY);
        assert_eq!(path, Path::new("/data/nginx/cache/c/29/b7f54b2df7773722d382f4809d65029c"));
        assert_eq!(key_of("b7f54b2df7773722d382f4809d65029c"), Some(KEY));
        for other in
            ["", "b7f5", "B7F54B2DF7773722D382F4809D65029C", "b7f54b2df7773722d382f4809d65029c.0000000001"]
        {
            assert_eq!(key_of(other), None, "{other}");
        }
        assert!(
            is_unfinished("b7f54b2df7773722d382f4809d65029c.0000000001") && !is_unfinished("x.0000000001")
        );
    }

    #[test]
    fn an_answer_is_read_back_small_or_large() {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk(folder.path());
        for length in [0, 5, PIECE_BYTES, PIECE_BYTES * 3] {
            put(&disk, &head(length as u64), &vec![b'x'; length]);
            let opened = disk.open(&KEY, b"k").unwrap();
            assert_eq!(opened.head, head(length as u64));
            match opened.body {
                Body::Memory(body) => assert!(body.len() == length && length < PIECE_BYTES, "{length}"),
                Body::File(..) => assert!(length >= PIECE_BYTES, "{length}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_proved_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk(folder.path());
        assert!(matches!(disk.open(&KEY, b"k"), Err(NotOpened::Missing)));
        put(&disk, &head(5), b"12345");
        assert!(matches!(disk.open(&KEY, b"other"), Err(NotOpened::OtherKey)));
        for body in [&b"1234"[..], b"123456", b""] {
            put(&disk, &head(5), body);
            assert!(matches!(disk.open(&KEY, b"k"), Err(NotOpened::Length)), "{body:?}");
        }
        put(&disk, &head(5), b"12345");
        let file = File::options().write(true).open(disk.path(&KEY)).unwrap();
        file.write_all_at(b"x", 30).unwrap();
        assert!(matches!(disk.open(&KEY, b"k"), Err(NotOpened::Damaged(Damage::Checksum))));
        file.set_len(20).unwrap();
        assert!(matches!(disk.open(&KEY, b"k"), Err(NotOpened::Damaged(Damage::Short))));
        file.write_all_at(b"KEY: a\n", 0).unwrap();
        assert!(matches!(disk.open(&KEY, b"k"), Err(NotOpened::Damaged(Damage::Foreign))));
    }

    #[test]
    fn times_are_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk(folder.path());
        put(&disk, &head(2), b"ab");
        let confirmed = Head { times: Times { fresh_until: 9, updating: 1, error: 2 }, ..head(2) };
        disk.confirm(&KEY, &confirmed).unwrap();
        assert_eq!(disk.open(&KEY, b"k").unwrap().head, confirmed);
        // Another answer has taken its place.
        put(&disk, &Head { reason: b"longer".to_vec(), ..head(2) }, b"cd");
        disk.confirm(&KEY, &confirmed).unwrap();
        assert_eq!(disk.open(&KEY, b"k").unwrap().head.reason, b"longer");
    }

    #[test]
    fn what_is_not_finished_goes() {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk(folder.path());
        let begun = disk.begin(&KEY).unwrap();
        let path = begun.path().to_owned();
        assert!(path.exists());
        drop(begun);
        assert!(!path.exists());
    }
}
