//! Sends the requests: one thread per core, each with its own single-threaded runtime and its own share of
//! the connections, which never migrate.
//!
//! In the steady state a request touches nothing that another thread writes to, takes no lock and
//! allocates nothing; it costs one read and one write. What the threads have to say comes out as [`Event`]s
//! through one bounded channel: ten small ones a second, and everything at the end.

mod alarm;
mod connection;
mod in_flight;
mod lead;
mod link;
mod pace;
mod quota;
mod ready;
pub mod slices;
mod worker;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use crate::plan::{Goal, Pacing, Plan};
use crate::reach::{Endpoint, Reached};
use crate::record::{HandOver, Outcome, Record};
use quota::Quota;

/// What a thread tells. Times are nanoseconds since the start of the run.
#[derive(Debug)]
pub enum Event {
    /// A request ended. Told only when [`crate::plan::Output::TextWithRequests`] asks for it.
    Request {
        /// How.
        outcome: Outcome,
        /// How long it took.
        latency_ns: u64,
    },
    /// Where a thread stands; told ten times a second.
    Tick {
        /// Which thread.
        thread: usize,
        /// Up to when it tells.
        through_ns: u64,
        /// Requests that succeeded so far.
        succeeded: u64,
        /// Requests that failed so far.
        failed: u64,
        /// What it counted since the last tick.
        counted: HandOver,
    },
    /// A thread is done; its last event.
    Finished {
        /// Which thread.
        thread: usize,
        /// Everything that it counted.
        record: Box<Record>,
    },
}

/// What the threads are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Halt {
    /// Go on.
    No,
    /// Begin no request more; wait for those in flight.
    Drain,
    /// Give up those in flight too.
    Cut,
}

/// A run in progress.
#[derive(Debug)]
pub struct Engine {
    events: mpsc::Receiver<Event>,
    halt: watch::Sender<Halt>,
    threads: Vec<JoinHandle<()>>,
    started: Instant,
}

/// What all threads read and none writes to, but for the quota.
#[derive(Debug)]
struct Shared {
    plan: Arc<Plan>,
    /// One for each of the plan's origins.
    endpoints: Vec<Endpoint>,
    started: Instant,
    quota: Option<Quota>,
}

/// Enough for the ticks of many threads; with one event per request it makes the connections wait for the
/// terminal instead of filling the memory.
const EVENT_BACKLOG: usize = 1024;

impl Engine {
    /// Starts the run, once all threads have what they need.
    ///
    /// # Errors
    /// When the system refuses a thread, or what a thread needs; then nothing was sent.
    pub fn start(plan: Arc<Plan>, reached: Reached) -> io::Result<Self> {
        let Reached { endpoints, stream } = reached;
        let (event_sender, events) = mpsc::channel(EVENT_BACKLOG);
        let (halt, halt_receiver) = watch::channel(Halt::No);
        let quota = match plan.goal {
            Goal::Number(number) => Some(Quota::new(number, plan.threads)),
            Goal::Time(_) => None,
        };
        let (ready_sender, all_ready) = ready::channel();
        let (mut threads, mut starts) = (Vec::new(), Vec::new());
        let mut first = stream;
        let is_paced = matches!(plan.pacing, Pacing::Open { .. });
        for index in 0..plan.threads {
            let (start_sender, start) = std::sync::mpsc::channel();
            let (events, halt, ready) = (event_sender.clone(), halt_receiver.clone(), ready_sender.clone());
            let first = first.take();
            let thread = thread::Builder::new()
                .name(format!("loadgen-{index}"))
                .spawn(move || worker::run(index, is_paced, first, events, halt, ready, start))?;
            threads.push(thread);
            starts.push(start_sender);
        }
        drop(ready_sender);
        // The threads that are ready end with `starts` when one is not.
        all_ready.wait(plan.threads)?;
        let started = Instant::now() + plan.pacing.head_start();
        let shared = Arc::new(Shared { plan, endpoints, started, quota });
        for start in starts {
            // A thread that is gone by now will be missed by `join`.
            let _ = start.send(Arc::clone(&shared));
        }
        Ok(Self { events, halt, threads, started })
    }

    /// Time zero of the run; of an open loop, a moment ahead.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The next event; `None` when all threads have ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Ends the run early. A weaker halt after a stronger one changes nothing.
    pub fn halt(&self, halt: Halt) {
        self.halt.send_modify(|current| *current = halt.max(*current));
    }

    /// Waits for the threads, which have ended or are about to.
    ///
    /// # Errors
    /// When a thread panicked. One that could not go on says so in its [`Record::failure`].
    pub fn join(self) -> io::Result<()> {
        for thread in self.threads {
            thread.join().map_err(|_| io::Error::other("a thread panicked"))?;
        }
        Ok(())
    }
}
