//! The patterns that mean the same to PCRE and to the `regex` crate, whose time grows with the subject alone.
//!
//! [`Scanner`] reads a pattern by a grammar of its own and admits what both engines are known to read alike: printable
//! ASCII, `.`, `^`, `$`, `\d`, `\w`, `\s`, `\b` and their opposites, simple classes, groups, and quantifiers of what
//! cannot be empty. It is meant to be narrow: what it does not admit costs nothing but the other engine. Not admitted, for
//! they differ or exist in one engine only: look-around, back-references, possessive quantifiers, inline flags, `\Z`,
//! `\h`, `\K`, `\Q`, POSIX and nested classes, a quantified group that can be empty (the two capture differently), and a
//! brace that is no quantifier.

use super::Case;

/// A pattern for the linear engine.
#[derive(Debug)]
pub(super) struct Linear {
    regex: regex::bytes::Regex,
    /// Whether `$` stands in it.
    has_dollar: bool,
}

impl Linear {
    /// The pattern, if it means the same here as it does to PCRE, where it is known to be sound.
    pub(super) fn new(pattern: &str, case: Case) -> Option<Self> {
        let mut scanner = Scanner { rest: pattern.as_bytes(), has_dollar: false };
        scanner.alternatives(0)?;
        if !scanner.rest.is_empty() {
            return None;
        }
        let mut builder = regex::bytes::RegexBuilder::new(pattern);
        let regex = builder.unicode(false).case_insensitive(case == Case::Insensitive).build().ok()?;
        Some(Self { regex, has_dollar: scanner.has_dollar })
    }

    /// Whether both engines see this subject alike: PCRE's `$` matches before a final newline too.
    pub(super) fn agrees_on(&self, subject: &[u8]) -> bool {
        !self.has_dollar || subject.last() != Some(&b'\n')
    }

    pub(super) fn is_match(&self, subject: &[u8]) -> bool {
        self.regex.is_match(subject)
    }

    pub(super) fn captures(&self, subject: &[u8]) -> Option<regex::bytes::CaptureLocations> {
        let mut locations = self.regex.capture_locations();
        self.regex.captures_read(&mut locations, subject)?;
        Some(locations)
    }
}

/// How deep groups may be nested, so that reading them needs little stack.
const DEEPEST: usize = 20;
/// The largest count of a quantifier.
const MOST_TIMES: u32 = 255;

/// What a quantifier may follow, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    /// `^`, `$`, `\b`: takes nothing, and no quantifier.
    Assertion,
    /// A character or a class.
    Character,
    /// A group.
    Group { can_be_empty: bool },
}

struct Scanner<'a> {
    rest: &'a [u8],
    has_dollar: bool,
}

/// Each method reads one part of the grammar, and returns `None` where the pattern is not admitted.
impl Scanner<'_> {
    fn eat(&mut self, text: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Up to `)` or the end; whether it can match the empty string.
    fn alternatives(&mut self, depth: usize) -> Option<bool> {
        let mut can_be_empty = false;
        loop {
            can_be_empty |= self.sequence(depth)?;
            if !self.eat(b"|") {
                return Some(can_be_empty);
            }
        }
    }

    /// Up to `|`, `)` or the end; whether it can match the empty string.
    fn sequence(&mut self, depth: usize) -> Option<bool> {
        let mut can_be_empty = true;
        while !matches!(self.rest.first(), None | Some(b'|' | b')')) {
            let item = self.item(depth)?;
            let least = self.quantifier()?;
            let item_can_be_empty = match (item, least) {
                (Item::Assertion | Item::Group { can_be_empty: true }, Some(_)) => return None,
                (Item::Assertion, None) => true,
                (Item::Group { can_be_empty }, None) => can_be_empty,
                (Item::Character, None) => false,
                (Item::Character | Item::Group { .. }, Some(least)) => least == 0,
            };
            can_be_empty &= item_can_be_empty;
        }
        Some(can_be_empty)
    }

    fn item(&mut self, depth: usize) -> Option<Item> {
        match self.next()? {
            b'(' => self.group(depth),
            b'[' => self.class(),
            b'\\' => self.escape(),
            b'.' => Some(Item::Character),
            b'^' => Some(Item::Assertion),
            b'$' => {
                self.has_dollar = true;
                Some(Item::Assertion)
            }
            b'*' | b'+' | b'?' | b'{' | b'}' | b']' => None,
            b' '..=b'~' => Some(Item::Character),
            _ => None,
        }
    }

    fn group(&mut self, depth: usize) -> Option<Item> {
        if depth > DEEPEST {
            return None;
        }
        if self.eat(b"?<") || self.eat(b"?P<") {
            let end = self.rest.iter().position(|byte| *byte == b'>')?;
            let name = &self.rest[..end];
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            if name.first()?.is_ascii_digit() || !name.iter().all(is_name) {
                return None;
            }
            self.rest = &self.rest[end + 1..];
        } else if !self.eat(b"?:") && matches!(self.rest.first(), Some(b'?' | b'*')) {
            return None;
        }
        let can_be_empty = self.alternatives(depth + 1)?;
        self.eat(b")").then_some(Item::Group { can_be_empty })
    }

    fn escape(&mut self) -> Option<Item> {
        match self.next()? {
            b'b' | b'B' => Some(Item::Assertion),
            b'd' | b'D' | b'w' | b'W' | b's' | b'S' | b't' | b'n' | b'r' => Some(Item::Character),
            other => is_escapable(other).then_some(Item::Character),
        }
    }

    /// The least count of a quantifier, if there is one.
    fn quantifier(&mut self) -> Option<Option<u32>> {
        let least = match self.rest.first() {
            Some(b'*' | b'?') => 0,
            Some(b'+') => 1,
            Some(b'{') => {
                let end = self.rest.iter().position(|byte| *byte == b'}')?;
                let least = times(&self.rest[1..end])?;
                self.rest = &self.rest[end..];
                least
            }
            _ => return Some(None),
        };
        self.next();
        self.eat(b"?");
        // Possessive, or a quantifier of a quantifier.
        let again = matches!(self.rest.first(), Some(b'*' | b'+' | b'?' | b'{'));
        (!again).then_some(Some(least))
    }

    /// The inside of `[…]`.
    fn class(&mut self) -> Option<Item> {
        self.eat(b"^");
        let mut first = true;
        loop {
            match self.next()? {
                b']' if !first => return Some(Item::Character),
                // Literal at one of the ends; elsewhere the engines read it differently.
                b'-' if (first && self.rest.first() != Some(&b'-')) || self.rest.first() == Some(&b']') => {}
                b'\\' => {
                    let escaped = self.next()?;
                    if !matches!(escaped, b'd' | b'D' | b'w' | b'W' | b's' | b'S') && !is_escapable(escaped) {
                        return None;
                    }
                }
                from if from.is_ascii_alphanumeric() && self.range_follows() => {
                    self.next();
                    let to = self.next()?;
                    if !to.is_ascii_alphanumeric() || to < from {
                        return None;
                    }
                }
                byte if byte.is_ascii_alphanumeric() => {}
                b' ' | b'.' | b'_' | b'/' | b':' | b'@' | b'+' | b'*' | b'%' | b'=' | b',' | b'!' | b';'
                | b'(' | b')' | b'$' | b'|' | b'?' | b'#' | b'\'' | b'"' | b'<' | b'>' | b'{' | b'}' => {}
                _ => return None,
            }
            first = false;
        }
    }

    /// A hyphen that is not the last of its class.
    fn range_follows(&self) -> bool {
        self.rest.first() == Some(&b'-') && self.rest.get(1) != Some(&b']')
    }
}

/// What may stand after a backslash to mean itself.
fn is_escapable(byte: u8) -> bool {
    byte.is_ascii_punctuation() && !matches!(byte, b'<' | b'>' | b'_')
}

/// The least count of `n`, `n,` or `n,m`.
fn times(text: &[u8]) -> Option<u32> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.len() < 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u32>().ok()).flatten().filter(|number| *number <= MOST_TIMES)
    };
    let text = std::str::from_utf8(text).ok()?;
    let Some((least, most)) = text.split_once(',') else {
        return number(text).filter(|count| *count > 0);
    };
    let least = number(least)?;
    if most.is_empty() {
        return Some(least);
    }
    let most = number(most)?;
    (most > 0 && least <= most).then_some(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_engines_read_alike_is_admitted() {
        for pattern in [
            "",
            "^/api/",
            r"\.php$",
            r"\.(gif|jpe?g|png)$",
            r"^/(?<lang>[a-z]{2})/(.*)$",
            r"^(?P<name>\w+)\.example\.org$",
            r"^/u/\d+(?:/|$)",
            "[^/]+[-._x]*?[a-zA-Z0-9_-]",
        ] {
            assert!(Linear::new(pattern, Case::Sensitive).is_some(), "{pattern}");
        }
    }

    #[test]
    fn what_they_may_read_differently_is_not() {
        for pattern in [
            r"^(?!/api)",
            r"(a)\1",
            "a++",
            "(?i)a",
            r"a\Z",
            r"\h",
            r"a\Kb",
            r"\Qa.b\E",
            "[[:alpha:]]",
            "[a[b]",
            "[]a]",
            "[a&&b]",
            "[a--b]",
            "[\\w-.]",
            "[a-z-9]",
            "[.-/]",
            "a{,5}",
            "a{",
            "a}",
            "a]",
            "(a*)*",
            "(a|)+",
            "^*",
            "a{2}{3}",
            "a{0}",
            "a{300}",
            "(*UTF)a",
            "(?#comment)a",
            "(?'n'a)",
            r"\x41",
            r"\/\_",
            "é",
            r"\0",
            "a{5,2}",
            "(a",
            "a)",
        ] {
            assert!(Linear::new(pattern, Case::Sensitive).is_none(), "{pattern}");
        }
    }

    #[test]
    fn deep_nesting_is_left_to_the_other_engine() {
        let nested = |depth: usize| format!("{}a{}", "(?:".repeat(depth), ")".repeat(depth));
        assert!(Linear::new(&nested(20), Case::Sensitive).is_some());
        assert!(Linear::new(&nested(22), Case::Sensitive).is_none());
        assert!(Linear::new(&nested(100_000), Case::Sensitive).is_none());
    }
}
