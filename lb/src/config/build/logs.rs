//! `access_log` and `log_format` to files and formats, each distinct one once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Surroundings, with_prefix};
use crate::config::diagnostics::{Diagnostic, Position, Report};
use crate::config::model::{AccessLog, AccessLogFileId, Escape, LogDestination, LogFormat};
use crate::config::modules::log::{
    COMBINED, DEFAULT_ACCESS_LOG, GivenAccessLog, GivenAccessLogs, GivenFormat,
};
use crate::script::{Names, Template};

/// The files named so far, and all formats.
#[derive(Debug)]
pub(super) struct AccessLogs<'a> {
    around: Surroundings<'a>,
    pub(super) files: Vec<LogDestination>,
    indices: HashMap<LogDestination, AccessLogFileId>,
    combined: Arc<LogFormat>,
    formats: Vec<KnownFormat>,
    /// What holds where nothing says so, once that has been asked for.
    default: Option<Arc<[AccessLog]>>,
}

#[derive(Debug)]
struct KnownFormat {
    format: Arc<LogFormat>,
    /// When it was read.
    order: usize,
    position: Position,
}

impl<'a> AccessLogs<'a> {
    pub(super) fn new(given: Vec<GivenFormat>, around: Surroundings<'a>) -> Self {
        // A test of the template holds that it compiles.
        let template = Template::compile(COMBINED, &(), &mut Names::default()).unwrap_or_default();
        let combined = LogFormat { name: "combined".to_owned(), escape: Escape::Default, template };
        let known = |given: GivenFormat| {
            let GivenFormat { format, position, order } = given;
            KnownFormat { format: Arc::new(format), order, position }
        };
        Self {
            around,
            files: Vec::new(),
            indices: HashMap::new(),
            combined: Arc::new(combined),
            formats: given.into_iter().map(known).collect(),
            default: None,
        }
    }

    /// What a level logs that says so; reports formats that are not known where they stand.
    pub(super) fn of(&mut self, given: GivenAccessLogs, report: &mut Report) -> Arc<[AccessLog]> {
        let mut logs = Vec::new();
        for log in given.written {
            match self.format(&log) {
                Ok(format) if !given.off => logs.push(AccessLog {
                    file: self.file(log.destination),
                    format,
                    condition: log.condition,
                }),
                Ok(_) => {}
                Err(finding) => report.add(finding),
            }
        }
        logs.into()
    }

    /// What is logged where no level says so.
    pub(super) fn default(&mut self) -> Arc<[AccessLog]> {
        if let Some(default) = &self.default {
            return Arc::clone(default);
        }
        let path = LogDestination::File(PathBuf::from(DEFAULT_ACCESS_LOG));
        let file = self.around.has_log_directory.then(|| self.file(path));
        let format = Arc::clone(&self.combined);
        let default: Arc<[AccessLog]> =
            file.map(|file| AccessLog { file, format, condition: None }).into_iter().collect();
        self.default = Some(Arc::clone(&default));
        default
    }

    /// The format of a log: as in nginx, it must stand before what names it.
    fn format(&self, log: &GivenAccessLog) -> Result<Arc<LogFormat>, Diagnostic> {
        if log.format == self.combined.name {
            return Ok(Arc::clone(&self.combined));
        }
        let unknown =
            || Diagnostic::emerg(format!("unknown log format \"{}\"", log.format), log.position.clone());
        match self.formats.iter().find(|known| known.format.name == log.format) {
            Some(known) if known.order < log.order => Ok(Arc::clone(&known.format)),
            Some(known) => {
                let hint = format!("it stands in {}, and must stand before the access_log", known.position);
                Err(unknown().with_hint(hint))
            }
            None => Err(unknown()),
        }
    }

    fn file(&mut self, destination: LogDestination) -> AccessLogFileId {
        let destination = with_prefix(destination, self.around);
        let Self { files, indices, .. } = self;
        *indices.entry(destination).or_insert_with_key(|destination| {
            files.push(destination.clone());
            AccessLogFileId(files.len() - 1)
        })
    }
}
