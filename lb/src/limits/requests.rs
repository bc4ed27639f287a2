//! `limit_req`: how many requests of a key come in a time.
//!
//! A request under several limits is counted in all of them or in none: what one zone lets pass waits there for the verdict
//! of the next. Source of the rules: `ngx_http_limit_req_handler`.

use std::sync::Arc;

use super::bucket::{self, Bucket};
use super::memory::Memory;
use super::shards::{Shards, Spot};
use crate::config::model::{RequestLimit, ZoneId};

/// What nginx keeps beside a key.
const OVERHEAD: usize = 80;

/// A limit, and the value of its zone's key for a request; without a value it does not limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitedRequest {
    /// The limit.
    pub limit: RequestLimit,
    /// The value.
    pub key: Vec<u8>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestVerdict {
    /// No key had a value.
    Unlimited,
    /// It goes on.
    Passed,
    /// It goes on later.
    Delayed {
        /// How much later.
        milliseconds: u64,
        /// What is beyond the rate, in thousandths of a request.
        excess: u64,
        /// Where.
        zone: ZoneId,
    },
    /// It is one too many.
    Rejected {
        /// What would be beyond the rate, in thousandths of a request.
        excess: u64,
        /// Where.
        zone: ZoneId,
    },
    /// There is no room to count it.
    NoRoom {
        /// Where.
        zone: ZoneId,
    },
}

/// A `limit_req_zone`.
#[derive(Debug, Clone)]
pub(super) struct RequestZone {
    shards: Arc<Shards<Bucket>>,
    /// Thousandths of a request a second.
    rate: i64,
}

enum Looked {
    /// It is counted.
    Counted,
    /// It waits to be counted.
    Waits(Spot),
    TooMany,
    NoRoom,
}

/// Finds or makes the state of a key, and the excess with one more request; a request for which there is no other limit
/// is counted at once.
fn look(zone: &RequestZone, limit: &RequestLimit, key: &[u8], is_last: bool, now: i64) -> (Looked, i64) {
    let (hash, shard) = zone.shards.hash(key);
    let mut memory = zone.shards.lock(shard);
    if let Some(place) = memory.find(hash, key) {
        memory.touch(place);
        let bucket = memory.state(place);
        let excess = bucket.with_one_more(zone.rate, now);
        if excess > limit.burst {
            return (Looked::TooMany, excess);
        }
        if is_last {
            bucket.count(excess, now);
            return (Looked::Counted, excess);
        }
        bucket.waiting += 1;
        return (Looked::Waits(Spot { shard, place }), excess);
    }
    let bucket = if is_last { Bucket::counted(now) } else { Bucket::about_to_be_counted() };
    expire(&mut memory, zone.rate, now, false);
    let mut place = memory.insert(hash, key, bucket);
    if place.is_none() {
        expire(&mut memory, zone.rate, now, true);
        place = memory.insert(hash, key, bucket);
    }
    match place {
        None => (Looked::NoRoom, 0),
        Some(_) if is_last => (Looked::Counted, 0),
        Some(place) => (Looked::Waits(Spot { shard, place }), 0),
    }
}

/// Forgets up to two keys that are over, and before them the oldest whatever it is, where `by_force` says so.
fn expire(memory: &mut Memory<Bucket>, rate: i64, now: i64, by_force: bool) {
    for forced in [true, false, false].into_iter().skip(usize::from(!by_force)) {
        let Some(oldest) = memory.oldest() else { return };
        let bucket = memory.state(oldest);
        // What waits has been used just now, and so has all that is newer.
        if bucket.waiting > 0 || !(forced || bucket.is_over(rate, now)) {
            return;
        }
        memory.remove(oldest);
    }
}

impl RequestZone {
    pub(super) fn new(bytes: u64, rate: u64) -> Self {
        Self { shards: Arc::new(Shards::new(bytes, OVERHEAD)), rate: i64::try_from(rate).unwrap_or(i64::MAX) }
    }

    /// The same states at another rate.
    pub(super) fn at_rate(&self, rate: u64) -> Self {
        Self { shards: Arc::clone(&self.shards), rate: i64::try_from(rate).unwrap_or(i64::MAX) }
    }

    fn count_waiting(&self, spot: Spot, now: i64) -> i64 {
        let mut memory = self.shards.lock(spot.shard);
        let bucket = memory.state(spot.place);
        let excess = bucket.with_one_more(self.rate, now);
        bucket.count(excess, now);
        bucket.waiting -= 1;
        excess
    }

    fn forget_waiting(&self, spot: Spot) {
        self.shards.lock(spot.shard).state(spot.place).waiting -= 1;
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.len()
    }
}

/// Counts a request at `now`, a time in milliseconds of the zones' clock. `zones` finds the zone of a limit.
pub(super) fn count<'z>(
    limited: &[LimitedRequest],
    zones: impl Fn(ZoneId) -> Option<&'z RequestZone>,
    now: i64,
) -> RequestVerdict {
    let mut waiting: Vec<(usize, Spot)> = Vec::new();
    // Where the verdict was, and with which excess.
    let mut counted = None;
    let mut is_limited = false;
    for (index, LimitedRequest { limit, key }) in limited.iter().enumerate() {
        let Some(zone) = zones(limit.zone).filter(|_| !key.is_empty()) else { continue };
        is_limited = true;
        let (looked, excess) = look(zone, limit, key, index + 1 == limited.len(), now);
        let refusal = match looked {
            Looked::Counted => {
                counted = Some((index, excess));
                continue;
            }
            Looked::Waits(spot) => {
                waiting.push((index, spot));
                continue;
            }
            Looked::TooMany => RequestVerdict::Rejected { excess: excess.unsigned_abs(), zone: limit.zone },
            Looked::NoRoom => RequestVerdict::NoRoom { zone: limit.zone },
        };
        for (index, spot) in waiting {
            if let Some(zone) = zones(limited[index].limit.zone) {
                zone.forget_waiting(spot);
            }
        }
        return refusal;
    }
    if !is_limited {
        return RequestVerdict::Unlimited;
    }
    let mut longest = (0, 0, ZoneId(0));
    let mut consider = |index: usize, excess: i64, zone: &RequestZone| {
        let limit = &limited[index].limit;
        let milliseconds = bucket::delay(excess, limit.free, zone.rate);
        if milliseconds > longest.0 {
            longest = (milliseconds, excess, limit.zone);
        }
    };
    if let Some((index, excess)) = counted
        && let Some(zone) = zones(limited[index].limit.zone)
    {
        consider(index, excess, zone);
    }
    for (index, spot) in waiting.into_iter().rev() {
        if let Some(zone) = zones(limited[index].limit.zone) {
            consider(index, zone.count_waiting(spot, now), zone);
        }
    }
    match longest {
        (0, ..) => RequestVerdict::Passed,
        (milliseconds, excess, zone) => RequestVerdict::Delayed {
            milliseconds: milliseconds.unsigned_abs(),
            excess: excess.unsigned_abs(),
            zone,
        },
    }
}
