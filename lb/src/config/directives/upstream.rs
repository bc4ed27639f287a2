//! The `upstream` block: nginx's `ngx_http_upstream_module`, its `zone` and `keepalive` modules, and the methods.

use std::time::Duration;

use super::Effect::{Level, Opens, Upstream};
use super::{Block, HTTP, LOCATION, NUMBER, Row, TIME, UPSTREAM, at_least, no_effect, refused, row, words};
use crate::config::address;
use crate::config::diagnostics::Report;
use crate::config::draft::{UpstreamDraft, Zone};
use crate::config::model::{ServerAddress, UpstreamServer};
use crate::config::syntax::Directive;
use crate::config::values;

const METHOD: &str = "round robin is the only method yet";
const CHECKS: &str = "every server is probed by a TCP connection each second, unless `off`; other checks are not supported yet";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("upstream", HTTP, words(1, 1, "name { … }"), "", Opens(Block::Upstream), "A group of servers for `proxy_pass`").repeatable(),
    row("server", UPSTREAM, at_least(1, "address [weight=number] [max_fails=number] [fail_timeout=time] [backup] [down] [resolve]"), "weight=1 max_fails=1 fail_timeout=10s", Upstream(server), "A server: address, name or `unix:path`, port 80 unless given. After `max_fails` failures within `fail_timeout` it rests for that time (0: never). A `backup` serves when no other can; `resolve` follows DNS and needs `zone` and `resolver`").repeatable(),
    row("keepalive", UPSTREAM, words(1, 2, "connections [local]"), "32", Upstream(keepalive), "How many idle connections are kept open; 0 closes each after its request"),
    row("keepalive_requests", UPSTREAM, NUMBER, "1000", Upstream(|u, d, r| u.keepalive_requests = r.number(d, 0)), "How many requests an upstream connection may carry"),
    row("keepalive_timeout", UPSTREAM, TIME, "60s", Upstream(|u, d, r| u.keepalive_timeout = r.milliseconds(d, 0)), "How long an idle upstream connection is kept"),
    row("zone", UPSTREAM, words(1, 2, "name [size]"), "", Upstream(zone), "Names the group's shared state. It is always shared here; nginx needs it for `resolve`, and so that one file drives both, so do we").repeatable(),
    row("health_check", UPSTREAM, at_least(0, "[off \\| interval=1s]"), "interval=1s", Upstream(|u, d, r| u.probe = health_check(d, r).or(u.probe)), "Whether every server is probed by a TCP connection each second (not a directive of nginx in this place: write it as `#lb: health_check off;`)"),
    row("health_check", LOCATION, at_least(0, "[off \\| interval=1s]"), "interval=1s", Level(|s, d, r| s.probe = health_check(d, r).or(s.probe)), "The same, for the servers that this location's `proxy_pass` goes to (NGINX Plus's place for it; `off` is ours)"),
    no_effect("keepalive_time", UPSTREAM, TIME, "an upstream connection lives for `keepalive_requests` requests, however long they take"),

    refused("hash", UPSTREAM, METHOD),
    refused("ip_hash", UPSTREAM, METHOD),
    refused("least_conn", UPSTREAM, METHOD),
    refused("least_time", UPSTREAM, METHOD),
    refused("random", UPSTREAM, METHOD),
    refused("sticky", UPSTREAM, "sessions are not bound to servers yet"),
    refused("sticky_cookie_insert", UPSTREAM, "sessions are not bound to servers yet"),
    refused("queue", UPSTREAM, "requests do not wait for a server yet"),
    refused("state", UPSTREAM, "servers are those of the configuration"),
    refused("ntlm", UPSTREAM, "connections are not bound to clients"),
    refused("match", HTTP, "a health check is a TCP connection, which has nothing to match").with_block(),
];

/// The head of an `upstream` block.
pub(in crate::config) fn open(directive: &Directive) -> UpstreamDraft {
    UpstreamDraft {
        name: directive.argument(0).to_owned(),
        servers: Vec::new(),
        server_seen: false,
        keepalive: None,
        keepalive_requests: None,
        keepalive_timeout: None,
        zone: None,
        resolver: None,
        resolver_timeout: None,
        probe: None,
        position: directive.position.clone(),
    }
}

const DEFAULT_PORT: u16 = 80;
const DEFAULT_FAIL_TIMEOUT: Duration = Duration::from_secs(10);
const PARAMETERS: &str = "weight=number, max_fails=number, fail_timeout=time, backup, down and resolve";

fn server(upstream: &mut UpstreamDraft, directive: &Directive, report: &mut Report) {
    upstream.server_seen = true;
    let written = directive.argument(0).to_owned();
    let position = directive.argument_position(0);
    let address = match address::target(&written, DEFAULT_PORT) {
        Ok(target) if target.uri.is_empty() => target.address,
        Ok(_) => {
            report.emerg(format!("invalid host in upstream \"{written}\""), &position);
            return;
        }
        Err(error) => {
            report.emerg(format!("{error} in upstream \"{written}\""), &position);
            return;
        }
    };
    let mut server = UpstreamServer {
        address,
        written,
        weight: 1,
        max_fails: 1,
        fail_timeout: DEFAULT_FAIL_TIMEOUT,
        backup: false,
        down: false,
        resolve: false,
        position: directive.position.clone(),
    };
    for index in 1..directive.arguments.len() {
        parameter(&mut server, directive, index, report);
    }
    upstream.servers.push(server);
}

fn parameter(server: &mut UpstreamServer, directive: &Directive, index: usize, report: &mut Report) {
    let word = directive.argument(index);
    let number = |text| values::number(text).and_then(|number| u32::try_from(number).ok());
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let read = match (name, value) {
        ("weight", Some(value)) => {
            number(value).filter(|&weight| weight > 0).map(|weight| server.weight = weight)
        }
        ("max_fails", Some(value)) => number(value).map(|fails| server.max_fails = fails),
        ("fail_timeout", Some(value)) => values::seconds(value).map(|time| server.fail_timeout = time),
        ("backup", None) => {
            server.backup = true;
            Some(())
        }
        ("down", None) => {
            server.down = true;
            Some(())
        }
        ("resolve", None) => {
            // nginx takes it for an address too, where there is nothing to follow.
            server.resolve = matches!(server.address, ServerAddress::Name { .. });
            Some(())
        }
        ("max_conns", Some("0")) => Some(()),
        ("slow_start", Some("0" | "0s")) => Some(()),
        ("max_conns" | "slow_start" | "service" | "route", Some(_)) | ("drain", None) => {
            report.not_yet(directive, index);
            return;
        }
        _ => None,
    };
    if read.is_none() {
        report.invalid_parameter(directive, index, PARAMETERS);
    }
}

fn keepalive(upstream: &mut UpstreamDraft, directive: &Directive, report: &mut Report) {
    let written = directive.argument(0);
    match values::number(written).and_then(|number| usize::try_from(number).ok()) {
        Some(connections) => upstream.keepalive = Some(connections),
        None => report.emerg_hint(
            format!("invalid value \"{written}\" in \"keepalive\" directive"),
            &directive.argument_position(0),
            "it must be a number of connections; 0 keeps none",
        ),
    }
    if directive.arguments.len() > 1 && directive.argument(1) != "local" {
        report.invalid_parameter(directive, 1, "a number and \"local\"");
    }
}

/// Eight pages of memory: below that nginx finds no room for its own structures.
const SMALLEST_ZONE: u64 = 8 * 4096;

fn zone(upstream: &mut UpstreamDraft, directive: &Directive, report: &mut Report) {
    let name = directive.argument(0).to_owned();
    if name.is_empty() {
        report.emerg("invalid zone name \"\"", &directive.argument_position(0));
        return;
    }
    let bytes = match directive.arguments.get(1) {
        None => None,
        Some(word) => {
            let position = directive.argument_position(1);
            let Some(bytes) = values::size(&word.text) else {
                let hint = "it must be a size such as 64k or 1m";
                report.emerg_hint(format!("invalid zone size \"{}\"", word.text), &position, hint);
                return;
            };
            if bytes < SMALLEST_ZONE {
                report.emerg_hint(format!("zone \"{name}\" is too small"), &position, "32k at least");
                return;
            }
            Some(bytes)
        }
    };
    upstream.zone = Some(Zone { name, bytes, position: directive.position.clone() });
}

/// Whether to probe: what stands there if it asks for what there is.
fn health_check(directive: &Directive, report: &mut Report) -> Option<bool> {
    let words: Vec<&str> = directive.words().collect();
    match words.as_slice() {
        ["off"] => return Some(false),
        [word]
            if word.strip_prefix("interval=").and_then(values::milliseconds)
                == Some(Duration::from_secs(1)) =>
        {
            return Some(true);
        }
        _ => {}
    }
    let written = words.iter().fold("health_check".to_owned(), |written, word| written + " " + word);
    report.emerg_hint(format!("\"{written}\" is not supported"), &directive.position, CHECKS);
    None
}
