//! How many requests there may be: the zones of `limit_req_zone` and `limit_conn_zone`, and the verdicts of `limit_req` and
//! `limit_conn`.
//!
//! It knows keys and not requests: `request/` renders the keys and says what follows from a verdict. Times come in. A zone
//! never takes more memory than was configured, whatever keys clients think of: the least recently used go first. Zones
//! live on in a reload, as nginx's do: by name and size.
//!
//! | file | idea |
//! |---|---|
//! | `bucket` | the arithmetic of rates |
//! | `memory` | the states of keys in a limited room |
//! | `shards` | the room of a zone, locked in parts |
//! | `requests` | `limit_req` |
//! | `connections` | `limit_conn` |

mod bucket;
mod connections;
mod memory;
mod requests;
mod shards;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;
use std::time::Instant;

use self::connections::ConnectionZone;
use self::requests::RequestZone;
use crate::config::diagnostics::Diagnostic;
use crate::config::model::{LimitZone, ZoneId, ZoneKind};

pub use self::connections::{ConnectionVerdict, Held, LimitedConnection};
pub use self::requests::{LimitedRequest, RequestVerdict};

/// The zones of a configuration, by their ids.
#[derive(Debug, Default)]
pub struct Zones {
    zones: Vec<Zone>,
}

#[derive(Debug)]
struct Zone {
    name: Box<str>,
    bytes: u64,
    /// The key, as written.
    key: Box<str>,
    states: States,
}

#[derive(Debug)]
enum States {
    Requests(RequestZone),
    Connections(ConnectionZone),
}

/// All zones count time from here, less a day: what has never been counted was counted long ago.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);
const A_DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;

fn milliseconds(now: Instant) -> i64 {
    let elapsed = now.saturating_duration_since(*START).as_millis();
    i64::try_from(elapsed).unwrap_or(i64::MAX).saturating_add(A_DAY_MILLISECONDS)
}

impl Zones {
    /// The zones of `configured`, with the states of those of `previous` that have their names, sizes and keys.
    ///
    /// # Errors
    ///
    /// As in nginx, where a zone would go on with another key.
    pub fn new(configured: &[LimitZone], previous: Option<&Self>) -> Result<Self, Vec<Diagnostic>> {
        let mut zones = Vec::with_capacity(configured.len());
        let mut errors = Vec::new();
        for zone in configured {
            let same = |old: &&Zone| {
                old.name == zone.name
                    && old.bytes == zone.bytes
                    && matches!(
                        (&old.states, zone.kind),
                        (States::Requests(_), ZoneKind::Requests { .. })
                            | (States::Connections(_), ZoneKind::Connections)
                    )
            };
            let old = previous.and_then(|previous| previous.zones.iter().find(same));
            if let Some(old) = old.filter(|old| old.key != zone.key_text) {
                let what = match zone.kind {
                    ZoneKind::Requests { .. } => "limit_req",
                    ZoneKind::Connections => "limit_conn_zone",
                };
                let message = format!(
                    "{what} \"{}\" uses the \"{}\" key while previously it used the \"{}\" key",
                    zone.name, zone.key_text, old.key
                );
                errors.push(Diagnostic::emerg(message, zone.position.clone()));
            }
            let states = match (zone.kind, old.map(|old| &old.states)) {
                (ZoneKind::Requests { rate }, Some(States::Requests(old))) => {
                    States::Requests(old.at_rate(rate))
                }
                (ZoneKind::Requests { rate }, _) => States::Requests(RequestZone::new(zone.bytes, rate)),
                (ZoneKind::Connections, Some(States::Connections(old))) => States::Connections(old.clone()),
                (ZoneKind::Connections, _) => States::Connections(ConnectionZone::new(zone.bytes)),
            };
            zones.push(Zone {
                name: zone.name.clone(),
                bytes: zone.bytes,
                key: zone.key_text.clone(),
                states,
            });
        }
        if errors.is_empty() { Ok(Self { zones }) } else { Err(errors) }
    }

    /// Counts a request under its `limit_req`s.
    pub fn count_request(&self, limited: &[LimitedRequest], now: Instant) -> RequestVerdict {
        self.count_request_at(limited, milliseconds(now))
    }

    fn count_request_at(&self, limited: &[LimitedRequest], milliseconds: i64) -> RequestVerdict {
        let zone = |id: ZoneId| match &self.zones.get(id.0)?.states {
            States::Requests(zone) => Some(zone),
            States::Connections(_) => None,
        };
        requests::count(limited, zone, milliseconds)
    }

    /// Counts a request under its `limit_conn`s, for as long as what is returned lives.
    pub fn count_connection(&self, limited: &[LimitedConnection]) -> (ConnectionVerdict, Vec<Held>) {
        let zone = |id: ZoneId| match &self.zones.get(id.0)?.states {
            States::Connections(zone) => Some(zone),
            States::Requests(_) => None,
        };
        connections::count(limited, zone)
    }
}
