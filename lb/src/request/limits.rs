//! How many requests there may be: `limit_req`, then `limit_conn`, in the phase before access.
//!
//! The keys are rendered here, and what follows from the verdicts of the zones is decided here; [`crate::limits`] has the
//! zones. A request is counted once, whatever locations it comes to. Source of the rules: `ngx_http_limit_req_handler`,
//! `ngx_http_limit_conn_handler`.

use std::sync::Arc;
use std::time::Duration;

use super::flow::Note;
use super::guards::Limited;
use super::phases::{Around, Content, Outcome, Step};
use super::state::State;
use crate::config::model::{LimitConn, LimitReq, Severity, ZoneId};
use crate::limits::{ConnectionVerdict, LimitedConnection, LimitedRequest, RequestVerdict};
use crate::observe::reasons::Generated;

/// The longest keys that are counted, as in nginx.
const LONGEST_OF_REQUESTS: usize = 65_535;
const LONGEST_OF_CONNECTIONS: usize = 255;

impl State {
    /// Has the request counted where its location says so, and it has not been counted yet.
    pub(super) fn limit(&mut self, around: Around<'_>) -> Outcome {
        let Some(location) = self.location().filter(|location| location.is_limited) else {
            return Outcome::Next;
        };
        let settings = &location.settings;
        let requests = self.flow.limits.requests.is_none() && !settings.limit_req.limits.is_empty();
        let connections = self.flow.limits.connections.is_none() && !settings.limit_conn.limits.is_empty();
        let settings = (Arc::clone(&settings.limit_req), Arc::clone(&settings.limit_conn));
        if requests && let Some(step) = self.limited_requests(&settings.0, around) {
            return Outcome::Done(step);
        }
        match connections.then(|| self.limited_connections(&settings.1, around)).flatten() {
            Some(step) => Outcome::Done(step),
            None => Outcome::Next,
        }
    }

    fn limited_requests(&mut self, settings: &LimitReq, around: Around<'_>) -> Option<Step> {
        let mut limited = Vec::with_capacity(settings.limits.len());
        for limit in settings.limits.iter() {
            let key = self.limit_key(limit.zone, LONGEST_OF_REQUESTS, around);
            limited.push(LimitedRequest { limit: *limit, key });
        }
        limited.iter().any(|one| !one.key.is_empty()).then_some(Step::CountRequest(limited))
    }

    fn limited_connections(&mut self, settings: &LimitConn, around: Around<'_>) -> Option<Step> {
        let mut limited = Vec::with_capacity(settings.limits.len());
        for limit in settings.limits.iter() {
            let key = self.limit_key(limit.zone, LONGEST_OF_CONNECTIONS, around);
            limited.push(LimitedConnection { limit: *limit, key });
        }
        limited.iter().any(|one| !one.key.is_empty()).then_some(Step::CountConnection(limited))
    }

    /// The value of a zone's key; nothing, which does not limit, where it is too long.
    fn limit_key(&mut self, zone: ZoneId, longest: usize, around: Around<'_>) -> Vec<u8> {
        let Some(zone) = around.rules.http.limit_zones.get(zone.0) else { return Vec::new() };
        let key = self.render(&zone.key, around);
        if key.len() <= longest {
            return key;
        }
        self.note(Note::LongLimitKey { key: zone.key_text.clone(), longest, value: key });
        Vec::new()
    }

    /// What follows from the verdict on a [`Step::CountRequest`].
    pub(super) fn request_counted(&mut self, verdict: RequestVerdict, around: Around<'_>) -> Outcome {
        let Some(settings) = self.location().map(|location| Arc::clone(&location.settings.limit_req)) else {
            return Outcome::Next;
        };
        let dry_run = settings.dry_run;
        match verdict {
            RequestVerdict::Unlimited | RequestVerdict::Passed => {
                self.flow.limits.requests = Some(Limited::Passed);
                return Outcome::Next;
            }
            RequestVerdict::Delayed { milliseconds, excess, zone } => {
                let level = one_lower(settings.log_level);
                self.note(Note::DelayingRequest { level, dry_run, excess, zone: zone_name(zone, around) });
                self.flow.limits.requests =
                    Some(if dry_run { Limited::DelayedDryRun } else { Limited::Delayed });
                return match dry_run {
                    true => Outcome::Next,
                    false => Outcome::Done(Step::Wait(Duration::from_millis(milliseconds))),
                };
            }
            RequestVerdict::Rejected { excess, zone } => {
                let level = settings.log_level;
                self.note(Note::LimitingRequests { level, dry_run, excess, zone: zone_name(zone, around) });
            }
            RequestVerdict::NoRoom { zone } => {
                self.note(Note::NoRoomInZone { module: "limit_req", zone: zone_name(zone, around) });
            }
        }
        if dry_run {
            self.flow.limits.requests = Some(Limited::RejectedDryRun);
            return Outcome::Next;
        }
        self.flow.limits.requests = Some(Limited::Rejected);
        self.special(Content::Page(Generated::LimitedRequests, settings.status), around)
    }

    /// What follows from the verdict on a [`Step::CountConnection`].
    pub(super) fn connection_counted(&mut self, verdict: ConnectionVerdict, around: Around<'_>) -> Outcome {
        let Some(settings) = self.location().map(|location| Arc::clone(&location.settings.limit_conn)) else {
            return Outcome::Next;
        };
        let dry_run = settings.dry_run;
        match verdict {
            ConnectionVerdict::Unlimited | ConnectionVerdict::Passed => {
                self.flow.limits.connections = Some(Limited::Passed);
                return Outcome::Next;
            }
            ConnectionVerdict::Rejected { zone } => {
                let level = settings.log_level;
                self.note(Note::LimitingConnections { level, dry_run, zone: zone_name(zone, around) });
            }
            ConnectionVerdict::NoRoom { .. } => {}
        }
        if dry_run {
            self.flow.limits.connections = Some(Limited::RejectedDryRun);
            return Outcome::Next;
        }
        self.flow.limits.connections = Some(Limited::Rejected);
        self.special(Content::Page(Generated::LimitedConnections, settings.status), around)
    }
}

/// The level at which a delay is logged.
fn one_lower(level: Severity) -> Severity {
    match level {
        Severity::Error => Severity::Warn,
        Severity::Warn => Severity::Notice,
        _ => Severity::Info,
    }
}

fn zone_name(zone: ZoneId, around: Around<'_>) -> Box<str> {
    around.rules.http.limit_zones.get(zone.0).map(|zone| zone.name.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
