//! One connection's loop: begin a request, send it, read the answer, count it, begin the next. The only
//! place that reads and writes sockets; runs once per request.
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

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::Event;
use super::worker::Worker;
use crate::record::{BackendId, ErrorKind, Outcome};
use crate::wire::decoder::{Decoder, End, Progress};

/// How long a connection waits after it could not be opened. Without it a dead target would use up the
/// requests, or a core, in no time; a client that was just refused would not come back sooner either.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_millis(10);

struct Connection {
    worker: Rc<Worker>,
    stream: Option<Link>,
    decoder: Decoder,
    timer: Pin<Box<Sleep>>,
}

struct Link {
    stream: TcpStream,
    /// It has carried a complete answer.
    reused: bool,
}

/// Why an exchange failed.
#[derive(Debug)]
enum Fault {
    Connect(io::Error),
    Exchange(io::Error),
    /// The peer closed; the decoder knows where.
    Closed,
    TimedOut,
    Malformed,
}

/// Sends requests over one connection after the other until the worker has no more. `first` is a
/// connection that is open already.
pub(super) async fn run(worker: Rc<Worker>, first: Option<std::net::TcpStream>) {
    let stream = first.and_then(|stream| adopt(stream).ok()).map(|stream| Link { stream, reused: false });
    let mut now_ns = worker.now_ns();
    let mut connection = Connection {
        decoder: Decoder::new(worker.plan().expectations.clone()),
        timer: Box::pin(sleep_until(Instant::from_std(worker.started()) + worker.plan().timeout)),
        stream,
        worker: Rc::clone(&worker),
    };
    if connection.stream.is_some() {
        worker.record_mut().connections += 1;
    }
    while worker.begin_request(now_ns) {
        let start_ns = now_ns;
        let (outcome, could_connect) = connection.request(start_ns).await;
        now_ns = worker.now_ns();
        worker.record_mut().add(outcome, start_ns, start_ns, now_ns);

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

fn adopt(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    TcpStream::from_std(stream)
}

impl Connection {
    /// Sends one request and reads its answer; also says whether a connection could be had.
    async fn request(&mut self, start_ns: u64) -> (Outcome, bool) {
        let deadline_ns = start_ns.saturating_add(self.worker.plan().timeout.as_nanos() as u64);
        let mut backend = None;
        let mut result = self.attempt(deadline_ns, &mut backend).await;
        if self.is_stale(&result) {
            self.stream = None;
            if self.worker.plan().resend {
                self.worker.record_mut().resent += 1;
                result = self.attempt(deadline_ns, &mut backend).await;
            } else {
                return (Outcome { result: Err(ErrorKind::Stale), backend }, true);
            }
        }

        let could_connect = !matches!(result, Err(Fault::Connect(_)));
        let result = match result {
            Ok((status, keep_alive)) => {
                match &mut self.stream {
                    Some(link) if keep_alive => link.reused = true,
                    _ => self.stream = None,
                }
                Ok(status)
            }
            Err(fault) => {
                self.stream = None;
                Err(fault.kind())
            }
        };
        (Outcome { result, backend }, could_connect)
    }

    /// Whether the peer had closed the connection before it saw the request, as far as anyone can know.
    fn is_stale<T>(&self, result: &Result<T, Fault>) -> bool {
        let broke = match result {
            Err(Fault::Closed) => true,
            Err(Fault::Exchange(error)) => is_reset(error),
            _ => false,
        };
        broke && !self.decoder.has_begun() && self.stream.as_ref().is_some_and(|link| link.reused)
    }

    /// One exchange, over the open connection or a new one.
    async fn attempt(
        &mut self,
        deadline_ns: u64,
        backend: &mut Option<BackendId>,
    ) -> Result<(u16, bool), Fault> {
        let Self { worker, stream, decoder, timer } = self;
        decoder.reset();
        let link = match stream {
            Some(link) => link,
            None => {
                let opened = connect(worker, timer, deadline_ns).await?;
                worker.record_mut().connections += 1;
                stream.insert(Link { stream: opened, reused: false })
            }
        };
        let mut exchange = Exchange { worker, decoder, backend, status: 0, written: 0, write_error: None };
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

async fn connect(worker: &Worker, timer: &mut Pin<Box<Sleep>>, deadline_ns: u64) -> Result<TcpStream, Fault> {
    let mut connecting = std::pin::pin!(TcpStream::connect(worker.shared().address));
    let stream = poll_fn(|context| {
        if let Poll::Ready(result) = connecting.as_mut().poll(context) {
            return Poll::Ready(result.map_err(Fault::Connect));
        }
        ready!(poll_deadline(worker, timer, deadline_ns, context));
        Poll::Ready(Err(Fault::TimedOut))
    })
    .await?;
    stream.set_nodelay(true).map_err(Fault::Exchange)?;
    Ok(stream)
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
    status: u16,
    /// Bytes of the request that are written.
    written: usize,
    /// The request could not be written to its end; an answer may be there all the same.
    write_error: Option<io::Error>,
}

impl Exchange<'_> {
    /// Answers with the status, and whether the connection lives on.
    fn poll(
        &mut self,
        stream: &mut TcpStream,
        context: &mut Context<'_>,
    ) -> Poll<Result<(u16, bool), Fault>> {
        self.poll_write(stream, context);
        loop {
            let mut scratch = self.worker.scratch_mut();
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer));
            if let Err(error) = read {
                return Poll::Ready(Err(Fault::Exchange(self.write_error.take().unwrap_or(error))));
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
                    // What was not written of this request would be read as the next one.
                    let keep_alive = keep_alive && self.is_written();
                    return Poll::Ready(Ok((self.status, keep_alive)));
                }
                Err(_) => return Poll::Ready(Err(Fault::Malformed)),
            }
        }
    }

    fn is_written(&self) -> bool {
        self.written == self.worker.plan().request.len()
    }

    fn poll_write(&mut self, stream: &mut TcpStream, context: &mut Context<'_>) {
        let request = &self.worker.plan().request;
        while self.written < request.len() && self.write_error.is_none() {
            match Pin::new(&mut *stream).poll_write(context, &request[self.written..]) {
                Poll::Ready(Ok(count)) => self.written += count,
                Poll::Ready(Err(error)) => self.write_error = Some(error),
                Poll::Pending => return,
            }
        }
    }

    fn end(&mut self) -> Result<(u16, bool), Fault> {
        match (self.decoder.end(), self.write_error.take()) {
            (End::Complete, _) => Ok((self.status, false)),
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
                io::ErrorKind::ConnectionRefused => ErrorKind::Refused,
                io::ErrorKind::TimedOut => ErrorKind::TimedOut,
                _ if is_reset(error) => ErrorKind::Reset,
                _ => ErrorKind::Other,
            },
        }
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe
    )
}
