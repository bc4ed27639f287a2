//! nginx's `ngx_http_rewrite_module`: `return`, `rewrite`, `set`, `if`, `break`.
//!
//! nginx runs the directives of a level in the order in which they stand. Each is kept with its place in the order of
//! reading, and `config/build` puts the directives of a level and of its `if` blocks together as one program.

use http::StatusCode;

use super::condition;
use crate::config::diagnostics::Report;
use crate::config::model::Condition;
use crate::config::syntax::Directive;
use crate::config::table::Effect::{Opens, Reads};
use crate::config::table::{
    Block, Contexts, Flag, IF_IN_LOCATION, IF_IN_SERVER, LEVELS, LOCATION, Row, SERVER, at_least, row,
    settings, words,
};
use crate::script::{Case, Definition, Pattern, SlotId, Template};

/// Where programs stand.
const REWRITING: Contexts = SERVER.or(LOCATION).or(IF_IN_SERVER).or(IF_IN_LOCATION);
/// Where their settings stand.
const SWITCHES: Contexts = LEVELS.or(IF_IN_SERVER).or(IF_IN_LOCATION);

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("return", REWRITING, words(1, 2, "code [text] | code URL | URL"), Reads(returns),
        "Answers at once: with the standard page of the status, a text with variables, or (301, 302, 303, 307, 308) a redirect; a URL alone is a 302, 444 closes the connection").repeatable(),
    row("rewrite", REWRITING, words(2, 3, "regex replacement [last | break | redirect | permanent]"), Reads(rewrites),
        "Changes the URI where the regular expression matches it; a replacement with a scheme, `redirect` and `permanent` answer with a redirect").repeatable(),
    row("set", REWRITING, words(2, 2, "$variable value"), Reads(sets),
        "Gives a variable a value").repeatable(),
    row("break", REWRITING, words(0, 0, ""), Reads(breaks),
        "Ends the rewriting of this round").repeatable(),
    row("if", SERVER, at_least(1, "(condition) { … }"), Opens(begin_in_server),
        "Runs the directives inside where the condition holds: a variable, `=`, `!=`, `~`, `~*`, `!~`, `!~*`, `-f`, `-d`, `-e`, `-x` and their negations").repeatable(),
    row("if", LOCATION, at_least(1, "(condition) { … }"), Opens(begin_in_location),
        "The same in a location; the settings inside hold for the rest of the request").repeatable(),
];

settings! {
    /// What is told of rewriting.
    Rewriting {
        "rewrite_log" in SWITCHES,
        log: bool as Flag = false,
        "Whether the error log has a notice for each `rewrite` and `if` that is tried";

        "uninitialized_variable_warn" in SWITCHES,
        warns_of_uninitialized: bool as Flag = true,
        "Whether the error log has a warning for a variable that is used before any `set` has run";
    }
}

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

/// `rewrite`.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// What the path must match.
    pub pattern: Pattern,
    /// What takes its place.
    pub replacement: Replacement,
    /// Whether the request's own arguments are kept, behind those of the replacement: not where that ends with `?`.
    pub keeps_arguments: bool,
    /// No directive of the program runs after this one: any flag, and a replacement with a scheme.
    pub ends: bool,
}

/// What takes the URI's place.
#[derive(Debug, Clone)]
pub enum Replacement {
    /// Another URI of this server.
    Uri {
        /// The path.
        path: Template,
        /// What follows the `?` in it.
        arguments: Option<Template>,
        /// `break`: no location is looked for again.
        stays: bool,
    },
    /// A redirect.
    Redirect {
        /// 301 or 302.
        status: StatusCode,
        /// The URL or path.
        url: Template,
        /// A `?` stands in it.
        has_arguments: bool,
    },
}

/// What `set` gives a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assigned {
    /// A variable of the configuration.
    Slot(SlotId),
    /// `$args`
    Arguments,
    /// `$limit_rate`
    LimitRate,
}

/// A directive of a program that is no block.
#[derive(Debug)]
pub(in crate::config) enum Single {
    Set(Assigned, Template),
    Return(Return),
    Rewrite(Rewrite),
    Break,
}

/// The directives of a level with their places in the order of reading.
#[derive(Debug, Default)]
pub(in crate::config) struct Singles(pub(in crate::config) Vec<(usize, Single)>);

/// The head of an `if`: its place and its condition, `None` where that is wrong.
#[derive(Debug)]
pub(in crate::config) struct IfHead {
    pub(in crate::config) order: usize,
    pub(in crate::config) condition: Option<Condition>,
}

fn begin_in_server(directive: &Directive, _: &Block, report: &mut Report) -> Block {
    begin_if(IF_IN_SERVER, directive, report)
}

fn begin_in_location(directive: &Directive, _: &Block, report: &mut Report) -> Block {
    begin_if(IF_IN_LOCATION, directive, report)
}

fn begin_if(context: Contexts, directive: &Directive, report: &mut Report) -> Block {
    let condition = condition::read(directive, report);
    Block::new(context, directive.position.clone()).with(IfHead { order: directive.order, condition })
}

fn keep(block: &mut Block, directive: &Directive, single: Single) {
    block.edit(|given: &mut Singles| given.0.push((directive.order, single)));
}

fn breaks(block: &mut Block, directive: &Directive, _: &mut Report) {
    keep(block, directive, Single::Break);
}

fn sets(block: &mut Block, directive: &Directive, report: &mut Report) {
    let assigned = assigned(directive, Definition::Set, report);
    let value = report.template(directive, 1);
    if let Some((assigned, value)) = assigned.zip(value) {
        keep(block, directive, Single::Set(assigned, value));
    }
}

/// The variable that the first argument names, and that the directive gives a value.
pub(super) fn assigned(
    directive: &Directive,
    definition: Definition,
    report: &mut Report,
) -> Option<Assigned> {
    let position = directive.argument_position(0);
    let Some(name) = directive.argument(0).strip_prefix('$').filter(|name| !name.is_empty()) else {
        let message = format!("invalid variable name \"{}\"", directive.argument(0));
        report.emerg_hint(message, &position, "a variable begins with \"$\"");
        return None;
    };
    match name.to_ascii_lowercase().as_str() {
        "args" => Some(Assigned::Arguments),
        "limit_rate" => Some(Assigned::LimitRate),
        _ => match report.names().define(name, definition) {
            Ok(slot) => Some(Assigned::Slot(slot)),
            Err(error) => {
                report.emerg(error.to_string(), &position);
                None
            }
        },
    }
}

fn rewrites(block: &mut Block, directive: &Directive, report: &mut Report) {
    let written = directive.argument(1);
    let has_scheme = ["http://", "https://", "$scheme"].iter().any(|start| written.starts_with(start));
    let mut redirect = has_scheme.then_some(StatusCode::FOUND);
    let (mut ends, mut stays) = (has_scheme, false);
    match directive.arguments.get(2).map(|word| word.text.as_str()) {
        None => {}
        Some("last") => ends = true,
        Some("break") => (ends, stays) = (true, true),
        Some("redirect") => (ends, redirect) = (true, Some(StatusCode::FOUND)),
        Some("permanent") => (ends, redirect) = (true, Some(StatusCode::MOVED_PERMANENTLY)),
        Some(_) => {
            report.invalid_parameter(directive, 2, "\"last\", \"break\", \"redirect\" or \"permanent\"");
            return;
        }
    }
    let Some(pattern) =
        report.pattern(directive.argument(0), Case::Sensitive, &directive.argument_position(0))
    else {
        return;
    };
    let position = directive.argument_position(1);
    if written.is_empty() {
        report.emerg("empty replacement", &position);
        return;
    }
    let (text, keeps_arguments) = match written.strip_suffix('?') {
        Some(text) => (text, false),
        None => (written, true),
    };
    let replacement = match redirect {
        Some(status) => report.compile(text, &position).map(|url| Replacement::Redirect {
            status,
            url,
            has_arguments: text.contains('?'),
        }),
        None => {
            let (path, arguments) =
                text.split_once('?').map_or((text, None), |(path, rest)| (path, Some(rest)));
            let arguments = match arguments {
                Some(text) => report.compile(text, &position).map(Some),
                None => Some(None),
            };
            let path = report.compile(path, &position);
            path.zip(arguments).map(|(path, arguments)| Replacement::Uri { path, arguments, stays })
        }
    };
    if let Some(replacement) = replacement {
        keep(block, directive, Single::Rewrite(Rewrite { pattern, replacement, keeps_arguments, ends }));
    }
}

fn returns(block: &mut Block, directive: &Directive, report: &mut Report) {
    if let Some(answer) = answer(directive, report) {
        keep(block, directive, Single::Return(answer));
    }
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
