//! What a directive is, how it is read, and how it is documented.
//!
//! A [`Row`] says where a directive may stand, how many arguments it takes, whether it may be repeated, what holds
//! when it is absent, what it does, and one line for `docs/directives.md`. The rows themselves are in `modules/`;
//! this directory knows none of them by name.
//!
//! What nginx knows and we do not implement has a row too. It is [`Effect::Ignored`] where leaving it out changes
//! nothing that clients or servers could rely on, and [`Effect::Refused`] otherwise: a configuration that says
//! `deny all` must not start as one that does not. Where a whole module is alike it is a [`Family`].

mod arguments;
mod block;
mod complaints;
mod context;
mod family;
pub(super) mod reading;
pub(super) mod reference;
mod row;
mod settings;

pub(super) use self::arguments::{
    Argument, Arguments, FLAG, Flag, Maybe, NUMBER, Number, OFFSET, Offset, SECONDS, SIZE, Seconds, Size,
    TIME, Text, Time, at_least, one, words,
};
pub(super) use self::block::Block;
pub(super) use self::context::{
    ANYWHERE, Contexts, EVENTS, HTTP, IF_IN_LOCATION, IF_IN_SERVER, LEVELS, LIMIT_EXCEPT, LOCATION, MAIN,
    SERVER, UPSTREAM,
};
pub(super) use self::family::{Family, Fate, Member};
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

/// Every directive that is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    /// In the order of the reference.
    pub(super) sections: &'static [Section],
    pub(super) families: &'static [&'static [Family]],
}

impl Table {
    pub(super) fn all(&self) -> impl Iterator<Item = &'static Row> + use<> {
        self.sections.iter().flat_map(|section| section.rows).flat_map(|rows| *rows)
    }

    /// The rows of a name: more than one where contexts give it different meanings.
    pub(super) fn rows(&self, name: &str) -> impl Iterator<Item = &'static Row> {
        self.all().filter(move |row| row.name == name)
    }

    pub(super) fn families(&self) -> impl Iterator<Item = &'static Family> + use<> {
        self.families.iter().flat_map(|families| *families)
    }

    /// The directive of this name that is one of a family.
    pub(super) fn member(&self, name: &str) -> Option<(&'static Family, Member)> {
        self.families().find_map(|family| Some((family, family.member(name)?)))
    }

    /// Whether a directive of this name does something, and not only inside `limit_except` or the like.
    pub(super) fn implements(&self, name: &str) -> bool {
        self.rows(name).any(|row| {
            let does_something = !matches!(row.effect, Effect::Ignored(_) | Effect::Refused(_));
            does_something && row.contexts.meets(ANYWHERE)
        })
    }

    /// The names that make sense in a context, for suggestions: what does something first.
    pub(super) fn names_in(&self, context: Contexts) -> impl Iterator<Item = &'static str> {
        let implemented = |row: &&Row| !matches!(row.effect, Effect::Ignored(_) | Effect::Refused(_));
        let here = || self.all().filter(move |row| row.contexts.meets(context));
        let members = self.families().flat_map(Family::members);
        let members = members.filter(move |member| member.contexts.meets(context)).map(|member| member.name);
        let others = here().filter(move |row| !implemented(row)).map(|row| row.name);
        here().filter(implemented).map(|row| row.name).chain(others).chain(members)
    }
}
