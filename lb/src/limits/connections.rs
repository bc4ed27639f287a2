//! `limit_conn`: how many requests of a key are served at a time.
//!
//! A request holds its places until it ends; over HTTP/2 every stream is one. Source of the rules:
//! `ngx_http_limit_conn_handler`.

use std::sync::Arc;

use super::shards::{Shards, Spot};
use crate::config::model::{ConnectionLimit, ZoneId};

/// What nginx keeps beside a key.
const OVERHEAD: usize = 36;

/// A limit, and the value of its zone's key for a request; without a value it does not limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitedConnection {
    /// The limit.
    pub limit: ConnectionLimit,
    /// The value.
    pub key: Vec<u8>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionVerdict {
    /// No key had a value.
    Unlimited,
    /// It goes on.
    Passed,
    /// It is one too many.
    Rejected {
        /// Where.
        zone: ZoneId,
    },
    /// There is no room to count it.
    NoRoom {
        /// Where.
        zone: ZoneId,
    },
}

/// A `limit_conn_zone`.
#[derive(Debug, Clone)]
pub(super) struct ConnectionZone {
    shards: Arc<Shards<u32>>,
}

/// A request is counted while this lives.
#[derive(Debug)]
pub struct Held {
    shards: Arc<Shards<u32>>,
    spot: Spot,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut memory = self.shards.lock(self.spot.shard);
        let count = memory.state(self.spot.place);
        *count -= 1;
        if *count == 0 {
            memory.remove(self.spot.place);
        }
    }
}

impl ConnectionZone {
    pub(super) fn new(bytes: u64) -> Self {
        Self { shards: Arc::new(Shards::new(bytes, OVERHEAD)) }
    }

    fn enter(&self, limit: &ConnectionLimit, key: &[u8]) -> Result<Held, ConnectionVerdict> {
        let (hash, shard) = self.shards.hash(key);
        let mut memory = self.shards.lock(shard);
        let place = match memory.find(hash, key) {
            Some(place) => {
                let count = memory.state(place);
                if *count >= limit.most {
                    return Err(ConnectionVerdict::Rejected { zone: limit.zone });
                }
                *count += 1;
                place
            }
            None => match memory.insert(hash, key, 1) {
                Some(place) => place,
                None => return Err(ConnectionVerdict::NoRoom { zone: limit.zone }),
            },
        };
        Ok(Held { shards: Arc::clone(&self.shards), spot: Spot { shard, place } })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.len()
    }
}

/// Counts a request in every zone, or in none.
pub(super) fn count<'z>(
    limited: &[LimitedConnection],
    zones: impl Fn(ZoneId) -> Option<&'z ConnectionZone>,
) -> (ConnectionVerdict, Vec<Held>) {
    let mut held = Vec::new();
    for LimitedConnection { limit, key } in limited {
        let Some(zone) = zones(limit.zone).filter(|_| !key.is_empty()) else { continue };
        match zone.enter(limit, key) {
            Ok(one) => held.push(one),
            Err(refusal) => return (refusal, Vec::new()),
        }
    }
    match held.is_empty() {
        true => (ConnectionVerdict::Unlimited, held),
        false => (ConnectionVerdict::Passed, held),
    }
}
