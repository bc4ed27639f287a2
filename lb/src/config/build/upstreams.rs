//! `upstream` blocks to upstreams.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::diagnostics::Report;
use crate::config::model::{BalancingMethod, Upstream, UpstreamKeepalive};
use crate::config::modules::resolver::Resolution;
use crate::config::modules::upstream::{HealthCheck, PROBES, UpstreamName, UpstreamServers, Zone};
use crate::config::table::Block;

pub(super) fn build(blocks: Vec<Block>, http: &Arc<Resolution>, report: &mut Report) -> Vec<Upstream> {
    check_zones(blocks.iter().filter_map(|block| block.given::<Option<Zone>>()?.as_ref()), report);
    blocks.into_iter().map(|block| build_one(block, http, report)).collect()
}

fn build_one(mut block: Block, http: &Arc<Resolution>, report: &mut Report) -> Upstream {
    let name = block.take().map(|UpstreamName(name)| name).unwrap_or_default();
    let zone = block.take::<Option<Zone>>().flatten();
    let resolution = Resolution::inherit(http, &mut block);
    let keepalive = UpstreamKeepalive::inherit(&Arc::default(), &mut block);
    let HealthCheck(probe) = block.take().unwrap_or_default();
    let servers = block.take::<UpstreamServers>();
    let method = block.take::<Option<BalancingMethod>>().flatten().unwrap_or_default();
    debug_assert!(block.is_spent(), "{block:?}");
    let position = block.position;
    if servers.is_none() {
        report.emerg("no servers are inside upstream", &position);
    }
    let servers = servers.unwrap_or_default();
    if servers.iter().any(|server| server.resolve) {
        // One file drives both: what nginx demands is demanded here, although a zone means nothing to us.
        if zone.is_none() {
            let message =
                format!("resolving names at run time requires upstream \"{name}\" to be in shared memory");
            report.emerg_hint(message, &position, format!("add to it: zone {name} 64k;"));
        } else if resolution.name_servers.is_none() {
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
    Upstream {
        name,
        implicit: false,
        method,
        servers,
        keepalive: *keepalive,
        zone: zone.map(|zone| zone.name),
        probe: probe.unwrap_or(PROBES),
        handshake: None,
        resolver: resolution.resolver(),
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
