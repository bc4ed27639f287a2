//! A stream as Pingora's proxy uses it: the request's header and body, the answer's header, body and trailer.
//!
//! Pingora's own session of a stream drops `100 Continue`, waits for a body without a deadline, and sends HEADERS without
//! END_STREAM where no body can follow. This one stands behind the trait for protocols that Pingora does not know; what it
//! gives for free with it: Pingora leaves host and authority of such requests as they are.
//!
//! The bytes of a body go to the h2 crate only as far as the client's windows reach, so that no more than one piece waits
//! here. Every wait for the client has a deadline, and no timer exists where nothing has to wait.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderMap, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{Method, Response, StatusCode, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::Digest;
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::custom::{CustomMessageWrite, server::Session};
use pingora::protocols::http::date::get_cached_date;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::{Error, ErrorType, Result};
use tokio::runtime::Handle;

use super::frames::HEAD_BYTES;
use crate::connection::facts::RequestReply;

/// What is kept of a request's body to send it again, as in Pingora's sessions.
const KEPT_BYTES: usize = 64 * 1024;

/// The fields of HTTP/1 that HTTP/2 forbids (RFC 9113, section 8.2.2).
static FORBIDDEN: [HeaderName; 5] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A stream.
pub(super) struct Http2Session {
    request: RequestHeader,
    body: RecvStream,
    /// The body was read to its end.
    body_ended: bool,
    body_read: usize,
    /// Since when a read waits for the client.
    waiting_since: Option<Instant>,
    read_timeout: Option<Duration>,
    drain_timeout: Option<Duration>,
    kept: Option<Kept>,
    respond: SendResponse<Bytes>,
    answer: Option<Box<ResponseHeader>>,
    /// There once the header was sent.
    sending: Option<SendStream<Bytes>>,
    body_sent: usize,
    /// Nothing more can be sent.
    ended: bool,
    reply: Arc<RequestReply>,
}

/// The beginning of a body.
#[derive(Default)]
struct Kept {
    bytes: BytesMut,
    /// There was more than is kept.
    truncated: bool,
}

impl Http2Session {
    /// The session of an admitted request.
    pub(super) fn new(
        parts: Parts,
        body: RecvStream,
        respond: SendResponse<Bytes>,
        reply: Arc<RequestReply>,
    ) -> Result<Self> {
        Ok(Self {
            request: header(parts)?,
            body_ended: body.is_end_stream(),
            body,
            body_read: 0,
            waiting_since: None,
            read_timeout: None,
            drain_timeout: None,
            kept: None,
            respond,
            answer: None,
            sending: None,
            body_sent: 0,
            ended: false,
            reply,
        })
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        loop {
            let Poll::Ready(read) = self.body.poll_data(cx) else {
                self.waiting_since.get_or_insert_with(Instant::now);
                return Poll::Pending;
            };
            self.waiting_since = None;
            let data = match read {
                None => {
                    self.body_ended = true;
                    return Poll::Ready(Ok(None));
                }
                Some(Err(error)) => return Poll::Ready(Err(of_client(error))),
                Some(Ok(data)) => data,
            };
            // The window opens again by what was read.
            let _ = self.body.flow_control().release_capacity(data.len());
            self.body_read += data.len();
            self.reply.count_body(data.len());
            self.body_ended = self.body.is_end_stream();
            if let Some(kept) = &mut self.kept {
                kept.keep(&data);
            }
            if !data.is_empty() {
                return Poll::Ready(Ok(Some(data)));
            }
            // An empty frame is no piece: Pingora would write the last chunk for it.
            if self.body_ended {
                return Poll::Ready(Ok(None));
            }
        }
    }

    /// Reads a piece of the body; the client may pause for the read timeout, however often this is called meanwhile.
    async fn read(&mut self) -> Result<Option<Bytes>> {
        let Some(patience) = self.read_timeout else {
            return std::future::poll_fn(|cx| self.poll_body(cx)).await;
        };
        let spent = self.waiting_since.map_or(Duration::ZERO, |since| since.elapsed());
        let read = std::future::poll_fn(|cx| self.poll_body(cx));
        match pingora_timeout::timeout(patience.saturating_sub(spent), read).await {
            Ok(read) => read,
            Err(_) => {
                Err(Error::explain(ErrorType::ReadTimedout, "the client sends no more of its body")
                    .into_down())
            }
        }
    }

    async fn discard(&mut self) -> Result<()> {
        while !self.body_ended {
            self.read().await?;
        }
        Ok(())
    }

    /// Waits until the client gives the stream up.
    async fn gone(&mut self) -> Result<Option<Bytes>> {
        let reset = std::future::poll_fn(|cx| match &mut self.sending {
            Some(sending) => sending.poll_reset(cx),
            None => self.respond.poll_reset(cx),
        });
        Err(match reset.await {
            Ok(code) => {
                Error::explain(ErrorType::ConnectionClosed, format!("the client reset the stream: {code}"))
            }
            Err(error) => Error::because(ErrorType::ConnectionClosed, "the connection has ended", error),
        }
        .into_down())
    }

    fn send_header(&mut self, mut answer: Box<ResponseHeader>, end: bool) -> Result<()> {
        if self.answer.is_some() || self.ended {
            return Ok(());
        }
        answer.insert_header(DATE, get_cached_date())?;
        remove_forbidden(&mut answer);
        let end = end || has_no_body(&self.request, &answer);
        self.reply.count_sent(header_bytes(&answer.headers) as usize);
        let status = answer.status;
        // Kept even where it reaches nobody any more: the log tells what the answer was.
        let (fields, kept) = if self.reply.forgets_fields() {
            let fields = http::response::Parts::from(*answer).headers;
            (fields, Box::new(ResponseHeader::build_no_case(status, Some(0))?))
        } else {
            (answer.headers.clone(), answer)
        };
        self.answer = Some(kept);
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = fields;
        self.ended = end;
        self.sending = Some(self.respond.send_response(response, end).map_err(of_client)?);
        Ok(())
    }

    fn send_interim(&mut self, mut answer: ResponseHeader) -> Result<()> {
        if self.answer.is_some() {
            return Ok(());
        }
        for name in FORBIDDEN.iter().chain([&CONTENT_LENGTH]) {
            answer.remove_header(name);
        }
        self.reply.count_sent(header_bytes(&answer.headers) as usize);
        let mut interim = Response::new(());
        *interim.status_mut() = answer.status;
        *interim.headers_mut() = std::mem::take(&mut http::response::Parts::from(answer).headers);
        self.respond.send_informational(interim).map_err(of_client)
    }

    async fn send(&mut self, mut data: Bytes, end: bool) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        let Some(sending) = &mut self.sending else {
            return Error::e_explain(ErrorType::InternalError, "a body before its header");
        };
        while !data.is_empty() {
            sending.reserve_capacity(data.len());
            if sending.capacity() == 0 {
                let capacity = std::future::poll_fn(|cx| sending.poll_capacity(cx));
                match pingora_timeout::timeout(self.reply.send_timeout(), capacity).await {
                    Ok(Some(Ok(_))) => continue,
                    Ok(Some(Err(error))) => return Err(of_client(error)),
                    Ok(None) => {
                        return Err(Error::explain(ErrorType::WriteError, "the stream has ended").into_down());
                    }
                    Err(_) => {
                        return Err(
                            Error::explain(ErrorType::WriteTimedout, "the client takes no more").into_down()
                        );
                    }
                }
            }
            let bytes = sending.capacity().min(data.len()).min(self.reply.piece_bytes());
            let piece = data.split_to(bytes);
            let is_last = end && data.is_empty();
            sending.send_data(piece, is_last).map_err(of_client)?;
            self.ended = is_last;
            self.body_sent += bytes;
            self.reply.count_sent(HEAD_BYTES + bytes);
            self.reply.count_content(bytes);
        }
        if end { self.end() } else { Ok(()) }
    }

    fn send_trailer(&mut self, trailer: HeaderMap) -> Result<()> {
        if trailer.is_empty() {
            return self.end();
        }
        let Some(sending) = self.sending.as_mut().filter(|_| !self.ended) else { return Ok(()) };
        self.ended = true;
        sending.send_trailers(trailer).map_err(of_client)
    }

    /// Ends an answer that was begun.
    fn end(&mut self) -> Result<()> {
        let Some(sending) = self.sending.as_mut().filter(|_| !self.ended) else { return Ok(()) };
        self.ended = true;
        self.reply.count_sent(HEAD_BYTES);
        sending.send_data(Bytes::new(), true).map_err(of_client)
    }

    /// Tells the client that there is no answer, with nginx's codes, or that it is not whole.
    fn abort(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        let code = if self.answer.is_some() { Reason::INTERNAL_ERROR } else { Reason::PROTOCOL_ERROR };
        match (self.sending.take(), Handle::try_current()) {
            // What was said so far is to arrive, and a reset takes what waits with it: so it comes when the connection's
            // task has run.
            (Some(mut sending), Ok(runtime)) => drop(runtime.spawn(async move {
                tokio::task::yield_now().await;
                sending.send_reset(code);
            })),
            _ => self.respond.send_reset(code),
        }
    }
}

impl Drop for Http2Session {
    fn drop(&mut self) {
        self.abort();
    }
}

impl Kept {
    fn keep(&mut self, data: &Bytes) {
        if self.truncated || self.bytes.len() + data.len() > KEPT_BYTES {
            *self = Self { bytes: BytesMut::new(), truncated: true };
        } else {
            self.bytes.extend_from_slice(data);
        }
    }
}

/// The header as Pingora carries it. Names keep the letters in which the configuration writes them.
fn header(parts: Parts) -> Result<RequestHeader> {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut header = RequestHeader::build(parts.method, target.as_bytes(), Some(parts.headers.len() + 4))?;
    header.set_version(Version::HTTP_2);
    let mut name = None;
    for (next, value) in parts.headers {
        // Further values of a name come without it.
        name = next.or(name);
        if let Some(name) = &name {
            header.append_header(name, value)?;
        }
    }
    Ok(header)
}

/// Removes what HTTP/2 forbids. Nearly always nothing: one look at each field costs less than a search for each name.
fn remove_forbidden(answer: &mut ResponseHeader) {
    if answer.headers.keys().any(|name| FORBIDDEN.contains(name)) {
        for name in &FORBIDDEN {
            answer.remove_header(name);
        }
    }
}

/// True if the header is the whole answer: then END_STREAM goes with it.
fn has_no_body(request: &RequestHeader, answer: &ResponseHeader) -> bool {
    request.method == Method::HEAD
        || matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        // A client that takes a trailer may get one behind no body at all.
        || (answer.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0")
            && !request.headers.contains_key(TE))
}

/// About how long a header is on the wire: what h2 compresses it to is known only when it is written, after the log. As if
/// every field were written out, names of HPACK's table by their number and the rest in its code, which takes three quarters.
pub(super) fn header_bytes(fields: &HeaderMap) -> u64 {
    let written = |bytes: usize| 1 + bytes * 3 / 4;
    let field = |(name, value): (&HeaderName, &http::HeaderValue)| {
        let name = match name.as_str() {
            "server" | "date" | "content-type" | "content-length" | "last-modified" | "etag" | "location"
            | "set-cookie" | "cache-control" | "expires" | "vary" | "accept-ranges" | "content-encoding" => 0,
            other => written(other.len()),
        };
        1 + name + written(value.len())
    };
    (HEAD_BYTES + 1 + fields.iter().map(field).sum::<usize>()) as u64
}

/// An error of the client's stream: gone, or a body that is not what its header says.
fn of_client(error: h2::Error) -> Box<Error> {
    let is_malformed = error.is_reset() && !error.is_remote();
    let kind = if is_malformed { ErrorType::InvalidHTTPHeader } else { ErrorType::ConnectionClosed };
    Error::because(kind, "the client's stream has ended", error).into_down()
}

#[async_trait]
impl Session for Http2Session {
    fn req_header(&self) -> &RequestHeader {
        &self.request
    }

    fn req_header_mut(&mut self) -> &mut RequestHeader {
        &mut self.request
    }

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        if self.body_ended {
            return Ok(None);
        }
        self.read().await
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        let Some(patience) = self.drain_timeout else { return self.discard().await };
        match pingora_timeout::timeout(patience, self.discard()).await {
            Ok(discarded) => discarded,
            Err(_) => Error::e_explain(ErrorType::ReadTimedout, "the client's body does not end"),
        }
    }

    async fn write_response_header(&mut self, answer: Box<ResponseHeader>, end: bool) -> Result<()> {
        if !answer.status.is_informational() {
            return self.send_header(answer, end);
        }
        self.send_interim(*answer)
    }

    async fn write_response_header_ref(&mut self, answer: &ResponseHeader, end: bool) -> Result<()> {
        self.write_response_header(Box::new(answer.clone()), end).await
    }

    async fn write_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        self.send(data, end).await
    }

    async fn write_trailers(&mut self, trailers: HeaderMap) -> Result<()> {
        self.send_trailer(trailers)
    }

    async fn response_duplex_vec(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        let mut end = false;
        for task in tasks {
            end |= match task {
                // A server's other interim answers stay here, as in HTTP/1.
                HttpTask::Header(answer, _) if answer.status.is_informational() => {
                    if answer.status == StatusCode::EARLY_HINTS && self.reply.passes_early_hints() {
                        self.send_interim(*answer)?;
                    }
                    false
                }
                HttpTask::Header(answer, end) => {
                    self.send_header(answer, end)?;
                    end
                }
                HttpTask::Body(data, end) => {
                    self.send(data.unwrap_or_default(), end).await?;
                    end
                }
                HttpTask::Trailer(Some(trailer)) => {
                    self.send_trailer(*trailer)?;
                    true
                }
                HttpTask::Trailer(None) | HttpTask::Done => true,
                HttpTask::UpgradedBody(..) => {
                    return Error::e_explain(
                        ErrorType::InternalError,
                        "another protocol on a stream of HTTP/2",
                    );
                }
                HttpTask::Failed(error) => return Err(error),
            };
        }
        if end {
            self.end()?;
        }
        Ok(end)
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.read_timeout = timeout;
    }

    fn get_read_timeout(&self) -> Option<Duration> {
        self.read_timeout
    }

    /// The time for a write is the request's ([`RequestReply::set_send_timeout`]).
    fn set_write_timeout(&mut self, _timeout: Option<Duration>) {}

    fn get_write_timeout(&self) -> Option<Duration> {
        Some(self.reply.send_timeout())
    }

    fn set_total_drain_timeout(&mut self, timeout: Option<Duration>) {
        self.drain_timeout = timeout;
    }

    fn get_total_drain_timeout(&self) -> Option<Duration> {
        self.drain_timeout
    }

    fn request_summary(&self) -> String {
        format!("{} {}", self.request.method, String::from_utf8_lossy(self.request.raw_path()))
    }

    fn response_written(&self) -> Option<&ResponseHeader> {
        self.answer.as_deref()
    }

    async fn shutdown(&mut self, _code: u32, _context: &str) {
        self.abort();
    }

    fn is_body_done(&mut self) -> bool {
        self.body_ended
    }

    async fn finish(&mut self) -> Result<()> {
        self.end()
    }

    fn is_body_empty(&mut self) -> bool {
        self.body_read == 0
            && (self.body_ended
                || self.request.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0"))
    }

    async fn read_body_or_idle(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        if no_body_expected || self.body_ended { self.gone().await } else { self.read().await }
    }

    fn body_bytes_sent(&self) -> usize {
        self.body_sent
    }

    fn body_bytes_read(&self) -> usize {
        self.body_read
    }

    // The addresses and times of the connection are in `ConnectionFacts`.

    fn digest(&self) -> Option<&Digest> {
        None
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        None
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        None
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        None
    }

    /// Asked for by requests within requests alone, which there are none of.
    fn pseudo_raw_h1_request_header(&self) -> Bytes {
        // A subrequest's session begins with it, before it gets the header that is meant.
        Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n")
    }

    fn enable_retry_buffering(&mut self) {
        self.kept.get_or_insert_default();
    }

    fn retry_buffer_truncated(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.truncated)
    }

    fn get_retry_buffer(&self) -> Option<Bytes> {
        let kept = self.kept.as_ref().filter(|kept| !kept.truncated && !kept.bytes.is_empty())?;
        Some(Bytes::copy_from_slice(&kept.bytes))
    }

    // HTTP/2 has no messages beside request and answer.

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_reader(&mut self) -> Option<MessageReader> {
        None
    }

    fn restore_custom_message_reader(&mut self, _reader: MessageReader) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        None
    }

    fn restore_custom_message_writer(&mut self, _writer: Box<dyn CustomMessageWrite>) -> Result<()> {
        Ok(())
    }
}

type MessageReader = Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>;
