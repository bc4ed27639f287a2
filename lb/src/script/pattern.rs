//! A regular expression of the configuration, with the slots of its named groups.

use std::sync::Arc;

use super::names::{BuiltIn, Names};
use super::regex::{Captures, LimitReached, Regex};
use super::{Definition, SlotId};

/// The regular expression, and which slots its named groups fill.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    groups: Arc<[(SlotId, usize)]>,
}

/// A regular expression that took part in a choice, and what its groups matched.
#[derive(Debug, Clone)]
pub struct Matched {
    /// Which.
    pub pattern: Pattern,
    /// Empty for a pattern without groups, which sets nothing and unsets `$1`.
    pub captures: Captures,
}

impl Pattern {
    /// Defines a variable for each named group of `regex`.
    ///
    /// # Errors
    ///
    /// When nginx itself has a variable of such a name.
    pub fn new<P: Clone>(regex: Regex, names: &mut Names<P>) -> Result<Self, BuiltIn> {
        let slots = regex
            .names()
            .iter()
            .map(|(name, group)| Ok((names.define(name, Definition::Group)?, *group)))
            .collect::<Result<_, _>>()?;
        Ok(Self { regex, groups: slots })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// Whether it matches.
    ///
    /// # Errors
    ///
    /// When the limit of a match is reached.
    pub fn is_match(&self, subject: &[u8]) -> Result<bool, LimitReached> {
        self.regex.try_is_match(subject)
    }

    /// What its groups match; of a pattern without groups, only that it matches.
    ///
    /// # Errors
    ///
    /// When the limit of a match is reached.
    pub fn captures(&self, subject: &[u8]) -> Result<Option<Captures>, LimitReached> {
        if self.regex.groups() > 0 {
            return self.regex.try_captures(subject);
        }
        Ok(self.regex.try_is_match(subject)?.then(Captures::default))
    }

    /// The same, to be kept with the pattern.
    ///
    /// # Errors
    ///
    /// When the limit of a match is reached.
    pub fn matched(&self, subject: &[u8]) -> Result<Option<Matched>, LimitReached> {
        Ok(self.captures(subject)?.map(|captures| Matched { pattern: self.clone(), captures }))
    }

    /// Whether it has groups.
    pub fn captures_anything(&self) -> bool {
        self.regex.groups() > 0
    }

    /// The slots of the named groups, and the numbers of the groups.
    pub fn groups(&self) -> &[(SlotId, usize)] {
        &self.groups
    }
}
