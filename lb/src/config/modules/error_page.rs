//! `error_page`, `recursive_error_pages` and `internal`: which location answers in place of a status.

use http::StatusCode;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{
    Argument, Arguments, Block, Contexts, Flag, IF_IN_LOCATION, LEVELS, LOCATION, Row, at_least, row,
    settings, words,
};
use crate::config::values;
use crate::script::Template;

const PAGES: Contexts = LEVELS.or(IF_IN_LOCATION);

settings! {
    /// What answers in place of a status.
    ErrorPages {
        "error_page" in PAGES,
        pages: Vec<ErrorPage> as ErrorPage = Vec::new(),
        "Has a URI, a named location or a redirect answer in place of these statuses; `=code` changes the status, `=` takes that of the answer. A level that has any inherits none",
        differs "a page in the place of a redirect of `return` has no `Location`";

        "recursive_error_pages" in LEVELS,
        recursive: bool as Flag = false,
        "Whether an answer that `error_page` gives may have an `error_page` of its own";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("internal", LOCATION, words(0, 0, ""), Reads(internal),
        "The location answers internal redirects alone; clients have 404"),
];

/// `internal` stands in the location.
#[derive(Debug, Default)]
pub(in crate::config) struct Internal(pub(in crate::config) bool);

fn internal(block: &mut Block, _: &Directive, _: &mut Report) {
    block.edit(|given: &mut Internal| given.0 = true);
}

/// One `error_page`.
#[derive(Debug, Clone)]
pub struct ErrorPage {
    /// The statuses that it stands for.
    pub statuses: Vec<u16>,
    /// Which status the answer has.
    pub status: PageStatus,
    /// A URI with its arguments, `@name`, or a URL.
    pub target: Template,
}

/// The status of an answer that `error_page` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageStatus {
    /// The one that it stands for.
    Kept,
    /// `=code`
    Changed(StatusCode),
    /// `=`: that of the location that answers.
    Answered,
}

impl Argument for ErrorPage {
    type Value = Vec<Self>;

    const ARGUMENTS: Arguments = at_least(2, "code … [=[response]] uri");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Vec<Self>>, directive: &Directive, report: &mut Report) {
        let pages = into.get_or_insert_default();
        let last = directive.arguments.len() - 1;
        let Some(target) = report.template(directive, last) else { return };
        let mut codes = last;
        let mut status = PageStatus::Kept;
        if let Some(written) = directive.argument(last - 1).strip_prefix('=') {
            codes -= 1;
            if written.is_empty() {
                status = PageStatus::Answered;
            } else {
                let code = values::number(written).and_then(|code| u16::try_from(code).ok());
                match code.and_then(|code| StatusCode::from_u16(code).ok()) {
                    Some(code) => status = PageStatus::Changed(code),
                    None => return invalid(directive, last - 1, report),
                }
            }
        }
        if codes == 0 {
            return invalid(directive, last - 1, report);
        }
        let mut statuses = Vec::with_capacity(codes);
        for index in 0..codes {
            match values::number(directive.argument(index)) {
                Some(499) | None => return invalid(directive, index, report),
                Some(code @ 300..=599) => statuses.push(u16::try_from(code).unwrap_or_default()),
                Some(code) => {
                    let message = format!("value \"{code}\" must be between 300 and 599");
                    report.emerg(message, &directive.argument_position(index));
                    return;
                }
            }
        }
        pages.push(Self { statuses, status, target });
    }

    fn print(_: &Vec<Self>) -> String {
        String::new()
    }
}

fn invalid(directive: &Directive, index: usize, report: &mut Report) {
    let message = format!("invalid value \"{}\"", directive.argument(index));
    let hint = "\"error_page\" accepts statuses from 300 to 599, \"=\" or \"=code\", and a URI";
    report.emerg_hint(message, &directive.argument_position(index), hint);
}
