//! Directives that share one fate: a module that is still to come, is not done here, or has nothing to act on.
//!
//! A family is a list of lines, one for each directive: its name, the letters of its contexts, its arguments as
//! nginx's manual writes them, and behind ` = ` its default. A directive that says its default asks for nothing, and
//! is accepted whatever its family's fate. So are the arguments behind ` ! `.

use super::context::{
    Contexts, EVENTS, HTTP, IF_IN_LOCATION, IF_IN_SERVER, LIMIT_EXCEPT, LOCATION, MAIN, SERVER, UPSTREAM,
};
use crate::config::diagnostics::Package;
use crate::config::syntax::Directive;

/// What becomes of the directives of a family.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) enum Fate {
    /// They are still to come.
    Pending(&'static Package),
    /// They are refused; the reason, with what to do instead.
    Refused(&'static str),
    /// They are accepted; the reason why that is harmless.
    Ignored(&'static str),
}

/// Directives of one module, or of modules that are alike.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Family {
    pub(in crate::config) module: &'static str,
    pub(in crate::config) fate: Fate,
    /// A line for each directive.
    pub(in crate::config) lines: &'static str,
}

/// One directive of a family.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Member {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) contexts: Contexts,
    pub(in crate::config) syntax: &'static str,
    pub(in crate::config) default: Option<&'static str>,
    harmless: Option<&'static str>,
}

impl Family {
    pub(in crate::config) fn members(&self) -> impl Iterator<Item = Member> + use<> {
        self.lines.lines().map(Member::of_line)
    }

    /// The directive of this name.
    pub(in crate::config) fn member(&self, name: &str) -> Option<Member> {
        let is_of_name = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.is_empty())
        };
        self.lines.lines().find(is_of_name).map(Member::of_line)
    }
}

impl Member {
    fn of_line(line: &'static str) -> Self {
        let (line, harmless) = cut(line, " ! ");
        let (line, default) = cut(line, " = ");
        let (name, line) = line.split_once(' ').unwrap_or((line, ""));
        let (contexts, syntax) = line.split_once(' ').unwrap_or((line, ""));
        Self { name, contexts: contexts_of(contexts), syntax, default, harmless }
    }

    /// Whether the directive asks for what holds anyway.
    pub(in crate::config) fn is_harmless(&self, directive: &Directive) -> bool {
        let written: Vec<&str> = directive.words().collect();
        let written = Some(written.join(" "));
        directive.block.is_none()
            && (written.as_deref() == self.default || written.as_deref() == self.harmless)
    }

    /// The variable that the directive defines, as written, without the dollar.
    pub(in crate::config) fn defines<'d>(&self, directive: &'d Directive) -> Option<&'d str> {
        let index = self.syntax.split_whitespace().position(|word| word == "$variable")?;
        directive.argument(index).strip_prefix('$')
    }
}

/// What stands before the last `mark`, and behind it.
fn cut(line: &'static str, mark: &str) -> (&'static str, Option<&'static str>) {
    match line.rsplit_once(mark) {
        Some((line, rest)) => (line, Some(rest)),
        None => (line, None),
    }
}

fn contexts_of(letters: &str) -> Contexts {
    letters.chars().fold(Contexts::NONE, |contexts, letter| {
        contexts.or(match letter {
            'M' => MAIN,
            'E' => EVENTS,
            'H' => HTTP,
            'S' => SERVER,
            'L' => LOCATION,
            'U' => UPSTREAM,
            'I' => IF_IN_LOCATION,
            'V' => IF_IN_SERVER,
            'X' => LIMIT_EXCEPT,
            _ => Contexts::NONE,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_name_contexts_arguments_and_default() {
        let family = Family {
            module: "m",
            fate: Fate::Ignored("because"),
            lines: "a HS on | off = off\nab LIX letter | = | off = off\nabc M\nd HSL x | all ! all",
        };
        let written: Vec<_> =
            family.members().map(|one| (one.name, one.contexts.names(), one.syntax, one.default)).collect();
        assert_eq!(
            written,
            [
                ("a", "http, server".to_owned(), "on | off", Some("off")),
                ("ab", "location, if in location, limit_except".to_owned(), "letter | = | off", Some("off")),
                ("abc", "main".to_owned(), "", None),
                ("d", "http, server, location".to_owned(), "x | all", None),
            ]
        );
        assert_eq!(family.member("ab").map(|one| one.name), Some("ab"));
        assert!(family.member("abcd").is_none());
    }
}
