//! How many requests of a key come in a time: nginx's `ngx_http_limit_req_module`.

use std::sync::Arc;

use http::StatusCode;

use super::limit_zone::{Level, Status, declare, name_and_size};
use crate::config::diagnostics::{Report, Severity};
use crate::config::model::{ZoneId, ZoneKind};
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Argument, Arguments, Block, Flag, HTTP, LEVELS, Row, row, settings, words};
use crate::config::values;

const MODULE: &str = "limit_req";
/// A request, in the unit of rates and bursts.
const REQUEST: i64 = 1000;

settings! {
    /// How many requests come in a time.
    LimitReq {
        "limit_req" in LEVELS,
        limits: Arc<[RequestLimit]> as RequestLimits = Arc::default(),
        "Delays what comes faster than the zone's rate, and answers what is beyond the burst with `limit_req_status`. A level that has any inherits none";

        "limit_req_status" in LEVELS,
        status: StatusCode as Status = StatusCode::SERVICE_UNAVAILABLE,
        "The status of what `limit_req` refuses";

        "limit_req_log_level" in LEVELS,
        log_level: Severity as Level = Severity::Error,
        "How what `limit_req` refuses is logged; a delay is logged one level lower";

        "limit_req_dry_run" in LEVELS,
        dry_run: bool as Flag = false,
        "Counts and logs, and neither delays nor refuses";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("limit_req_zone", HTTP, words(3, 3, "key zone=name:size rate=rate"), Reads(zone),
        "Declares the memory in which `limit_req` counts requests by a key, and their rate: `10r/s`, `30r/m`. It lives on in a reload")
        .repeatable(),
];

/// `limit_req`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimit {
    /// Where requests are counted.
    pub zone: ZoneId,
    /// How much may come beyond the rate, in thousandths of a request.
    pub burst: i64,
    /// How much of that is not delayed.
    pub free: i64,
}

struct RequestLimits;

impl Argument for RequestLimits {
    type Value = Arc<[RequestLimit]>;

    const ARGUMENTS: Arguments = words(1, 3, "zone=name [burst=number] [nodelay | delay=number]");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        let mut named = None;
        let (mut burst, mut free) = (0, 0);
        for (index, word) in directive.words().enumerate() {
            let position = directive.argument_position(index);
            let positive = |text: &str| {
                values::number(text)
                    .and_then(|number| i64::try_from(number).ok())
                    .filter(|number| *number > 0)
            };
            if let Some(name) = word.strip_prefix("zone=") {
                named = Some((name, position));
            } else if let Some(text) = word.strip_prefix("burst=") {
                match positive(text) {
                    Some(number) => burst = number,
                    None => return report.emerg(format!("invalid burst value \"{word}\""), &position),
                }
            } else if let Some(text) = word.strip_prefix("delay=") {
                match positive(text) {
                    Some(number) => free = number,
                    None => return report.emerg(format!("invalid delay value \"{word}\""), &position),
                }
            } else if word == "nodelay" {
                free = i64::MAX / REQUEST;
            } else {
                return report.invalid_parameter(directive, index, "zone=, burst=, delay= and nodelay");
            }
        }
        let Some((name, position)) = named else {
            return report.emerg("\"limit_req\" must have \"zone\" parameter", &directive.position);
        };
        let zone = match report.zones().of(name, MODULE, &position) {
            Ok(zone) => zone,
            Err(message) => return report.emerg(message, &position),
        };
        let mut limits = into.take().unwrap_or_default().to_vec();
        if limits.iter().any(|known| known.zone == zone) {
            report.emerg("\"limit_req\" directive is duplicate", &directive.position);
        }
        let thousandths = |number: i64| number.saturating_mul(REQUEST);
        limits.push(RequestLimit { zone, burst: thousandths(burst), free: thousandths(free) });
        *into = Some(limits.into());
    }

    fn print(_: &Self::Value) -> String {
        String::new()
    }
}

fn zone(_: &mut Block, directive: &Directive, report: &mut Report) {
    let mut zone = None;
    let mut rate = REQUEST.unsigned_abs();
    for (index, word) in directive.words().enumerate().skip(1) {
        if word.starts_with("zone=") {
            let Some(read) = name_and_size(directive, index, report) else { return };
            zone = Some(read);
        } else if let Some(text) = word.strip_prefix("rate=") {
            let Some(read) = thousandths_a_second(text) else {
                let message = format!("invalid rate \"{word}\"");
                let hint = "a rate is so many requests a second or a minute: 10r/s, 30r/m";
                return report.emerg_hint(message, &directive.argument_position(index), hint);
            };
            rate = read;
        } else {
            return report.invalid_parameter(directive, index, "zone= and rate=");
        }
    }
    let Some(zone) = zone else {
        return report.emerg("\"limit_req_zone\" must have \"zone\" parameter", &directive.position);
    };
    declare(directive, MODULE, zone, ZoneKind::Requests { rate }, report);
}

/// nginx takes a number without a unit for requests a second.
fn thousandths_a_second(text: &str) -> Option<u64> {
    let (number, seconds) = match (text.strip_suffix("r/s"), text.strip_suffix("r/m")) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 60),
        (None, None) => (text, 1),
    };
    let number = values::number(number).filter(|number| *number > 0)?;
    Some(number.checked_mul(REQUEST.unsigned_abs())? / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{accepted, in_http, refused};

    #[test]
    fn zones_and_limits_are_read() {
        let http = accepted(&in_http(
            "limit_req zone=a burst=5; limit_req zone=b nodelay; limit_req_status 429; \
             limit_req_zone $binary_remote_addr zone=a:1m rate=10r/s; server { location /own { limit_req zone=b delay=2 burst=7; } location / { } } \
             limit_req_zone $host$uri zone=b:32k rate=30r/m;",
        ))
        .http;
        let zones: Vec<_> =
            http.limit_zones.iter().map(|zone| (&*zone.name, zone.bytes, zone.kind)).collect();
        assert_eq!(
            zones,
            [
                ("a", 1 << 20, ZoneKind::Requests { rate: 10_000 }),
                ("b", 32 << 10, ZoneKind::Requests { rate: 500 })
            ]
        );
        let settings = |index: usize| http.servers[0].locations[index].settings.limit_req.clone();
        let nodelay = i64::MAX / 1000 * 1000;
        let (own, inherited) = (settings(0), settings(1));
        assert_eq!(own.limits[..], [RequestLimit { zone: ZoneId(1), burst: 7000, free: 2000 }]);
        assert_eq!(
            inherited.limits[..],
            [
                RequestLimit { zone: ZoneId(0), burst: 5000, free: 0 },
                RequestLimit { zone: ZoneId(1), burst: 0, free: nodelay }
            ]
        );
        assert_eq!((own.status.as_u16(), own.log_level, own.dry_run), (429, Severity::Error, false));
    }

    #[test]
    fn mistakes() {
        const ZONE: &str = "limit_req_zone $host zone=a:1m rate=1r/s;";
        for (text, message) in [
            ("limit_req zone=a;", "zero size shared memory zone \"a\""),
            ("limit_req burst=1;", "\"limit_req\" must have \"zone\" parameter"),
            ("limit_req zone=a burst=0;", "invalid burst value \"burst=0\""),
            ("limit_req zone=a delay=x;", "invalid delay value \"delay=x\""),
            ("limit_req zone=a never;", "invalid parameter \"never\""),
            ("limit_req_status 200;", "value must be between 400 and 599"),
            ("limit_req_log_level crit;", "invalid value \"crit\""),
            ("limit_req_zone $host rate=1r/s zone=a;", "invalid zone size \"zone=a\""),
            ("limit_req_zone $host zone=a:31k rate=1r/s;", "zone \"zone=a:31k\" is too small"),
            ("limit_req_zone $host zone=a:1m rate=0r/s;", "invalid rate \"rate=0r/s\""),
            ("limit_req_zone $host zone=a:1m rate=1r/h;", "invalid rate \"rate=1r/h\""),
            ("limit_req_zone $nope zone=a:1m rate=1r/s;", "unknown \"nope\" variable"),
            ("limit_req_zone $host rate=1r/s rate=2r/s;", "\"limit_req_zone\" must have \"zone\" parameter"),
        ] {
            refused(&in_http(text), message);
        }
        for (text, message) in [
            ("limit_req zone=a; limit_req zone=a burst=2;", "\"limit_req\" directive is duplicate"),
            ("limit_conn a 1;", "the shared memory zone \"a\" is already declared for a different use"),
            (
                "limit_req_zone $uri zone=a:1m rate=1r/s;",
                "limit_req_zone \"a\" is already bound to key \"$host\"",
            ),
            (
                "limit_req_zone $uri zone=a:2m rate=1r/s;",
                "the size 2097152 of shared memory zone \"a\" conflicts with already declared size 1048576",
            ),
        ] {
            refused(&in_http(&format!("{ZONE} {text}")), message);
        }
    }
}
