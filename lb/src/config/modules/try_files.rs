//! `try_files` of nginx: the files that are looked for before a location's content, and what follows when none is
//! there.

use http::StatusCode;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, LOCATION, Row, SERVER, at_least, row};
use crate::script::Template;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("try_files", SERVER.or(LOCATION), at_least(2, "file … uri | =code"), Reads(read),
        "The first of these that is a file (with a slash at its end: a directory) answers; if none is, the last says what does: a URI, a named location or a status. Not inherited"),
];

/// `try_files`. As in nginx, a level inside does not inherit it.
#[derive(Debug, Clone)]
pub struct TryFiles {
    /// What is looked for, in order.
    pub candidates: Vec<Candidate>,
    /// What follows when none is there.
    pub last: LastResort,
}

/// One file or directory to look for.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The URI, without the slash that asks for a directory.
    pub uri: Template,
    /// Whether it must be a directory.
    pub directory: bool,
}

/// The last argument of `try_files`.
#[derive(Debug, Clone)]
pub enum LastResort {
    /// Another URI, with its arguments. A rendered one that begins with `@` is a named location.
    Uri(Template),
    /// `=code`
    Status(StatusCode),
}

fn read(block: &mut Block, directive: &Directive, report: &mut Report) {
    let Some((last, candidates)) = directive.arguments.split_last() else { return };
    let mut read = Vec::with_capacity(candidates.len());
    for (index, word) in candidates.iter().enumerate() {
        let (uri, directory) = match word.text.strip_suffix('/') {
            Some(uri) => (uri, true),
            None => (word.text.as_str(), false),
        };
        let Some(uri) = report.compile(uri, &directive.argument_position(index)) else { return };
        read.push(Candidate { uri, directory });
    }
    let index = directive.arguments.len() - 1;
    let last = match last.text.strip_prefix('=') {
        None => report.template(directive, index).map(LastResort::Uri),
        Some(code) => {
            let code = code.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
            if code.is_none() {
                let message = format!("invalid code \"{}\"", last.text);
                let hint = "a status from 100 to 999, such as =404";
                report.emerg_hint(message, &directive.argument_position(index), hint);
            }
            code.map(LastResort::Status)
        }
    };
    let Some(last) = last else { return };
    block.edit(|given: &mut Option<TryFiles>| *given = Some(TryFiles { candidates: read, last }));
}

#[cfg(test)]
mod tests {
    use super::{LastResort, TryFiles};
    use crate::config::testing::{accepted, in_location, in_server, refused};

    fn shown(given: Option<&TryFiles>) -> String {
        let Some(given) = given else { return "none".to_owned() };
        let text = |template: &crate::script::Template| template.as_literal().unwrap_or("…").to_owned();
        let mut parts: Vec<String> = given
            .candidates
            .iter()
            .map(|candidate| {
                format!("{}{}", text(&candidate.uri), if candidate.directory { " dir" } else { "" })
            })
            .collect();
        parts.push(match &given.last {
            LastResort::Uri(uri) => text(uri),
            LastResort::Status(status) => status.as_u16().to_string(),
        });
        parts.join(", ")
    }

    #[test]
    fn candidates_and_the_last_resort() {
        for (text, expected) in [
            ("try_files $uri $uri/ /index.html;", "…, … dir, /index.html"),
            ("try_files /a b/ @fallback;", "/a, b dir, @fallback"),
            ("try_files $uri =404;", "…, 404"),
            ("try_files $uri /x/;", "…, /x/"),
        ] {
            let config = accepted(&in_location(text));
            assert_eq!(shown(config.http.servers[0].locations[0].try_files.as_deref()), expected, "{text}");
        }
    }

    #[test]
    fn nothing_inside_inherits_it() {
        let config = accepted(&in_server("try_files /a =404; location / { }"));
        let server = &config.http.servers[0];
        assert_eq!(shown(server.fallback.try_files.as_deref()), "/a, 404");
        assert_eq!(shown(server.locations[0].try_files.as_deref()), "none");
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("try_files $uri;", "invalid number of arguments in \"try_files\" directive"),
            ("try_files $uri =x;", "invalid code \"=x\""),
            ("try_files $uri =1000;", "invalid code \"=1000\""),
            ("try_files $nope =404;", "unknown \"nope\" variable"),
            ("try_files a b; try_files c d;", "\"try_files\" directive is duplicate"),
        ] {
            refused(&in_location(text), message);
        }
    }
}
