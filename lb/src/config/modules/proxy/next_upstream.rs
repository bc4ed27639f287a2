//! `proxy_next_upstream`: when another server is asked.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, at_least};

/// `proxy_next_upstream`: the conditions on which another server may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextUpstream(u16);

/// The words of the directive, in nginx's order.
const WORDS: [(&str, NextUpstream); 13] = [
    ("error", NextUpstream::ERROR),
    ("timeout", NextUpstream::TIMEOUT),
    ("denied", NextUpstream::DENIED),
    ("invalid_header", NextUpstream::INVALID_HEADER),
    ("non_idempotent", NextUpstream::NON_IDEMPOTENT),
    ("http_500", NextUpstream::HTTP_500),
    ("http_502", NextUpstream::HTTP_502),
    ("http_503", NextUpstream::HTTP_503),
    ("http_504", NextUpstream::HTTP_504),
    ("http_403", NextUpstream::HTTP_403),
    ("http_404", NextUpstream::HTTP_404),
    ("http_429", NextUpstream::HTTP_429),
    ("updating", NextUpstream::UPDATING),
];

impl NextUpstream {
    /// `off`: never.
    pub const OFF: Self = Self(0);
    /// Refused, reset or closed while connecting, sending or reading the answer's header.
    pub const ERROR: Self = Self(1);
    /// The same, timed out.
    pub const TIMEOUT: Self = Self(1 << 1);
    /// The server's address is not allowed; nothing here filters addresses, so it never comes to that.
    pub const DENIED: Self = Self(1 << 2);
    /// The answer was not HTTP.
    pub const INVALID_HEADER: Self = Self(1 << 3);
    /// Requests with `POST`, `LOCK` and `PATCH` go to another server too.
    pub const NON_IDEMPOTENT: Self = Self(1 << 4);
    /// An answer with 500.
    pub const HTTP_500: Self = Self(1 << 5);
    /// An answer with 502.
    pub const HTTP_502: Self = Self(1 << 6);
    /// An answer with 503.
    pub const HTTP_503: Self = Self(1 << 7);
    /// An answer with 504.
    pub const HTTP_504: Self = Self(1 << 8);
    /// An answer with 403.
    pub const HTTP_403: Self = Self(1 << 9);
    /// An answer with 404.
    pub const HTTP_404: Self = Self(1 << 10);
    /// An answer with 429.
    pub const HTTP_429: Self = Self(1 << 11);
    /// An entry of the cache is being renewed; nginx takes the word here and gives it no meaning.
    pub const UPDATING: Self = Self(1 << 12);

    /// Both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has all of `other`.
    pub const fn lists(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What one level says: `off` outweighs what stands beside it, in this directive or another.
impl Argument for NextUpstream {
    type Value = Self;

    const ARGUMENTS: Arguments = at_least(
        1,
        "error | timeout | denied | invalid_header | http_500 | http_502 | http_503 | http_504 | http_403 | \
         http_404 | http_429 | non_idempotent | updating | off …",
    );
    /// Said again at one level, it adds to what was said there.
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let mut off = *into == Some(Self::OFF);
        let mut next = into.unwrap_or(Self::OFF);
        for (index, word) in directive.words().enumerate() {
            let known = WORDS
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(word))
                .map(|(_, condition)| *condition);
            let seen = match known {
                Some(condition) => {
                    let seen = next.lists(condition);
                    next = next.with(condition);
                    seen
                }
                None if word.eq_ignore_ascii_case("off") => std::mem::replace(&mut off, true),
                None => {
                    report.emerg(format!("invalid value \"{word}\""), &directive.argument_position(index));
                    false
                }
            };
            if seen {
                report.warn(format!("duplicate value \"{word}\""), &directive.argument_position(index));
            }
        }
        *into = Some(if off { Self::OFF } else { next });
    }

    fn print(value: &Self) -> String {
        let words: Vec<&str> =
            WORDS.iter().filter(|(_, condition)| value.lists(*condition)).map(|(word, _)| *word).collect();
        if words.is_empty() { "off".to_owned() } else { words.join(" ") }
    }
}
