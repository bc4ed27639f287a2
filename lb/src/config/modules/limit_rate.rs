//! How fast an answer is sent: `limit_rate` and `limit_rate_after` of nginx's `ngx_http_core_module`.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, IF_IN_LOCATION, LEVELS, one, settings};
use crate::config::values;
use crate::script::Template;

settings! {
    /// How fast answers are sent.
    LimitRate {
        "limit_rate" in LEVELS.or(IF_IN_LOCATION),
        rate: SizeValue as SizeValue = SizeValue::Bytes(0),
        "How many bytes of an answer are sent in a second, for each request; 0 sets no limit. May contain variables",
        differs "a file moves in pieces of a tenth of a second, and the texts of `return` leave at once";

        "limit_rate_after" in LEVELS.or(IF_IN_LOCATION),
        after: SizeValue as SizeValue = SizeValue::Bytes(0),
        "How many bytes of an answer are sent before the limit begins. May contain variables";
    }
}

/// A size that may be another for each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SizeValue {
    /// The same for all.
    Bytes(u64),
    /// What the text says, read by [`SizeValue::parse`].
    PerRequest(Template),
}

impl SizeValue {
    /// The size that a rendered text is. What is none means 0, as in nginx.
    pub fn parse(text: &[u8]) -> u64 {
        Self::checked(text).unwrap_or(0)
    }

    /// The size that a rendered text is, if it is one.
    pub fn checked(text: &[u8]) -> Option<u64> {
        std::str::from_utf8(text).ok().and_then(values::size)
    }
}

impl Argument for SizeValue {
    type Value = Self;

    const ARGUMENTS: Arguments = one("size");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        *into = if directive.argument(0).contains('$') {
            report.template(directive, 0).map(Self::PerRequest)
        } else {
            report.size(directive, 0).map(Self::Bytes)
        };
    }

    fn print(value: &Self) -> String {
        match value {
            Self::Bytes(bytes) => values::written_bytes(*bytes),
            Self::PerRequest(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SizeValue;
    use crate::config::testing::{accepted, in_location, refused};

    #[test]
    fn a_size_or_a_text() {
        let settings = |text: &str| {
            let config = accepted(&in_location(text));
            config.http.servers[0].locations[0].settings.limit_rate.clone()
        };
        let given = settings("limit_rate 10k; limit_rate_after 1m;");
        assert_eq!((&given.rate, &given.after), (&SizeValue::Bytes(10 << 10), &SizeValue::Bytes(1 << 20)));
        assert!(matches!(settings("limit_rate $arg_rate;").rate, SizeValue::PerRequest(_)));
        assert_eq!(settings("").rate, SizeValue::Bytes(0));
        refused(&in_location("limit_rate fast;"), "\"limit_rate\" directive invalid value");
        for (text, bytes) in [("4k", 4096), ("", 0), ("fast", 0), ("7", 7)] {
            assert_eq!(SizeValue::parse(text.as_bytes()), bytes, "{text}");
        }
    }
}
