//! The condition of an `if`: what stands between its parentheses.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::script::{Case, Pattern, Template, Variable};

/// What an `if` asks.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The variable is neither empty nor `0`.
    Holds(Variable),
    /// `=` and `!=`
    Equals {
        /// The left side.
        variable: Variable,
        /// The right side.
        value: Template,
        /// `!=`
        negated: bool,
    },
    /// `~`, `~*`, `!~` and `!~*`
    Matches {
        /// What is matched.
        variable: Variable,
        /// With what.
        pattern: Pattern,
        /// `!~`, `!~*`
        negated: bool,
    },
    /// `-f`, `-d`, `-e`, `-x` and their negations.
    File {
        /// Which test.
        test: FileTest,
        /// Of what.
        path: Template,
        /// `!-f` and so on.
        negated: bool,
    },
}

/// What is asked of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileTest {
    /// `-f`
    IsFile,
    /// `-d`
    IsDirectory,
    /// `-e`: it is there, whatever it is.
    Exists,
    /// `-x`
    IsExecutable,
}

/// Reads the arguments of an `if`, from `(` to `)`.
pub(super) fn read(directive: &Directive, report: &mut Report) -> Option<Condition> {
    let words: Vec<&str> = directive.arguments.iter().map(|word| word.text.as_str()).collect();
    let Some(inside) = without_parentheses(&words) else {
        let first = words.first().map_or("", |first| first.trim_start_matches('('));
        invalid(first, directive, report);
        return None;
    };
    let position = directive.argument_position(0);
    let Some((first, rest)) = inside.split_first() else {
        invalid("", directive, report);
        return None;
    };
    if let Some(name) = first.strip_prefix('$').filter(|name| !name.is_empty()) {
        let variable = report.names().resolve(name, &position);
        return match rest {
            [] => Some(Condition::Holds(variable)),
            [operator @ ("=" | "!="), value] => {
                let value = report.compile(value, &position)?;
                Some(Condition::Equals { variable, value, negated: operator.starts_with('!') })
            }
            [operator @ ("~" | "~*" | "!~" | "!~*"), written] => {
                let case = if operator.ends_with('*') { Case::Insensitive } else { Case::Sensitive };
                let pattern = report.pattern(written, case, &position)?;
                Some(Condition::Matches { variable, pattern, negated: operator.starts_with('!') })
            }
            [operator, _] => {
                let message = format!("unexpected \"{operator}\" in condition");
                let hint =
                    "\"=\", \"!=\", \"~\", \"~*\", \"!~\" and \"!~*\" compare, with one word behind them";
                report.emerg_hint(message, &position, hint);
                None
            }
            _ => {
                invalid(first, directive, report);
                None
            }
        };
    }
    let (negated, name) = first.strip_prefix('!').map_or((false, *first), |name| (true, name));
    let test = match name {
        "-f" => FileTest::IsFile,
        "-d" => FileTest::IsDirectory,
        "-e" => FileTest::Exists,
        "-x" => FileTest::IsExecutable,
        _ => {
            invalid(first, directive, report);
            return None;
        }
    };
    let [path] = rest else {
        invalid(first, directive, report);
        return None;
    };
    let path = report.compile(path, &position)?;
    Some(Condition::File { test, path, negated })
}

/// The words between the parentheses, which may stand alone or be part of the first and last word.
fn without_parentheses<'a>(words: &[&'a str]) -> Option<Vec<&'a str>> {
    let mut words = words.to_vec();
    let last = words.last_mut()?;
    *last = last.strip_suffix(')')?;
    if last.is_empty() {
        words.pop();
    }
    let first = words.first_mut()?;
    *first = first.strip_prefix('(')?;
    if first.is_empty() {
        words.remove(0);
    }
    Some(words)
}

fn invalid(what: &str, directive: &Directive, report: &mut Report) {
    let message = format!("invalid condition \"{what}\"");
    let hint = "a condition is ($variable), ($variable = text), ($variable ~ regex) or (-f path)";
    report.emerg_hint(message, &directive.position, hint);
}
