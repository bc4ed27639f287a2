//! The head of a `location` block.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Opens;
use crate::config::table::{Block, LOCATION, Row, SERVER, row, words};
use crate::script::{Case, Pattern};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("location", SERVER.or(LOCATION), words(1, 2, "[= | ^~ | ~ | ~*] path { … }"), Opens(begin),
        "Settings for the requests whose normalised path begins with this, is this (`=`) or matches this regular expression (`~`, `~*`); `@name` is chosen by other directives alone").repeatable(),
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
    /// `location ~ regex` and `location ~* regex`, in order of appearance.
    Regex(Pattern),
    /// `location @name`, with the `@`: never chosen by the path.
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

/// Reads the head of `directive`, nested in `outer`. A location whose head is wrong is read all the same, so that what
/// stands in it is checked.
fn begin(directive: &Directive, outer: &Block, report: &mut Report) -> Block {
    let block = Block::new(LOCATION, directive.position.clone());
    let Some(pattern) = head(directive, report) else { return block };
    if let Some(complaint) = outer.given().and_then(|outer| misplaced(&pattern, outer)) {
        report.emerg(complaint, &directive.argument_position(0));
    }
    block.with(pattern)
}

/// nginx also takes the modifier and the path as one word.
fn head(directive: &Directive, report: &mut Report) -> Option<LocationMatch> {
    let position = directive.argument_position(0);
    let first = directive.argument(0);
    let (modifier, path) = if directive.arguments.len() == 2 {
        (first, directive.argument(1))
    } else {
        let modifier = ["=", "^~", "~*", "~"].into_iter().find(|modifier| first.starts_with(modifier));
        first.split_at(modifier.map_or(0, str::len))
    };
    match modifier {
        "=" => Some(LocationMatch::Exact(path.to_owned())),
        "^~" => Some(LocationMatch::FinalPrefix(path.to_owned())),
        "~" => report.pattern(path, Case::Sensitive, &position).map(LocationMatch::Regex),
        "~*" => report.pattern(path, Case::Insensitive, &position).map(LocationMatch::Regex),
        "" if directive.arguments.len() == 1 && path.starts_with('@') => {
            Some(LocationMatch::Named(path.to_owned()))
        }
        "" if directive.arguments.len() == 1 => Some(LocationMatch::Prefix(path.to_owned())),
        _ => {
            let message = format!("invalid location modifier \"{modifier}\"");
            report.emerg_hint(message, &position, "\"=\", \"^~\", \"~\" and \"~*\" are known");
            None
        }
    }
}

fn misplaced(inner: &LocationMatch, outer: &LocationMatch) -> Option<String> {
    let (name, around) = (inner.name(), outer.name());
    match (inner, outer) {
        (_, LocationMatch::Exact(_)) => {
            Some(format!("location \"{name}\" cannot be inside the exact location \"{around}\""))
        }
        (_, LocationMatch::Named(_)) => {
            Some(format!("location \"{name}\" cannot be inside the named location \"{around}\""))
        }
        (LocationMatch::Named(_), _) => {
            Some(format!("named location \"{name}\" can be on the server level only"))
        }
        // Also inside a regular expression, whose text is then the prefix that is missed.
        (LocationMatch::Exact(_) | LocationMatch::Prefix(_) | LocationMatch::FinalPrefix(_), _) => (!name
            .starts_with(around))
        .then(|| format!("location \"{name}\" is outside location \"{around}\"")),
        (LocationMatch::Regex(_), _) => None,
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
                    LocationMatch::Regex(regex) => format!("~ {}", regex.as_str()),
                    LocationMatch::Named(name) => name.clone(),
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
                    location =/c { return 204; } location ^~/d { return 204; } location ~ e { return 204; } \
                    location ~f$ { return 204; } location ~* G { return 204; } location ~*h { return 204; } \
                    location @i { return 204; } location ~ @j { return 204; } location = @k { return 204; }";
        assert_eq!(tree(text), "/a, = /a, ^~ /b, = /c, ^~ /d, ~ e, ~ f$, ~ G, ~ h, @i, ~ @j, = @k");
    }

    #[test]
    fn case_counts_unless_a_star_says_otherwise() {
        let matches = |head: &str| {
            let config = accepted(&in_server(&format!("location {head} {{ return 204; }}")));
            match &config.http.servers[0].locations[0].pattern {
                LocationMatch::Regex(regex) => regex.is_match(b"/A").unwrap(),
                other => panic!("{other:?}"),
            }
        };
        for (head, expected) in [("~ ^/a$", false), ("~^/a$", false), ("~* ^/a$", true), ("~*^/a$", true)] {
            assert_eq!(matches(head), expected, "{head}");
        }
    }

    #[test]
    fn named_groups_are_variables_everywhere() {
        let text = "location / { return 200 $Lang; } location ~ ^/(?<lang>..)/ { return 204; }";
        accepted(&in_server(text));
        refused(&in_server("location ~ (?<host>.) { return 204; }"), "the duplicate \"host\" variable");
    }

    #[test]
    fn a_named_location_is_found_by_its_name() {
        let config = accepted(&in_server("location @a { return 204; } location @b { return 205; }"));
        let server = &config.http.servers[0];
        let found = |name: &[u8]| server.named(name).map(|location| location.pattern.name().to_owned());
        assert_eq!(found(b"b").as_deref(), Some("@b"));
        assert_eq!(found(b"c"), None);
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
            ("location ~ ( { return 204; }", "pcre2_compile() failed: missing closing parenthesis in \"(\""),
            (
                "location ~ ^/u { location /u/x { return 204; } }",
                "location \"/u/x\" is outside location \"^/u\"",
            ),
            (
                "location @x { location ~ x { return 204; } }",
                "location \"x\" cannot be inside the named location \"@x\"",
            ),
            (
                "location /a { location @x { return 204; } }",
                "named location \"@x\" can be on the server level only",
            ),
            (
                "location = /a { location ~ x { return 204; } }",
                "location \"x\" cannot be inside the exact location \"/a\"",
            ),
            (
                "location ~ x { proxy_pass http://group/y; }",
                "\"proxy_pass\" cannot have URI part in location given by regular expression, or inside named location",
            ),
            ("location @x { proxy_pass http://group/; }", "\"proxy_pass\" cannot have URI part in location"),
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
        let twice = "location @a { return 204; } location @a { return 205; }";
        assert!(warnings(&in_server(twice))[0].contains("location \"@a\" is never reached"));
    }

    #[test]
    fn what_stands_in_a_refused_location_is_checked_too() {
        let errors = crate::config::testing::errors(&in_server("location ~ ( { send_timeout never; }"));
        assert_eq!(errors.len(), 2, "{errors:?}");
    }
}
