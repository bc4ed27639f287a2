//! One thread of the engine: its runtime, its connections, and what they share.
//!
//! The connections of a thread take turns on it, so what they share needs cells but no locks.

use std::cell::{Cell, RefCell, RefMut};
use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::alarm::Alarm;
use super::link::Gauge;
use super::pace::{self, Pool};
use super::ready::Ready;
use super::{Event, Halt, Shared, connection};
use crate::honesty::ThreadTime;
use crate::plan::{Goal, Output, Pacing, Plan};
use crate::record::Record;

/// What the connections of one thread share.
pub(super) struct Worker {
    shared: Arc<Shared>,
    /// Requests that this thread may still begin before it asks for more.
    allotment: Cell<u64>,
    draining: Cell<bool>,
    record: RefCell<Record>,
    /// The connections that wait for a request; only in an open loop.
    pool: Option<Pool>,
    /// How many of its connections are open.
    gauge: Rc<Gauge>,
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

/// Gets what the thread needs, waits for what all share, and runs the thread's share of the connections until the goal
/// is reached or the run is halted. What goes wrong on the way ends this thread and not the run: its record says so.
pub(super) fn run(
    index: usize,
    is_paced: bool,
    first: Option<TcpStream>,
    events: mpsc::Sender<Event>,
    halt: watch::Receiver<Halt>,
    ready: Ready,
    start: Receiver<Arc<Shared>>,
) {
    let begun = Instant::now();
    let Some((runtime, alarm)) = ready.tell(equip(is_paced)) else { return };
    // Nobody sends it when another thread could not start.
    let Ok(shared) = start.recv() else { return };
    let single_requests = shared.plan.output == Output::TextWithRequests;
    let worker = Rc::new(Worker::new(shared, index, single_requests.then(|| events.clone())));
    let driven = runtime.block_on(drive(index, Rc::clone(&worker), first, alarm, &events, halt));
    // Ends the connections that were cut off, and with them their requests.
    drop(runtime);

    let tick = worker.tick(index);
    let mut record = Box::new(worker.record.take());
    let time = thread_time(begun);
    record.time = time.as_ref().copied().unwrap_or_default();
    record.failure = driven.and(time.map(drop)).err().map(|error| error.to_string());
    record.peak_connections = worker.gauge.peak();
    // Nobody listens only when the run was given up altogether.
    let _ = events.blocking_send(tick);
    let _ = events.blocking_send(Event::Finished { thread: index, record });
}

/// A runtime, and what wakes the pacer when there is one.
fn equip(is_paced: bool) -> io::Result<(LocalRuntime, Option<Alarm>)> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let alarm = is_paced.then(|| runtime.block_on(async { Alarm::new() })).transpose()?;
    Ok((runtime, alarm))
}

async fn drive(
    index: usize,
    worker: Rc<Worker>,
    first: Option<TcpStream>,
    alarm: Option<Alarm>,
    events: &mpsc::Sender<Event>,
    mut halt: watch::Receiver<Halt>,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    let mut first = first;
    let before: usize = (0..index).map(|thread| worker.plan().connections_of(thread)).sum();
    for seat in 0..worker.plan().connections_of(index) {
        let links = connection::begin(&worker, first.take(), before + seat);
        let connection = connection::run(Rc::clone(&worker), seat, links);
        connections.spawn_local(async {
            connection.await;
            Ok(())
        });
    }
    if let Some(alarm) = alarm {
        connections.spawn_local(pace::run(Rc::clone(&worker), index, alarm));
    }
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            ended = connections.join_next() => match ended {
                None => return Ok(()),
                Some(result) => result.map_err(io::Error::other)??,
            },
            _ = ticks.tick() => {
                let tick = worker.tick(index);
                let _ = events.send(tick).await;
            }
            changed = halt.changed() => {
                // A sender that is gone means that nobody waits for the result.
                let halt = changed.map_or(Halt::Cut, |()| *halt.borrow_and_update());
                match halt {
                    Halt::No => {}
                    Halt::Drain => worker.drain(),
                    Halt::Cut => return Ok(()),
                }
            }
        }
    }
}

/// What the calling thread has used since it began.
fn thread_time(begun: Instant) -> io::Result<ThreadTime> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let cpu = usage.user_time() + usage.system_time();
    Ok(ThreadTime {
        cpu: Duration::from_micros(u64::try_from(cpu.num_microseconds()).unwrap_or(0)),
        wall: begun.elapsed(),
    })
}

impl Worker {
    /// For the thread of this index. `requests` is where single requests are told, if anyone wants to know.
    pub(super) fn new(shared: Arc<Shared>, index: usize, requests: Option<mpsc::Sender<Event>>) -> Self {
        let is_open_loop = matches!(shared.plan.pacing, Pacing::Open { .. });
        let mut record = Record::new(shared.plan.slot.as_nanos() as u64);
        record.punctuality = is_open_loop.then(Box::default);
        Self {
            pool: is_open_loop.then(|| Pool::new(shared.plan.connections_of(index))),
            shared,
            allotment: Cell::new(0),
            draining: Cell::new(false),
            record: RefCell::new(record),
            gauge: Rc::default(),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
            requests,
        }
    }

    /// Lets no further request begin, or lets them begin again.
    pub(super) fn set_draining(&self, is_draining: bool) {
        self.draining.set(is_draining);
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.shared.plan
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Where it is counted how many connections are open.
    pub(super) fn gauge(&self) -> &Rc<Gauge> {
        &self.gauge
    }

    /// Where connections wait for a request; only in an open loop.
    pub(super) fn pool(&self) -> Option<&Pool> {
        self.pool.as_ref()
    }

    /// Begins no request more.
    fn drain(&self) {
        self.draining.set(true);
        if let Some(pool) = &self.pool {
            pool.close();
        }
    }

    /// Time zero of the run.
    pub(super) fn started(&self) -> Instant {
        self.shared.started
    }

    /// Nanoseconds since the start of the run; zero before it.
    pub(super) fn now_ns(&self) -> u64 {
        // Enough for five centuries.
        self.shared.started.elapsed().as_nanos() as u64
    }

    /// Whether one more request of a closed loop may begin at this time; if so, it counts as begun.
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
