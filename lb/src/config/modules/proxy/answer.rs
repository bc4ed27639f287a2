//! What of a server's answer has an effect here, and what of it clients see: `proxy_ignore_headers`, `proxy_hide_header`,
//! `proxy_pass_header`.

use http::HeaderName;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, at_least, one};

/// `proxy_ignore_headers`: the fields of a server's answer that steer nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IgnoredHeaders(u16);

const NAMES: [(&str, IgnoredHeaders); 9] = [
    ("X-Accel-Redirect", IgnoredHeaders::X_ACCEL_REDIRECT),
    ("X-Accel-Expires", IgnoredHeaders::X_ACCEL_EXPIRES),
    ("X-Accel-Limit-Rate", IgnoredHeaders::X_ACCEL_LIMIT_RATE),
    ("X-Accel-Buffering", IgnoredHeaders::X_ACCEL_BUFFERING),
    ("X-Accel-Charset", IgnoredHeaders::X_ACCEL_CHARSET),
    ("Expires", IgnoredHeaders::EXPIRES),
    ("Cache-Control", IgnoredHeaders::CACHE_CONTROL),
    ("Set-Cookie", IgnoredHeaders::SET_COOKIE),
    ("Vary", IgnoredHeaders::VARY),
];

impl IgnoredHeaders {
    /// None.
    pub const NONE: Self = Self(0);
    /// `X-Accel-Redirect`
    pub const X_ACCEL_REDIRECT: Self = Self(1);
    /// `X-Accel-Expires`
    pub const X_ACCEL_EXPIRES: Self = Self(1 << 1);
    /// `X-Accel-Limit-Rate`
    pub const X_ACCEL_LIMIT_RATE: Self = Self(1 << 2);
    /// `X-Accel-Buffering`
    pub const X_ACCEL_BUFFERING: Self = Self(1 << 3);
    /// `X-Accel-Charset`
    pub const X_ACCEL_CHARSET: Self = Self(1 << 4);
    /// `Expires`
    pub const EXPIRES: Self = Self(1 << 5);
    /// `Cache-Control`
    pub const CACHE_CONTROL: Self = Self(1 << 6);
    /// `Set-Cookie`
    pub const SET_COOKIE: Self = Self(1 << 7);
    /// `Vary`
    pub const VARY: Self = Self(1 << 8);

    /// Both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are among them.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Argument for IgnoredHeaders {
    type Value = Self;

    const ARGUMENTS: Arguments = at_least(
        1,
        "X-Accel-Redirect | X-Accel-Expires | X-Accel-Limit-Rate | X-Accel-Buffering | X-Accel-Charset | Expires | \
         Cache-Control | Set-Cookie | Vary …",
    );
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let mut ignored = into.unwrap_or(Self::NONE);
        for (index, word) in directive.words().enumerate() {
            let position = directive.argument_position(index);
            match NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
                Some((_, field)) if ignored.has(*field) => {
                    report.warn(format!("duplicate value \"{word}\""), &position);
                }
                Some((_, field)) => ignored = Self(ignored.0 | field.0),
                None => report.emerg(format!("invalid value \"{word}\""), &position),
            }
        }
        *into = Some(ignored);
    }

    fn print(value: &Self) -> String {
        let names = NAMES.iter().filter(|(_, field)| value.has(*field));
        names.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
    }
}

/// `proxy_hide_header` and `proxy_pass_header`: names of fields, one a directive.
pub(super) struct FieldNames;

impl Argument for FieldNames {
    type Value = Vec<HeaderName>;

    const ARGUMENTS: Arguments = one("field");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Vec<HeaderName>>, directive: &Directive, report: &mut Report) {
        into.get_or_insert_default().extend(report.header_name(directive, 0));
    }

    /// No default has any.
    fn print(_: &Vec<HeaderName>) -> String {
        String::new()
    }
}
