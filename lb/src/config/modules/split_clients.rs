//! `split_clients`: a variable whose value depends on the hash of a string, in shares.

use std::sync::Arc;

use super::map::{define, is_line};
use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, HTTP, Row, row, words};
use crate::script::{Definition, Share, SplitClients};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("split_clients", HTTP, words(2, 2, "string $variable { share% value; … * value; }"), Reads(split_clients),
        "Defines a variable by the hash of a string (MurmurHash2), each value for its share").with_block().repeatable(),
];

fn split_clients(_: &mut Block, directive: &Directive, report: &mut Report) {
    let source = report.template(directive, 0);
    let mut shares = Vec::new();
    for entry in directive.block.iter().flatten() {
        if is_line(entry, report) {
            shares.extend(share(entry, report));
        }
    }
    match SplitClients::new(source.unwrap_or_default(), shares) {
        Ok(split) => define(directive, 1, Definition::SplitClients(Arc::new(split)), report),
        Err(error) => report.emerg(error.to_string(), &directive.position),
    }
}

/// One entry. nginx does not look at what stands behind the value, and neither does this.
fn share(entry: &Directive, report: &mut Report) -> Option<(Share, Box<[u8]>)> {
    let Some(share) = Share::parse(&entry.name) else {
        report.emerg(format!("invalid percent value \"{}\"", entry.name), &entry.position);
        return None;
    };
    if entry.arguments.is_empty() {
        report.emerg(format!("\"{}\" has no value", entry.name), &entry.position);
        return None;
    }
    Some((share, entry.argument(0).as_bytes().into()))
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http, refused};
    use crate::script::Definition;

    #[test]
    fn shares_are_read() {
        let config =
            accepted(&in_http("split_clients \"$host$uri\" $x { 100% all; } server { return 200 $x; }"));
        let [Definition::SplitClients(split)] = config.http.definitions.as_slice() else {
            panic!("{:?}", config.http.definitions)
        };
        assert_eq!(split.choose(b"any"), b"all");
        assert_eq!(split.source().variables().count(), 2);
    }

    #[test]
    fn mistakes() {
        for (entries, message) in [
            ("50% a; 50.5% b;", "percent total is greater than 100%"),
            ("* b; 50% a;", "percent total is greater than 100%"),
            ("0% a;", "invalid percent value \"0%\""),
            ("a b;", "invalid percent value \"a\""),
            ("1%;", "\"1%\" has no value"),
            ("1% { }", "unexpected \"{\""),
        ] {
            refused(&in_http(&format!("split_clients $host $x {{ {entries} }}")), message);
        }
        refused(&in_http("split_clients $host x { }"), "invalid variable name \"x\"");
    }
}
