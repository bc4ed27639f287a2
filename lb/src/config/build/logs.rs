//! `access_log` and `log_format` to files and formats, each distinct one once.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Surroundings, with_prefix};
use crate::config::diagnostics::{Diagnostic, Report};
use crate::config::model::{AccessLogFileId, Escape, LogDestination, LogFormat, Position};
use crate::config::modules::log::COMBINED;
use crate::config::table::draft::{AccessLogDraft, LocationDraft, LogFormatDraft, ServerDraft, Settings};
use crate::script::{Names, Template};

/// nginx compiles its path in; this is that of its own build.
const DEFAULT_ACCESS_LOG: &str = "logs/access.log";

/// The files named so far, and all formats.
#[derive(Debug)]
pub(super) struct AccessLogs<'a> {
    around: Surroundings<'a>,
    pub(super) files: Vec<LogDestination>,
    combined: Arc<LogFormat>,
    formats: Vec<KnownFormat>,
}

#[derive(Debug)]
struct KnownFormat {
    format: Arc<LogFormat>,
    /// When it was read.
    order: usize,
    position: Position,
}

impl<'a> AccessLogs<'a> {
    pub(super) fn new(drafts: Vec<LogFormatDraft>, around: Surroundings<'a>) -> Self {
        // A test of the template holds that it compiles.
        let template = Template::compile(COMBINED, &(), &mut Names::default()).unwrap_or_default();
        let combined = LogFormat { name: "combined".to_owned(), escape: Escape::Default, template };
        let known = |draft: LogFormatDraft| {
            let LogFormatDraft { format, position, order } = draft;
            KnownFormat { format: Arc::new(format), order, position }
        };
        Self {
            around,
            files: Vec::new(),
            combined: Arc::new(combined),
            formats: drafts.into_iter().map(known).collect(),
        }
    }

    /// Reports each `access_log` of whatever level whose format is not known where it stands.
    pub(super) fn check(&self, http: &Settings, servers: &[ServerDraft], report: &mut Report) {
        self.check_level(http, report);
        for server in servers {
            self.check_level(&server.settings, report);
            self.check_locations(&server.locations, report);
        }
    }

    fn check_locations(&self, locations: &[LocationDraft], report: &mut Report) {
        for location in locations {
            self.check_level(&location.settings, report);
            self.check_locations(&location.nested, report);
        }
    }

    fn check_level(&self, settings: &Settings, report: &mut Report) {
        for log in settings.access_logs.iter().flat_map(|logs| &logs.written) {
            if let Err(finding) = self.format(log) {
                report.add(finding);
            }
        }
    }

    /// The format of a log: as in nginx, it must stand before what names it.
    pub(super) fn format(&self, log: &AccessLogDraft) -> Result<Arc<LogFormat>, Diagnostic> {
        if log.format == self.combined.name {
            return Ok(self.combined());
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

    pub(super) fn combined(&self) -> Arc<LogFormat> {
        Arc::clone(&self.combined)
    }

    pub(super) fn file(&mut self, destination: LogDestination) -> AccessLogFileId {
        let destination = with_prefix(destination, self.around);
        let known = self.files.iter().position(|file| *file == destination);
        AccessLogFileId(known.unwrap_or_else(|| {
            self.files.push(destination);
            self.files.len() - 1
        }))
    }

    /// Where lines go when no `access_log` says so.
    pub(super) fn default_file(&mut self) -> Option<AccessLogFileId> {
        let path = LogDestination::File(PathBuf::from(DEFAULT_ACCESS_LOG));
        self.around.has_log_directory.then(|| self.file(path))
    }
}
