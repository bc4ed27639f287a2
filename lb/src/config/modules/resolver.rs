//! `resolver` and its timeout, which nginx has in `http`, `server`, `location` and `upstream`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::config::address::{self, ServerAddress};
use crate::config::diagnostics::Report;
use crate::config::model::Resolver;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, LEVELS, Maybe, Row, Time, UPSTREAM, at_least, settings};
use crate::config::values;

settings! {
    /// Whom to ask for addresses. An `upstream` inherits that of `http`.
    Resolution {
        "resolver" in LEVELS,
        name_servers: Option<NameServers> as Maybe<NameServers> = None,
        "The name servers for `server … resolve`, and for a `proxy_pass` with variables; `valid=` replaces the answers' own time to live",
        differs "`localhost` and names under `.invalid` are answered without asking";

        "resolver_timeout" in LEVELS,
        timeout: Duration as Time = Duration::from_secs(30),
        "How long a question to the name servers may take";
    }
}

pub(super) const ROWS: &[Row] =
    &[SETTINGS[0], of_upstream(SETTINGS[0]), SETTINGS[1], of_upstream(SETTINGS[1])];

const fn of_upstream(row: Row) -> Row {
    let row = row.without("that of `http`");
    Row { contexts: UPSTREAM, summary: "The same, for one upstream", ..row }
}

impl Resolution {
    /// What the model keeps of it; `None` without a `resolver`.
    pub fn resolver(&self) -> Option<Resolver> {
        self.name_servers.as_ref().map(|known| Resolver {
            servers: known.servers.clone(),
            valid: known.valid,
            ipv4: known.ipv4,
            ipv6: known.ipv6,
            timeout: self.timeout,
        })
    }
}

/// `resolver`, without its timeout.
#[derive(Debug, Clone)]
pub struct NameServers {
    /// Their addresses, in order.
    pub servers: Vec<SocketAddr>,
    /// `valid=`: how long an answer stands, instead of its own time to live.
    pub valid: Option<Duration>,
    /// `ipv4=off` clears it.
    pub ipv4: bool,
    /// `ipv6=off` clears it.
    pub ipv6: bool,
}

const DNS_PORT: u16 = 53;

impl Argument for NameServers {
    type Value = Self;

    const ARGUMENTS: Arguments = at_least(1, "address[:port] … [valid=time] [ipv4=on|off] [ipv6=on|off]");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        *into = name_servers(directive, report);
    }

    fn print(value: &Self) -> String {
        let mut words: Vec<String> = value.servers.iter().map(ToString::to_string).collect();
        words.extend(value.valid.map(|time| format!("valid={}", values::written_time(time))));
        let off = [("ipv4", value.ipv4), ("ipv6", value.ipv6)].into_iter().filter(|(_, on)| !on);
        words.extend(off.map(|(family, _)| format!("{family}=off")));
        words.join(" ")
    }
}

fn name_servers(directive: &Directive, report: &mut Report) -> Option<NameServers> {
    let mut resolver = NameServers { servers: Vec::new(), valid: None, ipv4: true, ipv6: true };
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::config::testing::{accepted, in_http, refused};

    const UPSTREAM: &str = "server a:1 resolve; zone u 64k;";

    #[test]
    fn an_upstream_takes_that_of_http_or_its_own() {
        let of = |http: &str, own: &str| {
            let config = accepted(&in_http(&format!("{http} upstream u {{ {UPSTREAM} {own} }}")));
            config.http.upstreams[0].resolver.clone().unwrap()
        };
        let inherited = of("resolver 127.0.0.11 [::1]:54 valid=1s ipv6=off; resolver_timeout 2s;", "");
        let addresses: Vec<String> = inherited.servers.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["127.0.0.11:53", "[::1]:54"]);
        assert_eq!(
            (inherited.valid, inherited.timeout),
            (Some(Duration::from_secs(1)), Duration::from_secs(2))
        );
        assert!(inherited.ipv4 && !inherited.ipv6);
        let own = of("resolver 127.0.0.11;", "resolver 127.0.0.12 ipv4=off; resolver_timeout 3s;");
        assert_eq!(
            (own.servers[0].to_string().as_str(), own.timeout),
            ("127.0.0.12:53", Duration::from_secs(3))
        );
        assert_eq!(of("resolver 127.0.0.11;", "").timeout, Duration::from_secs(30));
    }

    #[test]
    fn mistakes() {
        let cases = [
            ("resolver dns.example;", "host not found in resolver \"dns.example\""),
            ("resolver ::1;", "invalid port in resolver \"::1\""),
            ("resolver 127.0.0.1:x;", "invalid port in resolver \"127.0.0.1:x\""),
            ("resolver 127.0.0.1 valid=1x;", "invalid parameter: valid=1x"),
            ("resolver 127.0.0.1 ipv6=maybe;", "invalid parameter: ipv6=maybe"),
            ("resolver 127.0.0.1 ipv4=off ipv6=off;", "\"ipv4\" and \"ipv6\" cannot both be \"off\""),
            ("resolver valid=1s;", "no name servers defined"),
            (
                "resolver 127.0.0.1 status_zone=z;",
                "\"status_zone=z\" in the \"resolver\" directive is not supported",
            ),
            ("resolver_timeout x;", "\"resolver_timeout\" directive invalid value"),
        ];
        for (text, message) in cases {
            refused(&in_http(text), message);
        }
    }
}
