//! What is wrong with a configuration, in nginx's words: `[emerg] unknown directive "x" in FILE:LINE`.

use std::fmt;

use super::model::{Position, Severity};

/// One finding about a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// `Emerg` refuses the configuration; `Warn` is said and changes nothing.
    pub severity: Severity,
    /// What is wrong, without the position.
    pub message: String,
    /// Where, when a place in a file is to blame.
    pub position: Option<Position>,
}

impl Diagnostic {
    /// A finding that refuses the configuration.
    pub fn emerg(message: impl Into<String>, position: impl Into<Option<Position>>) -> Self {
        Self { severity: Severity::Emerg, message: message.into(), position: position.into() }
    }

    /// A finding that the user should hear of.
    pub fn warn(message: impl Into<String>, position: impl Into<Option<Position>>) -> Self {
        Self { severity: Severity::Warn, message: message.into(), position: position.into() }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.severity.name(), self.message)?;
        match &self.position {
            Some(position) => write!(f, " in {position}"),
            None => Ok(()),
        }
    }
}
