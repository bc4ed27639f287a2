//! One colour for each backend, the same in every chart and table.
//!
//! The colours are Paul Tol's "muted" scheme (<https://personal.sron.nl/~pault/>, "Qualitative colour schemes"), made so
//! that people with any kind of colour blindness tell them apart, ordered so that neighbours differ in brightness. Past
//! its eight, the same ones come again hatched; past sixteen, no palette helps, and the rest is drawn as one.

use std::collections::BTreeMap;

use crate::summary::BackendShare;

/// How many colours the palette has.
const PLAIN: usize = 8;
/// How many with their hatched doubles, without the grey of the rest.
const DISTINCT: usize = 2 * PLAIN;

/// A colour of the palette; ordered as areas are stacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Colour(usize);

impl Colour {
    /// Its class in the style sheet.
    pub(super) fn class(self) -> String {
        if self.0 < DISTINCT { format!("b{}", self.0 % PLAIN) } else { "rest".to_owned() }
    }

    /// Whether it has lines across it.
    pub(super) fn is_hatched(self) -> bool {
        (PLAIN..DISTINCT).contains(&self.0)
    }
}

/// Which backend has which.
#[derive(Debug)]
pub(super) struct Colours {
    by_name: BTreeMap<String, Colour>,
}

impl Colours {
    /// By the order of the names, as everywhere; when there are more than can be told apart, those with the fewest
    /// answers share one.
    pub(super) fn new(backends: &[BackendShare]) -> Self {
        let mut by_answers: Vec<_> = backends.iter().collect();
        by_answers.sort_by_key(|backend| std::cmp::Reverse(backend.answers));
        by_answers.truncate(DISTINCT);
        let mut names: Vec<_> = by_answers.into_iter().map(|backend| backend.name.clone()).collect();
        names.sort();
        Self { by_name: names.into_iter().enumerate().map(|(index, name)| (name, Colour(index))).collect() }
    }

    /// The colour of a backend.
    pub(super) fn of(&self, name: &str) -> Colour {
        self.by_name.get(name).copied().unwrap_or(Colour(DISTINCT))
    }

    /// All that there are, that of the rest included, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = Colour> {
        (0..self.by_name.len()).chain([DISTINCT]).map(Colour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_have_a_colour_of_their_own() {
        let backend = |index: u64| BackendShare {
            name: format!("b{index:02}"),
            answers: index,
            share: 0.0,
            errors: 0,
            classes: BTreeMap::new(),
            latency_ms: None,
        };
        let backends: Vec<_> = (0..20).map(backend).collect();
        let colours = Colours::new(&backends);
        let classes: Vec<_> =
            ["b03", "b04", "b11", "b12", "b19", "?"].map(|name| colours.of(name)).into_iter().collect();
        assert_eq!(classes, [DISTINCT, 0, 7, 8, 15, DISTINCT].map(Colour));
        assert_eq!(classes[3].class(), "b0");
        assert_eq!(
            classes.iter().map(|colour| colour.is_hatched()).collect::<Vec<_>>(),
            [false, false, false, true, true, false]
        );
        assert_eq!(colours.all().count(), DISTINCT + 1);
    }
}
