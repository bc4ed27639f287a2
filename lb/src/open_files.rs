//! The limit on open files, which is the limit on connections.
//!
//! `worker_rlimit_nofile` sets it, as in nginx. Without the directive nginx takes what it finds, commonly 1,024, and
//! then complains about `worker_connections`. There is no table sized by connections here and no `select()`, whose
//! 1,024 is the only reason for so low a default, so without the directive the soft limit is raised to the hard one:
//! what systemd recommends to every program that does not use `select()`, and what Go programs do.

use std::fmt;
use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use thiserror::Error;

use crate::system_error::SystemError;

/// A pair of limits on open files, as `getrlimit` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFiles {
    /// What the process is held to.
    pub soft: u64,
    /// How far it may raise that without privileges.
    pub hard: u64,
}

impl fmt::Display for OpenFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.soft, self.hard)
    }
}

/// Why the limit is not as wished.
#[derive(Debug, Error)]
pub enum LimitError {
    /// It could not be read.
    #[error("getrlimit(RLIMIT_NOFILE) failed {}", SystemError(.0))]
    Read(io::Error),
    /// It could not be set to this.
    #[error("setrlimit(RLIMIT_NOFILE, {limit}) failed {}", SystemError(source))]
    Set {
        /// The soft limit asked for.
        limit: u64,
        /// What the system said; "Operation not permitted" when the hard limit is lower.
        source: io::Error,
    },
}

/// Which limits to set, if any. A configured value also raises the hard limit where it must (only root may), but
/// never lowers it: a later reload could not take that back.
pub fn wanted(current: OpenFiles, configured: Option<u64>) -> Option<OpenFiles> {
    let wanted = match configured {
        Some(limit) => OpenFiles { soft: limit, hard: current.hard.max(limit) },
        None => OpenFiles { soft: current.hard, hard: current.hard },
    };
    (wanted != current).then_some(wanted)
}

/// Sets the limit on open files and returns what holds now. On an error the old limit still holds, and nginx goes
/// on after an `[alert]`.
pub fn apply(configured: Option<u64>) -> Result<OpenFiles, LimitError> {
    let current = open_files()?;
    let Some(wanted) = wanted(current, configured) else {
        return Ok(current);
    };
    setrlimit(Resource::RLIMIT_NOFILE, wanted.soft, wanted.hard)
        .map_err(|errno| LimitError::Set { limit: wanted.soft, source: errno.into() })?;
    Ok(wanted)
}

/// The limit that holds now.
pub fn open_files() -> Result<OpenFiles, LimitError> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|errno| LimitError::Read(errno.into()))?;
    Ok(OpenFiles { soft, hard })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directive_decides_and_its_absence_raises_soft_to_hard() {
        let current = OpenFiles { soft: 1024, hard: 4096 };
        for (configured, expected) in [
            (None, Some((4096, 4096))),
            (Some(1024), None),
            (Some(512), Some((512, 4096))),
            (Some(4096), Some((4096, 4096))),
            (Some(65_536), Some((65_536, 65_536))),
        ] {
            let expected = expected.map(|(soft, hard)| OpenFiles { soft, hard });
            assert_eq!(wanted(current, configured), expected, "{configured:?}");
        }
        let level = OpenFiles { soft: 4096, hard: 4096 };
        assert_eq!(wanted(level, None), None);
    }

    #[test]
    fn the_process_limit_follows() {
        let before = open_files().unwrap();
        let after = apply(None).unwrap();
        assert_eq!((after.soft, after.hard), (before.hard, before.hard));
        assert_eq!(open_files().unwrap(), after);
    }
}
