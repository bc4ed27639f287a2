//! Whom the guards of a location let in: `satisfy` and `auth_delay` of nginx's `ngx_http_core_module`.

use std::time::Duration;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, LEVELS, Time, one, settings};

settings! {
    /// How the guards of a location act together.
    Satisfaction {
        "satisfy" in LEVELS,
        satisfy: Satisfy as Satisfy = Satisfy::All,
        "Whether all guards that have a say (`allow` and `deny`, `auth_basic`, `auth_jwt`, `auth_request`) must let a request in, or one is enough";

        "auth_delay" in LEVELS,
        delay: Duration as Time = Duration::ZERO,
        "How long a 401 is held back, so that passwords are not guessed fast";
    }
}

/// `satisfy`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Satisfy {
    /// No guard refuses.
    All,
    /// One guard lets it in.
    Any,
}

impl Argument for Satisfy {
    type Value = Self;

    const ARGUMENTS: Arguments = one("all | any");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let written = directive.argument(0);
        *into = match written.to_ascii_lowercase().as_str() {
            "all" => Some(Self::All),
            "any" => Some(Self::Any),
            _ => {
                let message = format!("invalid value \"{written}\"");
                report.emerg_hint(message, &directive.argument_position(0), "\"satisfy\" accepts all, any");
                None
            }
        };
    }

    fn print(value: &Self) -> String {
        match value {
            Self::All => "all",
            Self::Any => "any",
        }
        .to_owned()
    }
}
