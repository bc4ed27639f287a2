//! A page taken apart: text, and commands with their parameters.

use bytes::{Bytes, BytesMut};

const OPENING: &[u8] = b"<!--#";
const CLOSING: &[u8] = b"-->";

/// nginx's bounds of a command: its name, the name of a parameter, the number of parameters.
const NAME_BYTES: usize = 32;
const PARAMETERS: usize = 4;

/// A part of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text.
    Text(Bytes),
    /// A command.
    Command(Command),
    /// What begins like a command and is none.
    Malformed,
}

/// A name and a value.
pub(super) type Parameter = (Box<[u8]>, Box<[u8]>);

/// A command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// Its name, in lower case.
    pub name: Box<[u8]>,
    /// Its parameters: their names in lower case, and what stands between the quotation marks.
    pub parameters: Vec<Parameter>,
}

impl Command {
    /// The value of a parameter; the last counts.
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        let found = self.parameters.iter().rev().find(|(known, _)| **known == *name.as_bytes());
        found.map(|(_, value)| &**value)
    }
}

/// Takes a page apart piece by piece.
#[derive(Debug)]
pub struct Parser {
    /// What may become a command with what is yet to come.
    pending: BytesMut,
    /// How much of `pending` has been looked at for the end of the command.
    at: Scan,
    /// How long a value may be (`ssi_value_length`).
    value_bytes: usize,
    /// A command that is too long is being passed over.
    skipping: bool,
}

/// Where the search for the end of a command stands.
#[derive(Debug, Default, Clone, Copy)]
struct Scan {
    position: usize,
    quote: Option<u8>,
    escaped: bool,
}

impl Parser {
    /// A parser of commands whose values are not longer than `value_bytes`.
    pub fn new(value_bytes: usize) -> Self {
        Self { pending: BytesMut::new(), at: Scan::default(), value_bytes, skipping: false }
    }

    /// Takes a piece, and gives the parts that are complete.
    pub fn push(&mut self, piece: &[u8], parts: &mut Vec<Part>) {
        self.pending.extend_from_slice(piece);
        loop {
            if self.pending.starts_with(OPENING) {
                let Some(end) = self.end_of_command() else { break };
                let command = self.pending.split_to(end);
                self.at = Scan::default();
                let is_skipped = std::mem::take(&mut self.skipping);
                let inside = &command[OPENING.len()..end - CLOSING.len()];
                parts.push(match self.command(inside).filter(|_| !is_skipped) {
                    Some(command) => Part::Command(command),
                    None => Part::Malformed,
                });
                continue;
            }
            let text = memchr::memmem::find(&self.pending, OPENING)
                .unwrap_or_else(|| self.pending.len() - unfinished(&self.pending));
            if text == 0 {
                break;
            }
            parts.push(Part::Text(self.pending.split_to(text).freeze()));
        }
    }

    /// What is left at the end of the page: the beginning of no command.
    pub fn finish(&mut self) -> Option<Part> {
        let rest = std::mem::take(&mut self.pending).freeze();
        // A command that does not end is dropped, as in nginx.
        (!rest.is_empty() && !rest.starts_with(OPENING)).then_some(Part::Text(rest))
    }

    /// Where the command at the front ends. One that is longer than any may be is forgotten but for its end.
    fn end_of_command(&mut self) -> Option<usize> {
        let mut scan = self.at;
        scan.position = scan.position.max(OPENING.len());
        while let Some(byte) = self.pending.get(scan.position) {
            match (scan.quote, byte) {
                (Some(_), _) if scan.escaped => scan.escaped = false,
                (Some(_), b'\\') => scan.escaped = true,
                (Some(quote), byte) if *byte == quote => scan.quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => scan.quote = Some(*byte),
                (None, b'>') if self.pending[..scan.position].ends_with(b"--") => {
                    self.at = scan;
                    return Some(scan.position + 1);
                }
                (None, _) => {}
            }
            scan.position += 1;
        }
        let longest = NAME_BYTES + PARAMETERS * (NAME_BYTES + self.value_bytes * 2 + 16);
        if self.pending.len() > OPENING.len() + longest {
            self.skipping = true;
            let kept = self.pending.split_off(self.pending.len() - 2);
            self.pending.truncate(OPENING.len());
            self.pending.extend_from_slice(&kept);
            scan.position = self.pending.len();
        }
        self.at = scan;
        None
    }

    fn command(&self, inside: &[u8]) -> Option<Command> {
        let mut rest = inside.trim_ascii();
        let name = word(&mut rest)?;
        let mut command = Command { name, parameters: Vec::new() };
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                return Some(command);
            }
            let name = word(&mut rest)?;
            rest = rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
            let value = self.quoted(&mut rest)?;
            if command.parameters.len() == PARAMETERS {
                return None;
            }
            command.parameters.push((name, value));
        }
    }

    /// A value between quotation marks, with a backslash before each of them that belongs to it.
    fn quoted(&self, rest: &mut &[u8]) -> Option<Box<[u8]>> {
        let (quote, inside) = rest.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
        let mut value = Vec::new();
        let mut bytes = inside.iter().enumerate();
        while let Some((index, byte)) = bytes.next() {
            match byte {
                byte if byte == quote => {
                    *rest = &inside[index + 1..];
                    return Some(value.into());
                }
                b'\\' if inside.get(index + 1) == Some(quote) => {
                    bytes.next();
                    value.push(*quote);
                }
                byte => value.push(*byte),
            }
            if value.len() > self.value_bytes {
                return None;
            }
        }
        None
    }
}

/// How many bytes at the end may be the beginning of a command.
fn unfinished(text: &[u8]) -> usize {
    (1..OPENING.len()).rev().find(|length| text.ends_with(&OPENING[..*length])).unwrap_or(0)
}

fn word(rest: &mut &[u8]) -> Option<Box<[u8]>> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = rest.iter().take_while(|byte| is_part(byte)).count();
    let (word, after) = rest.split_at(length);
    *rest = after;
    (1..=NAME_BYTES).contains(&length).then(|| word.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(pieces: &[&str]) -> String {
        let mut parser = Parser::new(16);
        let mut parts = Vec::new();
        for piece in pieces {
            parser.push(piece.as_bytes(), &mut parts);
        }
        parts.extend(parser.finish());
        let shown = parts.iter().map(|part| match part {
            Part::Text(text) => format!("{}", text.escape_ascii()),
            Part::Malformed => "[?]".to_owned(),
            Part::Command(command) => {
                let parameters = command.parameters.iter();
                let shown: String = parameters
                    .map(|(name, value)| format!(" {}={}", name.escape_ascii(), value.escape_ascii()))
                    .collect();
                format!("[{}{shown}]", command.name.escape_ascii())
            }
        });
        shown.collect()
    }

    #[test]
    fn a_page_is_taken_apart_wherever_it_is_cut() {
        for (page, expected) in [
            ("", ""),
            ("plain <b>text</b> <!-- no command --> <", "plain <b>text</b> <!-- no command --> <"),
            ("a<!--#echo var=\"x\" -->b", "a[echo var=x]b"),
            ("<!--# include virtual='/a\"b' wait = \"yes\"-->", "[include virtual=/a\\\"b wait=yes]"),
            ("<!--# set var=\"a\" value=\"a\\\"b-->c\" -->", "[set var=a value=a\\\"b-->c]"),
            ("<!--#else--><!--#endif -->", "[else][endif]"),
            ("<!--# ECHO VAR=\"X\" -->", "[echo var=X]"),
            ("<!--#echo var=x -->a", "[?]a"),
            ("<!--# -->a", "[?]a"),
            ("<!--#echo var=\"12345678901234567\" -->a", "[?]a"),
            ("<!--#echo var=\"1234567890123456\" -->a", "[echo var=1234567890123456]a"),
            ("a<!--#echo var=\"x\"", "a"),
            ("<!--#if a=\"1\" b=\"2\" c=\"3\" d=\"4\" e=\"5\"-->", "[?]"),
        ] {
            assert_eq!(parts(&[page]), expected, "{page}");
            let bytes: Vec<String> = page.chars().map(String::from).collect();
            let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
            assert_eq!(parts(&bytes), expected, "{page}, byte by byte");
        }
    }

    #[test]
    fn a_command_without_an_end_takes_no_memory() {
        let mut parser = Parser::new(16);
        let mut parts = Vec::new();
        parser.push(b"<!--#", &mut parts);
        for _ in 0..10_000 {
            parser.push(b"echo var ", &mut parts);
        }
        assert!(parser.pending.len() < 1000);
        parser.push(b"-->after", &mut parts);
        parts.extend(parser.finish());
        assert_eq!(parts, [Part::Malformed, Part::Text(Bytes::from_static(b"after"))]);
    }
}
