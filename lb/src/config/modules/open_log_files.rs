//! `open_log_file_cache` of nginx's `ngx_http_log_module`: how many log files by path stay open.

use std::time::Duration;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, LEVELS, at_least, settings};
use crate::config::values;

settings! {
    /// The files of access logs whose names hold variables.
    LogFilesKept {
        "open_log_file_cache" in LEVELS,
        rules: OpenLogFiles as OpenLogFiles = OpenLogFiles::OFF,
        "How many files of access logs whose names hold variables stay open, and for how long";
    }
}

/// `open_log_file_cache`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpenLogFiles {
    /// `max=`: how many; none where it is `off`.
    pub most: usize,
    /// `inactive=`: closed when not used for so long.
    pub inactive: Duration,
    /// `min_uses=`: kept only when used so often within `inactive`.
    pub least_uses: u64,
    /// `valid=`: how often to look whether the file of that name is still the one that is open.
    pub valid: Duration,
}

impl OpenLogFiles {
    /// Every file is closed after the line.
    pub const OFF: Self =
        Self { most: 0, inactive: Duration::from_secs(10), least_uses: 1, valid: Duration::from_secs(60) };
}

impl Argument for OpenLogFiles {
    type Value = Self;

    const ARGUMENTS: Arguments =
        at_least(1, "max=number [inactive=time] [min_uses=number] [valid=time] | off");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let mut rules = Self::OFF;
        for (index, word) in directive.words().enumerate() {
            let read = match word.split_once('=') {
                None if word == "off" => {
                    rules = Self::OFF;
                    *into = Some(rules);
                    continue;
                }
                Some(("max", number)) => values::number(number).map(|number| rules.most = number as usize),
                Some(("inactive", time)) => values::seconds(time).map(|time| rules.inactive = time),
                Some(("min_uses", number)) => values::number(number)
                    .filter(|number| *number > 0)
                    .map(|number| rules.least_uses = number),
                Some(("valid", time)) => values::seconds(time).map(|time| rules.valid = time),
                _ => None,
            };
            if read.is_none() {
                report.emerg_hint(
                    format!("invalid \"open_log_file_cache\" parameter \"{word}\""),
                    &directive.argument_position(index),
                    "it must be off, max=number, inactive=time, min_uses=number or valid=time",
                );
                return;
            }
        }
        if rules.most == 0 && into.is_none() {
            let message = "\"open_log_file_cache\" must have \"max\" parameter";
            report.emerg(message, &directive.position);
            return;
        }
        *into = Some(rules);
    }

    fn print(value: &Self) -> String {
        match value.most {
            0 => "off".to_owned(),
            most => format!("max={most}"),
        }
    }
}
