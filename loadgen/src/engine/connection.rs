//! One connection's loop: begin a request, send it, read the answer, count it, begin the next. Runs once per
//! request. When the next request begins is for the worker to say in a closed loop, and for the pacer in an
//! open one.
//!
//! One future does a whole exchange, so that an answer which comes while the request is still being written
//! (a refusal of a large body) is seen, and one wake-up per answer suffices. The deadline is a timer that is
//! armed once and moved only when it fires, since arming a timer for every request would cost more than
//! parsing the answer. The end of an answer is the start of the next request: one clock read for both.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::errno::Errno;
use tokio::io::ReadBuf;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::Event;
use super::in_flight::InFlight;
use super::link::{self, Afterlife, Links, Stream};
use super::pace::Pool;
use super::worker::Worker;
use crate::record::{BackendId, ErrorKind, Outcome};
use crate::wire::decoder::{Decoder, End, Progress};

/// How long a connection waits after it could not be opened. Without it a dead target would use up the
/// requests, or a core, in no time; a client that was just refused would not come back sooner either.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_millis(10);

struct Connection {
    worker: Rc<Worker>,
    links: Links,
    decoder: Decoder,
    timer: Pin<Box<Sleep>>,
    /// When writing the last request began.
    sent_ns: u64,
}

/// Why an exchange failed.
#[derive(Debug)]
enum Fault {
    /// No connection could be had, TLS handshake included.
    Connect(io::Error),
    Exchange(io::Error),
    /// The peer closed; the decoder knows where.
    Closed,
    TimedOut,
    Malformed,
}

/// What a connection begins with. `first` is a stream to the first endpoint that is open already; `place` is
/// where in the order of the URLs it begins.
pub(super) fn begin(worker: &Worker, first: Option<std::net::TcpStream>, place: usize) -> Links {
    let mut links = Links::new(worker.shared().endpoints.len(), place, Rc::clone(worker.gauge()));
    if let Some(stream) = first.and_then(|stream| Stream::adopt(stream).ok()) {
        links.add(0, stream);
        worker.record_mut().connections += 1;
    }
    links
}

/// Sends requests over one connection after the other until there are no more, and hands back what is then
/// open. `seat` is its place among the thread's connections.
pub(super) async fn run(worker: Rc<Worker>, seat: usize, links: Links) -> Links {
    let mut connection = Connection {
        decoder: Decoder::new(worker.plan().expectations.clone()),
        timer: Box::pin(sleep_until(Instant::from_std(worker.started()) + worker.plan().timeout)),
        links,
        sent_ns: 0,
        worker: Rc::clone(&worker),
    };
    match worker.pool() {
        Some(pool) => serve(&worker, &mut connection, pool, seat).await,
        None => repeat(&worker, &mut connection).await,
    }
    connection.links
}

/// The open loop: sends what the pacer hands over.
async fn serve(worker: &Worker, connection: &mut Connection, pool: &Pool, seat: usize) {
    let mut now_ns = worker.now_ns();
    while let Some(turn) = pool.next(seat, connection.is_open(), now_ns).await {
        let begun_ns = worker.now_ns();
        if let Some(punctuality) = &mut worker.record_mut().punctuality {
            punctuality.began(begun_ns.saturating_sub(turn.sendable_ns));
        }
        let in_flight = InFlight { worker, planned_ns: turn.planned_ns };
        let (outcome, _) = connection.request(begun_ns).await;
        in_flight.ended();
        now_ns = worker.now_ns();
        worker.record_mut().add(outcome, turn.planned_ns, connection.sent_ns, now_ns);

        if let Some(requests) = &worker.requests {
            let latency_ns = now_ns.saturating_sub(turn.planned_ns);
            let _ = requests.send(Event::Request { outcome, latency_ns }).await;
            now_ns = worker.now_ns();
        }
    }
}

/// The closed loop: sends the next request when the answer is there.
async fn repeat(worker: &Worker, connection: &mut Connection) {
    let mut now_ns = worker.now_ns();
    while worker.begin_request(now_ns) {
        let start_ns = now_ns;
        let in_flight = InFlight { worker, planned_ns: start_ns };
        let (outcome, could_connect) = connection.request(start_ns).await;
        in_flight.ended();
        now_ns = worker.now_ns();
        worker.record_mut().add(outcome, start_ns, connection.sent_ns, now_ns);

        if let Some(requests) = &worker.requests {
            let event = Event::Request { outcome, latency_ns: now_ns - start_ns };
            let _ = requests.send(event).await;
            now_ns = worker.now_ns();
        }
        if !could_connect {
            sleep(PAUSE_AFTER_REFUSAL).await;
            now_ns = worker.now_ns();
        }
    }
}

impl Connection {
    /// Whether the next request finds its link open.
    fn is_open(&mut self) -> bool {
        let mix = &self.worker.plan().mix;
        let mut place = self.links.place;
        let origin = mix.requests()[mix.next(&mut place)].origin;
        self.links.at(origin).is_some()
    }

    /// Sends the request whose turn it is and reads its answer; also says whether a connection could be
    /// had.
    async fn request(&mut self, start_ns: u64) -> (Outcome, bool) {
        let url = self.worker.plan().mix.next(&mut self.links.place);
        let ended = self.request_to(url, start_ns).await;
        // With one URL these are the run's own counts.
        if self.worker.plan().mix.is_several() {
            self.worker.record_mut().count_target(url, ended.0);
        }
        ended
    }

    async fn request_to(&mut self, url: usize, start_ns: u64) -> (Outcome, bool) {
        let endpoint = self.worker.plan().mix.requests()[url].origin;
        let deadline_ns = start_ns.saturating_add(self.worker.plan().timeout.as_nanos() as u64);
        self.sent_ns = start_ns;
        let mut backend = None;
        let mut result = self.attempt(url, deadline_ns, &mut backend).await;
        if self.is_stale(endpoint, &result) {
            self.links.drop(endpoint);
            if self.worker.plan().resend {
                self.worker.record_mut().resent += 1;
                result = self.attempt(url, deadline_ns, &mut backend).await;
            } else {
                return (Outcome { result: Err(ErrorKind::Stale), backend }, true);
            }
        }

        let could_connect = !matches!(result, Err(Fault::Connect(_)));
        let result = match result {
            Ok((status, afterlife)) => {
                self.links.answered(endpoint, afterlife);
                Ok(status)
            }
            Err(fault) => {
                let never_left = self.links.at(endpoint).is_none();
                self.worker.record_mut().unconnected += u64::from(never_left);
                self.links.drop(endpoint);
                Err(fault.kind())
            }
        };
        (Outcome { result, backend }, could_connect)
    }

    /// Whether the peer had closed the connection before it saw the request, as far as anyone can know.
    fn is_stale<T>(&self, endpoint: usize, result: &Result<T, Fault>) -> bool {
        let broke = match result {
            Err(Fault::Closed) => true,
            Err(Fault::Exchange(error)) => is_reset(error),
            _ => false,
        };
        broke && !self.decoder.has_begun() && self.links.is_reused(endpoint)
    }

    /// One exchange, over the open connection or a new one.
    async fn attempt(
        &mut self,
        url: usize,
        deadline_ns: u64,
        backend: &mut Option<BackendId>,
    ) -> Result<(u16, Afterlife), Fault> {
        let Self { worker, links, decoder, timer, sent_ns } = self;
        let plan = worker.plan();
        let request = &plan.mix.requests()[url];
        decoder.reset();
        // Not by one `match`: the borrow checker does not see that its other arm needs no link.
        if links.at(request.origin).is_none() {
            let stream = connect(worker, request.origin, timer, deadline_ns).await?;
            worker.record_mut().connections += 1;
            *sent_ns = worker.now_ns();
            links.add(request.origin, stream);
        }
        let link = links.at(request.origin).expect("it was there, or was opened just now");
        let (request, is_last) = match &request.last_bytes {
            Some(last_bytes) if plan.requests_per_connection == Some(link.answers + 1) => (last_bytes, true),
            _ => (&request.bytes, false),
        };
        let mut exchange = Exchange {
            worker,
            decoder,
            backend,
            request,
            is_last,
            status: 0,
            written: 0,
            is_flushed: false,
            write_error: None,
        };
        poll_fn(|context| {
            if let Poll::Ready(result) = exchange.poll(&mut link.stream, context) {
                return Poll::Ready(result);
            }
            ready!(poll_deadline(worker, timer, deadline_ns, context));
            Poll::Ready(Err(Fault::TimedOut))
        })
        .await
    }
}

async fn connect(
    worker: &Worker,
    endpoint: usize,
    timer: &mut Pin<Box<Sleep>>,
    deadline_ns: u64,
) -> Result<Stream, Fault> {
    // In a box, so that the state of a handshake, some kilobytes, is no part of every request's future.
    let mut opening = Box::pin(Stream::open(&worker.shared().endpoints[endpoint]));
    poll_fn(|context| {
        if let Poll::Ready(result) = opening.as_mut().poll(context) {
            return Poll::Ready(result.map_err(Fault::Connect));
        }
        ready!(poll_deadline(worker, timer, deadline_ns, context));
        Poll::Ready(Err(Fault::TimedOut))
    })
    .await
}

/// Ready when the deadline has passed.
fn poll_deadline(
    worker: &Worker,
    timer: &mut Pin<Box<Sleep>>,
    deadline_ns: u64,
    context: &mut Context<'_>,
) -> Poll<()> {
    loop {
        ready!(timer.as_mut().poll(context));
        // It fired for the deadline of some earlier request: move it to this one's.
        let deadline = Instant::from_std(worker.started()) + Duration::from_nanos(deadline_ns);
        if timer.deadline() >= deadline {
            return Poll::Ready(());
        }
        timer.as_mut().reset(deadline);
    }
}

/// A request on its way and the answer to it.
struct Exchange<'a> {
    worker: &'a Worker,
    decoder: &'a mut Decoder,
    backend: &'a mut Option<BackendId>,
    request: &'a [u8],
    /// The request says that the connection ends with it.
    is_last: bool,
    status: u16,
    /// Bytes of the request that are written.
    written: usize,
    /// TLS has kept nothing of it back.
    is_flushed: bool,
    /// The request could not be written to its end; an answer may be there all the same.
    write_error: Option<io::Error>,
}

impl Exchange<'_> {
    /// Answers with the status, and what becomes of the connection.
    fn poll(
        &mut self,
        stream: &mut Stream,
        context: &mut Context<'_>,
    ) -> Poll<Result<(u16, Afterlife), Fault>> {
        self.poll_write(stream, context);
        loop {
            let mut scratch = self.worker.scratch_mut();
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = ready!(stream.poll_read(context, &mut buffer));
            if let Err(error) = read {
                return Poll::Ready(Err(self.fault(error)));
            }
            let input = buffer.filled();
            if input.is_empty() {
                return Poll::Ready(self.end());
            }
            let Self { worker, decoder, backend, status, .. } = self;
            let progress = decoder.feed(input, |head| {
                *status = head.status;
                **backend = head.backend.map(|name| worker.record_mut().backends.intern(name));
            });
            match progress {
                Ok(Progress::Incomplete) => {}
                Ok(Progress::Complete { keep_alive }) => {
                    let afterlife = match keep_alive && !self.is_last {
                        // What was not written of this request would be read as the next one.
                        _ if !self.is_flushed => Afterlife::Drop,
                        true => Afterlife::Reuse,
                        false => Afterlife::Part,
                    };
                    return Poll::Ready(Ok((self.status, afterlife)));
                }
                Err(_) => return Poll::Ready(Err(Fault::Malformed)),
            }
        }
    }

    fn poll_write(&mut self, stream: &mut Stream, context: &mut Context<'_>) {
        while !self.is_flushed && self.write_error.is_none() {
            let rest = &self.request[self.written..];
            let progress = if rest.is_empty() {
                stream.poll_flush(context).map_ok(|()| self.is_flushed = true)
            } else {
                stream.poll_write(context, rest).map_ok(|count| self.written += count)
            };
            match progress {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => self.write_error = Some(error),
                Poll::Pending => return,
            }
        }
    }

    fn fault(&mut self, error: io::Error) -> Fault {
        match (self.write_error.take(), error.kind()) {
            (Some(error), _) => Fault::Exchange(error),
            // TLS that ends without its alert may have been cut by anyone, so that even an answer that
            // ends with the connection is incomplete (RFC 9112, 9.8).
            (None, io::ErrorKind::UnexpectedEof) => Fault::Closed,
            (None, _) => Fault::Exchange(error),
        }
    }

    fn end(&mut self) -> Result<(u16, Afterlife), Fault> {
        match (self.decoder.end(), self.write_error.take()) {
            (End::Complete, _) => Ok((self.status, Afterlife::Drop)),
            (End::Nothing, Some(error)) => Err(Fault::Exchange(error)),
            (End::Nothing | End::CutOff, _) => Err(Fault::Closed),
        }
    }
}

impl Fault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TimedOut => ErrorKind::TimedOut,
            Self::Malformed => ErrorKind::Malformed,
            Self::Closed => ErrorKind::ClosedEarly,
            Self::Connect(error) | Self::Exchange(error) => match error.kind() {
                _ if link::is_tls(error) => ErrorKind::Tls,
                // The peer closed within the TLS handshake.
                io::ErrorKind::UnexpectedEof => ErrorKind::ClosedEarly,
                io::ErrorKind::ConnectionRefused => ErrorKind::Refused,
                io::ErrorKind::TimedOut => ErrorKind::TimedOut,
                _ if is_reset(error) => ErrorKind::Reset,
                _ if is_own_shortage(error) => ErrorKind::NoResources,
                _ => ErrorKind::Other,
            },
        }
    }
}

/// Whether it was this machine that had nothing left: no descriptor for the process or the whole system, no port
/// towards the target's address, no buffer, no memory.
fn is_own_shortage(error: &io::Error) -> bool {
    let shortages = [Errno::EMFILE, Errno::ENFILE, Errno::EADDRNOTAVAIL, Errno::ENOBUFS, Errno::ENOMEM];
    error.raw_os_error().is_some_and(|code| shortages.contains(&Errno::from_raw(code)))
}

fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_is_not_the_targets_failure() {
        let table = [
            (Errno::EMFILE, ErrorKind::NoResources),
            (Errno::ENFILE, ErrorKind::NoResources),
            (Errno::EADDRNOTAVAIL, ErrorKind::NoResources),
            (Errno::ENOBUFS, ErrorKind::NoResources),
            (Errno::ENOMEM, ErrorKind::NoResources),
            (Errno::ECONNREFUSED, ErrorKind::Refused),
            (Errno::ECONNRESET, ErrorKind::Reset),
            (Errno::ETIMEDOUT, ErrorKind::TimedOut),
            (Errno::ENETUNREACH, ErrorKind::Other),
        ];
        for (code, expected) in table {
            for fault in [Fault::Connect(code.into()), Fault::Exchange(code.into())] {
                assert_eq!(fault.kind(), expected, "{fault:?}");
            }
        }
    }
}
