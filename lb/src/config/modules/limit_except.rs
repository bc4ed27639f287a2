//! `limit_except` of nginx's `ngx_http_core_module`: who may ask a location by which method.
//!
//! The block is a location of its own, in the place of the one around it, whose settings it inherits and whose program and
//! `try_files` it does not have.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Opens;
use crate::config::table::{Block, LIMIT_EXCEPT, LOCATION, Row, at_least, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("limit_except", LOCATION, at_least(1, "method … { … }"), Opens(begin),
        "What holds for the other methods; `GET` includes `HEAD`. Rewriting and `try_files` of the location do not hold then")
        .differs("`auth_*` inside is refused"),
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

/// The methods that a `limit_except` is not about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Methods(Vec<&'static str>);

impl Methods {
    /// Whether `method` is one of them.
    pub fn contain(&self, method: &str) -> bool {
        self.0.contains(&method)
    }
}

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

#[cfg(test)]
mod tests {
    use crate::config::model::LimitExcept;
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
            let refuses = |limit: &LimitExcept| {
                limit.holds_for(method) && limit.location.access.judge(None) == Some(false)
            };
            assert_eq!(limit.is_some_and(refuses), refused, "{text} {method}");
        }
        let config = accepted(&in_server("location /a { limit_except GET { deny all; } location /a/b { } }"));
        assert!(config.http.servers[0].locations[0].nested[0].limit_except.is_none());
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("limit_except FETCH { deny all; }", "invalid method \"FETCH\""),
            ("limit_except GET { deny 10.0.0.0/33; }", "invalid parameter \"10.0.0.0/33\""),
            ("limit_except GET { return 403; }", "\"return\" directive is not allowed here"),
        ] {
            refused(&in_location(text), message);
        }
    }
}
