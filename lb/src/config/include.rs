//! One tree of directives out of a file and all that it includes.
//!
//! As in nginx an `include` may stand anywhere, each included file must be balanced in itself, names are relative
//! to the directory of the main file, and a pattern may match nothing while a plain name must exist. What nginx
//! leaves to the limit on open files (a file that includes itself) is an error with a name here.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostics::{Diagnostic, Report};
use super::files::Files;
use super::model::Position;
use super::syntax::{self, Directive, Origin};

/// How many files one configuration may read, repetitions counted: a few files that include each other twice
/// would otherwise read for ever.
const MAX_READS: usize = 10_000;

/// A configuration file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, as messages name it.
    pub path: PathBuf,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// Reads files into one tree.
pub(super) struct Loader<'a> {
    pub(super) files: &'a dyn Files,
    /// The directory of the main file: where relative names begin.
    pub(super) directory: PathBuf,
    /// Every file once, in order of first reading.
    pub(super) read: Vec<SourceFile>,
    index: HashMap<PathBuf, usize>,
    /// The files being read, outermost first.
    open: Vec<PathBuf>,
    reads: usize,
    directives: usize,
}

impl<'a> Loader<'a> {
    pub(super) fn new(files: &'a dyn Files, main: &Path) -> Self {
        let directory = main.parent().unwrap_or(Path::new("")).to_owned();
        let (read, index, open) = (Vec::new(), HashMap::new(), Vec::new());
        Self { files, directory, read, index, open, reads: 0, directives: 0 }
    }

    /// The directives of `-g`, which come before those of the file.
    pub(super) fn command_line(&mut self, text: &str, report: &mut Report) -> Vec<Directive> {
        let parsed =
            syntax::parse(&Arc::from("command line"), text.as_bytes(), Origin::CommandLine, 0, report);
        self.expand(parsed, 0, report)
    }

    /// The directives of a file; an error when it cannot be read.
    pub(super) fn file(
        &mut self,
        path: &Path,
        depth: usize,
        report: &mut Report,
    ) -> io::Result<Vec<Directive>> {
        let text = match self.index.get(path) {
            Some(&index) => self.read[index].text.clone(),
            None => {
                let text = self.files.read(path)?;
                self.index.insert(path.to_owned(), self.read.len());
                self.read.push(SourceFile { path: path.to_owned(), text: text.clone() });
                text
            }
        };
        let name: Arc<str> = path.to_string_lossy().into();
        self.open.push(path.to_owned());
        let parsed = syntax::parse(&name, &text, Origin::File, depth, report);
        let expanded = self.expand(parsed, depth, report);
        self.open.pop();
        Ok(expanded)
    }

    /// Numbers the directives and puts the files' in place of each `include`.
    fn expand(&mut self, parsed: Vec<Directive>, depth: usize, report: &mut Report) -> Vec<Directive> {
        let mut expanded = Vec::with_capacity(parsed.len());
        for mut directive in parsed {
            // An `include` with a wrong number of arguments stays, for the table to judge.
            if directive.name == "include" && directive.block.is_none() && directive.arguments.len() == 1 {
                expanded.extend(self.include(&directive, depth, report));
                continue;
            }
            directive.order = self.directives;
            self.directives += 1;
            directive.block = directive.block.map(|block| self.expand(block, depth + 1, report));
            expanded.push(directive);
        }
        expanded
    }

    fn include(&mut self, directive: &Directive, depth: usize, report: &mut Report) -> Vec<Directive> {
        let name = directive.argument(0);
        let full = self.directory.join(name);
        let pattern = full.to_string_lossy();
        let paths = if name.contains(['*', '?', '[']) {
            match self.files.matching(&pattern) {
                Ok(paths) => paths,
                Err(error) => {
                    report.emerg(format!("glob() \"{pattern}\" failed ({error})"), &directive.position);
                    return Vec::new();
                }
            }
        } else {
            vec![full]
        };
        let mut included = Vec::new();
        for path in paths {
            if self.open.contains(&path) {
                let message = format!("\"{}\" includes itself", path.display());
                let chain: Vec<String> = self.open.iter().map(|open| open.display().to_string()).collect();
                let hint = format!("it is being read already: {}", chain.join(", then "));
                report.emerg_hint(message, &directive.position, hint);
                continue;
            }
            self.reads += 1;
            if self.reads > MAX_READS {
                report.emerg(format!("more than {MAX_READS} files are included"), &directive.position);
                break;
            }
            match self.file(&path, depth, report) {
                Ok(directives) => included.extend(directives),
                Err(error) => report.add(unreadable(&path, &error, directive.position.clone())),
            }
        }
        included
    }
}

/// nginx's words for a file that cannot be opened.
pub(super) fn unreadable(
    path: &Path,
    error: &io::Error,
    position: impl Into<Option<Position>>,
) -> Diagnostic {
    let text = error.to_string();
    let reason = match error.raw_os_error() {
        Some(number) => {
            let words = text.split(" (os error").next().unwrap_or(&text);
            format!("{number}: {words}")
        }
        None => text,
    };
    Diagnostic::emerg(format!("open() \"{}\" failed ({reason})", path.display()), position)
}
