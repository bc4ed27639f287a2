//! The head of a `location` block.

use crate::config::diagnostics::Report;
use crate::config::draft::{LocationDraft, Settings};
use crate::config::model::LocationMatch;
use crate::config::syntax::Directive;

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
