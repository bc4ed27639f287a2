//! `map`: a variable whose value depends on another string.

use std::collections::HashMap;

use super::server_name;
use crate::config::diagnostics::{Position, Report};
use crate::config::model::ServerName;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, HTTP, Row, row, words};
use crate::script::{Case, Computed, Map, ValueId};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("map", HTTP, words(2, 2, "string $variable { [hostnames;] [volatile;] [default value;] pattern value; … }"), Reads(map),
        "Defines a variable by the value of a string: exact, a mask of host names, or `~`, `~*` and a regular expression")
        .differs("`$args`, `$limit_rate`, `$proxy_host` and `$proxy_port`, which nginx lets a `map` take the place of, are refused").with_block().repeatable(),
];

fn map(_: &mut Block, directive: &Directive, report: &mut Report) {
    let source = report.template(directive, 0);
    let mut reading = Reading { map: Map::new(source.unwrap_or_default()), values: HashMap::new(), report };
    for entry in directive.block.iter().flatten() {
        reading.entry(entry);
    }
    let map = reading.map;
    define(directive, 1, Computed::Map(map), report);
}

/// Defines the variable that stands at `index` of a `map`, `geo` or `split_clients`.
pub(super) fn define(directive: &Directive, index: usize, computed: Computed, report: &mut Report) {
    let position = directive.argument_position(index);
    let Some(name) = variable_name(directive, index, report) else { return };
    report.define_computed(name, computed, &position);
}

/// The name of the variable at `index`, without its dollar.
pub(super) fn variable_name<'d>(
    directive: &'d Directive,
    index: usize,
    report: &mut Report,
) -> Option<&'d str> {
    let written = directive.argument(index);
    let name = written.strip_prefix('$').filter(|name| !name.is_empty());
    if name.is_none() {
        let message = format!("invalid variable name \"{written}\"");
        report.emerg_hint(message, &directive.argument_position(index), "a variable begins with \"$\"");
    }
    name
}

/// Whether an entry is a line of such a block and no block itself.
pub(super) fn is_line(entry: &Directive, report: &mut Report) -> bool {
    if entry.block.is_some() {
        report.emerg("unexpected \"{\"", &entry.position);
    }
    entry.block.is_none()
}

struct Reading<'r> {
    map: Map,
    /// By text: equal values are kept once.
    values: HashMap<String, ValueId>,
    report: &'r mut Report,
}

impl Reading<'_> {
    fn entry(&mut self, entry: &Directive) {
        if !is_line(entry, self.report) {
            return;
        }
        let position = &entry.position;
        match (entry.name.as_str(), entry.arguments.len()) {
            ("hostnames", 0) => self.map.take_hostnames(),
            ("volatile", 0) => self.map.set_volatile(),
            (key, 1) => {
                let Some(value) = self.value(entry) else { return };
                if key == "default" {
                    if !self.map.add_default(value) {
                        self.report.emerg("duplicate default map parameter", position);
                    }
                } else if let Some(pattern) = key.strip_prefix('~') {
                    let (pattern, case) = match pattern.strip_prefix('*') {
                        Some(pattern) => (pattern, Case::Insensitive),
                        None => (pattern, Case::Sensitive),
                    };
                    if let Some(pattern) = self.report.pattern(pattern, case, position) {
                        self.map.add_pattern(pattern, value);
                    }
                } else {
                    self.text(key.strip_prefix('\\').unwrap_or(key), value, position);
                }
            }
            _ => self.report.emerg("invalid number of the map parameters", position),
        }
    }

    fn value(&mut self, entry: &Directive) -> Option<ValueId> {
        let text = entry.argument(0);
        if let Some(known) = self.values.get(text) {
            return Some(*known);
        }
        let value = self.map.add_value(self.report.template(entry, 0)?);
        self.values.insert(text.to_owned(), value);
        Some(value)
    }

    /// A string, or a mask where `hostnames` stands above it.
    fn text(&mut self, key: &str, value: ValueId, position: &Position) {
        let lowered = key.to_ascii_lowercase();
        let is_new = if self.map.takes_hostnames() {
            match server_name::classify(&lowered) {
                Some(ServerName::LeadingWildcard(suffix)) => self.map.add_suffix(&suffix, value),
                Some(ServerName::DomainAndSubdomains(suffix)) => {
                    self.map.add_exact(&suffix[1..], value) && self.map.add_suffix(&suffix, value)
                }
                Some(ServerName::TrailingWildcard(prefix)) => self.map.add_prefix(&prefix, value),
                Some(ServerName::Exact(_) | ServerName::Regex(_)) => self.map.add_exact(&lowered, value),
                None => {
                    self.report.emerg(format!("invalid hostname or wildcard \"{key}\""), position);
                    return;
                }
            }
        } else {
            self.map.add_exact(&lowered, value)
        };
        if !is_new {
            self.report.emerg(format!("conflicting parameter \"{lowered}\""), position);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http, refused};
    use crate::script::{Computed, Definition, Map};

    fn map(entries: &str) -> Map {
        let text = format!("map $host $x {{ {entries} }} server {{ return 200 $x; }}");
        match accepted(&in_http(&text)).http.computed.pop() {
            Some(Computed::Map(map)) => map,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_kind_of_entry_is_read() {
        let map =
            map("hostnames; volatile; default d; a.b exact; *.c suffix; .d both; e.* prefix; ~^f Case; \
             ~*^g none; \\~h tilde; \\default word; \"\" empty; i \"\";");
        assert!(map.volatile());
        for (key, value) in [
            ("A.B", "exact"),
            ("x.c", "suffix"),
            ("d", "both"),
            ("x.d", "both"),
            ("e.x", "prefix"),
            ("fx", "Case"),
            ("Fx", "d"),
            ("GX", "none"),
            ("~h", "tilde"),
            ("default", "word"),
            ("", "empty"),
            ("i", ""),
            ("z", "d"),
        ] {
            assert_eq!(map.choose(key.as_bytes()).value.as_literal(), Some(value), "{key}");
        }
    }

    #[test]
    fn masks_mean_something_below_hostnames_alone() {
        let map = map("*.a text; hostnames; *.b mask;");
        let value = |key: &str| map.choose(key.as_bytes()).value.as_literal().map(str::to_owned);
        assert_eq!(
            (value("*.a").as_deref(), value("x.a").as_deref(), value("x.b").as_deref()),
            (Some("text"), Some(""), Some("mask"))
        );
    }

    #[test]
    fn values_may_hold_variables_and_groups() {
        let map = map("~^(?<sub>.+)[.]a $sub-$1;");
        let chosen = map.choose(b"b.a");
        assert_eq!(chosen.value.variables().count(), 2);
        assert_eq!(chosen.matched.as_ref().and_then(|matched| matched.captures.get(1)), Some(&b"b"[..]));
        assert_eq!(map.source().variables().count(), 1);
    }

    #[test]
    fn the_last_map_of_a_variable_counts_and_set_leaves_it_one() {
        let text =
            "map $host $x { default 1; } map $uri $x { default 2; } server { set $x 3; return 200 $x; }";
        let http = accepted(&in_http(text)).http;
        let [Definition::Computed(index)] = http.definitions.as_slice() else {
            panic!("{:?}", http.definitions)
        };
        let Computed::Map(map) = &http.computed[*index] else { panic!("{:?}", http.computed) };
        assert_eq!(map.choose(b"").value.as_literal(), Some("2"));
    }

    #[test]
    fn mistakes() {
        for (entries, message) in [
            ("a 1; A 2;", "conflicting parameter \"a\""),
            ("hostnames; .a.b 1; *.a.b 2;", "conflicting parameter \"*.a.b\""),
            ("hostnames; a.*.b 1;", "invalid hostname or wildcard \"a.*.b\""),
            ("a;", "invalid number of the map parameters"),
            ("a b c;", "invalid number of the map parameters"),
            ("default 1; default 2;", "duplicate default map parameter"),
            ("a { b c; }", "unexpected \"{\""),
            ("~( 1;", "pcre2_compile() failed: missing closing parenthesis in \"(\""),
            ("a $nosuch;", "unknown \"nosuch\" variable"),
        ] {
            refused(&in_http(&format!("map $host $x {{ {entries} }}")), message);
        }
        refused(&in_http("map $host x { }"), "invalid variable name \"x\"");
        refused(&in_http("map $host $uri { }"), "the duplicate \"uri\" variable");
    }
}
