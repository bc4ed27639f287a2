//! nginx.conf to a checked model.
//!
//! Text becomes directives with positions, directives become the [`model`]; every error is collected, not only
//! the first. This room opens no socket, resolves no name and knows nothing of Pingora: what it returns is a
//! value that the other rooms act on. Its only door to the outside is [`files::Files`].

pub mod diagnostics;
pub mod model;

mod address;
mod build;
mod field_name;
mod modules;
mod position;
mod syntax;
mod table;
#[cfg(test)]
pub(crate) mod testing;
mod values;
mod zones;

use std::path::{Path, PathBuf};

use self::build::Surroundings;
use self::diagnostics::{Diagnostic, Report};
use self::files::{Disk, Files};
use self::model::Config;
use self::syntax::include::{self, Loader};

pub use self::syntax::files;
pub use self::syntax::include::SourceFile;

/// The text of `docs/directives.md`.
pub fn directive_reference() -> String {
    table::reference::text(&modules::TABLE)
}

/// Whether a directive of this name does something here, in whatever context.
pub fn implements(name: &str) -> bool {
    modules::TABLE.implements(name)
}

/// Where a configuration comes from: what the command line says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// `-c`, already joined with the prefix. `include` is relative to its directory.
    pub path: PathBuf,
    /// `-p`: what relative paths in directives (pid, logs) are relative to.
    pub prefix: PathBuf,
    /// `-g`: directives of the main context, read before the file.
    pub global_directives: Option<String>,
    /// `-e`: where messages go when no `error_log` says so; `stderr` is the stream.
    pub default_error_log: Option<PathBuf>,
}

/// A configuration that can run.
#[derive(Debug)]
pub struct Loaded {
    /// What it means.
    pub config: Config,
    /// What the user should hear of all the same.
    pub warnings: Vec<Diagnostic>,
    /// Every file that was read, once, the main one first.
    pub files: Vec<SourceFile>,
}

/// The smallest configuration that does something.
const SMALLEST_FILE: &str = "\
daemon off;
events {}
http {
    server {
        listen 8080;
        location / { proxy_pass http://127.0.0.1:5001; }
    }
}";

/// Reads and checks a configuration from the disk. The error holds everything that was found, warnings too, in the
/// order of files and lines.
pub fn load(source: &Source) -> Result<Loaded, Vec<Diagnostic>> {
    load_from(source, &Disk, nix::unistd::getuid().is_root())
}

/// Reads and checks a configuration from wherever `files` says. `root` decides the port of a server that has no
/// `listen`: 80, or 8000 for those who may not bind that.
pub fn load_from(source: &Source, files: &dyn Files, root: bool) -> Result<Loaded, Vec<Diagnostic>> {
    let mut report = Report::default();
    let mut loader = Loader::new(files, &source.path);
    let mut tree = match &source.global_directives {
        Some(text) => loader.command_line(text, &mut report),
        None => Vec::new(),
    };
    match loader.file(&source.path, 0, &mut report) {
        Ok(directives) => tree.extend(directives),
        Err(error) => {
            let explanation = format!("the smallest configuration that works is\n{SMALLEST_FILE}");
            report.add(include::unreadable(&source.path, &error, None));
            report.add(Diagnostic::notice(explanation, None));
            return Err(report.into_ordered(&[]));
        }
    }
    let main = table::reading::read(&modules::TABLE, &tree, &mut report);
    let around = Surroundings {
        prefix: &source.prefix,
        folder: source.path.parent().unwrap_or(&source.prefix),
        default_error_log: source.default_error_log.as_deref(),
        has_log_directory: files.is_directory(&source.prefix.join(build::LOG_DIRECTORY)),
        root,
    };
    let mut config = build::build(main, around, &mut report);
    report.check_names(modules::pending_variable);
    config.http.limit_zones = report.take_zones();
    report.settle();
    config.http.reads = report.names().reads();
    if config.http.reads.subrequests {
        config.http.variables = report.names().by_name();
    }
    config.http.definitions = report.take_definitions();
    config.http.computed = report.take_computed();
    let names: Vec<&Path> = loader.read.iter().map(|file| file.path.as_path()).collect();
    let refused = report.refuses();
    let findings = report.into_ordered(&names);
    if refused {
        return Err(findings);
    }
    Ok(Loaded { config, warnings: findings, files: loader.read })
}
