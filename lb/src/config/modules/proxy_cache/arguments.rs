//! What the directives of the cache take.

use std::time::Duration;

use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, at_least, one};
use crate::config::values;
use crate::script::Template;

/// `proxy_cache`
#[derive(Debug, Clone, PartialEq)]
pub enum CacheSwitch {
    /// `off`
    Off,
    /// The zone of this name.
    Zone(String, Position),
    /// The zone whose name this renders to.
    PerRequest(Template),
}

impl Argument for CacheSwitch {
    type Value = Self;

    const ARGUMENTS: Arguments = one("zone | off");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        *into = match directive.argument(0) {
            "off" => Some(Self::Off),
            name if name.contains('$') => report.template(directive, 0).map(Self::PerRequest),
            name => Some(Self::Zone(name.to_owned(), directive.argument_position(0))),
        };
    }

    fn print(value: &Self) -> String {
        match value {
            Self::Off => "off".to_owned(),
            Self::Zone(name, _) => name.clone(),
            Self::PerRequest(_) => String::new(),
        }
    }
}

/// Strings of which one has to be neither empty nor 0.
pub(super) struct Conditions;

impl Argument for Conditions {
    type Value = Vec<Template>;

    const ARGUMENTS: Arguments = at_least(1, "string …");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Vec<Template>>, directive: &Directive, report: &mut Report) {
        let conditions = into.get_or_insert_default();
        for index in 0..directive.arguments.len() {
            conditions.extend(report.template(directive, index));
        }
    }

    /// No default has any.
    fn print(_: &Vec<Template>) -> String {
        String::new()
    }
}

/// One `proxy_cache_valid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheValid {
    /// The status; `None` for `any`.
    pub status: Option<u16>,
    /// How long; zero for not at all.
    pub time: Duration,
}

/// All of a level.
pub(super) struct CacheValidity;

/// What a time without a status is for.
const USUAL: [u16; 3] = [200, 301, 302];

impl Argument for CacheValidity {
    type Value = Vec<CacheValid>;

    const ARGUMENTS: Arguments = at_least(1, "[code …] time");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Vec<CacheValid>>, directive: &Directive, report: &mut Report) {
        let last = directive.arguments.len() - 1;
        let Some(time) = values::seconds(directive.argument(last)) else {
            let message = format!("invalid time value \"{}\"", directive.argument(last));
            report.emerg(message, &directive.argument_position(last));
            return;
        };
        let valid = into.get_or_insert_default();
        if last == 0 {
            valid.extend(USUAL.map(|status| CacheValid { status: Some(status), time }));
        }
        for index in 0..last {
            let word = directive.argument(index);
            let status = word.parse::<u16>().ok().filter(|status| (100..=599).contains(status));
            match (word, status) {
                ("any", _) => valid.push(CacheValid { status: None, time }),
                (_, Some(status)) => valid.push(CacheValid { status: Some(status), time }),
                (_, None) => {
                    let message = format!("invalid status \"{word}\"");
                    report.emerg(message, &directive.argument_position(index));
                }
            }
        }
    }

    /// No default has any.
    fn print(_: &Vec<CacheValid>) -> String {
        String::new()
    }
}

/// A set of words, in nginx's order.
macro_rules! word_set {
    ($(#[$about:meta])* $Name:ident($bits:ty), $all:ident: $count:literal { $($(#[$of:meta])* $NAME:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $Name($bits);

        const $all: [(&str, $Name); $count] = [$(($word, $Name::$NAME),)+];

        impl $Name {
            word_set!(@bits 1, $($(#[$of])* $NAME,)+);

            /// Whether it has all of `other`.
            pub const fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Both sets.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            fn add(&mut self, word: &str, index: usize, directive: &Directive, report: &mut Report) {
                let position = directive.argument_position(index);
                match $all.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)) {
                    Some((_, value)) if self.has(*value) => {
                        report.warn(format!("duplicate value \"{word}\""), &position);
                    }
                    Some((_, value)) => *self = self.with(*value),
                    None => report.emerg(format!("invalid value \"{word}\""), &position),
                }
            }

            fn words(self) -> String {
                let words = $all.iter().filter(|(_, value)| self.has(*value));
                words.map(|(word, _)| *word).collect::<Vec<_>>().join(" ")
            }
        }
    };
    (@bits $bit:expr, $(#[$of:meta])* $NAME:ident, $($rest:tt)*) => {
        $(#[$of])*
        pub const $NAME: Self = Self($bit);
        word_set!(@bits $bit << 1, $($rest)*);
    };
    (@bits $bit:expr,) => {};
}

word_set! {
    /// `proxy_cache_use_stale`: when an answer is given that is no longer fresh.
    StaleConditions(u16), STALE: 11 {
        /// Refused, reset or closed while connecting, sending or reading the answer's header; or no server at all.
        ERROR = "error",
        /// The same, timed out.
        TIMEOUT = "timeout",
        /// The answer was not HTTP.
        INVALID_HEADER = "invalid_header",
        /// Another request renews it.
        UPDATING = "updating",
        /// An answer with 500.
        HTTP_500 = "http_500",
        /// An answer with 502.
        HTTP_502 = "http_502",
        /// An answer with 503.
        HTTP_503 = "http_503",
        /// An answer with 504.
        HTTP_504 = "http_504",
        /// An answer with 403.
        HTTP_403 = "http_403",
        /// An answer with 404.
        HTTP_404 = "http_404",
        /// An answer with 429.
        HTTP_429 = "http_429",
    }
}

impl StaleConditions {
    /// `off`: never.
    pub const OFF: Self = Self(0);
    /// What `off` adds while it is read: it outweighs what stands beside it.
    const NEVER: Self = Self(1 << 15);
}

impl Argument for StaleConditions {
    type Value = Self;

    const ARGUMENTS: Arguments = at_least(
        1,
        "error | timeout | invalid_header | updating | http_500 | http_502 | http_503 | http_504 | http_403 | \
         http_404 | http_429 | off …",
    );
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let mut stale = into.unwrap_or(Self::OFF);
        for (index, word) in directive.words().enumerate() {
            match word {
                "off" => stale = stale.with(Self::NEVER),
                word => stale.add(word, index, directive, report),
            }
        }
        *into = Some(if stale.has(Self::NEVER) { Self::OFF } else { stale });
    }

    fn print(value: &Self) -> String {
        match *value {
            Self::OFF => "off".to_owned(),
            value => value.words(),
        }
    }
}

word_set! {
    /// `proxy_cache_methods`
    CacheMethods(u8), METHODS: 3 {
        /// `GET`
        GET = "GET",
        /// `HEAD`
        HEAD = "HEAD",
        /// `POST`
        POST = "POST",
    }
}

impl CacheMethods {
    /// Those that are always among them.
    pub const READING: Self = Self::GET.with(Self::HEAD);

    /// Whether the method of this name is among them.
    pub fn contain(self, method: &str) -> bool {
        METHODS.iter().any(|(name, bit)| *name == method && self.has(*bit))
    }
}

impl Argument for CacheMethods {
    type Value = Self;

    const ARGUMENTS: Arguments = at_least(1, "GET | HEAD | POST …");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let mut methods = into.unwrap_or(Self(0));
        for (index, word) in directive.words().enumerate() {
            methods.add(word, index, directive, report);
        }
        *into = Some(methods.with(Self::READING));
    }

    fn print(value: &Self) -> String {
        value.words()
    }
}
