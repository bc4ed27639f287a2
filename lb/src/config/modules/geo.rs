//! `geo`: a variable whose value depends on the client's address.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::map::{define, is_line, variable_name};
use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, HTTP, Row, row, words};
use crate::script::{Added, Computed, Geo, Network, Networks, Ranges};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("geo", HTTP, words(1, 2, "[$address] $variable { [ranges;] [proxy network;] [proxy_recursive;] [default value;] network value; … }"), Reads(geo),
        "Defines a variable by the network, or with `ranges` the range, that the client's address is in")
        .differs("the `.bin` file that nginx keeps beside large ranges is neither read nor written").with_block().repeatable(),
];

type Value = Arc<[u8]>;

fn geo(_: &mut Block, directive: &Directive, report: &mut Report) {
    let last = directive.arguments.len() - 1;
    let source = if last == 0 {
        None
    } else {
        let Some(name) = variable_name(directive, 0, report) else { return };
        Some(report.names().resolve(name, &directive.argument_position(0)))
    };
    let mut reading = Reading { given: Given::default(), report };
    for entry in directive.block.iter().flatten() {
        reading.entry(entry);
    }
    let Given { networks, ranges, default, proxies, recursive, .. } = reading.given;
    let default = default.unwrap_or_else(|| Arc::from([]));
    let values = match ranges {
        Some(ranges) => Networks::of_ranges(ranges.into_ranges(), &default),
        None => Networks::new(networks, &default),
    };
    let geo = Geo::new(source, values).believing(&proxies, recursive);
    define(directive, last, Computed::Geo(geo), report);
}

#[derive(Default)]
struct Given {
    networks: BTreeMap<Network, Value>,
    /// With `ranges`.
    ranges: Option<Ranges<Value>>,
    default: Option<Value>,
    proxies: Vec<Network>,
    recursive: bool,
    /// An entry has been read that is no range.
    has_networks: bool,
}

struct Reading<'r> {
    given: Given,
    report: &'r mut Report,
}

impl Reading<'_> {
    fn entry(&mut self, entry: &Directive) {
        if !is_line(entry, self.report) {
            return;
        }
        match (entry.name.as_str(), entry.arguments.len()) {
            ("ranges", 0) if self.given.has_networks => {
                let message = "the \"ranges\" directive must be the first directive inside \"geo\" block";
                self.report.emerg(message, &entry.position);
            }
            ("ranges", 0) => {
                self.given.ranges.get_or_insert_default();
            }
            ("proxy_recursive", 0) => self.given.recursive = true,
            ("proxy", 1) => {
                let proxy = self.network(entry.argument(0), &entry.position);
                self.given.proxies.extend(proxy);
            }
            (_, 1) => self.value(entry),
            _ => self.report.emerg("invalid number of the geo parameters", &entry.position),
        }
    }

    fn value(&mut self, entry: &Directive) {
        let (key, position) = (entry.name.as_str(), &entry.position);
        let is_ranges = self.given.ranges.is_some();
        self.given.has_networks |= !is_ranges;
        if key == "delete" {
            self.delete(entry.argument(0), position);
            return;
        }
        let value = Value::from(entry.argument(0).as_bytes());
        if key == "default" {
            if let Some(old) = self.given.default.replace(Arc::clone(&value)) {
                let what = if is_ranges { "default geo range value:" } else { "network \"default\", value:" };
                self.warn_of_duplicate(what, &value, &old, position);
            }
        } else if is_ranges {
            self.range(key, &value, position);
        } else if let Some(network) = self.network(key, position)
            && let Some(old) = self.given.networks.insert(network, Arc::clone(&value))
        {
            self.warn_of_duplicate(&format!("network \"{key}\", value:"), &value, &old, position);
        }
    }

    fn range(&mut self, key: &str, value: &Value, position: &Position) {
        let Some((first, last)) = self.ends(key, position) else { return };
        let Some(ranges) = &mut self.given.ranges else { return };
        match ranges.add(first, last, value) {
            Added::New => {}
            Added::Replaced(old) => {
                self.warn_of_duplicate(&format!("range \"{key}\", value:"), value, &old, position);
            }
            Added::Overlaps(first, last) => {
                let (first, last) = (Ipv4Addr::from(first), Ipv4Addr::from(last));
                self.report.emerg(format!("range \"{key}\" overlaps \"{first}-{last}\""), position);
            }
        }
    }

    fn delete(&mut self, key: &str, position: &Position) {
        let missing = if self.given.ranges.is_some() {
            let Some((first, last)) = self.ends(key, position) else { return };
            let ranges = self.given.ranges.as_mut();
            (!ranges.is_some_and(|ranges| ranges.remove(first, last))).then_some("address range")
        } else {
            let Some(network) = self.network(key, position) else { return };
            self.given.networks.remove(&network).is_none().then_some("network")
        };
        if let Some(what) = missing {
            self.report.warn(format!("no {what} \"{key}\" to delete"), position);
        }
    }

    fn warn_of_duplicate(&mut self, what: &str, value: &Value, old: &Value, position: &Position) {
        let (value, old) = (String::from_utf8_lossy(value), String::from_utf8_lossy(old));
        self.report.warn(format!("duplicate {what} \"{value}\", old value: \"{old}\""), position);
    }

    fn network(&mut self, text: &str, position: &Position) -> Option<Network> {
        let Some((network, has_low_bits)) = Network::parse(text) else {
            self.report.emerg(format!("invalid network \"{text}\""), position);
            return None;
        };
        if has_low_bits {
            self.report.warn(format!("low address bits of {text} are meaningless"), position);
        }
        Some(network)
    }

    /// The ends of `1.2.3.4-1.2.3.9`. As in nginx, 255.255.255.255 is none.
    fn ends(&mut self, text: &str, position: &Position) -> Option<(u32, u32)> {
        let end = |text: &str| text.parse::<Ipv4Addr>().ok().map(u32::from).filter(|end| *end != u32::MAX);
        let ends = text.split_once('-').and_then(|(first, last)| Some((end(first)?, end(last)?)));
        let sound = ends.filter(|(first, last)| first <= last);
        if sound.is_none() {
            self.report.emerg(format!("invalid range \"{text}\""), position);
        }
        sound
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http, refused, warnings};
    use crate::script::{Computed, Geo, address};

    fn geo(head: &str, entries: &str) -> Geo {
        let text = format!("geo {head} {{ {entries} }} server {{ return 200 $x; }}");
        match accepted(&in_http(&text)).http.computed.pop() {
            Some(Computed::Geo(geo)) => geo,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn chooses(geo: &Geo, cases: &[(&str, &str)]) {
        for (text, value) in cases {
            let chosen = String::from_utf8_lossy(geo.choose(address(text.as_bytes()))).into_owned();
            assert_eq!(chosen, *value, "{text}");
        }
    }

    #[test]
    fn networks_are_read() {
        let geo = geo(
            "$x",
            "default d; 10.0.0.0/8 ten; 10.1.0.0/16 deleted; delete 10.1.0.0/16; ::1 six; 10.2.3.4 one;",
        );
        chooses(&geo, &[("10.1.1.1", "ten"), ("10.2.3.4", "one"), ("::1", "six"), ("::2", "d"), ("", "d")]);
        assert!(geo.source().is_none() && !geo.believes_proxies());
        chooses(&self::geo("$arg_ip $x", "1.1.1.1 a;"), &[("1.1.1.1", "a"), ("1.1.1.2", "")]);
    }

    #[test]
    fn ranges_are_read() {
        let entries = "ranges; default d; 10.0.0.0-10.3.0.9 wide; 10.1.0.5-10.1.0.9 narrow; 9.0.0.0-9.0.0.1 gone; \
                       delete 9.0.0.0-9.0.0.1;";
        let cases = [
            ("10.3.0.9", "wide"),
            ("10.3.0.10", "d"),
            ("10.1.0.5", "narrow"),
            ("10.1.0.10", "wide"),
            ("9.0.0.0", "d"),
            ("::1", "d"),
        ];
        chooses(&geo("$x", entries), &cases);
    }

    #[test]
    fn proxies_are_read() {
        let geo = geo("$remote_addr $x", "proxy 127.0.0.1; proxy_recursive; default d;");
        assert!(geo.believes_proxies() && geo.source().is_some());
    }

    #[test]
    fn mistakes() {
        for (entries, message) in [
            ("a 1;", "invalid network \"a\""),
            ("10.0.0.0/33 1;", "invalid network \"10.0.0.0/33\""),
            ("proxy x;", "invalid network \"x\""),
            ("a;", "invalid number of the geo parameters"),
            ("a b c;", "invalid number of the geo parameters"),
            (
                "default 1; ranges;",
                "the \"ranges\" directive must be the first directive inside \"geo\" block",
            ),
            ("ranges; 10.0.0.0/8 1;", "invalid range \"10.0.0.0/8\""),
            ("ranges; 1.1.1.9-1.1.1.1 1;", "invalid range \"1.1.1.9-1.1.1.1\""),
            ("ranges; 1.1.1.1-255.255.255.255 1;", "invalid range \"1.1.1.1-255.255.255.255\""),
            (
                "ranges; 10.0.0.5-10.0.0.9 1; 10.0.0.0-10.0.0.255 2;",
                "range \"10.0.0.0-10.0.0.255\" overlaps \"10.0.0.5-10.0.0.9\"",
            ),
        ] {
            refused(&in_http(&format!("geo $x {{ {entries} }}")), message);
        }
        refused(&in_http("geo x { }"), "invalid variable name \"x\"");
        refused(&in_http("geo $nosuch $x { }"), "unknown \"nosuch\" variable");
    }

    #[test]
    fn what_is_odd_is_told() {
        for (entries, message) in [
            (
                "10.0.0.0/8 1; 10.0.0.0/8 2;",
                "duplicate network \"10.0.0.0/8\", value: \"2\", old value: \"1\"",
            ),
            ("default 0; default 1;", "duplicate network \"default\", value: \"1\", old value: \"0\""),
            ("10.0.0.1/8 1;", "low address bits of 10.0.0.1/8 are meaningless"),
            ("delete 10.0.0.0/8;", "no network \"10.0.0.0/8\" to delete"),
            ("ranges; default 1; default 2;", "duplicate default geo range value: \"2\", old value: \"1\""),
            ("ranges; delete 10.0.0.0-10.0.0.1;", "no address range \"10.0.0.0-10.0.0.1\" to delete"),
            (
                "ranges; 10.0.0.0-10.0.0.1 1; 10.0.0.0-10.0.0.1 2;",
                "duplicate range \"10.0.0.0-10.0.0.1\", value: \"2\", old value: \"1\"",
            ),
        ] {
            let warnings = warnings(&in_http(&format!("geo $x {{ {entries} }}")));
            assert!(warnings.len() == 1 && warnings[0].contains(message), "{entries}: {warnings:?}");
        }
    }
}
