//! Words to directives, with a stack of its own.

use std::sync::Arc;

use super::lexer::{Lexer, Token};
use super::{Directive, MAX_DEPTH, Origin, Word};
use crate::config::diagnostics::{Position, Report};

pub(super) struct Parser<'a, 'r> {
    pub(super) lexer: Lexer<'a>,
    pub(super) file: &'a Arc<str>,
    pub(super) origin: Origin,
    pub(super) base_depth: usize,
    pub(super) report: &'r mut Report,
}

impl Parser<'_, '_> {
    /// Iterative, with a stack of its own: what a file nests must not decide how deep we recurse.
    pub(super) fn parse(mut self) -> Vec<Directive> {
        let mut open: Vec<(Directive, Vec<Directive>)> = Vec::new();
        let mut siblings: Vec<Directive> = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        // Braces open inside a block that is too deep to be read.
        let mut skipping = 0usize;
        loop {
            let (token, line) = self.lexer.next();
            if skipping > 0 {
                match token {
                    Token::Open => skipping += 1,
                    Token::Close => skipping -= 1,
                    Token::End { .. } => return self.close_all(open, siblings, line, None),
                    Token::Word(_) | Token::Semicolon | Token::Glued(_) => {}
                }
                continue;
            }
            match token {
                Token::Word(text) => {
                    let text = self.utf8(text, line);
                    words.push(Word { text, line });
                }
                Token::Glued(byte) => self.unexpected(char::from(byte), line),
                Token::Semicolon if words.is_empty() => self.unexpected(';', line),
                Token::Semicolon => siblings.extend(self.directive(&mut words)),
                Token::Open => {
                    if self.origin == Origin::CommandLine {
                        let position = self.position(line);
                        self.report.emerg("block directives are not supported in -g option", &position);
                        return siblings;
                    }
                    if words.is_empty() {
                        // Read on as if a name stood here: the block's end must find its beginning.
                        self.unexpected('{', line);
                        words.push(Word { text: String::new(), line });
                    }
                    if self.base_depth + open.len() >= MAX_DEPTH {
                        let position = self.position(line);
                        let message = format!("blocks are nested more than {MAX_DEPTH} deep");
                        self.report.emerg(message, &position);
                        words.clear();
                        skipping = 1;
                        continue;
                    }
                    let parent = self.directive(&mut words);
                    open.extend(parent.map(|parent| (parent, std::mem::take(&mut siblings))));
                }
                Token::Close => {
                    if !words.is_empty() {
                        let unfinished = words[words.len() - 1].line;
                        let position = self.position(line);
                        let hint = format!("a \";\" is missing at the end of line {unfinished}");
                        self.report.emerg_hint("unexpected \"}\"", &position, hint);
                        siblings.extend(self.directive(&mut words));
                    }
                    match open.pop() {
                        Some((mut parent, before)) => {
                            parent.block = Some(std::mem::replace(&mut siblings, before));
                            siblings.push(parent);
                        }
                        None => self.unexpected('}', line),
                    }
                }
                Token::End { in_word, quote_since } => {
                    let unfinished = if in_word || !words.is_empty() { Some(quote_since) } else { None };
                    siblings.extend(self.directive(&mut words));
                    return self.close_all(open, siblings, line.max(self.lexer.line), unfinished);
                }
            }
        }
    }

    /// The text has ended: says what is missing and closes what is open. `unfinished` holds, for a directive
    /// without its end, the line of a quote that was never closed.
    fn close_all(
        &mut self,
        open: Vec<(Directive, Vec<Directive>)>,
        mut siblings: Vec<Directive>,
        line: u32,
        unfinished: Option<Option<u32>>,
    ) -> Vec<Directive> {
        let position = self.position(line);
        let innermost = open.last().map(|(block, _)| {
            format!("the block \"{}\" of line {} is not closed", block.name, block.position.line)
        });
        let finding = match (unfinished, self.origin) {
            (None, _) if innermost.is_none() => None,
            (None, _) => Some(("unexpected end of file, expecting \"}\"", innermost)),
            (Some(_), Origin::CommandLine) => Some(("unexpected end of parameter, expecting \";\"", None)),
            (Some(quote), Origin::File) => {
                let hint = quote.map(|line| format!("the quote opened in line {line} is not closed"));
                Some(("unexpected end of file, expecting \";\" or \"}\"", hint.or(innermost)))
            }
        };
        match finding {
            Some((message, Some(hint))) => self.report.emerg_hint(message, &position, hint),
            Some((message, None)) => self.report.emerg(message, &position),
            None => {}
        }
        for (mut parent, before) in open.into_iter().rev() {
            parent.block = Some(std::mem::replace(&mut siblings, before));
            siblings.push(parent);
        }
        siblings
    }

    /// A directive of the words collected; none when there are none.
    fn directive(&self, words: &mut Vec<Word>) -> Option<Directive> {
        let mut words = std::mem::take(words).into_iter();
        let name = words.next()?;
        Some(Directive {
            position: self.position(name.line),
            name: name.text,
            arguments: words.collect(),
            block: None,
            order: 0,
        })
    }

    fn utf8(&mut self, bytes: Vec<u8>, line: u32) -> String {
        String::from_utf8(bytes).unwrap_or_else(|error| {
            let lossy = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let position = self.position(line);
            self.report.emerg(format!("\"{lossy}\" is not valid UTF-8"), &position);
            lossy
        })
    }

    fn unexpected(&mut self, what: char, line: u32) {
        let position = self.position(line);
        self.report.emerg(format!("unexpected \"{what}\""), &position);
    }

    fn position(&self, line: u32) -> Position {
        Position { file: Arc::clone(self.file), line }
    }
}
