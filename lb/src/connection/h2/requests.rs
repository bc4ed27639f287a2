//! The loop over the streams of one connection.
//!
//! One task drives the connection: it reads, writes, opens streams, and has the one timer. Each request is served in a task
//! of its own on the same thread, so that a slow one holds up no other, and a panic costs one stream. The frames that they
//! have to say meanwhile leave together, when this task runs next.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason as ErrorCode, RecvStream};
use http::Request;
use parking_lot::Mutex;
use pingora::apps::HttpServerApp;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::hygiene::{judge, request_line};
use super::refuse;
use super::session::Http2Session;
use super::stream::Http2Stream;
use super::watch::{Progress, REFUSED_STREAM, Watch};
use crate::connection::acceptor::Acceptor;
use crate::connection::closing;
use crate::connection::drain::{Event, LAST_CALL};
use crate::connection::facts::{ConnectionFacts, RequestFacts, RequestReply};
use crate::connection::h1::hygiene::Reason;
use crate::connection::host::{ConnectionHost, Http2Limits, Limits, Refused};
use crate::connection::transport::Transport;

/// Bytes of an answer that h2 may hold of one stream beyond what the client has taken.
const HELD_BYTES: usize = 128 * 1024;
/// What all streams' bodies together may have on the way here: none waits for another at the default of
/// `http2_body_preread_size`.
const CONNECTION_WINDOW: u32 = 8 << 20;
/// What h2 counts for a field besides its bytes (RFC 9113, section 6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// What every stream's task needs.
struct Shared<F, A> {
    acceptor: Acceptor<F, A>,
    facts: Arc<ConnectionFacts>,
    ending: ShutdownWatch,
    /// Streams being served.
    active: AtomicUsize,
    /// Told when the last of them has ended.
    quiet: Notify,
}

/// A stream that is being served.
struct Active<F, A>(Arc<Shared<F, A>>);

impl<F, A> Drop for Active<F, A> {
    fn drop(&mut self) {
        if self.0.active.fetch_sub(1, Relaxed) == 1 {
            self.0.quiet.notify_one();
        }
    }
}

/// Serves the streams of one connection until it ends. `ahead`: what the client has sent so far, its preface first.
pub(in crate::connection) async fn requests<F, A>(
    transport: Transport,
    ahead: BytesMut,
    facts: Arc<ConnectionFacts>,
    acceptor: &Acceptor<F, A>,
    settings: Http2Limits,
) where
    F: ConnectionHost,
    A: HttpServerApp + Send + Sync + 'static,
{
    let limits = acceptor.host().limits(&acceptor.host().snapshot(&facts.listener), &facts.listener);
    let watch = Arc::new(Mutex::new(Watch::new(settings.concurrent_streams)));
    let stream = Http2Stream::new(transport, ahead, Arc::clone(&watch), acceptor.drain().clone());
    let handshake = options(&settings, &limits).handshake::<_, Bytes>(stream);
    let connection = match pingora_timeout::timeout(limits.header_timeout, handshake).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            return log::info!("{error} while reading the preface of HTTP/2{}", facts.circumstances());
        }
        Err(_) => {
            return log::info!(
                "client timed out while sending the preface of HTTP/2{}",
                facts.circumstances()
            );
        }
    };
    let ending = facts.closing();
    let shared = Arc::new(Shared {
        acceptor: acceptor.clone(),
        ending: ending.clone(),
        facts,
        active: AtomicUsize::new(0),
        quiet: Notify::new(),
    });
    let mut serving = Serving {
        connection,
        watch,
        shared,
        settings,
        limits,
        number: 0,
        begun: Instant::now(),
        leaving: false,
        late: 0,
    };
    serving.run(ending).await;
    let Serving { connection, shared, .. } = serving;
    drop(connection);
    // Each is told now that its client has gone. Their records are written before a graceful stop ends the process.
    while shared.active.load(Relaxed) > 0 {
        shared.quiet.notified().await;
    }
}

fn options(settings: &Http2Limits, limits: &Limits) -> Builder {
    // A header beyond the configured limits is to get nginx's answer, so h2's own limit is further away: it ends a
    // connection whose header is many times as large, and bounds the number of CONTINUATION frames.
    let header_bytes =
        limits.header.total_bytes.saturating_add(limits.max_fields.saturating_mul(FIELD_OVERHEAD));
    let mut options = Builder::new();
    options
        .max_concurrent_streams(settings.concurrent_streams)
        .initial_window_size(settings.window)
        .initial_connection_window_size(CONNECTION_WINDOW.max(settings.window))
        .max_header_list_size(u32::try_from(header_bytes.saturating_mul(2)).unwrap_or(u32::MAX))
        .max_send_buffer_size(HELD_BYTES)
        .max_pending_accept_reset_streams(settings.concurrent_streams as usize);
    options
}

/// The connection while it is served.
struct Serving<F, A> {
    connection: Connection<Http2Stream, Bytes>,
    watch: Arc<Mutex<Watch>>,
    shared: Arc<Shared<F, A>>,
    settings: Http2Limits,
    limits: Limits,
    /// Requests so far.
    number: u64,
    begun: Instant,
    /// The client has been told that no more requests are wanted.
    leaving: bool,
    /// Requests since: those that were on their way, and no more than fit into the connection at once.
    late: u32,
}

/// What ended a wait.
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one, and is taken apart at once")]
enum Woken {
    Stream(Request<RecvStream>, SendResponse<Bytes>),
    /// The connection has ended, by an error of the client's or without.
    Ended(Option<h2::Error>),
    /// It is to end: the process stops, or its address was removed.
    Ending,
    /// The last stream has ended.
    Quiet,
    /// The client owes the rest of a header, or takes nothing any more; or no longer.
    Changed,
    /// Requests were refused.
    Refused,
    TimedOut,
    Flooded,
}

impl<F, A> Serving<F, A>
where
    F: ConnectionHost,
    A: HttpServerApp + Send + Sync + 'static,
{
    async fn run(&mut self, mut ending: ShutdownWatch) {
        let ended = closing(&mut ending);
        tokio::pin!(ended);
        let timer = sleep_until((Instant::now() + self.patience(Instant::now()).0).into());
        tokio::pin!(timer);
        // What the connection waits for now, since when.
        let mut waiting = Instant::now();
        let mut progress = self.watch.lock().progress();
        loop {
            let woken = tokio::select! {
                biased;
                woken = accept(&mut self.connection, &self.watch, &mut progress) => woken,
                () = &mut ended, if !self.leaving => Woken::Ending,
                () = self.shared.quiet.notified() => Woken::Quiet,
                () = &mut timer => Woken::TimedOut,
            };
            match woken {
                Woken::Stream(request, respond) => {
                    self.late += u32::from(self.leaving);
                    self.begin(request, respond);
                    if self.late > self.settings.concurrent_streams {
                        // It has not taken notice, and never will.
                        return self.end(ErrorCode::NO_ERROR).await;
                    }
                }
                Woken::Ended(error) => {
                    self.tell_refused();
                    return self.tell_end(error);
                }
                Woken::Ending => {
                    self.leave();
                    waiting = Instant::now();
                }
                Woken::Quiet => waiting = Instant::now(),
                // A header has its time from its beginning.
                Woken::Changed if progress.is_inside => waiting = Instant::now(),
                Woken::Changed => {}
                Woken::Refused => self.tell_refused(),
                Woken::Flooded => {
                    log::info!("http2 flood detected{}", self.shared.facts.circumstances());
                    return self.end(ErrorCode::ENHANCE_YOUR_CALM).await;
                }
                Woken::TimedOut => {
                    let now = Instant::now();
                    let (patience, since) = self.patience(waiting);
                    if now.duration_since(since) >= patience {
                        return self.end(ErrorCode::NO_ERROR).await;
                    }
                    timer.as_mut().reset((since + patience).into());
                    continue;
                }
            }
            // Set anew only where it would fire too late: it is looked at again when it fires.
            let (patience, since) = self.patience(waiting);
            let deadline = (since + patience).into();
            if timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
        }
    }

    /// How long the connection may stay as it is, and since when it does.
    fn patience(&self, waiting: Instant) -> (Duration, Instant) {
        let watch = self.watch.lock();
        if let Some(blocked) = watch.blocked_since {
            return (self.settings.send_timeout, blocked);
        }
        let patience = if self.shared.active.load(Relaxed) > 0 {
            // Whoever is waited for has a deadline in the stream.
            return (self.limits.idle_timeout.max(LAST_CALL), Instant::now());
        } else if self.leaving {
            LAST_CALL
        } else if watch.progress().is_inside {
            self.limits.header_timeout
        } else if self.number == 0 && self.limits.idle_timeout.is_zero() {
            // Zero closes behind an answer, and there was none yet.
            self.limits.first_request_timeout
        } else {
            self.limits.idle_timeout
        };
        (patience, waiting)
    }

    /// Lets a request in, and has it served.
    fn begin(&mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let received = Instant::now();
        self.number += 1;
        let Shared { acceptor, facts, .. } = &*self.shared;
        acceptor.drain().book(Event::HeadStarted);
        acceptor.drain().book(Event::HeadEnded);
        let head_bytes = self.watch.lock().accepted(respond.stream_id().as_u32());
        let snapshot = acceptor.host().snapshot(&facts.listener);
        let (mut parts, body) = request.into_parts();
        let request_line = request_line(&parts);
        let judged = judge(&mut parts, body.is_end_stream(), self.limits.header, self.limits.max_fields);
        let shape = match judged {
            Ok(shape) => shape,
            Err(reason) => {
                let sent = refuse::answer(respond, reason, self.limits.server_tokens, &parts.method);
                let refused = Refused {
                    status: reason.status(),
                    reason,
                    request_line: &request_line,
                    number: self.number,
                    received,
                    bytes_received: head_bytes as u64,
                    bytes_sent: sent.bytes,
                    body_bytes_sent: sent.body_bytes,
                };
                return acceptor.host().refused(&snapshot, facts, &refused);
            }
        };
        let reply = Arc::new(RequestReply::default());
        let request = RequestFacts {
            resumed: None,
            connection: Arc::clone(facts),
            snapshot,
            number: self.number,
            received,
            reply: Arc::clone(&reply),
            request_line,
            head_bytes,
            shape,
        };
        match Http2Session::new(parts, body, respond, reply) {
            Ok(session) => self.serve(ServerSession::new_custom(Box::new(session)), request),
            // Not expected: what Pingora cannot carry is to be refused above.
            Err(error) => log::error!("a request of HTTP/2 could not be carried: {error}"),
        }
        let too_many = self.number >= self.settings.requests;
        if !self.leaving && (too_many || self.begun.elapsed() > self.settings.lifetime) {
            self.leave();
        }
    }

    fn serve(&self, session: ServerSession, request: RequestFacts<F::Snapshot>) {
        self.shared.active.fetch_add(1, Relaxed);
        let active = Active(Arc::clone(&self.shared));
        self.shared.acceptor.runtime().spawn(async move {
            let Shared { acceptor, ending, .. } = &*active.0;
            let _writing = acceptor.drain().span(Event::RequestStarted, Event::RequestEnded);
            request.serve(acceptor.app().process_new_http(session, ending)).await;
        });
    }

    /// Asks the client for no more requests; those that are on their way are served.
    fn leave(&mut self) {
        self.leaving = true;
        self.connection.graceful_shutdown();
    }

    /// Ends the connection at once.
    async fn end(&mut self, code: ErrorCode) {
        self.connection.abrupt_shutdown(code);
        let flushed = poll_fn(|cx| self.connection.poll_closed(cx));
        let _ = pingora_timeout::timeout(self.settings.send_timeout, flushed).await;
        self.tell_refused();
    }

    /// Logs and counts the requests that h2 has refused.
    fn tell_refused(&mut self) {
        let refused = self.watch.lock().take_refused();
        let Shared { acceptor, facts, .. } = &*self.shared;
        for stream in refused {
            if stream.code == REFUSED_STREAM {
                let most = self.settings.concurrent_streams;
                log::info!("concurrent streams exceeded {most}{}", facts.circumstances());
                continue;
            }
            self.number += 1;
            acceptor.drain().book(Event::HeadStarted);
            acceptor.drain().book(Event::HeadEnded);
            let reason = Reason::MalformedStream;
            let refused = Refused {
                status: reason.status(),
                reason,
                request_line: &[],
                number: self.number,
                received: Instant::now(),
                bytes_received: stream.head_bytes as u64,
                bytes_sent: 0,
                body_bytes_sent: 0,
            };
            acceptor.host().refused(&acceptor.host().snapshot(&facts.listener), facts, &refused);
        }
    }

    fn tell_end(&self, error: Option<h2::Error>) {
        if let Some(error) = error.filter(|error| !error.is_io() && !error.is_remote()) {
            log::info!("{error} while processing HTTP/2 connection{}", self.shared.facts.circumstances());
        }
    }
}

/// Drives the connection to its next request, or its end.
async fn accept(
    connection: &mut Connection<Http2Stream, Bytes>,
    watch: &Mutex<Watch>,
    progress: &mut Progress,
) -> Woken {
    poll_fn(|cx| {
        let polled = connection.poll_accept(cx);
        let watch = watch.lock();
        if watch.is_flooded() {
            return Poll::Ready(Woken::Flooded);
        }
        if polled.is_pending() && watch.has_refused() {
            return Poll::Ready(Woken::Refused);
        }
        if polled.is_pending() && watch.progress() != *progress {
            *progress = watch.progress();
            return Poll::Ready(Woken::Changed);
        }
        polled.map(|accepted| match accepted {
            Some(Ok((request, respond))) => Woken::Stream(request, respond),
            Some(Err(error)) => Woken::Ended(Some(error)),
            None => Woken::Ended(None),
        })
    })
    .await
}
