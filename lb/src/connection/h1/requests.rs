//! The loop over the requests of one connection.
//!
//! The future of this task exists as long as its connection, mostly waiting, so it is kept small: while it waits it
//! holds no buffer and no snapshot, and the large future is Pingora's, boxed, for the length of one request.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use pingora::apps::{HttpServerApp, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use tokio::time::{Sleep, sleep_until};

use super::chunks::{ChunkScanner, Scan};
use super::head::{HeadScanner, Progress, leading_line_ends};
use super::hygiene::{Framing, Reason, Shape, Verdict, judge};
use super::input::ReadLimit;
use super::refuse::{self, Sent};
use super::stream::ClientStream;
use crate::connection::acceptor::Acceptor;
use crate::connection::closing;
use crate::connection::drain::{Drain, Event, LAST_CALL};
use crate::connection::facts::{ConnectionFacts, RequestFacts, RequestReply, Serving};
use crate::connection::h2::preface::{self, FirstBytes};
use crate::connection::host::{ConnectionHost, Http2Limits, Limits, Refused};
use crate::tls::Security;

/// A connection that turned out to speak HTTP/2, with what has been read of it. Boxed on its way: every waiting connection
/// has a place for it.
pub(in crate::connection) struct OtherProtocol {
    pub(in crate::connection) stream: Box<ClientStream>,
    pub(in crate::connection) ahead: BytesMut,
    pub(in crate::connection) limits: Http2Limits,
}

/// Serves the requests of one connection until it ends, or speaks another protocol from its first byte.
pub(in crate::connection) async fn requests<F, A>(
    mut stream: Box<ClientStream>,
    facts: &Arc<ConnectionFacts>,
    acceptor: &Acceptor<F, A>,
) -> Option<Box<OtherProtocol>>
where
    F: ConnectionHost,
    A: HttpServerApp + Send + Sync + 'static,
{
    let mut ending = facts.closing();
    let mut buffer = BytesMut::new();
    let mut idle = IdleTimer::default();
    // The idle time that the previous request set for this wait.
    let mut told = None;
    for number in 1.. {
        if buffer.is_empty() {
            let patience = told.unwrap_or_else(|| patience(acceptor.host(), facts, number));
            if !wait(
                &mut stream,
                &mut buffer,
                patience,
                &mut idle,
                &mut ending,
                number == 1,
                acceptor.drain(),
            )
            .await
            {
                return None;
            }
        }
        let received = Instant::now();
        let snapshot = acceptor.host().snapshot(&facts.listener);
        let limits = acceptor.host().limits(&snapshot, &facts.listener);
        if number == 1
            && preface::look(&buffer) != FirstBytes::Other
            && matches!(facts.security, Security::Plain)
        {
            match Box::pin(read_preface(&mut stream, &mut buffer, acceptor.host(), facts)).await {
                Spoken::Http1 => {}
                Spoken::Http2(limits) => {
                    return Some(Box::new(OtherProtocol { stream, ahead: buffer, limits }));
                }
                Spoken::Nothing => return None,
            }
        }
        let head = {
            let _reading = acceptor.drain().span(Event::HeadStarted, Event::HeadEnded);
            read_head(&mut stream, &mut buffer, &limits).await
        };
        let admitted = match head {
            Head::Complete(head_bytes) => admit(&buffer, head_bytes, limits.max_fields),
            Head::Refused(reason) => Err(reason),
            Head::Nothing => return None,
        };
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(reason) => {
                let beginning = Beginning { snapshot, limits, number, received, buffer };
                Box::pin(refused(stream, reason, beginning, facts, acceptor)).await;
                return None;
            }
        };

        let head_bytes = admitted.head_bytes;
        let reply = Arc::new(RequestReply::default());
        let request =
            Request { admitted, snapshot: snapshot.clone(), number, received, reply: reply.clone() };
        let reused = {
            let _writing = acceptor.drain().span(Event::RequestStarted, Event::RequestEnded);
            let message = std::mem::take(&mut buffer);
            hand_over(acceptor.app(), stream, message, request, facts, &ending).await
        };
        let returned =
            reused.and_then(|reused| reused.consume().0.into_any().downcast::<ClientStream>().ok());
        let Some(returned) = returned else {
            if !reply.was_seen() {
                let refused = Refused {
                    status: Reason::RefusedByPingora.status(),
                    reason: Reason::RefusedByPingora,
                    request_line: &[],
                    number,
                    received,
                    bytes_received: head_bytes as u64,
                    bytes_sent: 0,
                    body_bytes_sent: 0,
                };
                acceptor.host().refused(&snapshot, facts, &refused);
            }
            return None;
        };
        told = reply.idle_timeout();
        stream = returned;
        buffer = stream.end_request();
    }
    None
}

/// An admitted request.
struct Request<S> {
    admitted: Admitted,
    snapshot: Arc<S>,
    number: u64,
    received: Instant,
    reply: Arc<RequestReply>,
}

type Served<'a> = Serving<Handling<'a>>;

type Handling<'a> = Pin<Box<dyn Future<Output = Option<ReusedHttpStream>> + Send + 'a>>;

/// Gives Pingora one request: the stream, and the part of `message` that belongs to it. Not an async function, so
/// that Pingora's session (680 bytes) is not laid out in the future of every waiting connection.
fn hand_over<'a, S, A>(
    app: &'a Arc<A>,
    mut stream: Box<ClientStream>,
    mut message: BytesMut,
    request: Request<S>,
    connection: &Arc<ConnectionFacts>,
    ending: &'a ShutdownWatch,
) -> Served<'a>
where
    S: Send + Sync + 'static,
    A: HttpServerApp + Send + Sync + 'static,
{
    let Request { admitted, snapshot, number, received, reply } = request;
    let surplus = match admitted.message_bytes {
        bytes if bytes < message.len() => message.split_off(bytes),
        _ => BytesMut::new(),
    };
    reply.count_body(message.len() - admitted.head_bytes);
    let prefix = match admitted.rewritten {
        Some(mut rewritten) => {
            rewritten.extend_from_slice(&message[admitted.head_bytes..]);
            rewritten
        }
        None => message,
    };
    stream.begin_request(admitted.read_limit, surplus, admitted.shape.upgrade, reply.clone());
    let mut session = ServerSession::new_http1(stream);
    session.set_pipelined_prefix(prefix);
    let facts = RequestFacts {
        resumed: None,
        connection: connection.clone(),
        snapshot,
        number,
        received,
        reply,
        request_line: admitted.request_line,
        head_bytes: admitted.head_bytes,
        shape: admitted.shape,
    };
    facts.serve(app.process_new_http(session, ending))
}

/// The time to wait for request `number` if the one before it set none.
fn patience<F: ConnectionHost>(host: &F, facts: &ConnectionFacts, number: u64) -> Duration {
    let limits = host.limits(&host.snapshot(&facts.listener), &facts.listener);
    if number == 1 { limits.first_request_timeout } else { limits.idle_timeout }
}

/// Waits for the first bytes of a request. False when the connection is to end without one.
async fn wait(
    stream: &mut ClientStream,
    buffer: &mut BytesMut,
    patience: Duration,
    idle: &mut IdleTimer,
    ending: &mut ShutdownWatch,
    is_first: bool,
    drain: &Drain,
) -> bool {
    if patience.is_zero() {
        return false;
    }
    tokio::select! {
        biased;
        read = stream.read_into(buffer) => return matches!(read, Ok(1..)),
        () = closing(ending) => {}
        () = idle.passes(patience) => return false,
    }
    // Boxed, so that the future of every waiting connection stays small.
    Box::pin(last_wait(stream, buffer, is_first.then_some(patience), drain)).await
}

/// Waits for a request on a connection that is to end. Where only the listening address has gone, a client that has yet
/// to send its first request has time for it, as in nginx: it has no answer yet that told it to go.
async fn last_wait(
    stream: &mut ClientStream,
    buffer: &mut BytesMut,
    first_patience: Option<Duration>,
    drain: &Drain,
) -> bool {
    if let Some(patience) = first_patience {
        let mut stopping = drain.watch();
        tokio::select! {
            biased;
            read = stream.read_into(buffer) => return matches!(read, Ok(1..)),
            () = closing(&mut stopping) => {}
            () = tokio::time::sleep(patience) => return false,
        }
    }
    matches!(tokio::time::timeout(LAST_CALL, stream.read_into(buffer)).await, Ok(Ok(1..)))
}

/// Tells when a connection has been silent for too long. One timer for all of its waits: a busy connection waits tens
/// of thousands of times a second and almost never times out, so the timer is left as it is and set anew only when it
/// fires, or when it would fire too late.
#[derive(Default)]
struct IdleTimer(Option<Pin<Box<Sleep>>>);

impl IdleTimer {
    /// Ends when this much time has passed from now.
    async fn passes(&mut self, patience: Duration) {
        let deadline = tokio::time::Instant::now() + patience;
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            sleep.as_mut().await;
            if sleep.deadline() >= deadline {
                return;
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

/// What the first bytes of a connection speak.
enum Spoken {
    Http1,
    Http2(Http2Limits),
    /// The client sent no more of them in time.
    Nothing,
}

/// Reads until the first bytes tell the protocol, where HTTP/2 is one.
async fn read_preface<F: ConnectionHost>(
    stream: &mut ClientStream,
    buffer: &mut BytesMut,
    host: &F,
    facts: &ConnectionFacts,
) -> Spoken {
    let snapshot = host.snapshot(&facts.listener);
    let Some(http2) = host.http2(&snapshot, &facts.listener, None) else { return Spoken::Http1 };
    let patience = host.limits(&snapshot, &facts.listener).header_timeout;
    let told = async {
        loop {
            match preface::look(buffer) {
                FirstBytes::Perhaps => {}
                FirstBytes::Http2 => return Spoken::Http2(http2),
                FirstBytes::Other => return Spoken::Http1,
            }
            if !matches!(stream.read_into(buffer).await, Ok(1..)) {
                return Spoken::Http1;
            }
        }
    };
    pingora_timeout::timeout(patience, told).await.unwrap_or(Spoken::Nothing)
}

enum Head {
    Complete(usize),
    Refused(Reason),
    /// Line ends and then silence, or the end of the connection: no request at all.
    Nothing,
}

/// Reads until the header is whole. Removes everything before the request line from `buffer`.
async fn read_head(stream: &mut ClientStream, buffer: &mut BytesMut, limits: &Limits) -> Head {
    let mut scanner = HeadScanner::default();
    if let Some(head) = look(&mut scanner, buffer, limits) {
        return head;
    }
    // Rare, so boxed: it would make every waiting connection larger.
    Box::pin(read_rest(stream, scanner, buffer, limits)).await
}

async fn read_rest(
    stream: &mut ClientStream,
    mut scanner: HeadScanner,
    buffer: &mut BytesMut,
    limits: &Limits,
) -> Head {
    let rest = async {
        loop {
            match stream.read_into(buffer).await {
                Ok(1..) => {}
                _ if buffer.is_empty() => return Head::Nothing,
                _ => return Head::Refused(Reason::ClosedEarly),
            }
            if let Some(head) = look(&mut scanner, buffer, limits) {
                return head;
            }
        }
    };
    match pingora_timeout::timeout(limits.header_timeout, rest).await {
        Ok(head) => head,
        Err(_) if buffer.is_empty() => Head::Nothing,
        Err(_) => Head::Refused(Reason::TimedOut),
    }
}

fn look(scanner: &mut HeadScanner, buffer: &mut BytesMut, limits: &Limits) -> Option<Head> {
    // Only before the request line: past it, the buffer no longer begins with a line end.
    buffer.advance(leading_line_ends(buffer));
    match scanner.advance(buffer, &limits.header) {
        Progress::Partial => None,
        Progress::Complete(head_bytes) => Some(Head::Complete(head_bytes)),
        Progress::Refused(reason) => Some(Head::Refused(reason)),
    }
}

struct Admitted {
    shape: Shape,
    request_line: Box<[u8]>,
    head_bytes: usize,
    /// The bytes of `buffer` that belong to this request.
    message_bytes: usize,
    read_limit: ReadLimit,
    rewritten: Option<BytesMut>,
}

/// Checks the header that `buffer` begins with, and tells which of the following bytes belong to it.
fn admit(buffer: &[u8], head_bytes: usize, max_fields: usize) -> Result<Admitted, Reason> {
    let (head, rest) = buffer.split_at(head_bytes);
    let (shape, rewrite) = match judge(head, max_fields) {
        Verdict::Admit(shape, rewrite) => (shape, rewrite),
        Verdict::Refuse(reason) => return Err(reason),
    };
    let (body_bytes, read_limit) = match shape.framing {
        Framing::Chunked => {
            let mut scanner = ChunkScanner::default();
            match scanner.advance(rest) {
                Scan::Inside => (rest.len(), ReadLimit::Chunked(scanner)),
                Scan::Ended(bytes) => (bytes, ReadLimit::After(0)),
                // Before a server is asked: it must not see the beginning of a body whose end is unknown.
                Scan::Invalid => return Err(Reason::InvalidChunks),
            }
        }
        Framing::Empty => (0, ReadLimit::After(0)),
        Framing::Length(length) => {
            let here = usize::try_from(length).map_or(rest.len(), |length| length.min(rest.len()));
            (here, ReadLimit::After(length - here as u64))
        }
    };
    Ok(Admitted {
        request_line: request_line(head).into(),
        shape,
        head_bytes,
        message_bytes: head_bytes + body_bytes,
        read_limit,
        rewritten: rewrite.map(|rewrite| rewrite.apply(head)),
    })
}

/// The first line, as far as it arrived.
fn request_line(head: &[u8]) -> &[u8] {
    let line = memchr::memchr(b'\n', head).map_or(head, |end| &head[..end]);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The part of a request that was known when it was refused.
struct Beginning<S> {
    snapshot: Arc<S>,
    limits: Limits,
    number: u64,
    received: Instant,
    buffer: BytesMut,
}

async fn refused<F, A>(
    mut stream: Box<ClientStream>,
    reason: Reason,
    beginning: Beginning<F::Snapshot>,
    facts: &Arc<ConnectionFacts>,
    acceptor: &Acceptor<F, A>,
) where
    F: ConnectionHost,
    A: HttpServerApp + Send + Sync + 'static,
{
    let Beginning { snapshot, limits, number, received, buffer } = beginning;
    let answered = refuse::is_answered(reason);
    let sent = if answered {
        let _writing = acceptor.drain().span(Event::RequestStarted, Event::RequestEnded);
        refuse::answer(&mut stream, reason, limits.server_tokens, buffer.starts_with(b"HEAD ")).await
    } else {
        Sent::default()
    };
    let refused = Refused {
        status: reason.status(),
        reason,
        request_line: request_line(&buffer),
        number,
        received,
        bytes_received: buffer.len() as u64,
        bytes_sent: sent.bytes,
        body_bytes_sent: sent.body_bytes,
    };
    acceptor.host().refused(&snapshot, facts, &refused);
    drop((snapshot, buffer));
    if answered {
        stream.close_gently().await;
    }
}
