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
pub struct Terms {
    /// `weight=`, at least 1.
    pub weight: u32,
    /// `max_fails=`; 0 never takes the server out.
    pub max_fails: u32,
    /// `fail_timeout=`: the window in which failures add up, and the time out of use.
    pub fail_timeout: Duration,
    /// `down`
    pub down: bool,
}

/// One server in a [`Rota`].
#[derive(Debug, Clone)]
pub struct Seat {
    /// What stands for this server in a [`Tried`]: unique within the rota, as small as possible, and kept while
    /// the server stays, so that a request still knows it after the set has changed around it.
    pub slot: u32,
    /// The configured conditions.
    pub terms: Terms,
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
    KeptOut,
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
pub enum Standing {
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
pub struct Rota {
    seats: Vec<Seat>,
    primaries: usize,
}

impl Seat {
    /// A server without a past.
    pub fn new(slot: u32, terms: Terms) -> Self {
        let turn = Turn { effective_weight: i64::from(terms.weight), ..Turn::default() };
        Self { slot, terms, reachable: true, turn }
    }

    /// The same server under other terms: its failures stay, the new conditions apply at once.
    pub fn with_terms(mut self, terms: Terms) -> Self {
        let full = self.turn.effective_weight >= i64::from(self.terms.weight);
        let weight = i64::from(terms.weight);
        self.turn.effective_weight = if full { weight } else { self.turn.effective_weight.min(weight) };
        self.terms = terms;
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
    pub fn standing(&self, now: Now) -> Standing {
        if self.terms.down {
            Standing::Down
        } else if !self.reachable {
            Standing::Unreachable
        } else if self.ejected(now) {
            Standing::Ejected
        } else {
            Standing::Up
        }
    }

    fn ejected(&self, now: Now) -> bool {
        self.failed_too_often() && !self.window_over(now)
    }

    fn failed_too_often(&self) -> bool {
        self.terms.max_fails > 0 && self.fails() >= self.terms.max_fails
    }

    fn window_over(&self, now: Now) -> bool {
        self.turn.checked.is_none_or(|checked| now.since(checked) > self.terms.fail_timeout)
    }

    fn usable(&self, now: Now) -> bool {
        !self.terms.down && self.reachable && !self.ejected(now)
    }
}

impl Rota {
    /// A group of these servers.
    pub fn new(primaries: Vec<Seat>, backups: Vec<Seat>) -> Self {
        let count = primaries.len();
        let mut seats = primaries;
        seats.extend(backups);
        Self { seats, primaries: count }
    }

    /// Starts the sequence anew; failures and effective weights stay. For a changed set: the sums of the old one do
    /// not cancel out in it, and would favour or starve its new members for as long as they take to level out.
    pub fn level(&mut self) {
        self.seats.iter_mut().for_each(|seat| seat.turn.current_weight = 0);
    }

    /// All seats, primaries first.
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// How many of the seats are primaries.
    pub fn primaries(&self) -> usize {
        self.primaries
    }

    /// Whether this is a group of one, `down` or not, without backups: never taken out of use by failures.
    pub fn single(&self) -> bool {
        self.seats.len() == 1 && self.primaries == 1
    }

    /// How many servers one request may be sent to, the first try included: every server that is not `down`,
    /// backups among them.
    pub fn tries(&self) -> usize {
        if self.single() { 1 } else { self.seats.iter().filter(|seat| !seat.terms.down).count() }
    }

    /// Whether any server has failures that count.
    pub fn troubled(&self) -> bool {
        self.seats.iter().any(|seat| seat.fails() > 0)
    }

    /// Chooses for a request that has `tried` some, and marks the choice there.
    pub fn pick(&mut self, tried: &mut Tried, now: Now) -> Pick {
        if self.single() {
            return self.pick_lone(tried, now);
        }
        let chosen = self
            .pick_in(0, self.primaries, tried, now)
            .or_else(|| self.pick_in(self.primaries, self.seats.len(), tried, now));
        match chosen {
            Some(index) => {
                tried.insert(self.seats[index].slot);
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
        let Some(seat) = self.seats.get_mut(index) else { return AfterFailure::Noted };
        let out_already = seat.failed_too_often();
        let Seat { terms, turn, .. } = seat;
        if terms.max_fails == 0 {
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
        turn.effective_weight = (turn.effective_weight - i64::from(terms.weight / terms.max_fails)).max(0);
        match (out_already, seat.failed_too_often()) {
            (true, _) => AfterFailure::KeptOut,
            (false, true) => AfterFailure::Ejected,
            (false, false) => AfterFailure::Noted,
        }
    }

    /// Books an attempt that the server answered. True when that brought it back into use.
    pub fn answered(&mut self, index: usize) -> bool {
        let Some(seat) = self.seats.get_mut(index) else { return false };
        if seat.fails() == 0 || seat.turn.failed >= seat.turn.checked {
            return false;
        }
        let was_out = seat.failed_too_often();
        seat.forgive();
        was_out
    }

    /// Takes over what the probes say of the server at `index`.
    pub fn set_reachable(&mut self, index: usize, reachable: bool) {
        if let Some(seat) = self.seats.get_mut(index) {
            seat.reachable = reachable;
        }
    }

    /// Forgets all failures of the server at `index`. True when that brought it back into use.
    pub fn forgive(&mut self, index: usize) -> bool {
        let Some(seat) = self.seats.get_mut(index) else { return false };
        let was_out = seat.failed_too_often();
        seat.forgive();
        was_out
    }

    /// Forgets the failures to connect to the server at `index` if the last one came before `began`. True when
    /// that brought it back into use.
    pub fn forgive_connects(&mut self, index: usize, began: Now) -> bool {
        let Some(seat) = self.seats.get_mut(index) else { return false };
        if seat.turn.connect_failed.is_none_or(|failed| failed >= began) {
            return false;
        }
        let was_out = seat.failed_too_often();
        seat.turn.connect_fails = 0;
        seat.turn.connect_failed = None;
        was_out && !seat.failed_too_often()
    }

    /// nginx looks at nothing but `down` here, not even at what was tried: how often is for the caller's count of
    /// [`tries`](Self::tries) to say.
    fn pick_lone(&mut self, tried: &mut Tried, now: Now) -> Pick {
        let seat = &mut self.seats[0];
        if seat.terms.down {
            return Pick::NoLive(NoLive::Down);
        }
        seat.turn.selected = Some(now);
        tried.insert(seat.slot);
        Pick::Peer(0)
    }

    fn pick_in(&mut self, from: usize, to: usize, tried: &Tried, now: Now) -> Option<usize> {
        let mut best: Option<(usize, i64)> = None;
        let mut total = 0;
        for (index, seat) in self.seats[from..to].iter_mut().enumerate() {
            if tried.contains(seat.slot) || !seat.usable(now) {
                continue;
            }
            let turn = &mut seat.turn;
            turn.current_weight += turn.effective_weight;
            total += turn.effective_weight;
            if turn.effective_weight < i64::from(seat.terms.weight) {
                turn.effective_weight += 1;
            }
            if best.is_none_or(|(_, weight)| turn.current_weight > weight) {
                best = Some((from + index, turn.current_weight));
            }
        }
        let (index, _) = best?;
        let seat = &mut self.seats[index];
        seat.turn.current_weight -= total;
        seat.turn.selected = Some(now);
        if seat.window_over(now) {
            seat.turn.checked = Some(now);
        }
        Some(index)
    }

    fn why_none(&self, now: Now) -> NoLive {
        if self.seats.is_empty() {
            NoLive::Empty
        } else if self.seats.iter().all(|seat| seat.terms.down) {
            NoLive::Down
        } else if self.seats.iter().any(|seat| seat.usable(now)) {
            NoLive::Tried
        } else {
            NoLive::OutOfUse
        }
    }
}

impl Seat {
    fn forgive(&mut self) {
        self.turn.connect_fails = 0;
        self.turn.exchange_fails = 0;
        self.turn.connect_failed = None;
    }
}
