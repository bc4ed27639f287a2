//! nginx's smooth weighted round robin with its passive failure rules, as a state machine without a clock.
//!
//! The algorithm is that of nginx's `ngx_http_upstream_round_robin.c`:
//!
//! - Each pick adds to every candidate its *effective weight*, takes the one with the largest sum, and charges that
//!   one with the total. Weights 5, 1, 1 give `a a b a c a a`: smooth, where a contiguous order would send five in
//!   a row.
//! - A failure takes `weight / max_fails` off the effective weight; every pick in which the server took part gives
//!   1 back. A server that returns from a failure so gets its share back gradually.
//! - After `max_fails` failures the server is skipped for `fail_timeout`. Then one request is let through, and only
//!   one per `fail_timeout` (the pick itself renews the stamp): the request is the probe.
//! - A success clears the failures only if that probing pick came after the last failure, so failures that
//!   interleave with successes within one window still add up.
//! - Backups are asked only when no primary is left. A group of one is never taken out of use.
//!
//! Two things are this project's own. Active probes may declare a server unreachable, which skips it; and the
//! failures are counted apart by the [`Stage`] they happened at, since a probe that connects can only disprove
//! failures to connect (see `upstream::health` for that argument). A lone server ignores the probes too: skipping
//! spares a request a failing try by sending it elsewhere, and with nowhere else to go there is nothing to spare,
//! while a server that just came back would be refused for up to a probe's period.

use std::time::Duration;

use super::{Now, Tried};

/// The conditions under which a server takes part, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerConfig {
    /// `weight=`, at least 1.
    pub weight: u32,
    /// `max_fails=`; 0 never takes the server out.
    pub max_fails: u32,
    /// `fail_timeout=`: the window in which failures add up, and the time out of use.
    pub fail_timeout: Duration,
    /// `down`
    pub down: bool,
}

/// One server in a [`Group`].
#[derive(Debug, Clone)]
pub struct Server {
    /// What stands for this server in a [`Tried`]: unique within the group, as small as possible, and kept while
    /// the server stays, so that a request still knows it after the set has changed around it.
    pub slot: u32,
    /// The configured conditions.
    pub config: ServerConfig,
    /// What the active probes say; true when nobody probes.
    pub reachable: bool,
    turn: Turn,
}

/// What nginx keeps per peer: weights in motion and the passive failure record.
#[derive(Debug, Clone, Default)]
struct Turn {
    current_weight: i64,
    effective_weight: i64,
    connect_fails: u32,
    exchange_fails: u32,
    /// The last failure (nginx: `accessed`).
    failed: Option<Now>,
    /// The last failure to connect.
    connect_failed: Option<Now>,
    /// The last failure or probing pick (nginx: `checked`).
    checked: Option<Now>,
    /// The last pick.
    selected: Option<Now>,
}

/// How far an attempt came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No connection came about.
    Connect,
    /// Connected, but sending the request or reading the answer failed.
    Exchange,
}

/// What a failure did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// Counted; the server stays in use.
    Noted,
    /// It was one too many: out of use for `fail_timeout`.
    Ejected,
    /// The server was out of use already and stays so for another `fail_timeout`.
    StillEjected,
}

/// A choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// The server at this index.
    Peer(usize),
    /// None can be asked.
    NoLive(NoLive),
}

/// Why no server can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLive {
    /// The group has no servers at present.
    Empty,
    /// All are marked `down`.
    Down,
    /// Those not tried by this request are failed, unreachable or `down`.
    OutOfUse,
    /// Every usable server has been tried by this request.
    Tried,
}

/// How a server stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerState {
    /// In use.
    Up,
    /// Marked `down`.
    Down,
    /// Out of use after `max_fails` failures (nginx's `unavail`).
    Ejected,
    /// The active probes say it cannot be reached (nginx's `unhealthy`).
    Unreachable,
}

/// A group of servers that take turns: primaries first, then backups.
#[derive(Debug, Clone, Default)]
pub struct Group {
    servers: Vec<Server>,
    primaries: usize,
}

impl Server {
    /// A server without a past.
    pub fn new(slot: u32, config: ServerConfig) -> Self {
        let turn = Turn { effective_weight: i64::from(config.weight), ..Turn::default() };
        Self { slot, config, reachable: true, turn }
    }

    /// The same server under other config: its failures stay, the new conditions apply at once.
    pub fn with_config(mut self, config: ServerConfig) -> Self {
        let full = self.turn.effective_weight >= i64::from(self.config.weight);
        let weight = i64::from(config.weight);
        self.turn.effective_weight = if full { weight } else { self.turn.effective_weight.min(weight) };
        self.config = config;
        self
    }

    /// Failures that count at present.
    pub fn fails(&self) -> u32 {
        self.turn.connect_fails.saturating_add(self.turn.exchange_fails)
    }

    /// When it was last chosen.
    pub fn selected(&self) -> Option<Now> {
        self.turn.selected
    }

    /// How it stands at `now`.
    pub fn state(&self, now: Now) -> ServerState {
        if self.config.down {
            ServerState::Down
        } else if !self.reachable {
            ServerState::Unreachable
        } else if self.ejected(now) {
            ServerState::Ejected
        } else {
            ServerState::Up
        }
    }

    fn ejected(&self, now: Now) -> bool {
        self.failed_too_often() && !self.window_over(now)
    }

    fn failed_too_often(&self) -> bool {
        self.config.max_fails > 0 && self.fails() >= self.config.max_fails
    }

    fn window_over(&self, now: Now) -> bool {
        self.turn.checked.is_none_or(|checked| now.since(checked) > self.config.fail_timeout)
    }

    fn usable(&self, now: Now) -> bool {
        !self.config.down && self.reachable && !self.ejected(now)
    }
}

impl Group {
    /// A group of these servers.
    pub fn new(primaries: Vec<Server>, backups: Vec<Server>) -> Self {
        let count = primaries.len();
        let mut servers = primaries;
        servers.extend(backups);
        Self { servers, primaries: count }
    }

    /// Starts the sequence anew; failures and effective weights stay. For a changed set: the sums of the old one do
    /// not cancel out in it, and would favour or starve its new members for as long as they take to level out.
    pub fn restart_sequence(&mut self) {
        self.servers.iter_mut().for_each(|server| server.turn.current_weight = 0);
    }

    /// All servers, primaries first.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// How many of the servers are primaries.
    pub fn primaries(&self) -> usize {
        self.primaries
    }

    /// Whether this is a group of one, `down` or not, without backups: never taken out of use by failures.
    pub fn single(&self) -> bool {
        self.servers.len() == 1 && self.primaries == 1
    }

    /// How many servers one request may be sent to, the first try included: every server that is not `down`,
    /// backups among them.
    pub fn tries(&self) -> usize {
        if self.single() { 1 } else { self.servers.iter().filter(|server| !server.config.down).count() }
    }

    /// Whether any server has failures that count.
    pub fn has_failures(&self) -> bool {
        self.servers.iter().any(|server| server.fails() > 0)
    }

    /// Chooses for a request that has `tried` some, and marks the choice there.
    pub fn pick(&mut self, tried: &mut Tried, now: Now) -> Pick {
        if self.single() {
            return self.pick_lone(tried, now);
        }
        let chosen = self
            .pick_in(0, self.primaries, tried, now)
            .or_else(|| self.pick_in(self.primaries, self.servers.len(), tried, now));
        match chosen {
            Some(index) => {
                tried.insert(self.servers[index].slot);
                Pick::Peer(index)
            }
            None => Pick::NoLive(self.why_none(now)),
        }
    }

    /// Books a failed attempt at `index`.
    pub fn failed(&mut self, index: usize, stage: Stage, now: Now) -> AfterFailure {
        if self.single() {
            return AfterFailure::Noted;
        }
        let Some(server) = self.servers.get_mut(index) else { return AfterFailure::Noted };
        let out_already = server.failed_too_often();
        let Server { config, turn, .. } = server;
        if config.max_fails == 0 {
            return AfterFailure::Noted;
        }
        match stage {
            Stage::Connect => {
                turn.connect_fails = turn.connect_fails.saturating_add(1);
                turn.connect_failed = Some(now);
            }
            Stage::Exchange => turn.exchange_fails = turn.exchange_fails.saturating_add(1),
        }
        turn.failed = Some(now);
        turn.checked = Some(now);
        turn.effective_weight = (turn.effective_weight - i64::from(config.weight / config.max_fails)).max(0);
        match (out_already, server.failed_too_often()) {
            (true, _) => AfterFailure::StillEjected,
            (false, true) => AfterFailure::Ejected,
            (false, false) => AfterFailure::Noted,
        }
    }

    /// Books an attempt that the server answered. True when that brought it back into use.
    pub fn answered(&mut self, index: usize) -> bool {
        let Some(server) = self.servers.get_mut(index) else { return false };
        if server.fails() == 0 || server.turn.failed >= server.turn.checked {
            return false;
        }
        let was_out = server.failed_too_often();
        server.reset_failures();
        was_out
    }

    /// Takes over what the probes say of the server at `index`.
    pub fn set_reachable(&mut self, index: usize, reachable: bool) {
        if let Some(server) = self.servers.get_mut(index) {
            server.reachable = reachable;
        }
    }

    /// Forgets all failures of the server at `index`. True when that brought it back into use.
    pub fn reset_failures(&mut self, index: usize) -> bool {
        let Some(server) = self.servers.get_mut(index) else { return false };
        let was_out = server.failed_too_often();
        server.reset_failures();
        was_out
    }

    /// Forgets the failures to connect to the server at `index` if the last one came before `began`. True when
    /// that brought it back into use.
    pub fn reset_connect_failures(&mut self, index: usize, began: Now) -> bool {
        let Some(server) = self.servers.get_mut(index) else { return false };
        if server.turn.connect_failed.is_none_or(|failed| failed >= began) {
            return false;
        }
        let was_out = server.failed_too_often();
        server.turn.connect_fails = 0;
        server.turn.connect_failed = None;
        was_out && !server.failed_too_often()
    }

    /// nginx looks at nothing but `down` here, not even at what was tried: how often is for the caller's count of
    /// [`tries`](Self::tries) to say.
    fn pick_lone(&mut self, tried: &mut Tried, now: Now) -> Pick {
        let server = &mut self.servers[0];
        if server.config.down {
            return Pick::NoLive(NoLive::Down);
        }
        server.turn.selected = Some(now);
        tried.insert(server.slot);
        Pick::Peer(0)
    }

    fn pick_in(&mut self, from: usize, to: usize, tried: &Tried, now: Now) -> Option<usize> {
        let mut best: Option<(usize, i64)> = None;
        let mut total = 0;
        for (index, server) in self.servers[from..to].iter_mut().enumerate() {
            if tried.contains(server.slot) || !server.usable(now) {
                continue;
            }
            let turn = &mut server.turn;
            turn.current_weight += turn.effective_weight;
            total += turn.effective_weight;
            if turn.effective_weight < i64::from(server.config.weight) {
                turn.effective_weight += 1;
            }
            if best.is_none_or(|(_, weight)| turn.current_weight > weight) {
                best = Some((from + index, turn.current_weight));
            }
        }
        let (index, _) = best?;
        let server = &mut self.servers[index];
        server.turn.current_weight -= total;
        server.turn.selected = Some(now);
        if server.window_over(now) {
            server.turn.checked = Some(now);
        }
        Some(index)
    }

    fn why_none(&self, now: Now) -> NoLive {
        if self.servers.is_empty() {
            NoLive::Empty
        } else if self.servers.iter().all(|server| server.config.down) {
            NoLive::Down
        } else if self.servers.iter().any(|server| server.usable(now)) {
            NoLive::Tried
        } else {
            NoLive::OutOfUse
        }
    }
}

impl Server {
    fn reset_failures(&mut self) {
        self.turn.connect_fails = 0;
        self.turn.exchange_fails = 0;
        self.turn.connect_failed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAIL_TIMEOUT_MS: u64 = 10_000;

    fn config(weight: u32, max_fails: u32) -> ServerConfig {
        ServerConfig { weight, max_fails, fail_timeout: Duration::from_millis(FAIL_TIMEOUT_MS), down: false }
    }

    /// Seats `a`, `b`, … with these weights, `max_fails=1`.
    fn servers(first_slot: u32, weights: &[u32]) -> Vec<Server> {
        (first_slot..).zip(weights).map(|(slot, weight)| Server::new(slot, config(*weight, 1))).collect()
    }

    fn group(weights: &[u32]) -> Group {
        Group::new(servers(0, weights), Vec::new())
    }

    fn with_backups(primaries: &[u32], backups: &[u32]) -> Group {
        Group::new(servers(0, primaries), servers(u32::try_from(primaries.len()).unwrap_or(0), backups))
    }

    fn at(ms: u64) -> Now {
        Now::from_millis(ms)
    }

    /// One request's first pick, as a letter; `-` for none.
    fn pick(group: &mut Group, ms: u64) -> char {
        letter(group.pick(&mut Tried::new(), at(ms)))
    }

    fn letter(pick: Pick) -> char {
        match pick {
            Pick::Peer(index) => char::from(b'a' + u8::try_from(index).unwrap_or(0)),
            Pick::NoLive(_) => '-',
        }
    }

    fn picks(group: &mut Group, count: usize, ms: u64) -> String {
        (0..count).map(|_| pick(group, ms)).collect()
    }

    /// All that one request is sent to, if every try fails without being booked.
    fn tries(group: &mut Group, ms: u64) -> (String, NoLive) {
        let mut tried = Tried::new();
        let mut order = String::new();
        loop {
            match group.pick(&mut tried, at(ms)) {
                Pick::NoLive(why) => return (order, why),
                picked => order.push(letter(picked)),
            }
        }
    }

    #[test]
    fn turns_are_smooth_and_in_proportion_to_the_weights() {
        for (weights, expected) in [
            (vec![5, 1, 1], "aabacaaaabacaa"),
            (vec![1, 1, 1, 1], "abcdabcd"),
            (vec![3, 2, 1], "abacbaabacba"),
            (vec![2, 1], "abaaba"),
            (vec![1, 5], "bbabbb"),
            (vec![1], "aaa"),
        ] {
            assert_eq!(picks(&mut group(&weights), expected.len(), 0), expected, "{weights:?}");
        }
    }

    #[test]
    fn ten_thousand_requests_over_four_are_shared_exactly() {
        let all = picks(&mut group(&[1, 1, 1, 1]), 10_000, 0);
        for server in ['a', 'b', 'c', 'd'] {
            assert_eq!(all.matches(server).count(), 2_500);
        }
    }

    #[test]
    fn one_request_tries_each_server_once_and_backups_last() {
        for (mut group, order) in [
            (group(&[1, 1, 1]), "abc"),
            (group(&[1, 5, 2]), "bca"),
            (with_backups(&[1, 1], &[1, 3]), "abdc"),
            (with_backups(&[], &[1, 1]), "ab"),
        ] {
            assert_eq!(tries(&mut group, 0), (order.to_owned(), NoLive::Tried));
        }
    }

    #[test]
    fn more_than_64_servers_are_tried_once_each() {
        let mut group = group(&[1; 100]);
        let mut tried = Tried::new();
        let mut seen = std::collections::HashSet::new();
        while let Pick::Peer(index) = group.pick(&mut tried, at(0)) {
            assert!(seen.insert(index), "{index} twice");
        }
        assert_eq!(seen.len(), 100);
    }

    #[test]
    fn as_many_tries_as_servers_that_are_not_down() {
        let mut down = group(&[1, 1, 1]);
        down.servers[1].config.down = true;
        for (group, single, expected) in [
            (group(&[1]), true, 1),
            (group(&[1, 1]), false, 2),
            (with_backups(&[1], &[1]), false, 2),
            (with_backups(&[], &[1]), false, 1),
            (down, false, 2),
            (Group::default(), false, 0),
        ] {
            assert_eq!((group.single(), group.tries()), (single, expected), "{group:?}");
        }
    }

    #[test]
    fn says_why_nobody_can_be_asked() {
        let mut down = group(&[1, 1]);
        down.servers.iter_mut().for_each(|server| server.config.down = true);
        let mut unreachable = with_backups(&[1, 1], &[1]);
        (0..3).for_each(|index| unreachable.set_reachable(index, false));
        let mut failed = group(&[1, 1]);
        (0..2)
            .for_each(|index| assert_eq!(failed.failed(index, Stage::Connect, at(0)), AfterFailure::Ejected));
        let mut lone_down = group(&[1]);
        lone_down.servers[0].config.down = true;
        for (mut group, why) in [
            (Group::default(), NoLive::Empty),
            (down, NoLive::Down),
            (lone_down, NoLive::Down),
            (unreachable, NoLive::OutOfUse),
            (failed, NoLive::OutOfUse),
        ] {
            assert_eq!(tries(&mut group, 1), (String::new(), why));
        }
    }

    #[test]
    fn a_server_that_cannot_be_asked_gets_nothing_and_keeps_no_claim() {
        type Change = fn(&mut Group, usize, bool);
        let ways: [Change; 2] = [
            |group, index, out| group.set_reachable(index, !out),
            |group, index, out| group.servers[index].config.down = out,
        ];
        for change in ways {
            let mut group = group(&[1, 1, 1]);
            change(&mut group, 1, true);
            assert_eq!(picks(&mut group, 6, 0), "acacac");
            change(&mut group, 1, false);
            assert_eq!(picks(&mut group, 6, 0), "abcabc", "its share, not the lost turns");
        }
    }

    #[test]
    fn backups_serve_while_no_primary_can() {
        let mut group = with_backups(&[1, 1], &[1]);
        group.failed(0, Stage::Connect, at(0));
        assert_eq!(picks(&mut group, 3, 1), "bbb");
        group.set_reachable(1, false);
        assert_eq!(picks(&mut group, 2, 2), "cc");
        group.set_reachable(1, true);
        assert_eq!(picks(&mut group, 2, 3), "bb");
    }

    #[test]
    fn a_failed_server_gets_one_request_per_fail_timeout() {
        let mut group = group(&[1, 1]);
        assert_eq!(group.failed(0, Stage::Exchange, at(0)), AfterFailure::Ejected);
        assert_eq!(picks(&mut group, 3, 1), "bbb");
        assert_eq!(picks(&mut group, 3, FAIL_TIMEOUT_MS), "bbb", "the window's end belongs to it");
        let probing = picks(&mut group, 6, FAIL_TIMEOUT_MS + 1);
        assert_eq!(probing.matches('a').count(), 1, "{probing}");
        assert_eq!(group.failed(0, Stage::Exchange, at(FAIL_TIMEOUT_MS + 2)), AfterFailure::StillEjected);
        assert_eq!(picks(&mut group, 3, 2 * FAIL_TIMEOUT_MS + 2), "bbb");
        let probing = picks(&mut group, 6, 2 * FAIL_TIMEOUT_MS + 3);
        assert_eq!(probing.matches('a').count(), 1, "{probing}");
        assert!(group.answered(0), "the probing request's success restores it");
        let after = picks(&mut group, 6, 2 * FAIL_TIMEOUT_MS + 4);
        assert_eq!(after.matches('a').count(), 3, "{after}");
    }

    #[test]
    fn a_late_success_does_not_excuse_a_failure() {
        let mut group = Group::new((0..2).map(|slot| Server::new(slot, config(1, 2))).collect(), Vec::new());
        pick(&mut group, 0);
        assert_eq!(group.failed(0, Stage::Exchange, at(5)), AfterFailure::Noted);
        assert!(!group.answered(0), "of a request sent before the failure");
        assert_eq!(group.servers[0].fails(), 1);
        assert_eq!(
            group.failed(0, Stage::Exchange, at(6)),
            AfterFailure::Ejected,
            "interleaved failures add up"
        );
    }

    #[test]
    fn a_success_after_a_quiet_window_clears_the_record() {
        let mut group = Group::new((0..2).map(|slot| Server::new(slot, config(1, 3))).collect(), Vec::new());
        group.failed(0, Stage::Connect, at(0));
        group.failed(0, Stage::Exchange, at(1));
        picks(&mut group, 2, FAIL_TIMEOUT_MS + 2);
        assert!(!group.answered(0), "it was never out of use");
        assert_eq!(group.servers[0].fails(), 0);
    }

    #[test]
    fn max_fails_zero_never_takes_a_server_out() {
        let mut group = Group::new((0..2).map(|slot| Server::new(slot, config(1, 0))).collect(), Vec::new());
        for ms in 0..100 {
            assert_eq!(group.failed(0, Stage::Connect, at(ms)), AfterFailure::Noted);
        }
        assert_eq!(picks(&mut group, 4, 100), "abab");
    }

    #[test]
    fn a_lone_server_is_never_out_of_use() {
        let mut group = group(&[1]);
        for ms in 0..10 {
            assert_eq!(group.failed(0, Stage::Connect, at(ms)), AfterFailure::Noted);
        }
        group.set_reachable(0, false);
        assert_eq!(picks(&mut group, 2, 10), "aa");
    }

    #[test]
    fn a_failure_costs_weight_that_comes_back_one_by_one() {
        // weight 4, max_fails 2: each failure takes 2.
        let fresh =
            || Group::new(vec![Server::new(0, config(4, 2)), Server::new(1, config(4, 2))], Vec::new());
        let mut group = fresh();
        group.failed(0, Stage::Connect, at(0));
        assert_eq!(group.servers[0].turn.effective_weight, 2);
        for expected in [3, 4, 4] {
            pick(&mut group, 1);
            assert_eq!(group.servers[0].turn.effective_weight, expected);
        }
        let mut group = fresh();
        (0..5).for_each(|ms| {
            group.failed(0, Stage::Connect, at(ms));
        });
        assert_eq!(group.servers[0].turn.effective_weight, 0, "never negative");
    }

    #[test]
    fn failures_to_connect_are_cleared_by_what_began_later_and_others_are_not() {
        use Stage::{Connect, Exchange};
        for (failures, began, restored, left) in [
            (vec![(Connect, 10)], 11, true, 0),
            (vec![(Connect, 10)], 10, false, 1),
            (vec![(Connect, 10)], 9, false, 1),
            (vec![(Exchange, 10)], 99, false, 1),
            (vec![(Connect, 10), (Exchange, 20)], 30, false, 1),
            (vec![(Exchange, 10), (Connect, 20)], 15, false, 2),
        ] {
            let mut group = group(&[1, 1]);
            for (stage, ms) in &failures {
                group.failed(0, *stage, at(*ms));
            }
            assert_eq!(group.reset_connect_failures(0, at(began)), restored, "{failures:?} {began}");
            assert_eq!(group.servers[0].fails(), left, "{failures:?} {began}");
        }
    }

    #[test]
    fn clearing_brings_back_at_once() {
        let mut group = group(&[1, 1]);
        group.failed(0, Stage::Exchange, at(0));
        assert!(group.has_failures());
        assert!(group.reset_failures(0));
        assert!(!group.has_failures());
        assert!(picks(&mut group, 2, 1).contains('a'));
        assert!(!group.reset_failures(0), "nothing left to clear");
    }

    #[test]
    fn new_terms_apply_at_once_and_the_record_stays() {
        let mut group =
            Group::new(vec![Server::new(0, config(1, 3)), Server::new(1, config(1, 3))], Vec::new());
        group.failed(0, Stage::Connect, at(0));
        let servers: Vec<Server> =
            group.servers.iter().cloned().map(|server| server.with_config(config(5, 1))).collect();
        assert_eq!(servers[0].state(at(1)), ServerState::Ejected, "one failure is enough now");
        assert_eq!(servers[1].turn.effective_weight, 5);
        assert_eq!(servers[1].state(at(1)), ServerState::Up);
    }

    #[test]
    fn a_restarted_sequence_owes_nobody() {
        let mut one = group(&[1, 1, 1, 1]);
        picks(&mut one, 2, 0);
        let mut kept = Group::new(one.servers[..2].to_vec(), Vec::new());
        kept.restart_sequence();
        assert_eq!(picks(&mut kept, 4, 0), "abab");
    }

    #[test]
    fn indices_that_do_not_exist_are_harmless() {
        let mut group = group(&[1, 1]);
        assert_eq!(group.failed(9, Stage::Connect, at(0)), AfterFailure::Noted);
        assert!(!group.answered(9) && !group.reset_failures(9) && !group.reset_connect_failures(9, at(0)));
        group.set_reachable(9, false);
        assert_eq!(picks(&mut group, 2, 0), "ab");
    }
}
