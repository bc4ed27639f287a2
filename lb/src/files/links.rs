//! Opening a path without following symbolic links: nginx's `disable_symlinks`.
//!
//! Each part of the path is opened from the one before it, so that no part can be exchanged between a check and its use.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstat, fstatat};

/// Which symbolic links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// All.
    Followed,
    /// None behind the first bytes of the path.
    Refused {
        /// How many bytes of the path are not checked.
        from: usize,
    },
    /// Those that have the owner of their target; all in the first bytes of the path.
    OwnOnly {
        /// How many bytes of the path are not checked.
        from: usize,
    },
}

impl Links {
    fn checked_from(self) -> usize {
        match self {
            Self::Followed => 0,
            Self::Refused { from } | Self::OwnOnly { from } => from,
        }
    }
}

/// Opens `path` with `flags`, part by part.
pub(super) fn open_checked(path: &[u8], links: Links, flags: OFlag) -> io::Result<OwnedFd> {
    let from = links.checked_from().min(path.len());
    let (trusted, checked) = path.split_at(from);
    let (start, checked) = match (trusted, checked.strip_prefix(b"/")) {
        ([], Some(rest)) => (&b"/"[..], rest),
        ([], None) => (&b"."[..], checked),
        (trusted, rest) => (trusted, rest.unwrap_or(checked)),
    };
    let search = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut at = openat(AT_FDCWD, start, search, Mode::empty())?;
    let mut parts = checked.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).peekable();
    if parts.peek().is_none() {
        return Ok(openat(AT_FDCWD, start, flags | OFlag::O_CLOEXEC, Mode::empty())?);
    }
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none() && !checked.ends_with(b"/");
        let part_flags = if parts.peek().is_some() { search } else { flags | OFlag::O_CLOEXEC };
        let part_flags = if is_last { part_flags } else { part_flags | OFlag::O_DIRECTORY };
        at = step(at.as_fd(), part, links, part_flags)?;
    }
    Ok(at)
}

fn step(at: BorrowedFd<'_>, part: &[u8], links: Links, flags: OFlag) -> io::Result<OwnedFd> {
    if !matches!(links, Links::OwnOnly { .. }) {
        let opened = openat(at, part, flags | OFlag::O_NOFOLLOW, Mode::empty());
        // With O_DIRECTORY, Linux calls a link "not a directory".
        if matches!(opened, Err(Errno::ENOTDIR)) && is_link(at, part) {
            return Err(Errno::ELOOP.into());
        }
        let opened = opened?;
        // With O_PATH, a link is opened itself.
        let is_link = flags.contains(OFlag::O_PATH) && fstat(&opened)?.st_mode & LINK_MASK == LINK;
        return if is_link { Err(Errno::ELOOP.into()) } else { Ok(opened) };
    }
    let opened = openat(at, part, flags, Mode::empty())?;
    let link = fstatat(at, part, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let target = fstat(&opened)?;
    if link.st_mode & LINK_MASK == LINK && link.st_uid != target.st_uid {
        return Err(Errno::ELOOP.into());
    }
    Ok(opened)
}

const LINK: u32 = nix::sys::stat::SFlag::S_IFLNK.bits();
const LINK_MASK: u32 = nix::sys::stat::SFlag::S_IFMT.bits();

fn is_link(at: BorrowedFd<'_>, part: &[u8]) -> bool {
    fstatat(at, part, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok_and(|found| found.st_mode & LINK_MASK == LINK)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_refused_wherever_they_stand_in_the_path() {
        let directory = tempfile::tempdir().unwrap();
        // The temporary directory may itself lie behind a link.
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("d")).unwrap();
        std::fs::write(root.join("d/f"), "x").unwrap();
        symlink(root.join("d"), root.join("l")).unwrap();
        symlink("f", root.join("d/g")).unwrap();
        let from = root.as_os_str().len();
        for (path, links, fails) in [
            ("d/f", Links::Refused { from: 0 }, false),
            ("d/f", Links::Refused { from }, false),
            ("d", Links::Refused { from: 0 }, false),
            ("d/", Links::Refused { from: 0 }, false),
            ("d/g", Links::Refused { from: 0 }, true),
            ("l/f", Links::Refused { from: 0 }, true),
            ("l", Links::Refused { from: 0 }, true),
            ("l/", Links::Refused { from: 0 }, true),
            ("l/f", Links::Refused { from: from + 2 }, false),
            ("l/g", Links::Refused { from: from + 2 }, true),
            ("l/g", Links::OwnOnly { from: 0 }, false),
        ] {
            let whole = root.join(path);
            for flags in [OFlag::O_RDONLY, OFlag::O_PATH] {
                let opened = open_checked(whole.as_os_str().as_bytes(), links, flags);
                let errno = opened.err().and_then(|error| error.raw_os_error()).map(Errno::from_raw);
                assert_eq!(errno, fails.then_some(Errno::ELOOP), "{path} {links:?} {flags:?}");
            }
        }
        let missing =
            open_checked(root.join("d/x").as_os_str().as_bytes(), Links::Refused { from }, OFlag::O_RDONLY);
        assert_eq!(missing.unwrap_err().raw_os_error(), Some(Errno::ENOENT as i32));
    }

    #[test]
    fn a_link_to_another_owners_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::write(root.join("f"), "x").unwrap();
        symlink("f", root.join("l")).unwrap();
        let other = Some(nix::unistd::Uid::from_raw(65_534));
        if nix::unistd::chown(&root.join("f"), other, None).is_err() {
            // Only root can give a file away.
            return;
        }
        let opened = |name: &str| {
            open_checked(root.join(name).as_os_str().as_bytes(), Links::OwnOnly { from: 0 }, OFlag::O_RDONLY)
        };
        assert!(opened("f").is_ok());
        assert_eq!(opened("l").unwrap_err().raw_os_error(), Some(Errno::ELOOP as i32));
    }
}
