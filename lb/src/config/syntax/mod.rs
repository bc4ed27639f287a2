//! Text to directives, by nginx's own grammar.
//!
//! nginx reads a configuration byte by byte with a handful of rules that no grammar of blocks and strings would
//! guess: `#` and `}` mean something only where a word begins, a quote only there too, `{` ends a word unless `$`
//! stands before it, a backslash hides the next byte from all of this. Getting one wrong means to read a file
//! differently from nginx, silently; `docs/decisions/001-configuration-parser.md` says why the rules are written
//! out here and not taken from a library.
//!
//! Nothing here knows a directive. After a mistake reading goes on where a reader would expect it to, so that one
//! forgotten semicolon does not hide what stands below it.
//!
//! A comment that begins `#lb:` is skipped by nginx and read by us: those four bytes are white space here, and the
//! rest of the line is read as directives.

pub mod files;

pub(super) mod include;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::lexer::Lexer;
use self::parser::Parser;
use super::diagnostics::{Position, Report};

/// How deep blocks may be nested, included files counted in. Real files stay below ten; the readers recurse, and
/// this bounds their stack.
pub(super) const MAX_DEPTH: usize = 64;

/// What makes a comment ours.
const EXTENSION_MARK: &[u8] = b"#lb:";

/// One word of a directive, quotes and escapes taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) line: u32,
}

/// A directive as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) arguments: Vec<Word>,
    /// What stands between its braces; `None` when it ended with `;`.
    pub(super) block: Option<Vec<Directive>>,
    /// Where its name stands.
    pub(super) position: Position,
    /// Its place in the order of reading, included files in place of their `include`.
    pub(super) order: usize,
}

impl Directive {
    /// The text of an argument; empty when there is none, which the table's arity rules out beforehand.
    pub(super) fn argument(&self, index: usize) -> &str {
        self.arguments.get(index).map_or("", |word| &word.text)
    }

    /// Where an argument stands: it may be lines below the name.
    pub(super) fn argument_position(&self, index: usize) -> Position {
        let line = self.arguments.get(index).map_or(self.position.line, |word| word.line);
        Position { file: Arc::clone(&self.position.file), line }
    }

    /// The arguments' texts.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().map(|word| word.text.as_str())
    }
}

/// Where a text comes from: nginx words the end of a file and the end of `-g` differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    File,
    CommandLine,
}

/// Reads `text` as the content of `file`. `depth` is how many blocks are open around it.
pub(super) fn parse(
    file: &Arc<str>,
    text: &[u8],
    origin: Origin,
    depth: usize,
    report: &mut Report,
) -> Vec<Directive> {
    let line = match origin {
        Origin::File => 1,
        Origin::CommandLine => 0,
    };
    let lexer = Lexer { text, at: 0, line, counts_lines: origin == Origin::File, must_separate: false };
    Parser { lexer, file, origin, base_depth: depth, report }.parse()
}
