//! What a directive is, how it is read, and how it is documented.
//!
//! A [`Row`] says where a directive may stand, how many arguments it takes, whether it may be repeated, what holds
//! when it is absent, what it does, and one line for `docs/directives.md`. The rows themselves are in `modules/`;
//! this directory knows none of them by name.
//!
//! What nginx knows and we do not implement has a row too. It is [`Effect::Ignored`] where leaving it out changes
//! nothing that clients or servers could rely on, and [`Effect::Refused`] otherwise: a configuration that says
//! `deny all` must not start as one that does not.

mod arguments;
mod block;
mod complaints;
mod context;
pub(super) mod reading;
pub(super) mod reference;
mod row;
mod settings;

pub(super) use self::arguments::{
    Argument, Arguments, FLAG, Flag, Maybe, NUMBER, Number, OFFSET, Offset, SECONDS, SIZE, TIME, Time,
    at_least, one, words,
};
pub(super) use self::block::Block;
pub(super) use self::context::{
    ANYWHERE, Contexts, EVENTS, HTTP, IF_IN_LOCATION, IF_IN_SERVER, LEVELS, LIMIT_EXCEPT, LOCATION, MAIN,
    SERVER, UPSTREAM,
};
#[cfg(test)]
pub(super) use self::row::Absence;
pub(super) use self::row::{Effect, Row, no_effect, refused, row, setting};
pub(super) use self::settings::settings;

/// The directives of one section of the reference.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    pub(super) title: &'static str,
    /// The rows of one or more files, in order.
    pub(super) rows: &'static [&'static [Row]],
}

/// Directives that are refused for one reason all together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    pub(super) module: &'static str,
    pub(super) reason: &'static str,
    /// Separated by blanks.
    pub(super) names: &'static str,
}

impl Family {
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.names.split_whitespace()
    }
}

/// Every directive that is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    /// In the order of the reference.
    pub(super) sections: &'static [Section],
    pub(super) families: &'static [Family],
}

impl Table {
    pub(super) fn all(&self) -> impl Iterator<Item = &'static Row> + use<> {
        self.sections.iter().flat_map(|section| section.rows).flat_map(|rows| *rows)
    }

    /// The rows of a name: more than one where contexts give it different meanings.
    pub(super) fn rows(&self, name: &str) -> impl Iterator<Item = &'static Row> {
        self.all().filter(move |row| row.name == name)
    }

    /// The family that a name belongs to.
    pub(super) fn family(&self, name: &str) -> Option<&'static Family> {
        self.families.iter().find(|family| family.names().any(|known| known == name))
    }

    /// The names that make sense in a context, for suggestions: what does something first.
    pub(super) fn names_in(&self, context: Contexts) -> impl Iterator<Item = &'static str> {
        let implemented = |row: &&Row| !matches!(row.effect, Effect::Ignored(_) | Effect::Refused(_));
        let here = || self.all().filter(move |row| row.contexts.meets(context));
        here().filter(implemented).chain(here().filter(move |row| !implemented(row))).map(|row| row.name)
    }
}
