//! One thread of the engine: its runtime, its connections, and what they share.
//!
//! The connections of a thread take turns on it, so what they share needs cells but no locks.

use std::cell::{Cell, RefCell, RefMut};
use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::{Event, Halt, Shared, connection};
use crate::plan::{Goal, Output, Plan};
use crate::record::Record;

/// What the connections of one thread share.
pub(super) struct Worker {
    shared: Arc<Shared>,
    /// Requests that this thread may still begin before it asks for more.
    allotment: Cell<u64>,
    draining: Cell<bool>,
    record: RefCell<Record>,
    /// Where answers are read into. One for all connections, so that it stays in the processor's cache;
    /// no connection keeps anything in it while another runs.
    scratch: RefCell<Box<[u8]>>,
    /// Where single requests are told, if anyone wants to know.
    pub(super) requests: Option<mpsc::Sender<Event>>,
}

/// As much as one read can bring. A short answer needs a fraction; a long one needs fewer calls.
const SCRATCH_BYTES: usize = 64 * 1024;

/// How often a thread tells where it stands.
const TICK: Duration = Duration::from_millis(100);

/// Runs the thread's share of the connections until the goal is reached or the run is halted.
pub(super) fn run(
    index: usize,
    shared: Arc<Shared>,
    first: Option<TcpStream>,
    events: mpsc::Sender<Event>,
    halt: watch::Receiver<Halt>,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let single_requests = shared.plan.output == Output::TextWithRequests;
    let slot_ns = shared.plan.slot.as_nanos() as u64;
    let worker = Rc::new(Worker {
        shared,
        allotment: Cell::new(0),
        draining: Cell::new(false),
        record: RefCell::new(Record::new(slot_ns)),
        scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
        requests: single_requests.then(|| events.clone()),
    });
    runtime.block_on(drive(index, Rc::clone(&worker), first, &events, halt));
    // Ends the connections that were cut off, and with them their requests.
    drop(runtime);

    let tick = worker.tick(index);
    let record = Box::new(worker.record.take());
    // Nobody listens only when the run was given up altogether.
    let _ = events.blocking_send(tick);
    let _ = events.blocking_send(Event::Finished { thread: index, record });
    Ok(())
}

async fn drive(
    index: usize,
    worker: Rc<Worker>,
    first: Option<TcpStream>,
    events: &mpsc::Sender<Event>,
    mut halt: watch::Receiver<Halt>,
) {
    let mut connections = JoinSet::new();
    let mut first = first;
    for _ in 0..worker.plan().connections_of(index) {
        connections.spawn_local(connection::run(Rc::clone(&worker), first.take()));
    }
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            ended = connections.join_next() => if ended.is_none() { return },
            _ = ticks.tick() => {
                let tick = worker.tick(index);
                let _ = events.send(tick).await;
            }
            changed = halt.changed() => {
                // A sender that is gone means that nobody waits for the result.
                let halt = changed.map_or(Halt::Cut, |()| *halt.borrow_and_update());
                match halt {
                    Halt::No => {}
                    Halt::Drain => worker.draining.set(true),
                    Halt::Cut => return,
                }
            }
        }
    }
}

impl Worker {
    pub(super) fn plan(&self) -> &Plan {
        &self.shared.plan
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Time zero of the run.
    pub(super) fn started(&self) -> Instant {
        self.shared.started
    }

    /// Nanoseconds since the start of the run.
    pub(super) fn now_ns(&self) -> u64 {
        // Enough for five centuries.
        self.shared.started.elapsed().as_nanos() as u64
    }

    /// Whether one more request may begin at this time; if so, it counts as begun.
    pub(super) fn begin_request(&self, now_ns: u64) -> bool {
        if self.draining.get() {
            return false;
        }
        let may_begin = match (&self.shared.quota, self.shared.plan.goal) {
            (Some(quota), _) => {
                if self.allotment.get() == 0 {
                    self.allotment.set(quota.take());
                }
                let left = self.allotment.get();
                self.allotment.set(left.saturating_sub(1));
                left > 0
            }
            (None, Goal::Time(time)) => u128::from(now_ns) < time.as_nanos(),
            (None, Goal::Number(_)) => false,
        };
        self.record_mut().started += u64::from(may_begin);
        may_begin
    }

    pub(super) fn record_mut(&self) -> RefMut<'_, Record> {
        self.record.borrow_mut()
    }

    pub(super) fn scratch_mut(&self) -> RefMut<'_, Box<[u8]>> {
        self.scratch.borrow_mut()
    }

    fn tick(&self, thread: usize) -> Event {
        let through_ns = self.now_ns();
        let mut record = self.record_mut();
        Event::Tick {
            thread,
            through_ns,
            succeeded: record.succeeded,
            failed: record.failed(),
            counted: record.hand_over(through_ns),
        }
    }
}
