//! The table of directives: one row each, from which they are checked, read and documented.
//!
//! A row says where a directive may stand, how many arguments it takes, whether it may be repeated, what holds when
//! it is absent, what it does (its reader), and one line for `docs/directives.md`. Nothing about a directive is
//! known anywhere else; a new one is a new row. Each file here holds the rows of one nginx module.
//!
//! What nginx knows and we do not implement has a row too. It is [`Effect::Ignored`] where leaving it out changes
//! nothing that clients or servers could rely on, and [`Effect::Refused`] otherwise: a configuration that says
//! `deny all` must not start as one that does not.

mod arguments;
pub(super) mod draft;
pub(super) mod reading;
pub(super) mod reference;

use self::draft::{HttpDraft, MainDraft, ServerDraft, Settings, UpstreamDraft};
use super::diagnostics::Report;
use super::modules::{core, elsewhere, events, headers, http, log, proxy, resolver, rewrite, upstream};
use super::syntax::Directive;

/// A set of contexts.
pub(in crate::config) type Contexts = u8;

pub(in crate::config) const MAIN: Contexts = 1;
pub(in crate::config) const EVENTS: Contexts = 1 << 1;
pub(in crate::config) const HTTP: Contexts = 1 << 2;
pub(in crate::config) const SERVER: Contexts = 1 << 3;
pub(in crate::config) const LOCATION: Contexts = 1 << 4;
pub(in crate::config) const UPSTREAM: Contexts = 1 << 5;
/// Where most settings may stand.
pub(in crate::config) const LEVELS: Contexts = HTTP | SERVER | LOCATION;
pub(in crate::config) const ANYWHERE: Contexts = MAIN | EVENTS | LEVELS | UPSTREAM;

const CONTEXT_NAMES: [(Contexts, &str); 6] = [
    (MAIN, "main"),
    (EVENTS, "events"),
    (HTTP, "http"),
    (SERVER, "server"),
    (LOCATION, "location"),
    (UPSTREAM, "upstream"),
];

/// The names of contexts, for people.
pub(in crate::config) fn context_names(contexts: Contexts) -> String {
    let names: Vec<&str> =
        CONTEXT_NAMES.iter().filter(|(context, _)| contexts & context != 0).map(|(_, name)| *name).collect();
    names.join(", ")
}

/// What a directive takes.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Arguments {
    pub(in crate::config) min: usize,
    pub(in crate::config) max: usize,
    /// As the reference writes them.
    pub(in crate::config) syntax: &'static str,
    pub(in crate::config) kind: Kind,
}

/// What a single argument must be; checked even where the directive has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Kind {
    Words,
    Flag,
    Number,
    Size,
    Offset,
    Milliseconds,
    Seconds,
}

pub(in crate::config) const FLAG: Arguments = single(Kind::Flag, "on | off");
pub(in crate::config) const NUMBER: Arguments = single(Kind::Number, "number");
pub(in crate::config) const SIZE: Arguments = single(Kind::Size, "size");
pub(in crate::config) const OFFSET: Arguments = single(Kind::Offset, "size");
pub(in crate::config) const TIME: Arguments = single(Kind::Milliseconds, "time");
pub(in crate::config) const SECONDS: Arguments = single(Kind::Seconds, "time");

const fn single(kind: Kind, syntax: &'static str) -> Arguments {
    Arguments { min: 1, max: 1, syntax, kind }
}

pub(in crate::config) const fn words(min: usize, max: usize, syntax: &'static str) -> Arguments {
    Arguments { min, max, syntax, kind: Kind::Words }
}

pub(in crate::config) const fn one(syntax: &'static str) -> Arguments {
    words(1, 1, syntax)
}

pub(in crate::config) const fn at_least(min: usize, syntax: &'static str) -> Arguments {
    words(min, usize::MAX, syntax)
}

/// Reads a directive into the draft of its level. It says what is wrong with the arguments; context, number of
/// arguments and repetition have been checked.
pub(in crate::config) type Reader<Draft> = fn(&mut Draft, &Directive, &mut Report);

/// What a directive does.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) enum Effect {
    Main(Reader<MainDraft>),
    Http(Reader<HttpDraft>),
    Server(Reader<ServerDraft>),
    /// A setting of `http`, `server` and `location`.
    Level(Reader<Settings>),
    Upstream(Reader<UpstreamDraft>),
    /// Opens a block that has directives of its own.
    Opens(Block),
    /// `include`: replaced by what it includes before anything is read.
    Expanded,
    /// Accepted; the reason why that is harmless.
    Ignored(&'static str),
    /// Known to nginx and not accepted; the reason.
    Refused(&'static str),
}

/// The blocks that have directives of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Block {
    Events,
    Http,
    Server,
    Location,
    Upstream,
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
    /// What holds without it, as the reference writes it.
    pub(in crate::config) default: &'static str,
    pub(in crate::config) effect: Effect,
    /// Arguments with which it asks for what happens anyway, and is accepted without a word.
    pub(in crate::config) harmless: &'static [&'static str],
    /// One line for the reference.
    pub(in crate::config) summary: &'static str,
}

pub(in crate::config) const fn row(
    name: &'static str,
    contexts: Contexts,
    arguments: Arguments,
    default: &'static str,
    effect: Effect,
    summary: &'static str,
) -> Row {
    let block = matches!(effect, Effect::Opens(_));
    Row { name, contexts, arguments, block, repeatable: false, default, effect, harmless: &[], summary }
}

pub(in crate::config) const fn no_effect(
    name: &'static str,
    contexts: Contexts,
    arguments: Arguments,
    reason: &'static str,
) -> Row {
    row(name, contexts, arguments, "", Effect::Ignored(reason), "")
}

pub(in crate::config) const fn refused(name: &'static str, contexts: Contexts, reason: &'static str) -> Row {
    row(name, contexts, at_least(0, ""), "", Effect::Refused(reason), "").repeatable()
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

    /// Whether this use of it asks for what happens anyway.
    pub(in crate::config) fn is_harmless(&self, directive: &Directive) -> bool {
        let written: Vec<&str> = directive.words().collect();
        self.harmless.contains(&written.join(" ").as_str())
    }
}

/// The directives of one nginx module.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Module {
    pub(in crate::config) title: &'static str,
    pub(in crate::config) rows: &'static [Row],
}

/// Directives that are refused for one reason all together.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Family {
    pub(in crate::config) module: &'static str,
    pub(in crate::config) reason: &'static str,
    /// Separated by blanks.
    pub(in crate::config) names: &'static str,
}

impl Family {
    pub(in crate::config) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.names.split_whitespace()
    }
}

/// All that is known, in the order of the reference.
pub(in crate::config) const MODULES: &[Module] = &[
    Module { title: "Main context", rows: core::ROWS },
    Module { title: "`events`", rows: events::ROWS },
    Module { title: "`http`, `server`, `location`", rows: http::ROWS },
    Module { title: "Logging", rows: log::ROWS },
    Module { title: "Response headers", rows: headers::ROWS },
    Module { title: "`return` and rewriting", rows: rewrite::ROWS },
    Module { title: "`upstream`", rows: upstream::ROWS },
    Module { title: "Name resolution", rows: resolver::ROWS },
    Module { title: "Proxying", rows: proxy::ROWS },
    Module { title: "Other standard modules", rows: elsewhere::ROWS },
];

/// The rows of a name: more than one where contexts give it different meanings.
pub(in crate::config) fn rows(name: &str) -> impl Iterator<Item = &'static Row> {
    MODULES.iter().flat_map(|module| module.rows).filter(move |row| row.name == name)
}

/// The family that a name belongs to.
pub(in crate::config) fn family(name: &str) -> Option<&'static Family> {
    elsewhere::FAMILIES.iter().find(|family| family.names().any(|known| known == name))
}

pub(in crate::config) fn families() -> &'static [Family] {
    elsewhere::FAMILIES
}

/// The names that make sense in a context, for suggestions: what does something first.
pub(in crate::config) fn names_in(context: Contexts) -> impl Iterator<Item = &'static str> {
    let implemented = |row: &&Row| !matches!(row.effect, Effect::Ignored(_) | Effect::Refused(_));
    let all = || MODULES.iter().flat_map(|module| module.rows).filter(move |row| row.contexts & context != 0);
    all().filter(implemented).chain(all().filter(move |row| !implemented(row))).map(|row| row.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_means_one_thing_in_one_context() {
        let all: Vec<&Row> = MODULES.iter().flat_map(|module| module.rows).collect();
        for (index, row) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                let clash = row.name == other.name && row.contexts & other.contexts != 0;
                assert!(
                    !clash,
                    "{} has two rows for {}",
                    row.name,
                    context_names(row.contexts & other.contexts)
                );
            }
            assert!(family(row.name).is_none(), "{} has a row and a family", row.name);
        }
        let mut names: Vec<&str> = families().iter().flat_map(Family::names).collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            assert_ne!(pair[0], pair[1], "in two families");
        }
    }

    #[test]
    fn every_reader_gets_the_draft_of_its_contexts() {
        for row in MODULES.iter().flat_map(|module| module.rows) {
            let possible = match row.effect {
                Effect::Main(_) => MAIN,
                Effect::Http(_) => HTTP,
                Effect::Server(_) => SERVER,
                Effect::Level(_) => LEVELS,
                Effect::Upstream(_) => UPSTREAM,
                Effect::Opens(Block::Events | Block::Http) => MAIN,
                Effect::Opens(Block::Server | Block::Upstream) => HTTP,
                Effect::Opens(Block::Location) => SERVER | LOCATION,
                Effect::Expanded | Effect::Ignored(_) | Effect::Refused(_) => ANYWHERE,
            };
            assert_eq!(row.contexts & !possible, 0, "{} could never be read", row.name);
            assert_ne!(row.contexts, 0, "{}", row.name);
        }
    }

    #[test]
    fn every_row_is_documented() {
        for row in MODULES.iter().flat_map(|module| module.rows) {
            let text = match row.effect {
                Effect::Ignored(reason) | Effect::Refused(reason) => reason,
                _ => row.summary,
            };
            assert!(text.len() > 10, "{} has no text", row.name);
            assert!(!text.ends_with('.') && !text.contains('\n'), "{}: one line, no full stop", row.name);
        }
    }
}
