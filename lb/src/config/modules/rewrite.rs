//! `return`, and what else nginx's `ngx_http_rewrite_module` has.

use http::StatusCode;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, FLAG, LEVELS, LOCATION, Row, SERVER, no_effect, refused, row, words};
use crate::script::Template;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("return", SERVER.or(LOCATION), words(1, 2, "code [text] | code URL | URL"), Reads(returns),
        "Answers at once: with the standard page of the status, a text with variables, or (301, 302, 303, 307, 308) a redirect; a URL alone is a 302, 444 closes the connection. The first one of a level stands, before any `proxy_pass`").repeatable(),
    no_effect("rewrite_log", LEVELS, FLAG, "nothing is rewritten that could be logged"),
    no_effect("uninitialized_variable_warn", LEVELS, FLAG, "variables cannot be set"),
    refused("break", SERVER.or(LOCATION), "there is no rewriting that it could end"),
    refused("rewrite", SERVER.or(LOCATION), "URIs are replaced by the URI part of `proxy_pass` only"),
    refused("set", SERVER.or(LOCATION), "variables cannot be set"),
];

/// `return code [text]`, `return code URL`, `return URL`.
#[derive(Debug, Clone)]
pub struct Return {
    /// The status; 444 closes the connection without an answer.
    pub status: StatusCode,
    /// What follows it.
    pub content: ReturnContent,
}

/// What a `return` carries.
#[derive(Debug, Clone)]
pub enum ReturnContent {
    /// Nothing: the standard page of that status.
    Standard,
    /// A text body, of the type that `types` and `default_type` give the request's path.
    Text(Template),
    /// A redirect target (301, 302, 303, 307, 308).
    Location(Template),
}

fn returns(block: &mut Block, directive: &Directive, report: &mut Report) {
    let Some(answer) = answer(directive, report) else { return };
    // nginx runs them in order, and the first ends the request.
    block.edit(|given: &mut Option<Return>| _ = given.get_or_insert(answer));
}

fn answer(directive: &Directive, report: &mut Report) -> Option<Return> {
    let first = directive.argument(0);
    let digits = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        let is_url = ["http://", "https://", "$scheme"].iter().any(|start| first.starts_with(start));
        if directive.arguments.len() > 1 || !is_url {
            invalid_code(directive, report);
            return None;
        }
        let content = ReturnContent::Location(report.header_value(directive, 0)?);
        return Some(Return { status: StatusCode::FOUND, content });
    }
    let Some(status) = first.parse().ok().and_then(|code| StatusCode::from_u16(code).ok()) else {
        invalid_code(directive, report);
        return None;
    };
    if directive.arguments.len() == 1 {
        return Some(Return { status, content: ReturnContent::Standard });
    }
    let content = match status.as_u16() {
        301 | 302 | 303 | 307 | 308 => ReturnContent::Location(report.header_value(directive, 1)?),
        _ => ReturnContent::Text(report.template(directive, 1)?),
    };
    Some(Return { status, content })
}

fn invalid_code(directive: &Directive, report: &mut Report) {
    let message = format!("invalid return code \"{}\"", directive.argument(0));
    let hint = "\"return\" accepts a status from 100 to 999, with a text or URL, or a URL that begins with http://, https:// or $scheme";
    report.emerg_hint(message, &directive.argument_position(0), hint);
}

#[cfg(test)]
mod tests {
    use crate::config::model::{Action, Return, ReturnContent};
    use crate::config::testing::{accepted, in_location, in_server, refused};

    fn answer(text: &str) -> Return {
        match &accepted(&in_location(text)).http.servers[0].locations[0].action {
            Action::Return(answer) => answer.clone(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_three_forms() {
        let text = |answer: Return| match answer.content {
            ReturnContent::Standard => "standard".to_owned(),
            ReturnContent::Text(text) => format!("text {}", text.as_literal().unwrap_or("…")),
            ReturnContent::Location(text) => format!("location {}", text.as_literal().unwrap_or("…")),
        };
        let cases = [
            ("return 204;", 204, "standard"),
            ("return 200 hello;", 200, "text hello"),
            ("return 200 \"\";", 200, "text "),
            ("return 301 /x;", 301, "location /x"),
            ("return 308 $scheme://x;", 308, "location …"),
            ("return http://x/;", 302, "location http://x/"),
            ("return $scheme://x/;", 302, "location …"),
            ("return 444;", 444, "standard"),
            ("return 404 gone; return 200;", 404, "text gone"),
            ("return 204; proxy_pass http://group;", 204, "standard"),
        ];
        for (written, status, content) in cases {
            let answer = answer(written);
            assert_eq!((answer.status.as_u16(), text(answer)), (status, content.to_owned()), "{written}");
        }
    }

    #[test]
    fn in_a_server_it_comes_before_all_locations_and_is_not_inherited() {
        let config = accepted(&in_server("return 503; location / { proxy_pass http://group; }"));
        let server = &config.http.servers[0];
        assert_eq!(server.answer.as_ref().unwrap().status.as_u16(), 503);
        assert!(matches!(server.locations[0].action, Action::Proxy(_)));
        assert!(matches!(server.fallback.action, Action::NotFound));
    }

    #[test]
    fn mistakes() {
        let cases = [
            ("return /x;", "invalid return code \"/x\""),
            ("return 99;", "invalid return code \"99\""),
            ("return 1000;", "invalid return code \"1000\""),
            ("return 2e2;", "invalid return code \"2e2\""),
            ("return http://x y;", "invalid return code \"http://x\""),
            ("return 301 \"/a\\nb\";", "\"return\" directive invalid value"),
            ("return 200 $nope;", "unknown \"nope\" variable"),
            ("rewrite ^ /x;", "nginx's directive \"rewrite\" is not supported"),
            ("set $a b;", "nginx's directive \"set\" is not supported"),
        ];
        for (text, message) in cases {
            refused(&in_location(text), message);
        }
    }
}
