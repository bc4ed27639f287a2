//! One tree of directives out of a file and all that it includes.
//!
//! As in nginx an `include` may stand anywhere, each included file must be balanced in itself, names are relative
//! to the directory of the main file, and a pattern may match nothing while a plain name must exist. What nginx
//! leaves to the limit on open files (a file that includes itself) is an error with a name here.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::Files;
use super::{Directive, Origin};
use crate::config::diagnostics::{Diagnostic, Position, Report};
use crate::system_error::SystemError;

/// How many files one configuration may read, repetitions counted: a few files that include each other twice
/// would otherwise read for ever.
const MAX_READS: usize = 100_000;

/// A configuration file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, as messages name it.
    pub path: PathBuf,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// Reads files into one tree.
pub(in crate::config) struct Loader<'a> {
    pub(in crate::config) files: &'a dyn Files,
    /// The directory of the main file: where relative names begin.
    pub(in crate::config) directory: PathBuf,
    /// Every file once, in order of first reading.
    pub(in crate::config) read: Vec<SourceFile>,
    index: HashMap<PathBuf, usize>,
    /// The files being read, outermost first.
    open: Vec<PathBuf>,
    reads: usize,
    directives: usize,
}

impl<'a> Loader<'a> {
    pub(in crate::config) fn new(files: &'a dyn Files, main: &Path) -> Self {
        let directory = main.parent().unwrap_or(Path::new("")).to_owned();
        let (read, index, open) = (Vec::new(), HashMap::new(), Vec::new());
        Self { files, directory, read, index, open, reads: 0, directives: 0 }
    }

    /// The directives of `-g`, which come before those of the file.
    pub(in crate::config) fn command_line(&mut self, text: &str, report: &mut Report) -> Vec<Directive> {
        let parsed =
            super::parse(&Arc::from("command line"), text.as_bytes(), Origin::CommandLine, 0, report);
        self.expand(parsed, 0, report)
    }

    /// The directives of a file; an error when it cannot be read.
    pub(in crate::config) fn file(
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
        let parsed = super::parse(&name, &text, Origin::File, depth, report);
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
pub(in crate::config) fn unreadable(
    path: &Path,
    error: &io::Error,
    position: impl Into<Option<Position>>,
) -> Diagnostic {
    let reason = SystemError(error);
    Diagnostic::emerg(format!("open() \"{}\" failed {reason}", path.display()), position)
}

#[cfg(test)]
mod tests {
    use crate::config::diagnostics::Diagnostic;
    use crate::config::syntax::files::InMemory;
    use crate::config::testing::{FILE, load_files};
    use crate::config::{Loaded, Source, load, load_from};

    fn errors(result: Result<Loaded, Vec<Diagnostic>>) -> Vec<String> {
        result.unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn files_stand_in_place_of_their_include_in_alphabetical_order() {
        let files = InMemory::default()
            .with(FILE, "events {} http { include servers/*.conf; include /elsewhere/types; }")
            .with("/conf/servers/b.conf", "server { listen 2; }")
            .with("/conf/servers/a.conf", "server { listen 1; }")
            .with("/conf/servers/.hidden.conf", "nonsense;")
            .with("/conf/servers/deep/c.conf", "nonsense;")
            .with("/elsewhere/types", "types { include more; }")
            .with("/conf/more", "a/b c;");
        let loaded = load_files(&files).unwrap();
        let ports: Vec<String> =
            loaded.config.http.listeners.iter().map(|listener| listener.address.to_string()).collect();
        assert_eq!(ports, ["0.0.0.0:1", "0.0.0.0:2"]);
        assert_eq!(loaded.config.http.servers[0].fallback.settings.types.by_extension["c"], "a/b");
        let read: Vec<&str> = loaded.files.iter().filter_map(|file| file.path.to_str()).collect();
        assert_eq!(
            read,
            [FILE, "/conf/servers/a.conf", "/conf/servers/b.conf", "/elsewhere/types", "/conf/more"]
        );
        assert_eq!(loaded.files[1].text, b"server { listen 1; }");
    }

    #[test]
    fn a_mask_may_match_nothing_and_a_name_must_exist() {
        let files = InMemory::default().with(FILE, "events {}\ninclude a*.conf;\ninclude a.conf;");
        assert_eq!(
            errors(load_files(&files)),
            ["[emerg] open() \"/conf/a.conf\" failed (2: No such file or directory) in /conf/nginx.conf:3"]
        );
    }

    #[test]
    fn a_circle_is_named() {
        let files = InMemory::default()
            .with(FILE, "events {} include a;")
            .with("/conf/a", "\ninclude b;")
            .with("/conf/b", "include a; include ../conf/nginx.conf;");
        let errors = errors(load_files(&files));
        assert!(
            errors[0].starts_with("[emerg] \"/conf/a\" includes itself in /conf/b:1 (it is being read"),
            "{errors:?}"
        );
    }

    #[test]
    fn a_file_is_balanced_in_itself_and_mistakes_are_told_by_file() {
        let files = InMemory::default()
            .with(FILE, "events {}\nhttp { include a; server { listne 1; } }")
            .with("/conf/a", "server { listen 1;");
        assert_eq!(
            errors(load_files(&files)),
            [
                "[emerg] unknown directive \"listne\" in /conf/nginx.conf:2 (did you mean \"listen\"?)",
                "[emerg] unexpected end of file, expecting \"}\" in /conf/a:1 (the block \"server\" of line 1 is not closed)",
            ]
        );
    }

    #[test]
    fn files_that_include_each_other_many_times_end() {
        let twice = |name: &str| format!("include {name}; include {name};");
        let mut files = InMemory::default().with(FILE, format!("events {{}} {}", twice("f0")));
        for level in 0..20 {
            files = files.with(format!("/conf/f{level}"), twice(&format!("f{}", level + 1)));
        }
        let errors = errors(load_files(&files.with("/conf/f20", "")));
        assert!(errors[0].starts_with("[emerg] more than 100000 files are included"), "{errors:?}");
    }

    #[test]
    fn depth_counts_across_files() {
        let nest = "a {".repeat(40);
        let files = InMemory::default()
            .with(FILE, format!("events {{}} {nest} include more; {}", "}".repeat(40)))
            .with("/conf/more", format!("{nest}{}", "}".repeat(40)));
        let errors = errors(load_files(&files));
        assert!(errors.iter().any(|error| error.contains("more than 64 deep in /conf/more:1")), "{errors:?}");
    }

    #[test]
    fn the_command_line_comes_first_and_is_named() {
        let source = |text: &str| Source {
            path: FILE.into(),
            global_directives: Some(text.to_owned()),
            ..Source::default()
        };
        let files = InMemory::default().with(FILE, "daemon on; events {}");
        assert!(
            !load_from(&source("daemon off;"), &InMemory::default().with(FILE, "events {}"), true)
                .unwrap()
                .config
                .main
                .core
                .daemon
        );
        assert_eq!(
            errors(load_from(&source("daemon off;"), &files, true)),
            ["[emerg] \"daemon\" directive is duplicate in /conf/nginx.conf:1"]
        );
        assert_eq!(
            errors(load_from(&source("deamon off;"), &files, true)),
            ["[emerg] unknown directive \"deamon\" in command line (did you mean \"daemon\"?)"]
        );
    }

    #[test]
    fn a_missing_configuration_shows_the_smallest_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nginx.conf");
        let source = Source { path: path.clone(), ..Source::default() };
        let said = errors(load(&source));
        assert_eq!(
            said[0],
            format!("[emerg] open() \"{}\" failed (2: No such file or directory)", path.display())
        );
        let (_, smallest) = said[1].split_once('\n').unwrap();
        let files = InMemory::default().with(FILE, smallest);
        assert_eq!(load_files(&files).unwrap().warnings, []);
        let directory = Source { path: directory.path().to_owned(), ..Source::default() };
        assert!(errors(load(&directory))[0].ends_with("failed (21: Is a directory)"));
    }
}
