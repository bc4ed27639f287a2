//! One directive: where it may stand, what it takes, what it does, and a line for the reference.

use std::borrow::Cow;

use super::arguments::{Argument, Arguments, at_least};
use super::block::Block;
use super::context::Contexts;
use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;

/// Reads a directive into its block. It says what is wrong with the arguments; context, number of arguments and
/// repetition have been checked.
pub(in crate::config) type Reader = fn(&mut Block, &Directive, &mut Report);

/// Begins the block that a directive opens inside `outer`, from the directive's arguments.
pub(in crate::config) type Begin = fn(&Directive, outer: &Block, &mut Report) -> Block;

/// What a directive does.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) enum Effect {
    /// Gives its block something.
    Reads(Reader),
    /// Opens a block that has directives of its own.
    Opens(Begin),
    /// `include`: replaced by what it includes before anything is read.
    Expanded,
    /// Accepted; the reason why that is harmless.
    Ignored(&'static str),
    /// Known to nginx and not accepted; the reason.
    Refused(&'static str),
}

/// What holds without the directive.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) enum Absence {
    /// Words of the reference: nothing, or what no single value says.
    Words(&'static str),
    /// The arguments that the directive would have, printed from the value that holds.
    Printed(fn() -> String),
}

/// One directive.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Row {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) contexts: Contexts,
    pub(in crate::config) arguments: Arguments,
    /// Whether it is followed by `{`.
    pub(in crate::config) block: bool,
    /// Whether a block may hold it more than once.
    pub(in crate::config) repeatable: bool,
    pub(in crate::config) absence: Absence,
    pub(in crate::config) effect: Effect,
    /// Arguments with which it asks for what happens anyway, and is accepted without a word.
    pub(in crate::config) harmless: &'static [&'static str],
    /// One line for the reference.
    pub(in crate::config) summary: &'static str,
    /// What is different from nginx, for the reference; empty where nothing is.
    pub(in crate::config) differs: &'static str,
}

/// A directive without a default.
pub(in crate::config) const fn row(
    name: &'static str,
    contexts: Contexts,
    arguments: Arguments,
    effect: Effect,
    summary: &'static str,
) -> Row {
    let block = matches!(effect, Effect::Opens(_));
    let absence = Absence::Words("");
    Row {
        name,
        contexts,
        arguments,
        block,
        repeatable: false,
        absence,
        effect,
        harmless: &[],
        summary,
        differs: "",
    }
}

/// A directive whose argument is declared as a type: what `settings!` makes.
pub(in crate::config) const fn setting<A: Argument>(
    name: &'static str,
    contexts: Contexts,
    default: fn() -> String,
    reader: Reader,
    summary: &'static str,
) -> Row {
    let row = row(name, contexts, A::ARGUMENTS, Effect::Reads(reader), summary).default(default);
    Row { block: A::BLOCK, repeatable: A::REPEATABLE, ..row }
}

pub(in crate::config) const fn no_effect(
    name: &'static str,
    contexts: Contexts,
    arguments: Arguments,
    reason: &'static str,
) -> Row {
    row(name, contexts, arguments, Effect::Ignored(reason), "")
}

pub(in crate::config) const fn refused(name: &'static str, contexts: Contexts, reason: &'static str) -> Row {
    row(name, contexts, at_least(0, ""), Effect::Refused(reason), "").repeatable()
}

impl Row {
    pub(in crate::config) const fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    pub(in crate::config) const fn with_block(self) -> Self {
        Self { block: true, ..self }
    }

    pub(in crate::config) const fn harmless(self, arguments: &'static [&'static str]) -> Self {
        Self { harmless: arguments, ..self }
    }

    pub(in crate::config) const fn differs(self, words: &'static str) -> Self {
        Self { differs: words, ..self }
    }

    /// The default, printed from the value that holds.
    pub(in crate::config) const fn default(self, print: fn() -> String) -> Self {
        Self { absence: Absence::Printed(print), ..self }
    }

    /// What holds without the directive, where no value of its own says that.
    pub(in crate::config) const fn without(self, words: &'static str) -> Self {
        Self { absence: Absence::Words(words), ..self }
    }

    /// What holds without the directive, as the reference writes it.
    pub(in crate::config) fn default_text(&self) -> Cow<'static, str> {
        match self.absence {
            Absence::Words(words) => Cow::Borrowed(words),
            Absence::Printed(print) => Cow::Owned(print()),
        }
    }

    /// Whether this use of it asks for what happens anyway: a directive that does nothing asks for that with nginx's
    /// default, too.
    pub(in crate::config) fn is_harmless(&self, directive: &Directive) -> bool {
        let written: Vec<&str> = directive.words().collect();
        let written = written.join(" ");
        let says_default = || {
            matches!(self.effect, Effect::Ignored(_))
                && !written.is_empty()
                && *self.default_text() == written
        };
        self.harmless.contains(&written.as_str()) || says_default()
    }

    /// Whether it has the argument that it takes; for rows whose value nobody uses.
    pub(in crate::config) fn is_sound(&self, directive: &Directive, report: &mut Report) -> bool {
        self.arguments.check.is_none_or(|check| check(directive, report))
    }
}
