//! Where something stands in a configuration file.

use std::fmt;
use std::sync::Arc;

/// A place in a configuration file: what every message about it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The file as the user would name it (the path given with `-c`, or the included file's).
    pub file: Arc<str>,
    /// Line, from 1; 0 for what has no lines (the directives of `-g`).
    pub line: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}
