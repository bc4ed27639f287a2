//! What is wrong with a configuration, in nginx's words: `[emerg] unknown directive "x" in FILE:LINE`.
//!
//! nginx stops at the first mistake; `Report` takes them all. The words that nginx has for a mistake are kept
//! as they are, so that whoever searches for them finds what is written about nginx; what we can say beyond them
//! stands behind the position, in parentheses. What is found many times for one cause is one line (`causes`).

use std::collections::HashSet;
use std::fmt;

use self::causes::Cause;
use super::zones::{LimitZone, ZoneNames};
use crate::script::{Computed, Definition, Names};

pub use super::position::Position;

pub(in crate::config) use self::causes::Package;

pub(super) mod causes;

/// nginx's severities, most talkative first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// `debug`
    Debug,
    /// `info`
    Info,
    /// `notice`
    Notice,
    /// `warn`
    Warn,
    /// `error`
    Error,
    /// `crit`
    Crit,
    /// `alert`
    Alert,
    /// `emerg`
    Emerg,
}

impl Severity {
    /// nginx's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Crit => "crit",
            Self::Alert => "alert",
            Self::Emerg => "emerg",
        }
    }

    /// The severity that nginx calls so.
    pub(in crate::config) fn named(name: &str) -> Option<Self> {
        use Severity::{Alert, Crit, Debug, Emerg, Error, Info, Notice, Warn};
        [Debug, Info, Notice, Warn, Error, Crit, Alert, Emerg].into_iter().find(|level| level.name() == name)
    }
}

/// One finding about a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// `Emerg` refuses the configuration; `Warn` is said and changes nothing; `Notice` explains another finding.
    pub severity: Severity,
    /// What is wrong, without the position.
    pub message: String,
    /// Where, when a place in a file is to blame.
    pub position: Option<Position>,
    /// What would help: the value at fault, what would be accepted, a likely spelling.
    pub hint: Option<String>,
    /// What findings that are alike have in common, so that they become one line.
    pub(super) cause: Option<Box<Cause>>,
}

impl Diagnostic {
    /// A finding that refuses the configuration.
    pub fn emerg(message: impl Into<String>, position: impl Into<Option<Position>>) -> Self {
        Self::new(Severity::Emerg, message.into(), position.into())
    }

    /// A finding that the user should hear of.
    pub fn warn(message: impl Into<String>, position: impl Into<Option<Position>>) -> Self {
        Self::new(Severity::Warn, message.into(), position.into())
    }

    /// An explanation that goes with another finding.
    pub fn notice(message: impl Into<String>, position: impl Into<Option<Position>>) -> Self {
        Self::new(Severity::Notice, message.into(), position.into())
    }

    /// The same, with what would help.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, as one of many of the same cause.
    pub(super) fn because(mut self, cause: Cause) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// The finding without its severity, as a log line has it.
    pub fn unlabelled(&self) -> impl fmt::Display + '_ {
        Unlabelled(self)
    }

    fn new(severity: Severity, message: String, position: Option<Position>) -> Self {
        Self { severity, message, position, hint: None, cause: None }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.severity.name(), self.unlabelled())
    }
}

/// A finding without its severity: for a log line, which has the severity already.
struct Unlabelled<'a>(&'a Diagnostic);

impl fmt::Display for Unlabelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(position) = &self.0.position {
            write!(f, " in {position}")?;
        }
        match &self.0.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// Everything found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    findings: Vec<Diagnostic>,
    names: Names<Position>,
    computed: Vec<Computed>,
    zones: ZoneNames,
    /// Variables that a refused directive would define, in lower case.
    refused_variables: HashSet<String>,
}

impl Report {
    pub(super) fn add(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    pub(super) fn emerg(&mut self, message: impl Into<String>, position: &Position) {
        self.add(Diagnostic::emerg(message, position.clone()));
    }

    pub(super) fn emerg_hint(
        &mut self,
        message: impl Into<String>,
        position: &Position,
        hint: impl Into<String>,
    ) {
        self.add(Diagnostic::emerg(message, position.clone()).with_hint(hint));
    }

    pub(super) fn warn(&mut self, message: impl Into<String>, position: &Position) {
        self.add(Diagnostic::warn(message, position.clone()));
    }

    /// Defines a variable by a block that works its value out.
    pub(super) fn define_computed(&mut self, name: &str, computed: Computed, position: &Position) {
        match self.names.define(name, Definition::Computed(self.computed.len())) {
            Ok(_) => self.computed.push(computed),
            Err(error) => self.emerg(error.to_string(), position),
        }
    }

    /// The blocks that work values out.
    pub(super) fn take_computed(&mut self) -> Vec<Computed> {
        std::mem::take(&mut self.computed)
    }

    /// The names of variables met so far.
    pub(super) fn names(&mut self) -> &mut Names<Position> {
        &mut self.names
    }

    /// The names of zones met so far.
    pub(super) fn zones(&mut self) -> &mut ZoneNames {
        &mut self.zones
    }

    /// Takes the zones that have been declared, by id, and reports those that have not. For the end.
    pub(super) fn take_zones(&mut self) -> Vec<LimitZone> {
        let (zones, undeclared) = self.zones.take();
        let findings = undeclared
            .into_iter()
            .map(|unknown| Diagnostic::emerg(unknown.message, unknown.first).with_hint(unknown.hint));
        self.findings.extend(findings);
        zones
    }

    /// A directive of nginx's that is refused for a reason.
    pub(super) fn refused(&mut self, name: &str, reason: &'static str, position: &Position) {
        let message = format!("nginx's directive \"{name}\" is not supported: {reason}");
        let cause = Cause::Refused { what: name.to_owned(), reason };
        self.add(Diagnostic::emerg(message, position.clone()).because(cause));
    }

    /// A directive that is accepted and does nothing.
    pub(super) fn no_effect(&mut self, name: &str, reason: &'static str, position: &Position) {
        let message = format!("\"{name}\" has no effect here: {reason}");
        let cause = Cause::NoEffect { what: name.to_owned(), reason };
        self.add(Diagnostic::warn(message, position.clone()).because(cause));
    }

    /// Something that is still to come: `what` names it in a list, `message` says it alone.
    pub(super) fn pending(
        &mut self,
        package: &'static Package,
        what: String,
        message: String,
        position: &Position,
    ) {
        self.add(Diagnostic::emerg(message, position.clone()).because(Cause::Pending { what, package }));
    }

    /// A variable that a refused directive would define: that it is unknown is no news.
    pub(super) fn refused_variable(&mut self, name: &str) {
        self.refused_variables.insert(name.to_ascii_lowercase());
    }

    /// Reports every use of a variable that nothing defines. For the end: a definition may stand below its use.
    /// `pending` tells the package that a variable of nginx's comes with.
    pub(super) fn check_names(&mut self, pending: impl Fn(&str) -> Option<&'static Package>) {
        for (used, hint) in self.names.undefined() {
            let name = used.written.to_ascii_lowercase();
            if self.refused_variables.contains(&name) {
                continue;
            }
            self.findings.push(match pending(&name) {
                Some(package) => {
                    let message = format!("nginx's variable \"${name}\" is not supported yet");
                    let cause = Cause::Pending { what: format!("${name}"), package };
                    Diagnostic::emerg(message, used.at.clone()).because(cause)
                }
                None => {
                    let message = format!("unknown \"{}\" variable", used.written);
                    let finding = Diagnostic::emerg(message, used.at.clone());
                    match hint {
                        Some(hint) => finding.with_hint(hint),
                        None => finding,
                    }
                }
            });
        }
    }

    /// For the end of reading: settings of a package that nothing in the configuration switches on do nothing.
    pub(super) fn settle(&mut self) {
        causes::settle(&mut self.findings);
    }

    /// Takes what has been defined, by slot. For the end.
    pub(super) fn take_definitions(&mut self) -> Vec<Definition> {
        std::mem::take(&mut self.names).into_definitions()
    }

    /// Whether the configuration is refused already.
    pub(super) fn refuses(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Emerg)
    }

    /// All findings, in the order of `files` and of their lines, each cause once; those without a place last.
    pub(super) fn into_ordered(self, files: &[&std::path::Path]) -> Vec<Diagnostic> {
        let mut findings = self.findings;
        let place = |finding: &Diagnostic| match &finding.position {
            Some(position) => {
                let named = std::path::Path::new(&*position.file);
                // The command line (-g) is in no file, and is read before all of them.
                let file = files.iter().position(|file| *file == named).map_or(0, |index| index + 1);
                (file, position.line)
            }
            None => (usize::MAX, 0),
        };
        findings.sort_by_key(place);
        let mut seen = HashSet::new();
        findings.retain(|finding| seen.insert(finding.to_string()));
        causes::merged(findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: &str, line: u32) -> Position {
        Position { file: file.into(), line }
    }

    #[test]
    fn prints_as_nginx_does_with_the_hint_behind() {
        let finding = Diagnostic::emerg("unknown directive \"proxy_pas\"", at("a.conf", 3));
        assert_eq!(finding.to_string(), "[emerg] unknown directive \"proxy_pas\" in a.conf:3");
        assert_eq!(
            finding.with_hint("did you mean \"proxy_pass\"?").to_string(),
            "[emerg] unknown directive \"proxy_pas\" in a.conf:3 (did you mean \"proxy_pass\"?)"
        );
        assert_eq!(Diagnostic::warn("x", at("command line", 0)).to_string(), "[warn] x in command line");
        assert_eq!(Diagnostic::notice("x", None).to_string(), "[notice] x");
    }

    #[test]
    fn orders_by_file_and_line_and_says_nothing_twice() {
        let mut report = Report::default();
        report.emerg("c", &at("b.conf", 1));
        report.emerg("b", &at("a.conf", 9));
        report.add(Diagnostic::emerg("d", None));
        report.warn("a", &at("a.conf", 2));
        report.emerg("b", &at("a.conf", 9));
        report.emerg("0", &at("command line", 0));
        let ordered = report.into_ordered(&["a.conf".as_ref(), "b.conf".as_ref()]);
        let messages: Vec<&str> = ordered.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(messages, ["0", "a", "b", "c", "d"]);
    }
}
