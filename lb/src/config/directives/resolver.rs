//! `resolver` and its timeout, which nginx has in `http`, `server`, `location` and `upstream`.

use std::net::{IpAddr, SocketAddr};

use super::Effect::{Ignored, Level, Upstream};
use super::{HTTP, LOCATION, Row, SERVER, TIME, UPSTREAM, at_least, row};
use crate::config::address;
use crate::config::diagnostics::Report;
use crate::config::draft::ResolverDraft;
use crate::config::model::ServerAddress;
use crate::config::syntax::Directive;
use crate::config::values;

const SYNTAX: &str = "address[:port] … [valid=time] [ipv4=on\\|off] [ipv6=on\\|off]";
const ONLY_RESOLVE: &str =
    "names are followed for `server … resolve` alone, with the resolver of `upstream` or `http`";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("resolver", HTTP, at_least(1, SYNTAX), "", Level(|s, d, r| s.resolver = resolver(d, r)), "The name servers for `server … resolve`; `valid=` replaces the answers' own time to live"),
    row("resolver", UPSTREAM, at_least(1, SYNTAX), "that of `http`", Upstream(|u, d, r| u.resolver = resolver(d, r)), "The same, for one upstream"),
    row("resolver", SERVER | LOCATION, at_least(1, SYNTAX), "", Ignored(ONLY_RESOLVE), ""),
    row("resolver_timeout", HTTP, TIME, "30s", Level(|s, d, r| s.resolver_timeout = r.milliseconds(d, 0)), "How long a question to the name servers may take"),
    row("resolver_timeout", UPSTREAM, TIME, "that of `http`", Upstream(|u, d, r| u.resolver_timeout = r.milliseconds(d, 0)), "The same, for one upstream"),
    row("resolver_timeout", SERVER | LOCATION, TIME, "", Ignored(ONLY_RESOLVE), ""),
];

const DNS_PORT: u16 = 53;

fn resolver(directive: &Directive, report: &mut Report) -> Option<ResolverDraft> {
    let mut resolver = ResolverDraft { servers: Vec::new(), valid: None, ipv4: true, ipv6: true };
    let mut sound = true;
    for (index, word) in directive.words().enumerate() {
        let read = match word.split_once('=') {
            Some(("valid", time)) => values::seconds(time).map(|time| resolver.valid = Some(time)),
            Some(("ipv4", value)) => on_or_off(value).map(|on| resolver.ipv4 = on),
            Some(("ipv6", value)) => on_or_off(value).map(|on| resolver.ipv6 = on),
            Some(("status_zone", _)) => {
                report.unsupported(directive, index, "its statistics are not kept");
                sound = false;
                continue;
            }
            _ => match name_server(word, directive, index, report) {
                Some(address) => {
                    resolver.servers.push(address);
                    Some(())
                }
                None => {
                    sound = false;
                    continue;
                }
            },
        };
        if read.is_none() {
            let hint = "\"resolver\" accepts addresses, valid=time, ipv4=on|off and ipv6=on|off";
            report.emerg_hint(
                format!("invalid parameter: {word}"),
                &directive.argument_position(index),
                hint,
            );
            sound = false;
        }
    }
    if !resolver.ipv4 && !resolver.ipv6 {
        report.emerg("\"ipv4\" and \"ipv6\" cannot both be \"off\"", &directive.position);
        return None;
    }
    if sound && resolver.servers.is_empty() {
        report.emerg("no name servers defined", &directive.position);
        return None;
    }
    sound.then_some(resolver)
}

fn on_or_off(text: &str) -> Option<bool> {
    match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn name_server(word: &str, directive: &Directive, index: usize, report: &mut Report) -> Option<SocketAddr> {
    let position = directive.argument_position(index);
    match address::target(word, DNS_PORT) {
        Ok(target) if !target.uri.is_empty() => {
            report.emerg(format!("invalid host in resolver \"{word}\""), &position);
        }
        Ok(target) => match target.address {
            ServerAddress::Inet(address) => return Some(address),
            ServerAddress::Name { .. } | ServerAddress::Unix(_) => report.emerg_hint(
                format!("host not found in resolver \"{word}\""),
                &position,
                "a name server is given by its address, such as 127.0.0.11 or [::1]:53",
            ),
        },
        // An address of IPv6 without brackets is the usual slip.
        Err(_) if word.parse::<IpAddr>().is_ok() => report.emerg_hint(
            format!("invalid port in resolver \"{word}\""),
            &position,
            format!("write [{word}]"),
        ),
        Err(error) => report.emerg(format!("{error} in resolver \"{word}\""), &position),
    }
    None
}
