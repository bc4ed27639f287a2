//! The head of a `location` block.

use crate::config::diagnostics::Report;
use crate::config::model::LocationMatch;
use crate::config::syntax::Directive;
use crate::config::table::draft::{LocationDraft, Settings};

/// What the head of a location says.
#[derive(Debug, PartialEq, Eq)]
enum Head<'a> {
    Chosen(LocationMatch),
    Regex,
    Named,
    InvalidModifier(&'a str),
}

/// Reads the head of `directive`, nested in `outer`. A location that is refused still gives a draft, so that what
/// stands in it can be checked.
pub(in crate::config) fn open(
    directive: &Directive,
    outer: Option<&LocationMatch>,
    report: &mut Report,
) -> LocationDraft {
    let position = directive.argument_position(0);
    let pattern = match head(directive) {
        Head::Chosen(pattern) => {
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
    LocationDraft {
        pattern,
        settings: Settings::default(),
        nested: Vec::new(),
        position: directive.position.clone(),
    }
}

/// nginx also takes the modifier and the path as one word.
fn head(directive: &Directive) -> Head<'_> {
    let first = directive.argument(0);
    if directive.arguments.len() == 2 {
        let path = directive.argument(1).to_owned();
        return match first {
            "=" => Head::Chosen(LocationMatch::Exact(path)),
            "^~" => Head::Chosen(LocationMatch::Prefix(path)),
            "~" | "~*" => Head::Regex,
            other => Head::InvalidModifier(other),
        };
    }
    if let Some(path) = first.strip_prefix('=') {
        Head::Chosen(LocationMatch::Exact(path.to_owned()))
    } else if let Some(path) = first.strip_prefix("^~") {
        Head::Chosen(LocationMatch::Prefix(path.to_owned()))
    } else if first.starts_with('~') {
        Head::Regex
    } else if first.starts_with('@') {
        Head::Named
    } else {
        Head::Chosen(LocationMatch::Prefix(first.to_owned()))
    }
}

fn misplaced(inner: &LocationMatch, outer: &LocationMatch) -> Option<String> {
    let (LocationMatch::Exact(inner) | LocationMatch::Prefix(inner)) = inner;
    match outer {
        LocationMatch::Exact(outer) => {
            Some(format!("location \"{inner}\" cannot be inside the exact location \"{outer}\""))
        }
        LocationMatch::Prefix(outer) if !inner.starts_with(outer.as_str()) => {
            Some(format!("location \"{inner}\" is outside location \"{outer}\""))
        }
        LocationMatch::Prefix(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::model::LocationMatch;
    use crate::config::testing::{accepted, in_server, refused, warnings};

    fn patterns(text: &str) -> Vec<LocationMatch> {
        let config = accepted(&in_server(text));
        config.http.servers[0].locations.iter().map(|location| location.pattern.clone()).collect()
    }

    fn prefix(path: &str) -> LocationMatch {
        LocationMatch::Prefix(path.to_owned())
    }

    fn exact(path: &str) -> LocationMatch {
        LocationMatch::Exact(path.to_owned())
    }

    #[test]
    fn exact_and_prefix() {
        let text = "location /a { return 204; } location = /a { return 204; } location ^~ /b { return 204; } \
                    location =/c { return 204; } location ^~/d { return 204; }";
        assert_eq!(patterns(text), [prefix("/a"), exact("/a"), prefix("/b"), exact("/c"), prefix("/d")]);
    }

    #[test]
    fn nested_locations_stand_beside_their_outer_one_and_inherit() {
        let text = "location /a { send_timeout 1s; return 200; location /a/b { return 204; } \
                    location = /a/c { return 204; } }";
        assert_eq!(patterns(text), [prefix("/a"), prefix("/a/b"), exact("/a/c")]);
        let config = accepted(&in_server(text));
        assert_eq!(config.http.servers[0].locations[1].send_timeout, std::time::Duration::from_secs(1));
    }

    #[test]
    fn a_longer_prefix_outside_hides_what_is_nested_in_a_shorter_one() {
        let text =
            "location /a { return 200; location /a/b/c { return 204; } } location /a/b { return 204; }";
        assert_eq!(patterns(text), [prefix("/a"), prefix("/a/b")]);
        assert!(warnings(&in_server(text))[0].contains("location \"/a/b/c\" is never reached"));
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
        assert!(warnings(&in_server("location /a { }"))[0].contains("answers 404"));
    }

    #[test]
    fn what_stands_in_a_refused_location_is_checked_too() {
        let errors = crate::config::testing::errors(&in_server("location ~ x { send_timeout never; }"));
        assert_eq!(errors.len(), 2, "{errors:?}");
    }
}
