//! `return`, and what else nginx's `ngx_http_rewrite_module` has.

use http::StatusCode;

use super::Effect::Level;
use super::{FLAG, LEVELS, LOCATION, Row, SERVER, no_effect, refused, row, words};
use crate::config::diagnostics::Report;
use crate::config::draft::Settings;
use crate::config::model::{Return, ReturnContent};
use crate::config::syntax::Directive;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("return", SERVER | LOCATION, words(1, 2, "code [text] \\| code URL \\| URL"), "", Level(returns), "Answers at once: with the standard page of the status, a text with variables, or (301, 302, 303, 307, 308) a redirect; a URL alone is a 302, 444 closes the connection. The first one of a level stands, before any `proxy_pass`").repeatable(),
    no_effect("rewrite_log", LEVELS, FLAG, "nothing is rewritten that could be logged"),
    no_effect("uninitialized_variable_warn", LEVELS, FLAG, "variables cannot be set"),
    refused("break", SERVER | LOCATION, "there is no rewriting that it could end"),
    refused("rewrite", SERVER | LOCATION, "URIs are replaced by the URI part of `proxy_pass` only"),
    refused("set", SERVER | LOCATION, "variables cannot be set"),
];

fn returns(settings: &mut Settings, directive: &Directive, report: &mut Report) {
    let Some(answer) = answer(directive, report) else { return };
    // nginx runs them in order, and the first ends the request.
    settings.answer.get_or_insert(answer);
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
        let content = ReturnContent::Location(report.template(directive, 0)?);
        return Some(Return { status: StatusCode::FOUND, content });
    }
    let Some(status) = first.parse().ok().and_then(|code| StatusCode::from_u16(code).ok()) else {
        invalid_code(directive, report);
        return None;
    };
    if directive.arguments.len() == 1 {
        return Some(Return { status, content: ReturnContent::Standard });
    }
    let text = report.template(directive, 1)?;
    let content = match status.as_u16() {
        301 | 302 | 303 | 307 | 308 => ReturnContent::Location(text),
        _ => ReturnContent::Text(text),
    };
    Some(Return { status, content })
}

fn invalid_code(directive: &Directive, report: &mut Report) {
    let message = format!("invalid return code \"{}\"", directive.argument(0));
    let hint = "\"return\" accepts a status from 100 to 999, with a text or URL, or a URL that begins with http://, https:// or $scheme";
    report.emerg_hint(message, &directive.argument_position(0), hint);
}
