//! What a log's lines are written to: a file or a syslog server.

use std::fs::File;

use super::OpenError;
use super::sink::{self, Sink, WriteError};
use super::syslog::Datagrams;
use crate::config::model::LogDestination;

/// The open destination of a log.
#[derive(Debug)]
pub(super) enum Output {
    /// A file, a pipe or a standard stream.
    File(Sink),
    /// A syslog server.
    Syslog(Datagrams),
}

impl Output {
    /// Opens the file, or looks the server's name up.
    pub(super) fn open(destination: &LogDestination) -> Result<Self, OpenError> {
        match destination {
            LogDestination::Syslog(syslog) => Datagrams::open(syslog).map(Self::Syslog),
            LogDestination::Stderr | LogDestination::File(_) => Sink::open(destination)
                .map(Self::File)
                .map_err(|source| super::open_error(destination, source)),
        }
    }

    /// The file; there is none of a syslog server.
    pub(super) fn into_file(self) -> Option<File> {
        match self {
            Self::File(sink) => Some(sink.into_file()),
            Self::Syslog(_) => None,
        }
    }

    /// Writes `lines` as the destination wants them: each ended by what [`push_line`](super::writer) puts there.
    pub(super) fn write_lines(&mut self, lines: &[u8]) -> Result<(), WriteError> {
        match self {
            Self::File(sink) => sink.write_lines(lines),
            Self::Syslog(datagrams) => datagrams.send_all(lines),
        }
    }

    /// Writes `bytes`, which stand for `lines`, in one piece.
    pub(super) fn write_whole(&mut self, bytes: &[u8], lines: &[u8]) -> Result<(), WriteError> {
        match self {
            Self::File(sink) => sink
                .write_bytes(bytes)
                .map_err(|(_, source)| WriteError { lines: sink::count_lines(lines), source }),
            Self::Syslog(datagrams) => datagrams.send_all(lines),
        }
    }
}
