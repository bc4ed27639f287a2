//! `access_log`, `log_format` and `error_log` to files and formats, each distinct one once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Surroundings, with_prefix};
use crate::config::diagnostics::{Diagnostic, Position, Report};
use crate::config::model::{
    AccessLog, AccessLogFile, AccessLogFileId, AccessLogTarget, Buffering, ErrorLog, ErrorLogsId, Escape,
    LogDestination, LogFormat,
};
use crate::config::modules::access_log::{DEFAULT_ACCESS_LOG, GivenAccessLog, GivenAccessLogs, GivenTarget};
use crate::config::modules::log_format::{COMBINED, GivenFormat, JSON, JSON_NAME};
use crate::script::{Names, Template};

/// The lists of `error_log`s of levels, each distinct one once.
#[derive(Debug, Default)]
pub(super) struct ErrorLogs(pub(super) Vec<Vec<ErrorLog>>);

impl ErrorLogs {
    /// The list of a level that has some.
    pub(super) fn of(&mut self, given: Vec<ErrorLog>, around: Surroundings<'_>) -> ErrorLogsId {
        let resolve = |log: ErrorLog| ErrorLog { destination: with_prefix(log.destination, around), ..log };
        let list: Vec<ErrorLog> = given.into_iter().map(resolve).collect();
        let known = self.0.iter().position(|known| *known == list);
        ErrorLogsId(known.unwrap_or_else(|| {
            self.0.push(list);
            self.0.len() - 1
        }))
    }
}

/// The files named so far, and all formats.
#[derive(Debug)]
pub(super) struct AccessLogs<'a> {
    pub(super) around: Surroundings<'a>,
    pub(super) files: Vec<AccessLogFile>,
    indices: HashMap<LogDestination, AccessLogFileId>,
    combined: Arc<LogFormat>,
    json: Arc<LogFormat>,
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
        let combined = predefined("combined", Escape::Default, COMBINED);
        let json = predefined(JSON_NAME, Escape::Json, JSON);
        let known = |given: GivenFormat| {
            let GivenFormat { format, position, order } = given;
            KnownFormat { format: Arc::new(format), order, position }
        };
        Self {
            around,
            files: Vec::new(),
            indices: HashMap::new(),
            combined,
            json,
            formats: given.into_iter().map(known).collect(),
            default: None,
        }
    }

    /// What a level logs that says so; reports formats that are not known where they stand.
    pub(super) fn of(&mut self, given: GivenAccessLogs, report: &mut Report) -> Arc<[AccessLog]> {
        let mut logs = Vec::new();
        for log in given.written {
            match self.format(&log) {
                Ok(_) if given.off => {}
                Ok(format) => match self.target(log.target, log.buffering) {
                    Ok(target) => logs.push(AccessLog { target, format, condition: log.condition }),
                    Err(Conflict) => {
                        let written = log.written;
                        let message =
                            format!("access_log \"{written}\" already defined with conflicting parameters");
                        report.emerg(message, &log.position);
                    }
                },
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
        let default: Arc<[AccessLog]> = file
            .map(|file| AccessLog { target: AccessLogTarget::Fixed(file), format, condition: None })
            .into_iter()
            .collect();
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
            None if log.format == JSON_NAME => Ok(Arc::clone(&self.json)),
            None => Err(unknown()),
        }
    }

    fn target(
        &mut self,
        given: GivenTarget,
        buffering: Option<Buffering>,
    ) -> Result<AccessLogTarget, Conflict> {
        let destination = match given {
            GivenTarget::Fixed(destination) => destination,
            GivenTarget::Path { text, path } if text.starts_with('/') => {
                return Ok(AccessLogTarget::Path(path));
            }
            GivenTarget::Path { path, .. } => {
                let prefix = self.around.prefix.join("");
                let prefix = Template::literal(&prefix.to_string_lossy());
                return Ok(AccessLogTarget::Path(prefix.followed_by(path)));
            }
        };
        let id = self.file(destination);
        // As in nginx, one that says nothing shares the buffer of the others.
        let known = &mut self.files[id.0].buffering;
        match (*known, buffering) {
            (Some(known), Some(asked)) if known != asked => return Err(Conflict),
            (None, Some(_)) => *known = buffering,
            _ => {}
        }
        Ok(AccessLogTarget::Fixed(id))
    }

    fn file(&mut self, destination: LogDestination) -> AccessLogFileId {
        let destination = with_prefix(destination, self.around);
        let Self { files, indices, .. } = self;
        *indices.entry(destination).or_insert_with_key(|destination| {
            files.push(AccessLogFile { destination: destination.clone(), buffering: None });
            AccessLogFileId(files.len() - 1)
        })
    }
}

/// Two `access_log`s of one file want other buffers.
struct Conflict;

/// A test of the template holds that it compiles.
fn predefined(name: &str, escape: Escape, text: &str) -> Arc<LogFormat> {
    let template = Template::compile(text, &(), &mut Names::default()).unwrap_or_default();
    Arc::new(LogFormat { name: name.to_owned(), escape, template })
}
