//! The engine for runs that stop and go: connections that stay open while nothing is sent, and counts that
//! are handed over in between.
//!
//! A connection that pauses is a connection whose loop has ended: it hands back its socket, and the next
//! slice begins with it. So pausing costs the request loop nothing (it asks whether it may begin a request
//! anyway), and that the last answer has come is that the last loop has ended.
//!
//! The same threads serve both targets. Two sets of threads would settle on different cores, beside different
//! neighbours, and stay there: a difference that lasts from the first pair to the last and looks like one of
//! the targets. Measured on two busy cores against nginx, four connections, pairs of 20 ms slices, a target
//! compared with itself: 16 of 60 comparisons found a difference with threads for each target, 2 of 100 with
//! the same ones.

use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Shared;
use super::connection;
use super::link::Links;
use super::ready::{self, Ready};
use super::worker::Worker;
use crate::plan::Plan;
use crate::reach::Reached;
use crate::record::Record;

/// What one thread counted since it last handed over.
#[derive(Debug)]
pub struct Counted {
    /// When it did so now, in nanoseconds since the pool was started.
    pub through_ns: u64,
    /// Requests that ended in between.
    pub record: Box<Record>,
    /// No request is in flight any more.
    is_idle: bool,
}

impl Counted {
    #[cfg(test)]
    pub(crate) fn for_test(through_ns: u64, record: Record) -> Self {
        Self { through_ns, record: Box::new(record), is_idle: false }
    }
}

/// How long to wait for an answer before looking whether the threads are still there.
const LIFE_CHECK: Duration = Duration::from_secs(1);

/// What the threads are told, about one of the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    /// Which.
    side: usize,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Begin requests, and say when.
    Go,
    /// Hand over what was counted so far, and go on.
    HandOver,
    /// Hand over, begin no request more, and hand over again when the last in flight has ended.
    Pause,
}

/// Threads, each with its share of the connections to two targets.
#[derive(Debug)]
pub struct Pools {
    orders: watch::Sender<Order>,
    counted: mpsc::Receiver<Counted>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Pools {
    /// Starts the threads, as many as the first plan says, and waits until all are ready. Connections are opened by
    /// the first requests, and none is sent before [`Pools::go`].
    ///
    /// # Errors
    /// When the system refuses a thread, or what a thread needs; then the others end too.
    pub fn start(targets: [(Arc<Plan>, Reached); 2]) -> io::Result<Self> {
        let count = targets[0].0.threads;
        let started = Instant::now();
        let mut firsts = Vec::new();
        let shared = targets.map(|(plan, Reached { endpoints, stream })| {
            firsts.push(stream);
            Arc::new(Shared { plan, endpoints, started, quota: None })
        });
        // Nobody sees the first value: threads act on changes.
        let (orders, order_receiver) = watch::channel(Order { side: 0, step: Step::Pause });
        // A pause is answered twice by every thread.
        let (counted_sender, counted) = mpsc::channel(2 * count);
        let mut pools = Self { orders, counted, threads: Vec::new() };
        let (ready_sender, all_ready) = ready::channel();
        for index in 0..count {
            let (orders, counted) = (order_receiver.clone(), counted_sender.clone());
            let sides: Vec<_> =
                shared.iter().map(Arc::clone).zip(firsts.iter_mut().map(Option::take)).collect();
            let thread = thread::Builder::new().name(format!("loadgen-{index}")).spawn({
                let ready = ready_sender.clone();
                move || run(index, sides, orders, counted, ready)
            })?;
            pools.threads.push(thread);
        }
        drop(ready_sender);
        all_ready.wait(count)?;
        Ok(pools)
    }

    /// Lets requests to a target begin, while none are in flight to the other.
    ///
    /// # Errors
    /// When a thread could not run; so do the next two.
    pub async fn go(&mut self, side: usize) -> io::Result<()> {
        self.tell(Order { side, step: Step::Go }, self.threads.len()).await?;
        Ok(())
    }

    /// What was counted since the last time.
    pub async fn hand_over(&mut self, side: usize) -> io::Result<Vec<Counted>> {
        self.tell(Order { side, step: Step::HandOver }, self.threads.len()).await
    }

    /// Lets no request begin any more, and waits for those in flight: answers with what was counted up to
    /// the pause, and with what was counted from then until the last answer.
    pub async fn pause(&mut self, side: usize) -> io::Result<(Vec<Counted>, Vec<Counted>)> {
        let counted = self.tell(Order { side, step: Step::Pause }, 2 * self.threads.len()).await?;
        Ok(counted.into_iter().partition(|counted| !counted.is_idle))
    }

    /// Ends the threads, with what is in flight.
    ///
    /// # Errors
    /// When a thread could not run.
    pub fn end(self) -> io::Result<()> {
        let Self { orders, counted, threads } = self;
        drop((orders, counted));
        for thread in threads {
            thread.join().map_err(|_| io::Error::other("a thread panicked"))??;
        }
        Ok(())
    }

    /// No order is given before the one before has been answered, so none can be overwritten by the next.
    async fn tell(&mut self, order: Order, answers: usize) -> io::Result<Vec<Counted>> {
        self.orders.send_replace(order);
        let mut all = Vec::with_capacity(answers);
        while all.len() < answers {
            match timeout(LIFE_CHECK, self.counted.recv()).await {
                Ok(Some(counted)) => all.push(counted),
                // The others would be waited for in vain as well: the answer counts on all.
                Err(_) if !self.threads.iter().any(JoinHandle::is_finished) => {}
                Ok(None) | Err(_) => return Err(io::Error::other("a thread has ended")),
            }
        }
        Ok(all)
    }
}

/// One thread, until nobody gives orders any more. Each side comes with a connection that is open already,
/// for the first thread.
fn run(
    index: usize,
    sides: Vec<(Arc<Shared>, Option<TcpStream>)>,
    orders: watch::Receiver<Order>,
    counted: mpsc::Sender<Counted>,
    ready: Ready,
) -> io::Result<()> {
    let built = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let Some(runtime) = ready.tell(built) else { return Ok(()) };
    runtime.block_on(async move {
        let sides = sides.into_iter().map(|(shared, first)| Side::new(index, shared, first)).collect();
        drive(sides, orders, counted).await;
    });
    Ok(())
}

/// One thread's share of one target.
struct Side {
    worker: Rc<Worker>,
    /// What its connections keep while nothing is sent.
    resting: Vec<Links>,
}

impl Side {
    fn new(index: usize, shared: Arc<Shared>, first: Option<TcpStream>) -> Self {
        let worker = Rc::new(Worker::new(shared, index, None));
        let mut first = first;
        let resting = (0..worker.plan().connections_of(index))
            .map(|place| connection::begin(&worker, first.take(), place))
            .collect();
        Self { worker, resting }
    }

    async fn hand_over(&self, counted: &mpsc::Sender<Counted>, is_idle: bool) {
        let through_ns = self.worker.now_ns();
        let record = Box::new(self.worker.record_mut().take());
        // Nobody listens only when the comparison was given up.
        let _ = counted.send(Counted { through_ns, record, is_idle }).await;
    }
}

async fn drive(mut sides: Vec<Side>, mut orders: watch::Receiver<Order>, counted: mpsc::Sender<Counted>) {
    let mut running = JoinSet::new();
    let mut current = 0;
    loop {
        tokio::select! {
            // An order is carried out before more answers are counted to the time before it.
            biased;
            changed = orders.changed() => {
                if changed.is_err() {
                    return;
                }
                let order = *orders.borrow_and_update();
                current = order.side;
                let side = &mut sides[current];
                match order.step {
                    Step::Go => {
                        side.worker.set_draining(false);
                        for (seat, links) in side.resting.drain(..).enumerate() {
                            running.spawn_local(connection::run(Rc::clone(&side.worker), seat, links));
                        }
                    }
                    Step::HandOver => {}
                    Step::Pause => side.worker.set_draining(true),
                }
                side.hand_over(&counted, false).await;
            }
            Some(ended) = running.join_next(), if !running.is_empty() => {
                let side = &mut sides[current];
                // A connection that panicked has taken its sockets with it.
                let begin = || connection::begin(&side.worker, None, 0);
                let links = ended.unwrap_or_else(|_| begin());
                side.resting.push(links);
                if running.is_empty() {
                    side.hand_over(&counted, true).await;
                }
            }
        }
    }
}
