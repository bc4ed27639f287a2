//! `limit_rate` and `limit_rate_after`, as they are for one answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pingora::http::RequestHeader;

use super::context::Request;
use crate::config::model::{LimitRate, SizeValue};
use crate::content::file::pace;

/// How fast an answer may leave, and how much of it has left.
pub(super) struct Pace {
    rate: u64,
    after: u64,
    began: Instant,
    sent: u64,
}

impl Pace {
    /// What the location says for this request, whose answer begins at `now`.
    pub(super) fn of(request: &mut Request, received: &RequestHeader, now: Instant) -> Self {
        let settings = request.state.location().map(|location| Arc::clone(&location.settings.limit_rate));
        let mut size = |value: &SizeValue| match value {
            SizeValue::Bytes(bytes) => *bytes,
            SizeValue::PerRequest(template) => {
                let mut text = Vec::new();
                template.render(&mut request.values(received, None, now), &mut text);
                SizeValue::parse(&text)
            }
        };
        let (rate, after) = settings.map_or((0, 0), |given| (size(&given.rate), size(&given.after)));
        Self { rate, after, began: now, sent: 0 }
    }

    /// Whether `settings` can limit anything.
    pub(super) fn is_wanted(settings: &LimitRate) -> bool {
        settings.rate != SizeValue::Bytes(0)
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
