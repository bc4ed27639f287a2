//! The names in a directory.

use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::blocking;
use super::error::FileError;
use super::kind::Kind;
use super::links::{Links, open_checked};
use super::open::as_path;

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Bytes.
    pub length: u64,
    /// When it was changed, in seconds after 1970.
    pub modified: i64,
}

/// The names in the directory `path`, in no order. As in nginx, those that begin with a dot are left out, and those that
/// may not be looked at.
pub async fn list(path: Vec<u8>, links: Links) -> Result<Vec<Entry>, FileError> {
    let kept = path.clone();
    match blocking(move || list_here(path, links)).await {
        Ok(entries) => entries,
        Err(error) => Err(FileError { call: "opendir()", path: kept, error }),
    }
}

fn list_here(path: Vec<u8>, links: Links) -> Result<Vec<Entry>, FileError> {
    if links != Links::Followed
        && let Err(error) = open_checked(&path, links, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
    {
        return Err(FileError { call: "openat()", path, error });
    }
    let names = match std::fs::read_dir(as_path(&path)) {
        Ok(names) => names,
        Err(error) => return Err(FileError { call: "opendir()", path, error }),
    };
    let mut entries = Vec::new();
    for found in names {
        let entry = match found {
            Ok(found) if found.file_name().as_bytes().starts_with(b".") => continue,
            Ok(found) => look_at(&found),
            Err(error) => Err(error),
        };
        match entry {
            Ok(entry) => entries.extend(entry),
            Err(error) => return Err(FileError { call: "readdir()", path, error }),
        }
    }
    Ok(entries)
}

fn look_at(found: &std::fs::DirEntry) -> io::Result<Option<Entry>> {
    let target = match std::fs::metadata(found.path()) {
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT | Errno::ELOOP) => found.metadata(),
            Some(Errno::EACCES) => return Ok(None),
            _ => Err(error),
        },
        found => found,
    };
    match target {
        Ok(target) => Ok(Some(entry(found.file_name().as_bytes().to_vec(), &target))),
        // It has gone since.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn entry(name: Vec<u8>, found: &Metadata) -> Entry {
    let kind = Kind::of(found);
    Entry { name, kind, length: found.len(), modified: found.mtime() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_are_looked_at_behind_their_links() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("d")).unwrap();
        for (name, text) in [("f", "12345"), (".hidden", "")] {
            std::fs::write(root.join(name), text).unwrap();
        }
        for (target, name) in [("d", "to_d"), ("f", "to_f"), ("nowhere", "to_nothing")] {
            std::os::unix::fs::symlink(target, root.join(name)).unwrap();
        }
        let path = root.as_os_str().as_bytes().to_vec();
        let mut entries = list(path.clone(), Links::Followed).await.unwrap();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        let found: Vec<(&str, Kind)> =
            entries.iter().map(|entry| (std::str::from_utf8(&entry.name).unwrap(), entry.kind)).collect();
        use Kind::{Directory, File, Other};
        assert_eq!(
            found,
            [("d", Directory), ("f", File), ("to_d", Directory), ("to_f", File), ("to_nothing", Other)]
        );
        assert_eq!((entries[1].length, entries[3].length), (5, 5));
        let through_link = [path.as_slice(), b"/to_d"].concat();
        assert!(list(through_link.clone(), Links::Followed).await.unwrap().is_empty());
        let refused = list(through_link, Links::Refused { from: 0 }).await.unwrap_err();
        assert!(refused.to_string().starts_with("openat() "), "{refused}");
        let missing = list([path.as_slice(), b"/none"].concat(), Links::Followed).await.unwrap_err();
        assert!(missing.to_string().starts_with("opendir() "), "{missing}");
    }
}
