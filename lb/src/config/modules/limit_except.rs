//! `limit_except` of nginx's `ngx_http_core_module`: who may ask a location by which method.
//!
//! Inside, `deny all` and `allow all` decide for everybody. Lists of addresses, and the other directives that nginx
//! takes there, are refused.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::{Opens, Reads};
use crate::config::table::{Block, LIMIT_EXCEPT, LOCATION, Row, at_least, one, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("limit_except", LOCATION, at_least(1, "method … { deny all; }"), Opens(begin),
        "What holds for the other methods; `GET` includes `HEAD`. Only `deny all` and `allow all` may stand inside"),
    row("deny", LIMIT_EXCEPT, one("all"), Reads(deny),
        "The other methods are answered with 403").repeatable(),
    row("allow", LIMIT_EXCEPT, one("all"), Reads(allow),
        "The other methods are answered as ever").repeatable(),
];

/// The methods that nginx knows here.
const METHODS: [&str; 14] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "MKCOL",
    "COPY",
    "MOVE",
    "OPTIONS",
    "PROPFIND",
    "PROPPATCH",
    "LOCK",
    "UNLOCK",
    "PATCH",
];

/// `limit_except`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitExcept {
    methods: Vec<&'static str>,
    /// What the other methods meet: true for `deny all`.
    denies: bool,
}

impl LimitExcept {
    /// Whether the block holds for a request by `method`: then the location's `rewrite`, `set`, `if`, `return` and
    /// `try_files`, which no block inside inherits, do not.
    pub fn holds_for(&self, method: &str) -> bool {
        !self.methods.contains(&method)
    }

    /// Whether a request by `method` is answered with 403.
    pub fn refuses(&self, method: &str) -> bool {
        self.denies && self.holds_for(method)
    }
}

/// What is said first inside decides, as for all access rules.
#[derive(Debug, Default)]
struct Verdict(Option<bool>);

#[derive(Debug)]
struct Methods(Vec<&'static str>);

fn begin(directive: &Directive, _: &Block, report: &mut Report) -> Block {
    let mut methods = Vec::new();
    for (index, word) in directive.words().enumerate() {
        match METHODS.iter().find(|method| word.eq_ignore_ascii_case(method)) {
            Some(method) => methods.push(*method),
            None => {
                let message = format!("invalid method \"{word}\"");
                report.emerg(message, &directive.argument_position(index));
            }
        }
    }
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    Block::new(LIMIT_EXCEPT, directive.position.clone()).with(Methods(methods))
}

fn deny(block: &mut Block, directive: &Directive, report: &mut Report) {
    decide(block, directive, true, report);
}

fn allow(block: &mut Block, directive: &Directive, report: &mut Report) {
    decide(block, directive, false, report);
}

fn decide(block: &mut Block, directive: &Directive, denies: bool, report: &mut Report) {
    if directive.argument(0) != "all" {
        report.not_yet(directive, 0);
        return;
    }
    block.edit(|verdict: &mut Verdict| _ = verdict.0.get_or_insert(denies));
}

/// Takes what a location says of methods.
pub(in crate::config) fn take(location: &mut Block) -> Option<LimitExcept> {
    let mut block = location.take_children(LIMIT_EXCEPT).pop()?;
    let Verdict(verdict) = block.take().unwrap_or_default();
    let Methods(methods) = block.take()?;
    Some(LimitExcept { methods, denies: verdict == Some(true) })
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_location, in_server, refused};

    #[test]
    fn the_other_methods_are_refused() {
        for (text, method, refused) in [
            ("limit_except GET { deny all; }", "GET", false),
            ("limit_except GET { deny all; }", "HEAD", false),
            ("limit_except HEAD { deny all; }", "GET", true),
            ("limit_except get POST { deny all; }", "POST", false),
            ("limit_except GET { deny all; }", "PURGE", true),
            ("limit_except GET { allow all; deny all; }", "POST", false),
            ("limit_except GET { }", "POST", false),
        ] {
            let config = accepted(&in_location(text));
            let limit = config.http.servers[0].locations[0].limit_except.as_ref();
            assert_eq!(limit.is_some_and(|limit| limit.refuses(method)), refused, "{text} {method}");
        }
        let config = accepted(&in_server("location /a { limit_except GET { deny all; } location /a/b { } }"));
        assert!(config.http.servers[0].locations[0].nested[0].limit_except.is_none());
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("limit_except FETCH { deny all; }", "invalid method \"FETCH\""),
            (
                "limit_except GET { deny 10.0.0.0/8; }",
                "\"10.0.0.0/8\" in the \"deny\" directive is not supported yet",
            ),
            ("limit_except GET { return 403; }", "\"return\" directive is not allowed here"),
            ("deny all;", "nginx's directive \"deny\" is not supported"),
        ] {
            refused(&in_location(text), message);
        }
    }
}
