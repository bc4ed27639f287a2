//! The open loop of one thread: hands each request, when it is due, to a connection that has nothing to do.
//! Runs once per request.
//!
//! A [`Pool`] holds the thread's connections that are free, and one pacer task goes through the thread's
//! requests in their order. The connection that was used last is taken first, and one that is not open
//! only when no open one is free: so a target that answers quickly sees few connections, and their number
//! grows only with what is in flight, up to what was asked for.
//!
//! What is due while no connection is free is counted as unsent at once. Sending it later, in one go with
//! everything else that waited, would be a load that nobody asked for; who wants it says `--catch-up`,
//! and then requests are sent in their order as connections come free. It is not the target's doing
//! when the pacer itself wakes late, so requests that came due meanwhile are sent all the same, and how
//! late is recorded: but only those of the last [`LATENESS_LIMIT_NS`]. What a longer pause has piled up (the machine was
//! asleep, the process was stopped) would be a burst as well, so it is unsent, counted as the generator's own
//! lateness, and with more than a few of those the run's figures are called the generator's. Before a request is
//! counted as unsent, answers that have arrived and are not read yet get their turn, for the same reason.
//!
//! A connection that is refused is free again at once, without the closed loop's pause: what is due is tried,
//! and fails as it would for a user. The schedule keeps that from becoming a storm.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::yield_now;

use super::alarm::Alarm;
use super::lead::Lead;
use super::worker::Worker;
use crate::plan::Pacing;
use crate::schedule::Schedule;

/// The pacer's own lateness is made good for so long. A slot of the run over time by default, so that what is sent late
/// is sent in the slot in which it is booked or the next; and far beyond what a busy machine delays a thread.
const LATENESS_LIMIT_NS: u64 = 100_000_000;

/// A thread's connections as the pacer sees them.
pub(super) struct Pool {
    /// Seats without a request. Those with an open connection at the back, the last one used last.
    free: RefCell<VecDeque<usize>>,
    seats: Vec<Seat>,
    /// Nothing is handed over any more.
    closed: Cell<bool>,
    pacer: Sleeper,
}

/// One connection's place.
#[derive(Default)]
struct Seat {
    turn: Cell<Option<Turn>>,
    connection: Sleeper,
    freed_ns: Cell<u64>,
}

/// A request that a connection is to send now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// When it was due.
    pub(super) planned_ns: u64,
    /// Since when it could have been sent, which is later when it had to wait for a connection. Whatever
    /// passes from here until it is written is the generator's own lag.
    pub(super) sendable_ns: u64,
}

/// A task that may wait to be woken.
#[derive(Default)]
struct Sleeper(RefCell<Option<Waker>>);

impl Sleeper {
    fn register(&self, context: &Context<'_>) {
        let mut waker = self.0.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.0.borrow() {
            waker.wake_by_ref();
        }
    }
}

impl Pool {
    /// For so many connections, none of which is free before it says so.
    pub(super) fn new(connections: usize) -> Self {
        Self {
            free: RefCell::new(VecDeque::with_capacity(connections)),
            seats: (0..connections).map(|_| Seat::default()).collect(),
            closed: Cell::new(false),
            pacer: Sleeper::default(),
        }
    }

    /// Says that a connection is free, open or not, and waits for its next request; `None` when there will
    /// be none.
    pub(super) async fn next(&self, seat: usize, is_open: bool, now_ns: u64) -> Option<Turn> {
        let place = self.seats.get(seat)?;
        place.freed_ns.set(now_ns);
        self.enlist(seat, is_open);
        poll_fn(|context| {
            if let Some(turn) = place.turn.take() {
                return Poll::Ready(Some(turn));
            }
            if self.closed.get() {
                return Poll::Ready(None);
            }
            place.connection.register(context);
            Poll::Pending
        })
        .await
    }

    fn enlist(&self, seat: usize, is_open: bool) {
        let mut free = self.free.borrow_mut();
        if free.is_empty() {
            self.pacer.wake();
        }
        if is_open {
            free.push_back(seat);
        } else {
            free.push_front(seat);
        }
    }

    /// Lets every connection end when it is free, and the pacer at once.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.pacer.wake();
        self.seats.iter().for_each(|seat| seat.connection.wake());
    }

    /// Gives a request to a free connection; `false` when there is none.
    fn hand_over(&self, planned_ns: u64, waits_for_connections: bool) -> bool {
        if self.closed.get() {
            return false;
        }
        let Some(seat) = self.free.borrow_mut().pop_back().and_then(|index| self.seats.get(index)) else {
            return false;
        };
        let sendable_ns =
            if waits_for_connections { planned_ns.max(seat.freed_ns.get()) } else { planned_ns };
        seat.turn.set(Some(Turn { planned_ns, sendable_ns }));
        seat.connection.wake();
        true
    }

    fn has_free(&self) -> bool {
        !self.free.borrow().is_empty()
    }
}

/// The requests of one thread, in their order.
struct Turns<'a> {
    schedule: &'a Schedule,
    next: u64,
    step: u64,
    due_ns: Option<u64>,
}

impl<'a> Turns<'a> {
    fn new(schedule: &'a Schedule, thread: usize, threads: usize) -> Self {
        let next = thread as u64;
        Self { schedule, next, step: threads as u64, due_ns: schedule.due_ns(next) }
    }

    fn advance(&mut self) {
        self.next += self.step;
        self.due_ns = self.schedule.due_ns(self.next);
    }
}

/// Goes through the thread's share of the schedule, and closes the pool behind it.
pub(super) async fn run(worker: Rc<Worker>, thread: usize, alarm: Alarm) -> io::Result<()> {
    let result = pace(&worker, thread, &alarm).await;
    if let Some(pool) = worker.pool() {
        pool.close();
    }
    result
}

async fn pace(worker: &Worker, thread: usize, alarm: &Alarm) -> io::Result<()> {
    let plan = worker.plan();
    let (Some(pool), Pacing::Open { schedule, catch_up }) = (worker.pool(), &plan.pacing) else {
        return Ok(());
    };
    let mut turns = Turns::new(schedule, thread, plan.threads);
    let mut lead = Lead::default();
    let mut has_slept = false;
    alarm.until(worker.started()).await?;
    while turns.due_ns.is_some() {
        let now_ns = worker.now_ns();
        if !catch_up {
            give_up_overdue(worker, &mut turns, now_ns);
        }
        if hand_over_due(worker, pool, &mut turns, now_ns, *catch_up) {
            has_slept = false;
        }
        if pool.closed.get() {
            give_up_due(worker, &mut turns, now_ns);
            break;
        }
        match turns.due_ns {
            None => {}
            // Awake a moment too early: answers may be read meanwhile.
            Some(due_ns) if due_ns > now_ns && has_slept && lead.is_near(due_ns - now_ns) => {
                yield_now().await;
            }
            // Time has to pass.
            Some(due_ns) if due_ns > now_ns => {
                let sleep_ns = lead.sleep_ns(due_ns - now_ns);
                alarm.set(Duration::from_nanos(sleep_ns))?;
                poll_fn(|context| {
                    pool.pacer.register(context);
                    if pool.closed.get() { Poll::Ready(Ok(())) } else { alarm.poll(context) }
                })
                .await?;
                has_slept = true;
                if let Some(late_ns) = worker.now_ns().checked_sub(now_ns + sleep_ns) {
                    lead.learn(late_ns);
                }
            }
            // A connection has to come free.
            Some(_) if *catch_up => {
                poll_fn(|context| {
                    pool.pacer.register(context);
                    if pool.closed.get() || pool.has_free() { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            }
            Some(_) => {
                yield_now().await;
                give_up_overdue(worker, &mut turns, worker.now_ns());
                hand_over_due(worker, pool, &mut turns, now_ns, *catch_up);
                give_up_due(worker, &mut turns, now_ns);
            }
        }
    }
    Ok(())
}

/// Hands over what is due, as long as a connection is free; whether that was anything.
fn hand_over_due(worker: &Worker, pool: &Pool, turns: &mut Turns<'_>, now_ns: u64, catch_up: bool) -> bool {
    let first = turns.next;
    while let Some(due_ns) = turns.due_ns
        && due_ns <= now_ns
        && pool.hand_over(due_ns, catch_up)
    {
        worker.record_mut().started += 1;
        turns.advance();
    }
    turns.next > first
}

/// Counts what is later than may be made good as unsent by the generator's own fault.
fn give_up_overdue(worker: &Worker, turns: &mut Turns<'_>, now_ns: u64) {
    let Some(limit_ns) = now_ns.checked_sub(LATENESS_LIMIT_NS) else { return };
    let first = turns.next;
    give_up_due(worker, turns, limit_ns);
    let overdue = (turns.next - first) / turns.step;
    if overdue > 0
        && let Some(punctuality) = &mut worker.record_mut().punctuality
    {
        punctuality.overdue += overdue;
    }
}

/// Counts what is due as unsent.
fn give_up_due(worker: &Worker, turns: &mut Turns<'_>, now_ns: u64) {
    while let Some(due_ns) = turns.due_ns
        && due_ns <= now_ns
    {
        worker.record_mut().unsent(due_ns);
        turns.advance();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seat that gets the next request, with that request.
    fn next(pool: &Pool, planned_ns: u64, waits_for_connections: bool) -> Option<(usize, Turn)> {
        pool.hand_over(planned_ns, waits_for_connections).then(|| {
            let mut taken = pool.seats.iter().map(|seat| seat.turn.take()).enumerate();
            taken.find_map(|(seat, turn)| Some((seat, turn?))).unwrap()
        })
    }

    #[test]
    fn the_connection_used_last_comes_first_and_one_to_be_opened_comes_last() {
        let pool = Pool::new(5);
        for (seat, is_open) in [(0, false), (1, false), (2, true), (3, true)] {
            pool.enlist(seat, is_open);
        }
        let seats = || next(&pool, 7, false).map(|(seat, _)| seat);
        assert_eq!([seats(), seats()], [Some(3), Some(2)]);
        pool.enlist(3, true);
        // It has lost its connection.
        pool.enlist(2, false);
        let seats = || next(&pool, 7, false).map(|(seat, _)| seat);
        assert_eq!([seats(), seats(), seats(), seats(), seats()], [Some(3), Some(0), Some(1), Some(2), None]);
    }

    #[test]
    fn a_wait_for_a_connection_is_no_lag() {
        let pool = Pool::new(1);
        pool.seats[0].freed_ns.set(500);
        for (planned_ns, waits, expected_ns) in
            [(300, true, 500), (700, true, 700), (300, false, 300), (700, false, 700)]
        {
            pool.enlist(0, true);
            let (_, turn) = next(&pool, planned_ns, waits).unwrap();
            assert_eq!((turn.planned_ns, turn.sendable_ns), (planned_ns, expected_ns));
        }
    }

    #[test]
    fn a_closed_pool_hands_nothing_over() {
        let pool = Pool::new(1);
        pool.enlist(0, true);
        pool.close();
        assert!(next(&pool, 1, false).is_none());
    }

    #[test]
    fn threads_take_turns() {
        let second = Duration::from_secs(1);
        let schedule = Schedule::constant("10".parse().unwrap(), second).unwrap();
        let mut turns = Turns::new(&schedule, 1, 4);
        let mut due_ms = Vec::new();
        while let Some(due_ns) = turns.due_ns {
            due_ms.push(due_ns / 1_000_000);
            turns.advance();
        }
        assert_eq!(due_ms, [100, 500, 900]);
    }
}
