//! The record of one server: its configuration, its failures, and its eligibility.
//!
//! The passive failure rules are those of nginx's `ngx_http_upstream_round_robin.c`, whatever method chooses:
//!
//! - A failure takes `weight / max_fails` off the *effective weight*; every round in which the server takes part
//!   gives 1 back ([`Server::regain_weight`]). So a server that returns from a failure gets its share back gradually.
//! - After `max_fails` failures the server is ejected for `fail_timeout`. Then one request is let through, and only
//!   one per `fail_timeout` (being chosen renews the stamp): that request is the probe.
//! - A success clears the failures only if that probing choice came after the last failure, so failures that
//!   interleave with successes within one window still add up.
//!
//! Two rules are this project's own. Active probes may declare a server unreachable. The failures are counted apart by
//! the [`Stage`] they happened at, since a probe that connects can only disprove failures to connect
//! (`upstream::check::outcome` has that argument).

use std::sync::Arc;
use std::time::Duration;

use super::load::Load;
use super::now::Now;

/// The units of [`Server::share`] in one unit of weight, so that slow start can give parts of it.
const SHARES_PER_WEIGHT: i64 = 1024;

/// The configuration of a server in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerConfig {
    /// `weight=`, at least 1.
    pub weight: u32,
    /// `max_fails=`; 0 never ejects the server.
    pub max_fails: u32,
    /// `fail_timeout=`: the window in which failures add up, and the time of an ejection.
    pub fail_timeout: Duration,
    /// `max_conns=`: the most requests in flight; 0 for no limit.
    pub max_conns: u32,
    /// `slow_start=`: the time in which a server that comes back regains its weight; zero for at once.
    pub slow_start: Duration,
    /// `down`
    pub down: bool,
}

/// One server of a [`Group`](super::Group).
#[derive(Debug, Clone)]
pub struct Server {
    slot: u32,
    config: ServerConfig,
    name: Option<Arc<str>>,
    load: Arc<Load>,
    reachable: bool,
    draining: bool,
    effective_weight: i64,
    connect_fails: u32,
    exchange_fails: u32,
    /// The last failure (nginx: `accessed`).
    failed: Option<Now>,
    /// The last failure to connect.
    connect_failed: Option<Now>,
    /// The last failure or probing choice (nginx: `checked`).
    checked: Option<Now>,
    /// The last choice.
    selected: Option<Now>,
    /// The time of its last return into use.
    returned: Option<Now>,
}

/// The stage at which an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No connection was established.
    Connect,
    /// Connected, but sending the request or reading the answer failed.
    Exchange,
}

/// The effect of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// Counted; the server stays in use.
    Noted,
    /// The failure reached `max_fails`: the server is out of use for `fail_timeout`.
    Ejected,
    /// The server was ejected already and stays so for another `fail_timeout`.
    StillEjected,
}

/// The availability of a server at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// In use.
    Up,
    /// Marked `down`.
    Down,
    /// Finishes its requests and gets no new ones.
    Draining,
    /// Out of use after `max_fails` failures (nginx's `unavail`).
    Ejected,
    /// Out of use because the active probes cannot reach it (nginx's `unhealthy`).
    Unreachable,
}

/// The part of `full` that a server has `since` it came back, when it regains all of it linearly within `slow_start`:
/// at least 1, so that the server takes part from the beginning.
pub fn ramp(full: i64, since: Duration, slow_start: Duration) -> i64 {
    if since >= slow_start {
        return full;
    }
    let part = i128::from(full) * i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
        / i128::try_from(slow_start.as_nanos()).unwrap_or(i128::MAX);
    i64::try_from(part).unwrap_or(full).max(1)
}

impl Server {
    /// A server without failures or choices, with the count of its requests in flight.
    pub fn new(slot: u32, config: ServerConfig, load: Arc<Load>) -> Self {
        Self {
            slot,
            config,
            name: None,
            load,
            reachable: true,
            draining: false,
            effective_weight: i64::from(config.weight),
            connect_fails: 0,
            exchange_fails: 0,
            failed: None,
            connect_failed: None,
            checked: None,
            selected: None,
            returned: None,
        }
    }

    /// The same server under another configuration: its failures stay, the new conditions apply at once.
    #[must_use]
    pub fn with_config(mut self, config: ServerConfig) -> Self {
        let full = self.effective_weight >= i64::from(self.config.weight);
        let weight = i64::from(config.weight);
        self.effective_weight = if full { weight } else { self.effective_weight.min(weight) };
        self.config = config;
        self
    }

    /// The same server with its name as written in the configuration, for the methods that hash it.
    #[must_use]
    pub fn with_name(mut self, name: Arc<str>) -> Self {
        self.name = Some(name);
        self
    }

    /// The same server under another slot.
    #[must_use]
    pub fn with_slot(mut self, slot: u32) -> Self {
        self.slot = slot;
        self
    }

    /// Identifies the server in a [`Tried`](super::Tried): unique within the group, as small as possible, and kept
    /// while the server stays, so that a request still knows it after the set has changed around it.
    #[inline]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// Its configuration.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// Its name as written in the configuration; empty if it has none.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Its requests in flight.
    pub fn in_flight(&self) -> usize {
        self.load.in_flight()
    }

    /// True if the active probes can reach it; true without probes.
    pub fn reachable(&self) -> bool {
        self.reachable
    }

    /// The number of failures that count at present.
    #[inline]
    pub fn fails(&self) -> u32 {
        self.connect_fails.saturating_add(self.exchange_fails)
    }

    /// The time of its last choice.
    pub fn selected(&self) -> Option<Now> {
        self.selected
    }

    /// Its weight, less the part that failures took off it for the time being.
    pub fn effective_weight(&self) -> i64 {
        self.effective_weight
    }

    /// Its state at `now`.
    pub fn state(&self, now: Now) -> Availability {
        if self.config.down {
            Availability::Down
        } else if self.draining {
            Availability::Draining
        } else if !self.reachable {
            Availability::Unreachable
        } else if self.ejected(now) {
            Availability::Ejected
        } else {
            Availability::Up
        }
    }

    /// True if a request may be sent there at `now`: it is [`Up`](Availability::Up) and has a free place.
    #[inline]
    pub fn eligible(&self, now: Now) -> bool {
        !self.config.down && !self.draining && self.reachable && !self.ejected(now) && self.has_place()
    }

    /// Eligibility of a lone server, which neither failures nor probes take out of use.
    pub(super) fn eligible_alone(&self) -> bool {
        !self.config.down && !self.draining && self.has_place()
    }

    /// The weight that a method uses at `now`: its effective weight, less the part that slow start holds back. Only
    /// the proportion to the shares of other servers has a meaning.
    #[inline]
    pub fn share(&self, now: Now) -> i64 {
        let share = self.effective_weight * SHARES_PER_WEIGHT;
        match self.returned {
            Some(returned) if !self.config.slow_start.is_zero() => {
                let full = i64::from(self.config.weight) * SHARES_PER_WEIGHT;
                share.min(ramp(full, now.since(returned), self.config.slow_start))
            }
            _ => share,
        }
    }

    /// Gives back one unit of the weight that failures took off.
    #[inline]
    pub fn regain_weight(&mut self) {
        if self.effective_weight < i64::from(self.config.weight) {
            self.effective_weight += 1;
        }
    }

    /// Records that it was chosen.
    pub(super) fn record_choice(&mut self, now: Now) {
        self.selected = Some(now);
        if self.window_over(now) {
            self.checked = Some(now);
        }
    }

    /// Records a failed attempt.
    pub(super) fn record_failure(&mut self, stage: Stage, now: Now) -> AfterFailure {
        let ServerConfig { weight, max_fails, .. } = self.config;
        if max_fails == 0 {
            return AfterFailure::Noted;
        }
        let out_already = self.failed_too_often();
        match stage {
            Stage::Connect => {
                self.connect_fails = self.connect_fails.saturating_add(1);
                self.connect_failed = Some(now);
            }
            Stage::Exchange => self.exchange_fails = self.exchange_fails.saturating_add(1),
        }
        self.failed = Some(now);
        self.checked = Some(now);
        self.effective_weight = (self.effective_weight - i64::from(weight / max_fails)).max(0);
        match (out_already, self.failed_too_often()) {
            (true, _) => AfterFailure::StillEjected,
            (false, true) => AfterFailure::Ejected,
            (false, false) => AfterFailure::Noted,
        }
    }

    /// Records an attempt that the server answered. True when that ended its ejection.
    pub(super) fn record_answer(&mut self, now: Now) -> bool {
        if self.fails() == 0 || self.failed >= self.checked {
            return false;
        }
        self.reset_failures(now)
    }

    /// Clears all failures. True when that ended an ejection.
    pub(super) fn reset_failures(&mut self, now: Now) -> bool {
        let was_out = self.failed_too_often();
        self.connect_fails = 0;
        self.exchange_fails = 0;
        self.connect_failed = None;
        self.note_return(was_out, now)
    }

    /// Clears the failures to connect if the last one came before `began`. True when that ended an ejection.
    pub(super) fn reset_connect_failures(&mut self, began: Now, now: Now) -> bool {
        if self.connect_failed.is_none_or(|failed| failed >= began) {
            return false;
        }
        let was_out = self.failed_too_often();
        self.connect_fails = 0;
        self.connect_failed = None;
        let back = was_out && !self.failed_too_often();
        self.note_return(back, now)
    }

    /// Takes over the verdict of the active probes.
    pub(super) fn set_reachable(&mut self, reachable: bool, now: Now) {
        self.note_return(reachable && !self.reachable, now);
        self.reachable = reachable;
    }

    /// Starts or ends draining.
    pub(super) fn set_draining(&mut self, draining: bool, now: Now) {
        self.note_return(!draining && self.draining, now);
        self.draining = draining;
    }

    fn note_return(&mut self, back: bool, now: Now) -> bool {
        if back {
            self.returned = Some(now);
        }
        back
    }

    #[inline]
    fn has_place(&self) -> bool {
        self.config.max_conns == 0 || self.load.in_flight() < self.config.max_conns as usize
    }

    #[inline]
    fn ejected(&self, now: Now) -> bool {
        self.failed_too_often() && !self.window_over(now)
    }

    #[inline]
    fn failed_too_often(&self) -> bool {
        self.config.max_fails > 0 && self.fails() >= self.config.max_fails
    }

    #[inline]
    fn window_over(&self, now: Now) -> bool {
        self.checked.is_none_or(|checked| now.since(checked) > self.config.fail_timeout)
    }
}

#[cfg(test)]
impl Server {
    pub(super) fn load(&self) -> &Load {
        &self.load
    }
}

/// Servers for the tests of the methods.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// Servers of these weights.
    pub(in crate::balance) fn servers(weights: &[u32]) -> Vec<Server> {
        (0..).zip(weights).map(|(slot, weight)| server(slot, *weight, false)).collect()
    }

    pub(in crate::balance) fn server(slot: u32, weight: u32, down: bool) -> Server {
        let config = ServerConfig {
            weight,
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
            max_conns: 0,
            slow_start: Duration::ZERO,
            down,
        };
        Server::new(slot, config, Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Now {
        Now::from_millis(ms)
    }

    fn server(config: ServerConfig) -> Server {
        Server::new(0, config, Arc::default())
    }

    const CONFIG: ServerConfig = ServerConfig {
        weight: 1,
        max_fails: 1,
        fail_timeout: Duration::from_secs(10),
        max_conns: 0,
        slow_start: Duration::ZERO,
        down: false,
    };

    #[test]
    fn slow_start_gives_the_weight_back_in_proportion_to_the_time() {
        for (full, since_ms, slow_start_ms, part) in [
            (1024, 0, 0, 1024),
            (1024, 0, 10_000, 1),
            (1024, 1, 10_000, 1),
            (1024, 2_500, 10_000, 256),
            (1024, 9_999, 10_000, 1023),
            (1024, 10_000, 10_000, 1024),
            (1024, u64::MAX, 10_000, 1024),
            (i64::MAX, 5_000, 10_000, i64::MAX / 2),
        ] {
            let since = Duration::from_millis(since_ms);
            assert_eq!(ramp(full, since, Duration::from_millis(slow_start_ms)), part, "{full} {since_ms}");
        }
    }

    #[test]
    fn slow_start_counts_from_the_last_return() {
        let mut server = server(ServerConfig { slow_start: Duration::from_secs(10), ..CONFIG });
        let full = server.share(at(0));
        server.set_reachable(true, at(1_000));
        assert_eq!(server.share(at(1_000)), full, "it was never away");
        server.set_reachable(false, at(2_000));
        server.set_reachable(true, at(3_000));
        assert_eq!(server.share(at(8_000)), full / 2);
        server.record_failure(Stage::Exchange, at(20_000));
        assert_eq!(server.share(at(20_000)), 0, "the failure took its weight");
        assert!(server.reset_failures(at(21_000)));
        server.regain_weight();
        assert_eq!(server.share(at(26_000)), full / 2);
        assert_eq!(server.share(at(31_000)), full);
    }

    #[test]
    fn the_places_of_a_server_are_limited_by_max_conns() {
        let load = Arc::new(Load::default());
        let limited = Server::new(0, ServerConfig { max_conns: 2, ..CONFIG }, Arc::clone(&load));
        for (in_flight, eligible) in [(0, true), (1, true), (2, false), (3, false)] {
            assert_eq!(limited.eligible(at(0)), eligible, "{in_flight}");
            assert_eq!(limited.state(at(0)), Availability::Up, "{in_flight}");
            load.add();
        }
        (0..3).for_each(|_| load.subtract());
        assert!(limited.eligible(at(0)));
    }

    #[test]
    fn a_draining_server_gets_no_requests() {
        let mut server = server(CONFIG);
        server.set_draining(true, at(0));
        assert_eq!((server.state(at(0)), server.eligible(at(0))), (Availability::Draining, false));
        assert!(!server.eligible_alone());
        server.set_draining(false, at(1));
        assert_eq!((server.state(at(1)), server.eligible(at(1))), (Availability::Up, true));
    }
}
