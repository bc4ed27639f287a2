//! Large answers without a copy: one write call for several pieces of a body.
//!
//! Pingora reads an answer 64 KiB at a time and passes on up to four pieces at once, which its HTTP/1 session first
//! copies together. For 1 MB that copy was a sixth of a request's time (`docs/decisions/008-large-answers.md`). So at
//! the first large piece, the session is wrapped in a custom one ([`Gathering`]) that passes everything through with
//! one exception: it lends each piece to the client's stream and has it written by itself. The stream keeps the lent
//! pieces and sends a batch in one call.
//!
//! Pingora still frames the body, counts it and finds its end; it sees a session that never batches. The inner
//! session is restored before Pingora needs functions that only an HTTP/1 session has: whether the connection is
//! kept, and the stream for the next request.
//!
//! A body that changes on its way passes its filters here too ([`filter`]), since this is the one place that sees all pieces
//! which a server has sent by now.
//!
//! The trait is hidden from Pingora's documentation, and this module is the one place that knows it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use parking_lot::Mutex;
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::Digest;
use pingora::protocols::http::custom::{CustomMessageWrite, server::Session as CustomSession};
use pingora::protocols::http::{HttpTask, ServerSession};
use pingora::protocols::l4::socket::SocketAddr;
use pingora_proxy::Session;

use super::filtered::Filtering;
use crate::connection::ClientStream;
use crate::filter::Compressed;

/// The size of Pingora's reads. A smaller first piece does not show that the server has more to send.
const FULL_PIECE_BYTES: usize = 64 * 1024;
/// The least size of a batch that goes out piece by piece.
const LARGE_BATCH_BYTES: usize = 64 * 1024;

/// Receives the inner session when the [`Gathering`] around it is dropped.
pub(super) type Home = Arc<Mutex<Returned>>;

/// What comes back from a [`Gathering`].
#[derive(Default)]
pub(super) struct Returned {
    whole: Option<Box<ServerSession>>,
    /// What its compressor has taken and given.
    pub(super) compressed: Option<Compressed>,
}

/// Checks a piece of an answer before Pingora writes it. From the first full one on, the following ones go to the
/// client's stream piece by piece, until [`end`]. Not after an upgrade: bytes that are no body are never gathered.
pub(super) fn consider(session: &mut Session, piece: Option<&Bytes>, gathering: &mut Option<Home>) {
    let is_full = piece.is_some_and(|piece| piece.len() >= FULL_PIECE_BYTES);
    if is_full && gathering.is_none() && !session.is_upgrade_req() {
        *gathering = begin(session);
    }
}

/// `None` if the session's stream is not ours.
fn begin(session: &mut Session) -> Option<Home> {
    client_stream(&session.downstream_session)?;
    Some(wrap(session, None))
}

/// Has every piece of the body that follows pass `filtering`, until [`end`].
pub(super) fn filter(session: &mut Session, filtering: Filtering) -> Home {
    wrap(session, Some(filtering))
}

fn wrap(session: &mut Session, filtering: Option<Filtering>) -> Home {
    let home = Home::default();
    let vacant = Box::new(ServerSession::new_custom(Box::new(())));
    let whole = std::mem::replace(&mut session.downstream_session, vacant);
    let gathering = Gathering { whole: Some(whole), filtering, home: home.clone() };
    *session.downstream_session = ServerSession::new_custom(Box::new(gathering));
    home
}

/// Restores Pingora's own session. Returns the number of body bytes that it counts as sent although the write that
/// would have included them failed.
pub(super) fn end(session: &mut Session, home: &Home) -> usize {
    // Assigning drops the wrapper; its `Drop` moves the inner session into `home`.
    *session.downstream_session = ServerSession::new_custom(Box::new(()));
    if let Some(whole) = home.lock().whole.take() {
        session.downstream_session = whole;
    }
    client_stream(&session.downstream_session).map_or(0, ClientStream::waiting_bytes)
}

fn client_stream(session: &ServerSession) -> Option<&ClientStream> {
    // Through the box: the box is a stream too, but not a `ClientStream`.
    session.stream().and_then(|stream| (**stream).as_any().downcast_ref())
}

/// Pingora's HTTP/1 session, behind the trait.
struct Gathering {
    /// `None` only while being dropped.
    whole: Option<Box<ServerSession>>,
    /// What the body passes before it is written.
    filtering: Option<Filtering>,
    home: Home,
}

impl Drop for Gathering {
    fn drop(&mut self) {
        let compressed = self.filtering.as_ref().and_then(|filtering| filtering.chain().compressed());
        *self.home.lock() = Returned { whole: self.whole.take(), compressed };
    }
}

impl Gathering {
    fn whole(&self) -> &ServerSession {
        self.whole.as_deref().expect("only drop takes the session")
    }

    fn whole_mut(&mut self) -> &mut ServerSession {
        self.whole.as_deref_mut().expect("only drop takes the session")
    }

    /// Has `task` written by itself. `more`: another follows at once, so this one may wait for it.
    async fn write(&mut self, task: HttpTask, more: bool) -> Result<bool> {
        if more
            && let HttpTask::Body(Some(piece), _) = &task
            && let Some(stream) = client_stream(self.whole())
        {
            stream.lend(piece.clone());
        }
        self.whole_mut().response_duplex_vec(vec![task]).await
    }

    /// True if a batch is written piece by piece: enough of a body, nothing but it and its header, and an announced
    /// length, since Pingora flushes a body in chunks after each. It writes nothing for an empty piece, and a lent
    /// piece before it would wait without a write to take it along; so there must be none.
    fn is_gathered(&self, tasks: &[HttpTask]) -> bool {
        let mut bytes = 0;
        let mut header = self.whole().response_written();
        for task in tasks {
            match task {
                HttpTask::Header(answer, false) => header = Some(answer),
                HttpTask::Body(Some(piece), _) if !piece.is_empty() => bytes += piece.len(),
                _ => return false,
            }
        }
        tasks.len() > 1
            && bytes >= LARGE_BATCH_BYTES
            && header.is_some_and(|header| header.headers.contains_key(CONTENT_LENGTH))
    }
}

#[async_trait]
impl CustomSession for Gathering {
    async fn response_duplex_vec(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        if let (Some(filtering), Some(whole)) = (&mut self.filtering, &mut self.whole) {
            return filtering.write(tasks, whole).await;
        }
        if !self.is_gathered(&tasks) {
            return self.whole_mut().response_duplex_vec(tasks).await;
        }
        let mut left = tasks.len();
        let mut ended = false;
        for task in tasks {
            left -= 1;
            ended = self.write(task, left > 0).await?;
        }
        Ok(ended)
    }

    // Everything else passes through.

    fn req_header(&self) -> &RequestHeader {
        self.whole().req_header()
    }

    fn req_header_mut(&mut self) -> &mut RequestHeader {
        self.whole_mut().req_header_mut()
    }

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        self.whole_mut().read_request_body().await
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        self.whole_mut().drain_request_body().await
    }

    async fn write_response_header(&mut self, answer: Box<ResponseHeader>, _end: bool) -> Result<()> {
        self.whole_mut().write_response_header(answer).await
    }

    async fn write_response_header_ref(&mut self, answer: &ResponseHeader, _end: bool) -> Result<()> {
        self.whole_mut().write_response_header_ref(answer).await
    }

    async fn write_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        self.whole_mut().write_response_body(data, end).await
    }

    async fn write_trailers(&mut self, trailers: HeaderMap) -> Result<()> {
        self.whole_mut().write_response_trailers(trailers).await
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.whole_mut().set_read_timeout(timeout);
    }

    fn get_read_timeout(&self) -> Option<Duration> {
        self.whole().get_read_timeout()
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.whole_mut().set_write_timeout(timeout);
    }

    fn get_write_timeout(&self) -> Option<Duration> {
        self.whole().get_write_timeout()
    }

    fn set_total_drain_timeout(&mut self, timeout: Option<Duration>) {
        self.whole_mut().set_total_drain_timeout(timeout);
    }

    fn get_total_drain_timeout(&self) -> Option<Duration> {
        self.whole().get_total_drain_timeout()
    }

    fn request_summary(&self) -> String {
        self.whole().request_summary()
    }

    fn response_written(&self) -> Option<&ResponseHeader> {
        self.whole().response_written()
    }

    async fn shutdown(&mut self, _code: u32, _context: &str) {
        self.whole_mut().shutdown().await;
    }

    fn is_body_done(&mut self) -> bool {
        self.whole_mut().is_body_done()
    }

    async fn finish(&mut self) -> Result<()> {
        self.whole_mut().finish_body().await
    }

    fn is_body_empty(&mut self) -> bool {
        self.whole_mut().is_body_empty()
    }

    async fn read_body_or_idle(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        self.whole_mut().read_body_or_idle(no_body_expected).await
    }

    fn body_bytes_sent(&self) -> usize {
        self.whole().body_bytes_sent()
    }

    fn body_bytes_read(&self) -> usize {
        self.whole().body_bytes_read()
    }

    fn digest(&self) -> Option<&Digest> {
        self.whole().digest()
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        self.whole_mut().digest_mut()
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        self.whole().client_addr()
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        self.whole().server_addr()
    }

    fn pseudo_raw_h1_request_header(&self) -> Bytes {
        self.whole().to_h1_raw()
    }

    fn enable_retry_buffering(&mut self) {
        self.whole_mut().enable_retry_buffering();
    }

    fn retry_buffer_truncated(&self) -> bool {
        self.whole().retry_buffer_truncated()
    }

    fn get_retry_buffer(&self) -> Option<Bytes> {
        self.whole().get_retry_buffer()
    }

    fn is_upgrade_req(&self) -> bool {
        self.whole().is_upgrade_req()
    }

    fn was_upgraded(&self) -> bool {
        self.whole().was_upgraded()
    }

    // HTTP/1 has no messages beside request and answer.

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

#[cfg(test)]
mod tests;
