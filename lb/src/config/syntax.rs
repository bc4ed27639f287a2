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

use std::sync::Arc;

use super::diagnostics::Report;
use super::model::Position;

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

#[derive(Debug, PartialEq, Eq)]
enum Token {
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

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
    counts_lines: bool,
    /// A quoted word just ended: only white space, `;`, `{` or `)` may follow (and `}`, which is reported as what
    /// it is).
    must_separate: bool,
}

impl Lexer<'_> {
    /// The next token and the line it begins on.
    fn next(&mut self) -> (Token, u32) {
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

struct Parser<'a, 'r> {
    lexer: Lexer<'a>,
    file: &'a Arc<str>,
    origin: Origin,
    base_depth: usize,
    report: &'r mut Report,
}

impl Parser<'_, '_> {
    /// Iterative, with a stack of its own: what a file nests must not decide how deep we recurse.
    fn parse(mut self) -> Vec<Directive> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[u8], origin: Origin) -> (Vec<Directive>, Vec<String>) {
        let mut report = Report::default();
        let tree = parse(&Arc::from("f"), text, origin, 0, &mut report);
        let findings = report.into_ordered(&[std::path::Path::new("f")]);
        (tree, findings.iter().map(ToString::to_string).collect())
    }

    /// The tree on one line: words in brackets, blocks in braces.
    fn shape(tree: &[Directive]) -> String {
        let mut out = String::new();
        for directive in tree {
            out.push_str(&format!("[{}]", directive.name));
            for word in directive.words() {
                out.push_str(&format!("[{word}]"));
            }
            match &directive.block {
                Some(block) => out.push_str(&format!("{{{}}}", shape(block))),
                None => out.push(';'),
            }
        }
        out
    }

    #[track_caller]
    fn reads(text: &str, expected: &str) {
        let (tree, findings) = parsed(text.as_bytes(), Origin::File);
        assert_eq!(shape(&tree), expected, "{text:?}");
        assert_eq!(findings, Vec::<String>::new(), "{text:?}");
    }

    #[track_caller]
    fn complains(text: &str, expected_tree: &str, expected: &[&str]) {
        let (tree, findings) = parsed(text.as_bytes(), Origin::File);
        assert_eq!(findings, expected, "{text:?}");
        assert_eq!(shape(&tree), expected_tree, "{text:?}");
    }

    #[test]
    fn words_end_where_nginx_ends_them() {
        reads("a b c;d;", "[a][b][c];[d];");
        reads("a\tb\r\n  c ;", "[a][b][c];");
        reads("a b{c;}", "[a][b]{[c];}");
        reads("a b}c;", "[a][b}c];");
        complains(
            "a $b{c};",
            "[a][$b]{[c}];}",
            &[
                "[emerg] unexpected end of file, expecting \"}\" in f:1 (the block \"a\" of line 1 is not closed)",
            ],
        );
    }

    #[test]
    fn quotes_begin_only_where_a_word_does() {
        reads(r#"a "b c" 'd;e' "";"#, "[a][b c][d;e][];");
        reads(r#"a b"c"d;"#, r#"[a][b"c"d];"#);
        reads(r#""a" b;"#, "[a][b];");
        reads("a \"b\nc\";", "[a][b\nc];");
        reads("a \"{#;}\";", "[a][{#;}];");
        reads(r#"if ($a = "b") { c; }"#, "[if][($a][=][b][)]{[c];}");
    }

    #[test]
    fn escapes_are_nginxs_six() {
        reads(r#"a "\"\'\\" '\"\'\\';"#, r#"[a]["'\]["'\];"#);
        reads(r"a \t\r\n;", "[a][\t\r\n];");
        reads(r"a ^\d+\.$ b\;c d\ e \{;", r"[a][^\d+\.$][b\;c][d\ e][\{];");
    }

    #[test]
    fn braces_after_a_dollar_belong_to_the_word() {
        reads("a ${b}c;", "[a][${b}c];");
        reads("a x${b} {c;}", "[a][x${b}]{[c];}");
        reads("a ${{b};", "[a][${{b}];");
    }

    #[test]
    fn comments_begin_only_where_a_word_does() {
        reads("a b; # c; d\ne;", "[a][b];[e];");
        reads("a b;# c\ne;", "[a][b];[e];");
        reads("a {# c }\n}", "[a]{}");
        reads("a b#c;", "[a][b#c];");
        reads("a # b ; \n c;", "[a][c];");
        reads("a '#b';", "[a][#b];");
        reads("# only", "");
    }

    #[test]
    fn our_comments_are_read() {
        reads("#lb: a b;\nc;", "[a][b];[c];");
        reads("a { #lb: b;\n}", "[a]{[b];}");
        reads("#lb: a {\n#lb:   b; # why\n#lb: }\n", "[a]{[b];}");
        reads("a b #lb: c\n;", "[a][b][c];");
        reads("a '#lb: b';", "[a][#lb: b];");
        reads("# lb: a;\n#LB: b;\n##lb: c;", "");
        let (tree, _) = parsed(b"\n#lb: a\n  b;", Origin::File);
        assert_eq!((tree[0].position.line, tree[0].arguments[0].line), (2, 3));
    }

    #[test]
    fn reading_goes_on_after_a_mistake() {
        complains(
            "a } b;",
            "[a];[b];",
            &[
                "[emerg] unexpected \"}\" in f:1 (a \";\" is missing at the end of line 1)",
                "[emerg] unexpected \"}\" in f:1",
            ],
        );
        complains(
            "a {\n b\n}\nc;",
            "[a]{[b];}[c];",
            &["[emerg] unexpected \"}\" in f:3 (a \";\" is missing at the end of line 2)"],
        );
        complains(";\na;", "[a];", &["[emerg] unexpected \";\" in f:1"]);
        complains("{ a; } b;", "[]{[a];}[b];", &["[emerg] unexpected \"{\" in f:1"]);
        complains("a 'b'c;", "[a][b][c];", &["[emerg] unexpected \"c\" in f:1"]);
        complains(
            "a {b 'c'}",
            "[a]{[b][c];}",
            &["[emerg] unexpected \"}\" in f:1 (a \";\" is missing at the end of line 1)"],
        );
    }

    #[test]
    fn an_early_end_says_what_is_open() {
        complains(
            "a {\n b {\n c;\n",
            "[a]{[b]{[c];}}",
            &[
                "[emerg] unexpected end of file, expecting \"}\" in f:4 (the block \"b\" of line 2 is not closed)",
            ],
        );
        complains("a b", "[a];", &["[emerg] unexpected end of file, expecting \";\" or \"}\" in f:1"]);
        complains(
            "a\n\"b;\n",
            "[a];",
            &[
                "[emerg] unexpected end of file, expecting \";\" or \"}\" in f:3 (the quote opened in line 2 is not closed)",
            ],
        );
        complains("a \\", "[a];", &["[emerg] unexpected end of file, expecting \";\" or \"}\" in f:1"]);
    }

    #[test]
    fn the_command_line_has_no_blocks_and_no_lines() {
        let (tree, findings) = parsed(b"daemon off; pid\nx;", Origin::CommandLine);
        assert_eq!((shape(&tree).as_str(), findings.len()), ("[daemon][off];[pid][x];", 0));
        assert_eq!(tree[1].position.line, 0);
        let (_, findings) = parsed(b"daemon off", Origin::CommandLine);
        assert_eq!(findings, ["[emerg] unexpected end of parameter, expecting \";\" in f"]);
        let (_, findings) = parsed(b"events { }", Origin::CommandLine);
        assert_eq!(findings, ["[emerg] block directives are not supported in -g option in f"]);
    }

    #[test]
    fn depth_is_bounded_and_said_once() {
        let text = format!("{}{}b;", "a {".repeat(100_000), "}".repeat(100_000));
        let (tree, findings) = parsed(text.as_bytes(), Origin::File);
        assert_eq!(findings, ["[emerg] blocks are nested more than 64 deep in f:1"]);
        assert_eq!(tree.len(), 2, "what follows is read again");
        let (_, findings) = parsed("a {".repeat(100_000).as_bytes(), Origin::File);
        assert_eq!(findings.len(), 2, "and the missing end is told: {findings:?}");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_named_where_they_matter() {
        let (tree, findings) = parsed(b"# \xff\na \xffb;", Origin::File);
        assert_eq!(findings, ["[emerg] \"\u{fffd}b\" is not valid UTF-8 in f:2"]);
        assert_eq!(tree.len(), 1);
        reads("a é;", "[a][é];");
    }
}
