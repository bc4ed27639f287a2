//! What each backend and each URL did, all threads together, and whether the shares are fair.

use std::collections::BTreeMap;

use super::latency::to_ms;
use super::{BackendLatency, BackendShare};
use crate::failover::{self, Failover};
use crate::mix::TargetCounts;
use crate::plan::Plan;
use crate::record::{Backend, OTHER_BACKENDS, Record};
use crate::shares::{self, ShareVerdict};
use crate::timeline::Timeline;

/// The same backend's counts from all threads together, sorted by name, with those that were expected and did not
/// answer.
pub(super) fn backends(records: &[Record], answers: u64, expected: &[(String, f64)]) -> Vec<BackendShare> {
    let mut by_name: BTreeMap<String, Backend> =
        expected.iter().map(|(name, _)| (name.clone(), Backend::new(name.as_bytes()))).collect();
    for backend in records.iter().flat_map(|record| record.backends.entries()) {
        let name = String::from_utf8_lossy(&backend.name).into_owned();
        by_name.entry(name).or_insert_with(|| Backend::new(&backend.name)).add(backend);
    }
    by_name
        .into_iter()
        .map(|(name, Backend { answers: count, errors, classes, latency_ns, .. })| {
            let quantile = |quantile| to_ms(latency_ns.value_at_quantile(quantile));
            BackendShare {
                name,
                answers: count,
                share: if answers == 0 { 0.0 } else { count as f64 / answers as f64 },
                errors,
                classes: CLASSES
                    .into_iter()
                    .zip(classes)
                    .filter(|(_, count)| *count > 0)
                    .map(|(class, count)| (class.to_owned(), count))
                    .collect(),
                latency_ms: (!latency_ns.is_empty()).then(|| BackendLatency {
                    p50: quantile(0.5),
                    p99: quantile(0.99),
                    max: to_ms(latency_ns.max()),
                }),
            }
        })
        .collect()
}

/// With one URL the threads keep no counts of their own for it.
pub(super) fn targets(plan: &Plan, records: &[Record]) -> Vec<TargetCounts> {
    let count = |url: usize, record: &Record| match plan.mix.is_several() {
        true => record.targets.get(url).copied().unwrap_or_default(),
        false => [record.succeeded, record.failed()],
    };
    (plan.mix.requests().iter().enumerate())
        .map(|(index, request)| {
            let [successful, failed] = records
                .iter()
                .map(|record| count(index, record))
                .fold([0, 0], |sum, more| [sum[0] + more[0], sum[1] + more[1]]);
            let (url, weight) = (request.url.clone(), request.weight);
            TargetCounts { url, weight, requests: successful + failed, successful, failed }
        })
        .collect()
}

/// As the classes stand in a [`Backend`].
const CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Of the whole run, or of its slots in which no backend was dead. Nothing can be said when not all backends are known
/// by name.
pub(super) fn share_verdict(
    backends: &[BackendShare],
    expected: &[(String, f64)],
    alive: Option<(&Timeline, &[Failover])>,
) -> Option<ShareVerdict> {
    if backends.iter().any(|backend| backend.name.as_bytes() == OTHER_BACKENDS) {
        return None;
    }
    let weight = |backend: &BackendShare| match expected.iter().find(|(name, _)| *name == backend.name) {
        Some((_, weight)) => *weight,
        None if expected.is_empty() => 1.0,
        None => 0.0,
    };
    let answers: Vec<_> = match alive {
        None => backends.iter().map(|backend| backend.answers).collect(),
        Some((timeline, failovers)) => {
            let alive = failover::slots_without_a_death(timeline, failovers);
            let count = |backend: &BackendShare| {
                let place = timeline.backends.iter().position(|name| *name == backend.name);
                place.map_or(0, |place| alive.clone().filter_map(|slot| slot.backends.get(place)).sum())
            };
            backends.iter().map(count).collect()
        }
    };
    shares::judge(&answers, &backends.iter().map(weight).collect::<Vec<_>>())
}
