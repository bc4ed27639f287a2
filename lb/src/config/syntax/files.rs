//! Where configuration files come from: the disk, or memory in tests.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Reads configuration files. The only door of this room to the outside.
pub trait Files {
    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files that match a shell pattern, sorted by name. None is not an error.
    fn matching(&self, pattern: &str) -> io::Result<Vec<PathBuf>>;

    /// Whether there is a directory of this path.
    fn is_directory(&self, path: &Path) -> bool;
}

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn matching(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let found = glob::glob_with(&as_glob(pattern), SHELL_RULES).map_err(io::Error::other)?;
        // A directory that cannot be read has no matches, as for glob(3) without GLOB_ERR.
        let mut paths: Vec<PathBuf> = found.flatten().collect();
        paths.sort();
        Ok(paths)
    }

    fn is_directory(&self, path: &Path) -> bool {
        path.is_dir()
    }
}

/// Files that exist only in memory.
#[derive(Debug, Clone, Default)]
pub struct InMemory(pub BTreeMap<PathBuf, Vec<u8>>);

impl InMemory {
    /// The same, with one file more.
    pub fn with(mut self, path: impl Into<PathBuf>, text: impl Into<Vec<u8>>) -> Self {
        self.0.insert(path.into(), text.into());
        self
    }
}

impl Files for InMemory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::Error::from_raw_os_error(nix::libc::ENOENT))
    }

    fn matching(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let pattern = glob::Pattern::new(&as_glob(pattern)).map_err(io::Error::other)?;
        Ok(self.0.keys().filter(|path| pattern.matches_path_with(path, SHELL_RULES)).cloned().collect())
    }

    fn is_directory(&self, path: &Path) -> bool {
        self.0.keys().any(|file| file.starts_with(path) && file != path)
    }
}

/// What glob(3) does: `*` neither crosses a `/` nor matches a leading dot.
const SHELL_RULES: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// glob(3) knows no `**`: two stars are as good as one there.
fn as_glob(pattern: &str) -> String {
    let mut pattern = pattern.to_owned();
    while pattern.contains("**") {
        pattern = pattern.replace("**", "*");
    }
    pattern
}
