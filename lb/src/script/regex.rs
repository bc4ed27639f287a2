//! nginx's regular expressions: `location ~`, `server_name ~`, `map`, `rewrite`, `if`.
//!
//! nginx's are PCRE's, so PCRE2 says what a pattern means: it compiles every one, names its mistakes and its groups. What
//! it does not promise is an end: a pattern such as `^(a+)+$` may try for hours on a path that a client chose. Patterns
//! that mean the same to an engine whose time grows with the subject alone ([`linear`]) are matched by that one; the others
//! by PCRE2 with a limit, and a match that reaches it is [`LimitReached`]. Why both, and what each costs:
//! docs/decisions/014-regular-expressions.md.

mod linear;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

/// What one match may cost in PCRE2, in its own count of steps: some milliseconds at most. PCRE2's default, which nginx
/// leaves alone, is ten times as much.
const MATCH_LIMIT: &str = "(*LIMIT_MATCH=1000000)";

/// Whether upper and lower case differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// They do: `~`.
    Sensitive,
    /// ASCII letters do not: `~*`.
    Insensitive,
}

/// A compiled pattern. A clone shares it.
#[derive(Clone)]
pub struct Regex(Arc<Compiled>);

struct Compiled {
    pattern: Box<str>,
    pcre: pcre2::bytes::Regex,
    /// The same pattern for the other engine, where it means the same there.
    linear: Option<linear::Linear>,
    groups: usize,
    names: Box<[(Box<str>, usize)]>,
}

/// A pattern that PCRE2 does not compile, in nginx's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pcre2_compile() failed: {reason} in \"{pattern}\"{at}")]
pub struct RegexError {
    reason: String,
    pattern: String,
    /// ` at "REST"`; empty at the end of the pattern, as in nginx.
    at: String,
}

/// The match took more than is allowed; whether the pattern matches is not known. nginx logs an alert in these words and
/// answers 500.
#[derive(Debug, Clone, thiserror::Error)]
#[error("pcre2_match() failed: {code} using \"{}\"", regex.as_str())]
pub struct LimitReached {
    regex: Regex,
    code: i32,
}

/// What the groups of a pattern matched, with a copy of the subject. The default is that of a pattern without groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captures {
    subject: Box<[u8]>,
    /// The whole match, then the groups up to the last that took part.
    groups: SmallVec<[Option<(usize, usize)>; 4]>,
}

impl Regex {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// In PCRE2's words, when it is none.
    pub fn new(pattern: &str, case: Case) -> Result<Self, RegexError> {
        let pcre = pcre2::bytes::RegexBuilder::new()
            .caseless(case == Case::Insensitive)
            .jit_if_available(true)
            .build(&format!("{MATCH_LIMIT}{pattern}"))
            .map_err(|error| RegexError::new(&error, pattern))?;
        let names = pcre.capture_names().iter().enumerate();
        let names =
            names.filter_map(|(group, name)| Some((name.as_ref()?.to_ascii_lowercase().into(), group)));
        Ok(Self(Arc::new(Compiled {
            pattern: pattern.into(),
            linear: linear::Linear::new(pattern, case),
            groups: pcre.captures_len() - 1,
            names: names.collect(),
            pcre,
        })))
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0.pattern
    }

    /// How many groups capture.
    pub fn groups(&self) -> usize {
        self.0.groups
    }

    /// The named groups and their numbers; names in lower case, as nginx compares the names of variables.
    pub fn names(&self) -> &[(Box<str>, usize)] {
        &self.0.names
    }

    /// Whether it matches; no if that cannot be said within the limit.
    pub fn is_match(&self, subject: &[u8]) -> bool {
        self.try_is_match(subject).unwrap_or(false)
    }

    /// What its groups match; nothing if that cannot be said within the limit.
    pub fn captures(&self, subject: &[u8]) -> Option<Captures> {
        self.try_captures(subject).unwrap_or(None)
    }

    /// Whether it matches.
    ///
    /// # Errors
    ///
    /// When the limit of a match is reached.
    pub fn try_is_match(&self, subject: &[u8]) -> Result<bool, LimitReached> {
        match self.linear_for(subject) {
            Some(linear) => Ok(linear.is_match(subject)),
            None => self.0.pcre.is_match(subject).map_err(|error| self.failed(&error)),
        }
    }

    /// What its groups match.
    ///
    /// # Errors
    ///
    /// When the limit of a match is reached.
    pub fn try_captures(&self, subject: &[u8]) -> Result<Option<Captures>, LimitReached> {
        let group_count = self.0.groups + 1;
        if let Some(linear) = self.linear_for(subject) {
            let found = linear.captures(subject);
            return Ok(found.map(|found| Captures::new(subject, group_count, |group| found.get(group))));
        }
        // Most patterns that are tried do not match, and only what matches needs room for the groups.
        if !self.try_is_match(subject)? {
            return Ok(None);
        }
        let mut found = self.0.pcre.capture_locations();
        match self.0.pcre.captures_read(&mut found, subject) {
            Ok(Some(_)) => Ok(Some(Captures::new(subject, group_count, |group| found.get(group)))),
            Ok(None) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &pcre2::Error) -> LimitReached {
        LimitReached { regex: self.clone(), code: error.code() }
    }

    fn linear_for(&self, subject: &[u8]) -> Option<&linear::Linear> {
        self.0.linear.as_ref().filter(|linear| linear.agrees_on(subject))
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Regex").field(&self.0.pattern).finish()
    }
}

impl RegexError {
    fn new(error: &pcre2::Error, pattern: &str) -> Self {
        let text = error.to_string();
        // `PCRE2: error compiling pattern at offset 7: REASON`
        let reason = text.splitn(3, ": ").last().unwrap_or(&text);
        let offset = error.offset().unwrap_or_default().saturating_sub(MATCH_LIMIT.len());
        let rest = pattern.as_bytes().get(offset..).unwrap_or_default();
        let at = if rest.is_empty() {
            String::new()
        } else {
            format!(" at \"{}\"", String::from_utf8_lossy(rest))
        };
        Self { reason: reason.to_owned(), pattern: pattern.to_owned(), at }
    }
}

impl Captures {
    fn new(subject: &[u8], count: usize, group: impl Fn(usize) -> Option<(usize, usize)>) -> Self {
        let mut groups: SmallVec<_> = (0..count).map(group).collect();
        while groups.last().is_some_and(Option::is_none) {
            groups.pop();
        }
        Self { subject: subject.into(), groups }
    }

    /// What a group matched, the whole match for 0. As in nginx, a group that took no part is empty if a later one did, and
    /// has no value if none did.
    pub fn get(&self, group: usize) -> Option<&[u8]> {
        let range = self.groups.get(group)?;
        range.map_or(Some(&[]), |(start, end)| self.subject.get(start..end))
    }
}
