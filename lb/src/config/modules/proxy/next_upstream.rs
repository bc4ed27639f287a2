//! `proxy_next_upstream`: when another server is asked.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, at_least};

/// `proxy_next_upstream`: on which failures another server may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextUpstream {
    /// `error`: refused, reset or closed while connecting, sending or reading the answer's header.
    pub error: bool,
    /// `timeout`: the same, timed out.
    pub timeout: bool,
}

impl NextUpstream {
    const OFF: Self = Self { error: false, timeout: false };
}

impl Argument for NextUpstream {
    type Value = Self;

    const ARGUMENTS: Arguments = at_least(1, "error | timeout | off …");
    /// Said again at one level, it adds to what was said there.
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let mut off = *into == Some(Self::OFF);
        let mut next = into.unwrap_or(Self::OFF);
        for (index, word) in directive.words().enumerate() {
            let seen = match word {
                "error" => std::mem::replace(&mut next.error, true),
                "timeout" => std::mem::replace(&mut next.timeout, true),
                "off" => std::mem::replace(&mut off, true),
                "denied" | "invalid_header" | "non_idempotent" | "updating" | "http_500" | "http_502"
                | "http_503" | "http_504" | "http_403" | "http_404" | "http_429" => {
                    report.not_yet(directive, index);
                    false
                }
                _ => {
                    report.emerg_hint(
                        format!("invalid value \"{word}\""),
                        &directive.argument_position(index),
                        "\"proxy_next_upstream\" accepts error, timeout and off",
                    );
                    false
                }
            };
            if seen {
                report.warn(format!("duplicate value \"{word}\""), &directive.argument_position(index));
            }
        }
        // `off` outweighs what stands beside it.
        *into = Some(if off { Self::OFF } else { next });
    }

    fn print(value: &Self) -> String {
        let words: Vec<&str> = [("error", value.error), ("timeout", value.timeout)]
            .into_iter()
            .filter_map(|(word, on)| on.then_some(word))
            .collect();
        if words.is_empty() { "off".to_owned() } else { words.join(" ") }
    }
}
