//! How many requests of a key are served at a time: nginx's `ngx_http_limit_conn_module`.

use std::sync::Arc;

use http::StatusCode;

use super::limit_zone::{Level, Status, declare, name_and_size};
use crate::config::diagnostics::{Report, Severity};
use crate::config::model::{ZoneId, ZoneKind};
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Argument, Arguments, Block, Flag, HTTP, LEVELS, Row, row, settings, words};
use crate::config::values;

const MODULE: &str = "limit_conn";
const TOO_MANY: u64 = 65_536;

settings! {
    /// How many requests are served at a time.
    LimitConn {
        "limit_conn" in LEVELS,
        limits: Arc<[ConnectionLimit]> as ConnectionLimits = Arc::default(),
        "Answers what is beyond so many requests at a time with `limit_conn_status`; over HTTP/2 every stream counts. A level that has any inherits none";

        "limit_conn_status" in LEVELS,
        status: StatusCode as Status = StatusCode::SERVICE_UNAVAILABLE,
        "The status of what `limit_conn` refuses";

        "limit_conn_log_level" in LEVELS,
        log_level: Severity as Level = Severity::Error,
        "How what `limit_conn` refuses is logged";

        "limit_conn_dry_run" in LEVELS,
        dry_run: bool as Flag = false,
        "Counts and logs, and does not refuse";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("limit_conn_zone", HTTP, words(2, 2, "key zone=name:size"), Reads(zone),
        "Declares the memory in which `limit_conn` counts requests under way by a key. It lives on in a reload")
        .repeatable(),
];

/// `limit_conn`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimit {
    /// Where requests are counted.
    pub zone: ZoneId,
    /// How many there may be.
    pub most: u32,
}

struct ConnectionLimits;

impl Argument for ConnectionLimits {
    type Value = Arc<[ConnectionLimit]>;

    const ARGUMENTS: Arguments = words(2, 2, "zone number");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        let written = directive.argument(1);
        let most = match values::number(written) {
            Some(number) if number >= TOO_MANY => {
                return report.emerg("connection limit must be less 65536", &directive.argument_position(1));
            }
            number => number.and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0),
        };
        let Some(most) = most else {
            let message = format!("invalid number of connections \"{written}\"");
            return report.emerg(message, &directive.argument_position(1));
        };
        let position = directive.argument_position(0);
        let zone = match report.zones().of(directive.argument(0), MODULE, &position) {
            Ok(zone) => zone,
            Err(message) => return report.emerg(message, &position),
        };
        let mut limits = into.take().unwrap_or_default().to_vec();
        if limits.iter().any(|known| known.zone == zone) {
            report.emerg("\"limit_conn\" directive is duplicate", &directive.position);
        }
        limits.push(ConnectionLimit { zone, most });
        *into = Some(limits.into());
    }

    fn print(_: &Self::Value) -> String {
        String::new()
    }
}

fn zone(_: &mut Block, directive: &Directive, report: &mut Report) {
    if !directive.argument(1).starts_with("zone=") {
        return report.invalid_parameter(directive, 1, "zone=");
    }
    if let Some(zone) = name_and_size(directive, 1, report) {
        declare(directive, MODULE, zone, ZoneKind::Connections, report);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{accepted, in_http, refused};

    #[test]
    fn zones_and_limits_are_read() {
        let http = accepted(&in_http(
            "limit_conn_zone $host zone=a:1m; limit_conn_zone $uri zone=b:1m; limit_conn a 10; limit_conn b 65535; \
             limit_conn_log_level info; server { location / { } location /own { limit_conn b 1; limit_conn_dry_run on; } }",
        ))
        .http;
        let settings = |index: usize| http.servers[0].locations[index].settings.limit_conn.clone();
        let limit = |zone, most| ConnectionLimit { zone: ZoneId(zone), most };
        assert_eq!(settings(0).limits[..], [limit(0, 10), limit(1, 65_535)]);
        assert_eq!(settings(1).limits[..], [limit(1, 1)]);
        assert_eq!((settings(1).log_level, settings(1).dry_run), (Severity::Info, true));
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("limit_conn a 1;", "zero size shared memory zone \"a\""),
            ("limit_conn a 0;", "invalid number of connections \"0\""),
            ("limit_conn a x;", "invalid number of connections \"x\""),
            ("limit_conn a 65536;", "connection limit must be less 65536"),
            (
                "limit_conn_zone $host zone=a:1m; limit_conn a 1; limit_conn a 2;",
                "\"limit_conn\" directive is duplicate",
            ),
            ("limit_conn_zone $host zone=a:1;", "zone \"zone=a:1\" is too small"),
            ("limit_conn_zone $host zone=a;", "invalid zone size \"zone=a\""),
            ("limit_conn_zone $host a:1m;", "invalid parameter \"a:1m\""),
        ] {
            refused(&in_http(text), message);
        }
    }
}
