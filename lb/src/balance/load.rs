//! Requests in flight at one server.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The number of requests in flight at a server.
///
/// A pick reads it under the group's lock and the caller adds the request under the same lock, so that two picks
/// never see the same free place. A request that ends subtracts itself without the lock: a pick that reads too early
/// counts one too many, never one too few. The count belongs to the server and not to a group, since the groups of two
/// configurations share it during a reload.
///
/// The alignment keeps it off the cache lines that requests only read.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Load(AtomicUsize);

impl Load {
    /// Requests in flight.
    #[inline]
    pub fn in_flight(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// Adds a request.
    #[inline]
    pub fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Subtracts a request that was added.
    #[inline]
    pub fn subtract(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
