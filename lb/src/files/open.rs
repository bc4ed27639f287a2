//! What a path is, and the bytes of a file.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use nix::fcntl::OFlag;

use super::blocking;
use super::error::FileError;
use super::kind::Kind;
use super::links::{Links, open_checked};

/// A file of up to so many bytes is read when it is opened; a larger one in pieces of so many.
pub const PIECE_BYTES: usize = 64 << 10;

/// What `try_files` and the tests of `if` ask of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Its owner may run it, or enter it: `-x`.
    pub executable: bool,
}

/// What the names of compressed files end with, in the order in which they are looked for.
pub const SUFFIXES: [&str; 3] = [".br", ".zst", ".gz"];

/// How to open.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Which links are followed.
    pub links: Links,
    /// What becomes of a file with one of [`SUFFIXES`] at the end of its name.
    pub compressed: [Compressed; SUFFIXES.len()],
    /// The content is wanted, not only what is known of it.
    pub content: bool,
}

/// What becomes of a compressed file, which has a suffix at the end of the wanted one's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compressed {
    /// Nobody asks for it.
    Ignored,
    /// Whether it is there is told.
    Noticed,
    /// It is taken in place of the other, and that it is there is told.
    Taken,
    /// It is taken in place of the other, whoever asks.
    Forced,
}

/// What was opened.
#[derive(Debug)]
pub struct Opened {
    /// For the pieces of a large one.
    pub file: Arc<File>,
    /// What it is.
    pub kind: Kind,
    /// Bytes.
    pub length: u64,
    /// When it was changed, in seconds after 1970.
    pub modified: i64,
    /// All of it, where it is a small file and was wanted.
    pub content: Option<Bytes>,
    /// It is the compressed file with this one of [`SUFFIXES`].
    pub suffix: Option<usize>,
    /// A compressed file is there that others get, as far as anybody asked.
    pub has_compressed: bool,
    /// The path that was opened.
    pub path: Vec<u8>,
}

/// Opens `path`, and reads it where it is small.
pub async fn open(path: Vec<u8>, wanted: Wanted) -> Result<Opened, FileError> {
    let kept = path.clone();
    match blocking(move || open_here(path, wanted)).await {
        Ok(opened) => opened,
        Err(error) => Err(FileError { call: "open()", path: kept, error }),
    }
}

/// What `path` is, links followed as far as `links` lets them.
pub async fn look_at(path: Vec<u8>, links: Links) -> Result<Found, FileError> {
    let kept = path.clone();
    match blocking(move || look_here(path, links)).await {
        Ok(found) => found,
        Err(error) => Err(FileError { call: "stat()", path: kept, error }),
    }
}

/// Up to `length` bytes of `file`, from `at` on. Fewer only where the file has become shorter since, never more than
/// [`PIECE_BYTES`].
pub async fn read(file: Arc<File>, at: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
    blocking(move || read_up_to(&file, at, length).map(Bytes::from)).await?
}

fn open_here(path: Vec<u8>, wanted: Wanted) -> Result<Opened, FileError> {
    let mut has_compressed = false;
    for (index, (suffix, compressed)) in SUFFIXES.iter().zip(wanted.compressed).enumerate() {
        let name = || [path.as_slice(), suffix.as_bytes()].concat();
        match compressed {
            Compressed::Ignored => {}
            Compressed::Noticed => {
                let found = look_here(name(), wanted.links);
                has_compressed |= found.is_ok_and(|found| found.kind == Kind::File);
            }
            Compressed::Taken | Compressed::Forced => {
                if let Ok(opened) = open_one(name(), wanted)
                    && opened.kind == Kind::File
                {
                    let has_compressed = has_compressed || compressed == Compressed::Taken;
                    return Ok(Opened { suffix: Some(index), has_compressed, ..opened });
                }
            }
        }
    }
    Ok(Opened { has_compressed, ..open_one(path, wanted)? })
}

fn open_one(path: Vec<u8>, wanted: Wanted) -> Result<Opened, FileError> {
    // Without O_NONBLOCK, opening a pipe waits for who writes to it.
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
    let (call, opened) = match wanted.links {
        Links::Followed => {
            let mut options = File::options();
            options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
            ("open()", options.open(as_path(&path)))
        }
        links => ("openat()", open_checked(&path, links, flags).map(File::from)),
    };
    let failed = |call, path, error| FileError { call, path, error };
    let file = match opened {
        Ok(file) => file,
        Err(error) => return Err(failed(call, path, error)),
    };
    let found = match file.metadata() {
        Ok(found) => found,
        Err(error) => return Err(failed("fstat()", path, error)),
    };
    let kind = Kind::of(&found);
    let mut length = found.len();
    let mut content = None;
    let small = usize::try_from(length).ok().filter(|length| *length <= PIECE_BYTES);
    if let (true, Kind::File, Some(bytes)) = (wanted.content, kind, small) {
        match read_up_to(&file, 0, bytes).map(Bytes::from) {
            // A file that has become shorter since has that length.
            Ok(bytes) => {
                length = bytes.len() as u64;
                content = Some(bytes);
            }
            Err(error) => return Err(failed("read()", path, error)),
        }
    }
    let modified = found.mtime();
    let file = Arc::new(file);
    Ok(Opened { file, kind, length, modified, content, suffix: None, has_compressed: false, path })
}

fn look_here(path: Vec<u8>, links: Links) -> Result<Found, FileError> {
    let (call, found) = match links {
        Links::Followed => ("stat()", std::fs::metadata(as_path(&path))),
        links => {
            let opened = open_checked(&path, links, OFlag::O_PATH);
            ("openat()", opened.and_then(|opened| File::from(opened).metadata()))
        }
    };
    match found {
        Ok(found) => Ok(Found { kind: Kind::of(&found), executable: found.mode() & 0o100 != 0 }),
        Err(error) => Err(FileError { call, path, error }),
    }
}

/// Up to `most` bytes from `at` on; fewer where the file ends before. Blocks.
///
/// # Errors
///
/// Those of the system, but for an interruption.
pub fn read_up_to(file: &File, at: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let mut filled = 0;
    while filled < most {
        match file.read_at(&mut bytes[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Bytes as the path that they are.
pub fn as_path(path: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Meaning;

    const WANTED: Wanted =
        Wanted { links: Links::Followed, compressed: [Compressed::Ignored; SUFFIXES.len()], content: true };

    fn path(directory: &tempfile::TempDir, name: &str) -> Vec<u8> {
        directory.path().join(name).as_os_str().as_bytes().to_vec()
    }

    #[tokio::test]
    async fn a_small_file_comes_whole_and_a_large_one_in_pieces() {
        let directory = tempfile::tempdir().unwrap();
        let large: Vec<u8> = (0..PIECE_BYTES + 10).map(|at| (at % 251) as u8).collect();
        std::fs::write(directory.path().join("small"), &large[..PIECE_BYTES]).unwrap();
        std::fs::write(directory.path().join("large"), &large).unwrap();
        std::fs::write(directory.path().join("empty"), "").unwrap();
        let small = open(path(&directory, "small"), WANTED).await.unwrap();
        assert_eq!((small.kind, small.length), (Kind::File, PIECE_BYTES as u64));
        assert_eq!(small.content.unwrap(), large[..PIECE_BYTES]);
        let empty = open(path(&directory, "empty"), WANTED).await.unwrap();
        assert_eq!((empty.length, empty.content), (0, Some(Bytes::new())));
        let only_looked_at =
            open(path(&directory, "small"), Wanted { content: false, ..WANTED }).await.unwrap();
        assert!(only_looked_at.content.is_none());
        let opened = open(path(&directory, "large"), WANTED).await.unwrap();
        assert!(opened.content.is_none());
        let first = read(Arc::clone(&opened.file), 0, u64::MAX).await.unwrap();
        let rest = read(Arc::clone(&opened.file), first.len() as u64, 10).await.unwrap();
        assert_eq!([first, rest].concat(), large);
        // What is not there any more is not read.
        assert_eq!(read(opened.file, PIECE_BYTES as u64 + 5, 100).await.unwrap().len(), 5);
    }

    #[tokio::test]
    async fn everything_has_its_kind_and_every_failure_its_words() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("f"), "x").unwrap();
        nix::unistd::mkfifo(&directory.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (name, kind) in [("f", Kind::File), ("", Kind::Directory), ("pipe", Kind::Other)] {
            assert_eq!(look_at(path(&directory, name), Links::Followed).await.unwrap().kind, kind, "{name}");
            assert_eq!(
                look_at(path(&directory, name), Links::OwnOnly { from: 0 }).await.unwrap().kind,
                kind,
                "{name}"
            );
            assert_eq!(open(path(&directory, name), WANTED).await.unwrap().kind, kind, "{name}");
        }
        let missing = open(path(&directory, "none"), WANTED).await.unwrap_err();
        let words =
            format!("open() \"{}/none\" failed (2: No such file or directory)", directory.path().display());
        assert_eq!((missing.to_string(), missing.meaning()), (words, Meaning::Missing));
        let missing = look_at(path(&directory, "f/g"), Links::Followed).await.unwrap_err();
        assert!(missing.to_string().ends_with("failed (20: Not a directory)"), "{missing}");
    }

    #[tokio::test]
    async fn the_compressed_file_is_taken_where_it_is_there() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("a", "plain"),
            ("a.gz", "packed"),
            ("b", "plain"),
            ("c", "plain"),
            ("c.br", "best"),
            ("c.gz", "packed"),
        ] {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        use Compressed::{Forced, Ignored, Noticed, Taken};
        for (name, compressed, text, has_compressed) in [
            ("a", [Ignored, Ignored, Taken], "packed", true),
            ("a", [Ignored, Ignored, Forced], "packed", false),
            ("a", [Ignored, Ignored, Noticed], "plain", true),
            ("a", [Ignored, Ignored, Ignored], "plain", false),
            ("a", [Taken, Taken, Taken], "packed", true),
            ("b", [Ignored, Ignored, Taken], "plain", false),
            ("b", [Ignored, Ignored, Noticed], "plain", false),
            ("c", [Taken, Taken, Taken], "best", true),
            ("c", [Noticed, Ignored, Forced], "packed", true),
        ] {
            let opened = open(path(&directory, name), Wanted { compressed, ..WANTED }).await.unwrap();
            assert_eq!(opened.content.unwrap(), Bytes::from(text), "{name} {compressed:?}");
            let suffix = opened.suffix.map(|index| SUFFIXES[index]);
            let expected = match text {
                "packed" => Some(".gz"),
                "best" => Some(".br"),
                _ => None,
            };
            assert_eq!((suffix, opened.has_compressed), (expected, has_compressed), "{name} {compressed:?}");
        }
    }
}
