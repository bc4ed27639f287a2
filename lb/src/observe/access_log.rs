//! The sink for access log lines.
//!
//! Runs once per request. The caller composes the line; this hands the finished line to the file that the
//! configuration names by its index, or to the writer of logs whose paths hold variables, and returns at once (see
//! [`log_file`](super::log_file)).

use std::sync::Arc;

use super::log_file::by_path::PathLogs;
use super::log_file::{LogFile, LogFiles, OpenError};
use crate::config::model::{AccessLogFile, AccessLogFileId};

pub use super::log_file::by_path::PathLine;

/// The access log files of one configuration.
#[derive(Debug)]
pub struct AccessLogs {
    files: Box<[Arc<LogFile>]>,
    by_path: Arc<PathLogs>,
}

impl AccessLogs {
    /// Opens [`Http::access_log_files`](crate::config::model::Http::access_log_files). A file that another
    /// configuration or the error log already has open is shared, so the lines of both go through one buffer, whole
    /// and in order. On an error, nothing that is open has changed.
    pub fn open(files: &LogFiles, wanted: &[AccessLogFile]) -> Result<Self, OpenError> {
        let by_path = files.by_path();
        let files = wanted.iter().map(|file| files.open(&file.destination)).collect::<Result<_, _>>()?;
        Ok(Self { files, by_path })
    }

    /// From now on the lines of each file are gathered as its configuration says.
    pub fn gather(&self, wanted: &[AccessLogFile]) {
        for (file, wanted) in self.files.iter().zip(wanted) {
            file.gather(wanted.buffering);
        }
    }

    /// Appends `line`, which has no newline of its own. Never waits for the file.
    pub fn write(&self, file: AccessLogFileId, line: &[u8]) {
        if let Some(file) = self.files.get(file.0) {
            file.append(line);
        }
    }

    /// Hands a line to the file that it names. Never waits for it.
    pub fn write_by_path(&self, line: PathLine) {
        self.by_path.append(line);
    }
}
