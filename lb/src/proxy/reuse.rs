//! `keepalive_requests` towards upstream servers: how many requests a connection has carried.
//!
//! Pingora keeps the connections and offers no place of ours in one, so the count is kept beside it, in a table by
//! file descriptor. A descriptor is used again by later connections; the time at which the connection was
//! established tells them apart. One atomic exchange per request, no lock; connections beyond the table are not
//! counted, and live until `keepalive_timeout` ends them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

/// Descriptors with a count: more than a process usually may open, at 8 bytes each, touched only when used.
const SLOTS: usize = 65_536;

/// The table. High 32 bits of a slot: when the connection was established (milliseconds, wrapped), low 32: requests.
pub struct ReuseCounts {
    slots: Box<[AtomicU64]>,
}

impl Default for ReuseCounts {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl ReuseCounts {
    /// Books a request on the connection `descriptor`, established at `established`, and says the how-manieth it
    /// is, from 1.
    pub fn book(&self, descriptor: i32, established: SystemTime) -> u64 {
        let Some(slot) = usize::try_from(descriptor).ok().and_then(|index| self.slots.get(index)) else {
            return 1;
        };
        let since = established.duration_since(UNIX_EPOCH).unwrap_or_default();
        let stamp = (since.as_millis() as u64) << 32;
        let held = slot.load(Relaxed);
        // One connection carries one request at a time, so nobody else writes its slot meanwhile.
        let count = if held & !0xffff_ffff == stamp { (held & 0xffff_ffff) + 1 } else { 1 };
        slot.store(stamp | count.min(0xffff_ffff), Relaxed);
        count
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_connection_counts_its_requests_and_a_new_one_begins_again() {
        let counts = ReuseCounts::default();
        let first = UNIX_EPOCH + Duration::from_millis(1_700_000_000_001);
        let second = first + Duration::from_millis(1);
        assert_eq!([1, 2, 3].map(|_| counts.book(7, first)), [1, 2, 3]);
        assert_eq!(counts.book(8, first), 1);
        assert_eq!([1, 2].map(|_| counts.book(7, second)), [1, 2]);
        assert_eq!(counts.book(-1, first), 1);
        assert_eq!(counts.book(i32::MAX, first), 1);
    }
}
