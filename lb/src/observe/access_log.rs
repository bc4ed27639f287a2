//! The sink for access log lines.
//!
//! Runs once per request. The caller composes the line; this hands the finished line to the file that the
//! configuration names by its index, and returns at once (see [`log_file`](super::log_file)).

use std::sync::Arc;

use super::log_file::{LogFile, LogFiles, OpenError};
use crate::config::model::{AccessLogFileId, LogDestination};

/// The access log files of one configuration.
#[derive(Debug)]
pub struct AccessLogs {
    files: Box<[Arc<LogFile>]>,
}

impl AccessLogs {
    /// Opens [`Http::access_log_files`](crate::config::model::Http::access_log_files). A file that another
    /// configuration or the error log already has open is shared, so the lines of both go through one buffer, whole
    /// and in order. On an error, nothing that is open has changed.
    pub fn open(files: &LogFiles, destinations: &[LogDestination]) -> Result<Self, OpenError> {
        let files =
            destinations.iter().map(|destination| files.open(destination)).collect::<Result<_, _>>()?;
        Ok(Self { files })
    }

    /// Appends `line`, which has no newline of its own. Never waits for the file.
    pub fn write(&self, file: AccessLogFileId, line: &[u8]) {
        if let Some(file) = self.files.get(file.0) {
            file.append(line);
        }
    }
}
