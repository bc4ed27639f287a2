//! The head of a `location` block.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Opens;
use crate::config::table::{Block, LOCATION, Row, SERVER, row, words};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("location", SERVER.or(LOCATION), words(1, 2, "[= | ^~] path { … }"), Opens(begin),
        "Settings for the requests whose normalised path begins with this (or, with `=`, is this); regular expressions and named locations are refused").repeatable(),
];

/// How a location is chosen by the normalised path.
#[derive(Debug, Clone)]
pub enum LocationMatch {
    /// `location = /path`
    Exact(String),
    /// `location /path`
    Prefix(String),
    /// `location ^~ /path`: a prefix that no regular expression of its level comes before.
    FinalPrefix(String),
    /// `location ~ regex` and `location ~* regex`, in order of appearance. The reader refuses them for now.
    Regex(regex::Regex),
    /// `location @name`: never chosen by the path. The reader refuses it for now.
    Named(String),
}

impl LocationMatch {
    /// The path of an exact location or a prefix.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Exact(path) | Self::Prefix(path) | Self::FinalPrefix(path) => Some(path),
            Self::Regex(_) | Self::Named(_) => None,
        }
    }

    /// As messages name it.
    pub(in crate::config) fn name(&self) -> &str {
        match self {
            Self::Exact(name) | Self::Prefix(name) | Self::FinalPrefix(name) | Self::Named(name) => name,
            Self::Regex(regex) => regex.as_str(),
        }
    }
}

/// What the head of a location says.
#[derive(Debug)]
enum Head<'a> {
    Chosen(LocationMatch),
    Regex,
    Named,
    InvalidModifier(&'a str),
}

/// Reads the head of `directive`, nested in `outer`. A location that is refused is read all the same, so that what
/// stands in it is checked.
fn begin(directive: &Directive, outer: &Block, report: &mut Report) -> Block {
    let position = directive.argument_position(0);
    let pattern = match head(directive) {
        Head::Chosen(pattern) => {
            let outer = outer.given::<LocationMatch>();
            if let Some(complaint) = outer.and_then(|outer| misplaced(&pattern, outer)) {
                report.emerg(complaint, &position);
            }
            pattern
        }
        Head::Regex => {
            let name = directive.arguments.last().map_or("", |word| &word.text);
            let message = format!("location by a regular expression (\"{name}\") is not supported yet");
            report.emerg_hint(message, &position, "locations are prefixes, or exact with \"=\"");
            LocationMatch::Prefix(name.to_owned())
        }
        Head::Named => {
            let message = format!("named location \"{}\" is not supported", directive.argument(0));
            report.emerg_hint(message, &position, "nothing here could redirect to it");
            LocationMatch::Prefix(directive.argument(0).to_owned())
        }
        Head::InvalidModifier(modifier) => {
            let message = format!("invalid location modifier \"{modifier}\"");
            report.emerg_hint(message, &position, "\"=\" and \"^~\" are known");
            LocationMatch::Prefix(directive.argument(1).to_owned())
        }
    };
    Block::new(LOCATION, directive.position.clone()).with(pattern)
}

/// nginx also takes the modifier and the path as one word.
fn head(directive: &Directive) -> Head<'_> {
    let first = directive.argument(0);
    if directive.arguments.len() == 2 {
        let path = directive.argument(1).to_owned();
        return match first {
            "=" => Head::Chosen(LocationMatch::Exact(path)),
            "^~" => Head::Chosen(LocationMatch::FinalPrefix(path)),
            "~" | "~*" => Head::Regex,
            other => Head::InvalidModifier(other),
        };
    }
    if let Some(path) = first.strip_prefix('=') {
        Head::Chosen(LocationMatch::Exact(path.to_owned()))
    } else if let Some(path) = first.strip_prefix("^~") {
        Head::Chosen(LocationMatch::FinalPrefix(path.to_owned()))
    } else if first.starts_with('~') {
        Head::Regex
    } else if first.starts_with('@') {
        Head::Named
    } else {
        Head::Chosen(LocationMatch::Prefix(first.to_owned()))
    }
}

fn misplaced(inner: &LocationMatch, outer: &LocationMatch) -> Option<String> {
    let inner = inner.path()?;
    match outer {
        LocationMatch::Exact(outer) => {
            Some(format!("location \"{inner}\" cannot be inside the exact location \"{outer}\""))
        }
        LocationMatch::Prefix(outer) | LocationMatch::FinalPrefix(outer) if !inner.starts_with(outer) => {
            Some(format!("location \"{inner}\" is outside location \"{outer}\""))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::config::model::{Location, LocationMatch};
    use crate::config::testing::{accepted, in_server, refused, warnings};

    /// The tree as it is written, without what the blocks hold.
    fn shape(locations: &[Arc<Location>]) -> String {
        let shapes: Vec<String> = locations
            .iter()
            .map(|location| {
                let head = match &location.pattern {
                    LocationMatch::Exact(path) => format!("= {path}"),
                    LocationMatch::Prefix(path) => path.clone(),
                    LocationMatch::FinalPrefix(path) => format!("^~ {path}"),
                    LocationMatch::Regex(_) | LocationMatch::Named(_) => unreachable!(),
                };
                if location.nested.is_empty() {
                    head
                } else {
                    format!("{head} {{ {} }}", shape(&location.nested))
                }
            })
            .collect();
        shapes.join(", ")
    }

    fn tree(text: &str) -> String {
        shape(&accepted(&in_server(text)).http.servers[0].locations)
    }

    #[test]
    fn each_head_is_told_apart() {
        let text = "location /a { return 204; } location = /a { return 204; } location ^~ /b { return 204; } \
                    location =/c { return 204; } location ^~/d { return 204; }";
        assert_eq!(tree(text), "/a, = /a, ^~ /b, = /c, ^~ /d");
    }

    #[test]
    fn nested_locations_stand_in_their_outer_one_and_inherit() {
        let text = "location /a { send_timeout 1s; return 200; location /a/b { return 204; } \
                    location = /a/c { return 204; location = /a/c/d { return 204; } } }";
        refused(&in_server(text), "location \"/a/c/d\" cannot be inside the exact location \"/a/c\"");
        let text = "location /a { send_timeout 1s; return 200; location /a/b { return 204; location /a/b/c { \
                    return 204; } } location = /a/c { return 204; } }";
        assert_eq!(tree(text), "/a { /a/b { /a/b/c }, = /a/c }");
        let config = accepted(&in_server(text));
        let inner = &config.http.servers[0].locations[0].nested[0].nested[0];
        assert_eq!(inner.settings.client.send_timeout, std::time::Duration::from_secs(1));
    }

    #[test]
    fn a_longer_prefix_outside_hides_what_is_nested_in_a_shorter_one() {
        let text =
            "location /a { return 200; location /a/b/c { return 204; } } location /a/b { return 204; }";
        assert!(warnings(&in_server(text))[0].contains("location \"/a/b/c\" is never reached"));
    }

    #[test]
    fn a_proxied_directory_redirects_to_its_slash_at_its_own_level() {
        let pass = "proxy_pass http://group;";
        let with = |inside: &str| tree(&format!("location /a/ {{ {pass} }} {inside}"));
        assert_eq!(with(""), "/a/, = /a");
        assert_eq!(with("location /a { return 204; }"), "/a/, /a");
        assert_eq!(with("location = /a { return 204; }"), "/a/, = /a");
        let nested = format!("location /b {{ return 204; location /b/ {{ {pass} }} }}");
        assert_eq!(tree(&nested), "/b { /b/, = /b }");
    }

    #[test]
    fn mistakes() {
        let cases = [
            (
                "location ~ \\.php$ { return 204; }",
                "location by a regular expression (\"\\.php$\") is not supported yet",
            ),
            ("location ~* x { return 204; }", "location by a regular expression"),
            ("location @x { return 204; }", "named location \"@x\" is not supported"),
            ("location ! /x { return 204; }", "invalid location modifier \"!\""),
            ("location /a { location /b { return 204; } }", "location \"/b\" is outside location \"/a\""),
            (
                "location = /a { location /a { return 204; } }",
                "location \"/a\" cannot be inside the exact location \"/a\"",
            ),
            ("location /a { return 204; } location ^~ /a { return 204; }", "duplicate location \"/a\""),
            ("location / { } extra;", "unknown directive \"extra\""),
        ];
        for (text, message) in cases {
            refused(&in_server(text), message);
        }
        assert!(
            warnings(&in_server("location a { return 204; }"))[0].contains("location \"a\" never matches")
        );
    }

    #[test]
    fn what_stands_in_a_refused_location_is_checked_too() {
        let errors = crate::config::testing::errors(&in_server("location ~ x { send_timeout never; }"));
        assert_eq!(errors.len(), 2, "{errors:?}");
    }
}
