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
mod core;
mod elsewhere;
mod events;
mod headers;
mod http;
mod listen;
mod location;
mod log;
mod proxy;
mod resolver;
mod rewrite;
mod server_name;
mod upstream;

use super::diagnostics::Report;
use super::draft::{HttpDraft, MainDraft, ServerDraft, Settings, UpstreamDraft};
use super::syntax::Directive;

pub(super) use listen::DEFAULT_BACKLOG;
pub(super) use location::open as open_location;
pub(super) use log::COMBINED;
pub(super) use proxy::names_upstream;
pub(super) use upstream::open as open_upstream;

/// A set of contexts.
pub(super) type Contexts = u8;

pub(super) const MAIN: Contexts = 1;
pub(super) const EVENTS: Contexts = 1 << 1;
pub(super) const HTTP: Contexts = 1 << 2;
pub(super) const SERVER: Contexts = 1 << 3;
pub(super) const LOCATION: Contexts = 1 << 4;
pub(super) const UPSTREAM: Contexts = 1 << 5;
/// Where most settings may stand.
pub(super) const LEVELS: Contexts = HTTP | SERVER | LOCATION;
pub(super) const ANYWHERE: Contexts = MAIN | EVENTS | LEVELS | UPSTREAM;

const CONTEXT_NAMES: [(Contexts, &str); 6] = [
    (MAIN, "main"),
    (EVENTS, "events"),
    (HTTP, "http"),
    (SERVER, "server"),
    (LOCATION, "location"),
    (UPSTREAM, "upstream"),
];

/// The names of contexts, for people.
pub(super) fn context_names(contexts: Contexts) -> String {
    let names: Vec<&str> =
        CONTEXT_NAMES.iter().filter(|(context, _)| contexts & context != 0).map(|(_, name)| *name).collect();
    names.join(", ")
}

/// What a directive takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arguments {
    pub(super) min: usize,
    pub(super) max: usize,
    /// As the reference writes them.
    pub(super) syntax: &'static str,
    pub(super) kind: Kind,
}

/// What a single argument must be; checked even where the directive has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Words,
    Flag,
    Number,
    Size,
    Offset,
    Milliseconds,
    Seconds,
}

pub(super) const FLAG: Arguments = single(Kind::Flag, "on | off");
pub(super) const NUMBER: Arguments = single(Kind::Number, "number");
pub(super) const SIZE: Arguments = single(Kind::Size, "size");
pub(super) const OFFSET: Arguments = single(Kind::Offset, "size");
pub(super) const TIME: Arguments = single(Kind::Milliseconds, "time");
pub(super) const SECONDS: Arguments = single(Kind::Seconds, "time");

const fn single(kind: Kind, syntax: &'static str) -> Arguments {
    Arguments { min: 1, max: 1, syntax, kind }
}

pub(super) const fn words(min: usize, max: usize, syntax: &'static str) -> Arguments {
    Arguments { min, max, syntax, kind: Kind::Words }
}

pub(super) const fn one(syntax: &'static str) -> Arguments {
    words(1, 1, syntax)
}

pub(super) const fn at_least(min: usize, syntax: &'static str) -> Arguments {
    words(min, usize::MAX, syntax)
}

/// Reads a directive into the draft of its level. It says what is wrong with the arguments; context, number of
/// arguments and repetition have been checked.
pub(super) type Reader<Draft> = fn(&mut Draft, &Directive, &mut Report);

/// What a directive does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Effect {
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
pub(super) enum Block {
    Events,
    Http,
    Server,
    Location,
    Upstream,
}

/// One directive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) contexts: Contexts,
    pub(super) arguments: Arguments,
    /// Whether it is followed by `{`.
    pub(super) block: bool,
    /// Whether a block may hold it more than once.
    pub(super) repeatable: bool,
    /// What holds without it, as the reference writes it.
    pub(super) default: &'static str,
    pub(super) effect: Effect,
    /// Arguments with which it asks for what happens anyway, and is accepted without a word.
    pub(super) harmless: &'static [&'static str],
    /// One line for the reference.
    pub(super) summary: &'static str,
}

pub(super) const fn row(
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

pub(super) const fn no_effect(
    name: &'static str,
    contexts: Contexts,
    arguments: Arguments,
    reason: &'static str,
) -> Row {
    row(name, contexts, arguments, "", Effect::Ignored(reason), "")
}

pub(super) const fn refused(name: &'static str, contexts: Contexts, reason: &'static str) -> Row {
    row(name, contexts, at_least(0, ""), "", Effect::Refused(reason), "").repeatable()
}

impl Row {
    pub(super) const fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    pub(super) const fn with_block(self) -> Self {
        Self { block: true, ..self }
    }

    pub(super) const fn harmless(self, arguments: &'static [&'static str]) -> Self {
        Self { harmless: arguments, ..self }
    }

    /// Whether this use of it asks for what happens anyway.
    pub(super) fn is_harmless(&self, directive: &Directive) -> bool {
        let written: Vec<&str> = directive.words().collect();
        self.harmless.contains(&written.join(" ").as_str())
    }
}

/// The directives of one nginx module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Module {
    pub(super) title: &'static str,
    pub(super) rows: &'static [Row],
}

/// Directives that are refused for one reason all together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    pub(super) module: &'static str,
    pub(super) reason: &'static str,
    /// Separated by blanks.
    names: &'static str,
}

impl Family {
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.names.split_whitespace()
    }
}

/// All that is known, in the order of the reference.
pub(super) const MODULES: &[Module] = &[
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
pub(super) fn rows(name: &str) -> impl Iterator<Item = &'static Row> {
    MODULES.iter().flat_map(|module| module.rows).filter(move |row| row.name == name)
}

/// The family that a name belongs to.
pub(super) fn family(name: &str) -> Option<&'static Family> {
    elsewhere::FAMILIES.iter().find(|family| family.names().any(|known| known == name))
}

pub(super) fn families() -> &'static [Family] {
    elsewhere::FAMILIES
}

/// The names that make sense in a context, for suggestions: what does something first.
pub(super) fn names_in(context: Contexts) -> impl Iterator<Item = &'static str> {
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
