//! `map`: a value for each value of another string.
//!
//! The order of nginx's `ngx_http_map_find`: the exact string, then (with `hostnames`) the longest wildcard in front, the
//! longest at the end, then the first regular expression in order of appearance, then the default. Strings compare
//! without case, regular expressions see the string as it is; the empty string meets no regular expression.

use std::collections::HashMap;

use super::pattern::{Matched, Pattern};
use super::regex::LimitReached;
use super::template::Template;
use super::wildcards::Wildcards;

/// Which of a map's values: many entries may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueId(usize);

/// A `map` block.
#[derive(Debug, Default)]
pub struct Map {
    source: Template,
    values: Vec<Template>,
    /// In lower case.
    exact: HashMap<Box<[u8]>, ValueId>,
    /// `.example.org`
    suffixes: Wildcards<ValueId>,
    /// `mail.`
    prefixes: Wildcards<ValueId>,
    patterns: Vec<(Pattern, ValueId)>,
    default: Option<ValueId>,
    hostnames: bool,
    volatile: bool,
    nothing: Template,
}

/// What a map chooses.
#[derive(Debug)]
pub struct Chosen<'m> {
    /// The value; empty where the map has neither an entry nor a default.
    pub value: &'m Template,
    /// The regular expression that matched: its groups are the request's from here on, also for the value.
    pub matched: Option<Matched>,
    /// A regular expression gave up, and the default stands in.
    pub gave_up: Option<LimitReached>,
}

impl Map {
    /// A map of `source`, still without entries.
    pub fn new(source: Template) -> Self {
        Self { source, ..Self::default() }
    }

    /// Adds a value for the entries that follow.
    pub fn add_value(&mut self, value: Template) -> ValueId {
        self.values.push(value);
        ValueId(self.values.len() - 1)
    }

    /// `hostnames`: a final dot of the source does not count.
    pub fn take_hostnames(&mut self) {
        self.hostnames = true;
    }

    /// Whether `hostnames` has been given.
    pub fn takes_hostnames(&self) -> bool {
        self.hostnames
    }

    /// `volatile`: the value is worked out at every use.
    pub fn set_volatile(&mut self) {
        self.volatile = true;
    }

    /// `default`; false when there is one already.
    pub fn add_default(&mut self, value: ValueId) -> bool {
        self.default.replace(value).is_none()
    }

    /// An exact string; false when there is such an entry already.
    pub fn add_exact(&mut self, key: &str, value: ValueId) -> bool {
        self.exact.insert(key.to_ascii_lowercase().as_bytes().into(), value).is_none()
    }

    /// `*.example.org`, given as `.example.org` in lower case; false when there is such an entry already.
    pub fn add_suffix(&mut self, suffix: &str, value: ValueId) -> bool {
        self.suffixes.add(suffix, value)
    }

    /// `mail.*`, given as `mail.` in lower case; false when there is such an entry already.
    pub fn add_prefix(&mut self, prefix: &str, value: ValueId) -> bool {
        self.prefixes.add(prefix, value)
    }

    /// A regular expression.
    pub fn add_pattern(&mut self, pattern: Pattern, value: ValueId) {
        self.patterns.push((pattern, value));
    }

    /// The string whose value is looked up.
    pub fn source(&self) -> &Template {
        &self.source
    }

    /// Whether the value is worked out at every use.
    pub fn volatile(&self) -> bool {
        self.volatile
    }

    /// The value for `key`, which is what the source gives.
    pub fn choose(&self, key: &[u8]) -> Chosen<'_> {
        let key = if self.hostnames { key.strip_suffix(b".").unwrap_or(key) } else { key };
        if let Some(value) = self.by_text(key) {
            return self.chosen(Some(value), None, None);
        }
        if !key.is_empty() {
            for (pattern, value) in &self.patterns {
                match pattern.matched(key) {
                    Ok(None) => {}
                    Ok(Some(matched)) => return self.chosen(Some(*value), Some(matched), None),
                    Err(error) => return self.chosen(self.default, None, Some(error)),
                }
            }
        }
        self.chosen(self.default, None, None)
    }

    fn by_text(&self, key: &[u8]) -> Option<ValueId> {
        let lowered: Vec<u8>;
        let name = if key.iter().any(u8::is_ascii_uppercase) {
            lowered = key.to_ascii_lowercase();
            &lowered
        } else {
            key
        };
        let wildcard = || self.suffixes.find_suffix(name).or_else(|| self.prefixes.find_prefix(name));
        self.exact.get(name).or_else(wildcard).copied()
    }

    fn chosen(
        &self,
        value: Option<ValueId>,
        matched: Option<Matched>,
        gave_up: Option<LimitReached>,
    ) -> Chosen<'_> {
        let value = value.and_then(|value| self.values.get(value.0)).unwrap_or(&self.nothing);
        Chosen { value, matched, gave_up }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::script::{Case, Names, Regex};

    fn map(entries: &[(&str, &str)]) -> Map {
        let mut map = Map::default();
        for (key, text) in entries {
            let value = map.add_value(Template::literal(text));
            if let Some(regex) = key.strip_prefix('~') {
                let regex = Regex::new(regex, Case::Sensitive).unwrap();
                map.add_pattern(Pattern::new(regex, &mut Names::<()>::default()).unwrap(), value);
            } else if let Some(suffix) = key.strip_prefix('*') {
                assert!(map.add_suffix(suffix, value));
            } else if let Some(prefix) = key.strip_suffix('*') {
                assert!(map.add_prefix(prefix, value));
            } else if *key == "default" {
                assert!(map.add_default(value));
            } else {
                assert!(map.add_exact(key, value));
            }
        }
        map
    }

    #[track_caller]
    fn chooses(map: &Map, cases: &[(&str, &str)]) {
        for (key, value) in cases {
            assert_eq!(map.choose(key.as_bytes()).value.as_literal(), Some(*value), "{key}");
        }
    }

    #[test]
    fn strings_come_before_patterns_and_patterns_before_the_default() {
        let map = map(&[
            ("~^a", "first"),
            ("Abc", "exact"),
            ("~b", "second"),
            ("default", "default"),
            ("", "empty"),
            ("~^$", "never"),
        ]);
        chooses(
            &map,
            &[
                ("abc", "exact"),
                ("ABC", "exact"),
                ("ab", "first"),
                ("xb", "second"),
                ("xB", "default"),
                ("", "empty"),
            ],
        );
        assert!(map.choose(b"ab").matched.is_some() && map.choose(b"abc").matched.is_none());
    }

    #[test]
    fn without_a_default_the_value_is_empty() {
        chooses(&map(&[("a", "1"), ("~^$", "never")]), &[("a", "1"), ("b", ""), ("", "")]);
    }

    #[test]
    fn masks_are_for_host_names() {
        let mut map = map(&[
            ("*.example.org", "suffix"),
            ("*.b.example.org", "longer"),
            ("mail.*", "prefix"),
            ("a.b", "exact"),
        ]);
        map.take_hostnames();
        chooses(
            &map,
            &[
                ("x.Example.org", "suffix"),
                ("x.example.org.", "suffix"),
                ("x.b.example.org", "longer"),
                ("mail.example.org", "suffix"),
                ("mail.example.net", "prefix"),
                ("a.b.", "exact"),
                ("example.org", ""),
                (".", ""),
            ],
        );
    }

    #[test]
    fn a_pattern_that_gives_up_leaves_the_default() {
        let map = map(&[("~^(?!x)(a+)+$", "1"), ("~!", "2"), ("default", "d")]);
        let chosen = map.choose(format!("{}!", "a".repeat(2_000)).as_bytes());
        assert_eq!(chosen.value.as_literal(), Some("d"));
        assert!(chosen.gave_up.is_some());
    }

    #[test]
    fn entries_are_told_when_they_are_there_already() {
        let mut map = map(&[("A", "1"), ("*.a", "2"), ("default", "3")]);
        let value = map.add_value(Template::literal("4"));
        assert!(!map.add_exact("a", value) && !map.add_suffix(".a", value) && !map.add_default(value));
    }
}
