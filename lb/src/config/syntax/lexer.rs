//! Bytes to words and punctuation.

use super::EXTENSION_MARK;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(Vec<u8>),
    Semicolon,
    Open,
    Close,
    /// A byte glued to a closing quote; reading goes on with it as the beginning of a word.
    Glued(u8),
    /// The end. `quote_since` is the line of a quote that was never closed; `in_word` that a word was cut off.
    End {
        in_word: bool,
        quote_since: Option<u32>,
    },
}

pub(super) struct Lexer<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pub(super) line: u32,
    pub(super) counts_lines: bool,
    /// A quoted word just ended: only white space, `;`, `{` or `)` may follow (and `}`, which is reported as what
    /// it is).
    pub(super) must_separate: bool,
}

impl Lexer<'_> {
    /// The next token and the line it begins on.
    pub(super) fn next(&mut self) -> (Token, u32) {
        if std::mem::take(&mut self.must_separate)
            && let Some(&byte) = self.text.get(self.at)
            && !is_space(byte)
            && !matches!(byte, b';' | b'{' | b'}' | b')')
        {
            return (Token::Glued(byte), self.line);
        }
        loop {
            let line = self.line;
            let Some(byte) = self.bump() else {
                return (Token::End { in_word: false, quote_since: None }, line);
            };
            match byte {
                _ if is_space(byte) => {}
                b';' => return (Token::Semicolon, line),
                b'{' => return (Token::Open, line),
                b'}' => return (Token::Close, line),
                b'#' => self.comment(),
                b'"' | b'\'' => return (self.quoted(byte, line), line),
                _ => return (self.bare(byte), line),
            }
        }
    }

    fn bump(&mut self) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        if byte == b'\n' && self.counts_lines {
            self.line += 1;
        }
        Some(byte)
    }

    /// After `#`: to the end of the line, or past the mark that makes the rest of the line ours.
    fn comment(&mut self) {
        if self.text[self.at - 1..].starts_with(EXTENSION_MARK) {
            self.at += EXTENSION_MARK.len() - 1;
            return;
        }
        let rest = &self.text[self.at..];
        self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    }

    fn quoted(&mut self, quote: u8, opened: u32) -> Token {
        let start = self.at;
        let mut escaped = false;
        while let Some(byte) = self.bump() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                _ if byte == quote => {
                    self.must_separate = true;
                    return Token::Word(unescape(&self.text[start..self.at - 1]));
                }
                _ => {}
            }
        }
        Token::End { in_word: true, quote_since: Some(opened) }
    }

    fn bare(&mut self, first: u8) -> Token {
        let start = self.at - 1;
        let mut escaped = first == b'\\';
        let mut after_dollar = first == b'$';
        while let Some(&byte) = self.text.get(self.at) {
            if escaped {
                escaped = false;
            } else if byte == b'{' && after_dollar {
                // `${name}`: nginx lets any number of braces follow a dollar.
            } else if is_space(byte) || matches!(byte, b';' | b'{') {
                return Token::Word(unescape(&self.text[start..self.at]));
            } else {
                escaped = byte == b'\\';
                after_dollar = byte == b'$';
            }
            self.bump();
        }
        Token::End { in_word: true, quote_since: None }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Takes nginx's six escapes out of a word; a backslash before anything else stays.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut word = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let replaced = match (byte, bytes.peek()) {
            (b'\\', Some(&quoted @ (b'"' | b'\'' | b'\\'))) => Some(quoted),
            (b'\\', Some(b't')) => Some(b'\t'),
            (b'\\', Some(b'r')) => Some(b'\r'),
            (b'\\', Some(b'n')) => Some(b'\n'),
            _ => None,
        };
        if replaced.is_some() {
            bytes.next();
        }
        word.push(replaced.unwrap_or(byte));
    }
    word
}
