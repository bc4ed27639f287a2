//! `upstream` blocks to upstreams.

use std::collections::HashMap;
use std::time::Duration;

use crate::config::diagnostics::Report;
use crate::config::model::{Resolver, Upstream, UpstreamKeepalive};
use crate::config::table::draft::{Settings, UpstreamDraft, Zone};

/// nginx's defaults since 1.29.7.
pub(super) const KEEPALIVE: UpstreamKeepalive =
    UpstreamKeepalive { connections: 32, requests: 1000, timeout: Duration::from_secs(60) };

/// nginx's default.
const RESOLVER_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn assemble(drafts: Vec<UpstreamDraft>, http: &Settings, report: &mut Report) -> Vec<Upstream> {
    check_zones(drafts.iter().filter_map(|draft| draft.zone.as_ref()), report);
    drafts.into_iter().map(|draft| assemble_one(draft, http, report)).collect()
}

fn assemble_one(draft: UpstreamDraft, http: &Settings, report: &mut Report) -> Upstream {
    let UpstreamDraft {
        name,
        servers,
        server_seen,
        keepalive,
        keepalive_requests,
        keepalive_timeout,
        zone,
        resolver,
        resolver_timeout,
        probe,
        position,
    } = draft;
    if !server_seen {
        report.emerg("no servers are inside upstream", &position);
    }
    let resolver = resolver.or_else(|| http.resolver.clone());
    if servers.iter().any(|server| server.resolve) {
        // One file drives both: what nginx demands is demanded here, although a zone means nothing to us.
        if zone.is_none() {
            let message =
                format!("resolving names at run time requires upstream \"{name}\" to be in shared memory");
            report.emerg_hint(message, &position, format!("add to it: zone {name} 64k;"));
        } else if resolver.is_none() {
            let message = format!("no resolver defined to resolve names at run time in upstream \"{name}\"");
            report.emerg_hint(message, &position, "for example: resolver 127.0.0.11 valid=1s;");
        }
    }
    if !servers.is_empty() && servers.iter().all(|server| server.backup) {
        report.emerg_hint(
            format!("no servers in upstream \"{name}\""),
            &position,
            "one at least must not be a backup",
        );
    }
    let timeout = resolver_timeout.or(http.resolver_timeout).unwrap_or(RESOLVER_TIMEOUT);
    Upstream {
        name,
        implicit: false,
        servers,
        keepalive: UpstreamKeepalive {
            connections: keepalive.unwrap_or(KEEPALIVE.connections),
            requests: keepalive_requests.unwrap_or(KEEPALIVE.requests),
            timeout: keepalive_timeout.unwrap_or(KEEPALIVE.timeout),
        },
        zone: zone.map(|zone| zone.name),
        probe: probe.unwrap_or(true),
        resolver: resolver.map(|resolver| Resolver {
            servers: resolver.servers,
            valid: resolver.valid,
            ipv4: resolver.ipv4,
            ipv6: resolver.ipv6,
            timeout,
        }),
        position,
    }
}

/// A zone may be named by several upstreams; one must give its size, and none another.
fn check_zones<'z>(zones: impl Iterator<Item = &'z Zone>, report: &mut Report) {
    let mut sizes: HashMap<&str, Option<u64>> = HashMap::new();
    let mut first: Vec<&Zone> = Vec::new();
    for zone in zones {
        let known = sizes.entry(&zone.name).or_insert_with(|| {
            first.push(zone);
            None
        });
        match (*known, zone.bytes) {
            (Some(known), Some(bytes)) if known != bytes => report.emerg(
                format!(
                    "the size {bytes} of shared memory zone \"{}\" conflicts with already declared size {known}",
                    zone.name
                ),
                &zone.position,
            ),
            (known_bytes, bytes) => *known = known_bytes.or(bytes),
        }
    }
    for zone in first {
        if sizes.get(zone.name.as_str()) == Some(&None) {
            let message = format!("zero size shared memory zone \"{}\"", zone.name);
            report.emerg_hint(message, &zone.position, format!("give it one: zone {} 64k;", zone.name));
        }
    }
}
