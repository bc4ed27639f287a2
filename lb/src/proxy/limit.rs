//! `limit_rate` and `limit_rate_after`, as they are for one answer.

use std::time::{Duration, Instant};

use crate::config::model::{Location, SizeValue};
use crate::content::file::pace;

/// How fast an answer may leave, and how much of it has left.
pub(super) struct Limit {
    rate: u64,
    after: u64,
    began: Instant,
    sent: u64,
}

impl Limit {
    /// So many bytes a second, after the first; `began` is when the answer begins.
    pub(super) fn new(rate: u64, after: u64, began: Instant) -> Self {
        Self { rate, after, began, sent: 0 }
    }

    /// Whether `location` can limit anything.
    pub(super) fn is_wanted(location: &Location) -> bool {
        location.settings.limit_rate.rate != SizeValue::Bytes(0)
    }

    /// Bytes a second; 0 without limit.
    pub(super) fn rate(&self) -> u64 {
        self.rate
    }

    /// Whether what leaves next is not limited.
    pub(super) fn is_free(&self) -> bool {
        self.rate == 0 || self.sent < self.after
    }

    /// Counts so many bytes that leave next, and says how long they have to wait, if they have to.
    pub(super) fn before(&mut self, bytes: usize) -> Option<Duration> {
        if self.rate == 0 {
            return None;
        }
        let wait = pace::wait(self.sent, self.began.elapsed(), self.rate, self.after);
        self.sent += bytes as u64;
        (!wait.is_zero()).then_some(wait)
    }
}
