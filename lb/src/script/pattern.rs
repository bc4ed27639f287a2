//! A regular expression of the configuration, with the slots of its named groups.

use super::names::{BuiltIn, Names};
use super::regex::{Captures, LimitReached, Regex};
use super::{Definition, SlotId};

/// The regular expression, and which slots its named groups fill.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    groups: Box<[(SlotId, usize)]>,
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

    /// What its groups match.
    ///
    /// # Errors
    ///
    /// When the limit of a match is reached.
    pub fn captures(&self, subject: &[u8]) -> Result<Option<Captures>, LimitReached> {
        self.regex.try_captures(subject)
    }

    /// The slots of the named groups, and the numbers of the groups.
    pub fn groups(&self) -> &[(SlotId, usize)] {
        &self.groups
    }
}
