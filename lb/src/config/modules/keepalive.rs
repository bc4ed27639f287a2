//! Connections of clients that stay open: nginx's `keepalive_*` of its `ngx_http_core_module`.

use std::time::Duration;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, LEVELS, Number, Time, settings, words};

settings! {
    /// How long a client's connection stays open.
    Keepalive {
        "keepalive_timeout" in LEVELS,
        timeout: KeepaliveTimeout as KeepaliveTimeout =
            KeepaliveTimeout { idle: Duration::from_secs(75), header: None },
        "How long an idle client connection stays open (0: closes after each answer), and what the Keep-Alive field tells";

        "keepalive_requests" in LEVELS,
        requests: u64 as Number = 1000,
        "How many requests a client connection may carry";

        "keepalive_time" in LEVELS,
        lifetime: Duration as Time = Duration::from_secs(3600),
        "How long a client connection may carry requests";
    }
}

/// `keepalive_timeout timeout [header_timeout]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepaliveTimeout {
    /// How long an idle connection stays open; zero closes it after each answer.
    pub idle: Duration,
    /// `Keep-Alive: timeout=` to the client.
    pub header: Option<Duration>,
}

impl Argument for KeepaliveTimeout {
    type Value = Self;

    const ARGUMENTS: Arguments = words(1, 2, "timeout [header_timeout]");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let Some(idle) = report.milliseconds(directive, 0) else { return };
        let header = match directive.arguments.len() {
            2 => match report.seconds(directive, 1) {
                Some(header) => Some(header),
                None => return,
            },
            _ => None,
        };
        *into = Some(Self { idle, header });
    }

    fn print(value: &Self) -> String {
        let idle = Time::print(&value.idle);
        match &value.header {
            Some(header) => format!("{idle} {}", Time::print(header)),
            None => idle,
        }
    }
}
