//! Large answers without a copy: one write call for several pieces of a body.
//!
//! Pingora reads an answer 64 KiB at a time and passes on up to four pieces at once, which its HTTP/1 session
//! first copies together. For 1 MB that copy was a sixth of a request's time
//! (`docs/decisions/008-large-answers.md`). So when the first large piece comes by, the session is put behind
//! one of its own kind ([`Gathering`]) that passes everything through but this: it lends each piece to the
//! client's stream and has it written by itself. The stream keeps what it knows to be lent and sends a batch in
//! one call.
//!
//! What a piece means is Pingora's affair as before: framing, counting, the end of the body. It sees a session that
//! never batches. The session comes out again before anybody asks what only an HTTP/1 session answers: whether the
//! connection is kept, and the stream for the next request.
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

use crate::connection::ClientStream;

/// What Pingora reads at once. Before a server has had as much to give, it is not known to have more.
const FULL_PIECE_BYTES: usize = 64 * 1024;
/// From so much on, a batch goes out piece by piece.
const LARGE_BATCH_BYTES: usize = 64 * 1024;

/// Where the session is put when the [`Gathering`] around it goes.
pub(super) type Home = Arc<Mutex<Option<Box<ServerSession>>>>;

/// Looks at a piece of an answer before Pingora writes it. From the first full one on, what follows goes to the
/// client's stream piece by piece, until [`end`]. Not after an upgrade: what is no body is never gathered.
pub(super) fn consider(session: &mut Session, piece: Option<&Bytes>, gathering: &mut Option<Home>) {
    let is_full = piece.is_some_and(|piece| piece.len() >= FULL_PIECE_BYTES);
    if is_full && gathering.is_none() && !session.is_upgrade_req() {
        *gathering = begin(session);
    }
}

/// `None` if this is no session over a stream of ours.
fn begin(session: &mut Session) -> Option<Home> {
    client_stream(&session.downstream_session)?;
    let home = Home::default();
    let vacant = Box::new(ServerSession::new_custom(Box::new(())));
    let whole = std::mem::replace(&mut session.downstream_session, vacant);
    *session.downstream_session =
        ServerSession::new_custom(Box::new(Gathering { whole: Some(whole), home: home.clone() }));
    Some(home)
}

/// Pingora's own session again. Returns how many bytes of the body it counts as sent that were not, since the
/// write that would have taken them along failed.
pub(super) fn end(session: &mut Session, home: &Home) -> usize {
    // What is overwritten is dropped, and goes home.
    *session.downstream_session = ServerSession::new_custom(Box::new(()));
    if let Some(whole) = home.lock().take() {
        session.downstream_session = whole;
    }
    client_stream(&session.downstream_session).map_or(0, ClientStream::waiting_bytes)
}

fn client_stream(session: &ServerSession) -> Option<&ClientStream> {
    // Through the box: the box is a stream too, and not ours.
    session.stream().and_then(|stream| (**stream).as_any().downcast_ref())
}

/// Pingora's HTTP/1 session, behind the trait.
struct Gathering {
    /// `None` only while being dropped.
    whole: Option<Box<ServerSession>>,
    home: Home,
}

impl Drop for Gathering {
    fn drop(&mut self) {
        *self.home.lock() = self.whole.take();
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

    /// Whether a batch is written piece by piece: enough of a body, nothing but it and its header, and of a
    /// length that was announced, for Pingora flushes a body in chunks after each. It writes nothing for an
    /// empty piece, and what was lent before would wait for nobody knows what; so there must be none.
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;

    fn body(bytes: usize, end: bool) -> HttpTask {
        HttpTask::Body(Some(Bytes::from(vec![b'x'; bytes])), end)
    }

    fn header(fields: &[(&'static str, &str)]) -> HttpTask {
        let mut header = ResponseHeader::build(200, None).unwrap();
        for (name, value) in fields {
            header.insert_header(*name, *value).unwrap();
        }
        HttpTask::Header(Box::new(header), false)
    }

    /// A session that has read a request, and its client.
    async fn session() -> (Session, UnixStream) {
        let (ours, mut client) = UnixStream::pair().unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
        let mut session = Session::new_h1(Box::new(ClientStream::in_test(ours)));
        assert!(session.read_request().await.unwrap());
        (session, client)
    }

    /// The header of the answer that the client gets.
    async fn received_head(client: &mut UnixStream) -> Vec<u8> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        head
    }

    /// The next `count` bytes that it gets.
    async fn received(client: &mut UnixStream, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        client.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    /// How many write calls were tried.
    fn calls(gathering: &Gathering) -> usize {
        client_stream(gathering.whole()).unwrap().calls()
    }

    async fn gathering() -> (Gathering, UnixStream) {
        let (session, client) = session().await;
        (Gathering { whole: Some(session.downstream_session), home: Home::default() }, client)
    }

    #[tokio::test]
    async fn a_batch_is_gathered_when_it_is_large_and_all_body_of_known_length() {
        let large = LARGE_BATCH_BYTES;
        let failed = || HttpTask::Failed(pingora::Error::new_up(pingora::ErrorType::ReadError));
        let length = || header(&[("content-length", "1000000")]);
        let cases = || {
            [
                (true, vec![body(large, false), body(1, true)]),
                (true, vec![body(large / 2, false), body(large / 2, false)]),
                (false, vec![body(large / 2, false), body(large / 2 - 1, false)]),
                (false, vec![body(large, true)]),
                (false, vec![body(large, false), body(0, false)]),
                (false, vec![body(large, false), HttpTask::Done]),
                (false, vec![body(large, false), HttpTask::Body(None, true)]),
                (false, vec![body(large, false), failed()]),
                (false, vec![body(large, false), HttpTask::Trailer(None)]),
                (
                    false,
                    vec![HttpTask::UpgradedBody(Some(vec![b'x'; large].into()), false), body(large, false)],
                ),
                (false, vec![]),
            ]
        };
        let (mut gathering, _client) = gathering().await;
        for (_, tasks) in cases() {
            assert!(!gathering.is_gathered(&tasks), "before any header: {tasks:?}");
        }
        assert!(gathering.is_gathered(&[length(), body(1, false), body(large - 1, false)]));
        assert!(!gathering.is_gathered(&[
            header(&[("transfer-encoding", "chunked")]),
            body(1, false),
            body(large - 1, false)
        ]));
        gathering.write(length(), false).await.unwrap();
        for (expected, tasks) in cases() {
            assert_eq!(gathering.is_gathered(&tasks), expected, "{tasks:?}");
        }
    }

    #[tokio::test]
    async fn a_full_piece_begins_it_and_nothing_less() {
        let piece = |bytes| Bytes::from(vec![b'x'; bytes]);
        let (mut session, _client) = session().await;
        let mut gathering = None;
        consider(&mut session, None, &mut gathering);
        consider(&mut session, Some(&piece(FULL_PIECE_BYTES - 1)), &mut gathering);
        assert!(gathering.is_none() && !session.as_downstream().is_custom());
        consider(&mut session, Some(&piece(FULL_PIECE_BYTES)), &mut gathering);
        assert!(gathering.is_some() && session.as_downstream().is_custom());
        consider(&mut session, Some(&piece(FULL_PIECE_BYTES)), &mut gathering);
        end(&mut session, &gathering.take().unwrap());
        assert!(session.as_downstream().as_http1().is_some(), "it began once");
    }

    #[tokio::test]
    async fn a_batch_is_one_call_and_out_at_its_end() {
        let (mut gathering, mut client) = gathering().await;
        let third = LARGE_BATCH_BYTES / 3 + 1;
        let first =
            vec![header(&[("content-length", "1000000")]), body(third, false), body(2 * third, false)];
        assert!(!gathering.response_duplex_vec(first).await.unwrap());
        assert_eq!(calls(&gathering), 1);
        let head = received_head(&mut client).await.len();
        assert!((20..200).contains(&head), "{head}");
        received(&mut client, 3 * third).await;
        let second = vec![body(third, false), body(third, false), body(third, false)];
        assert!(!gathering.response_duplex_vec(second).await.unwrap());
        assert_eq!(calls(&gathering), 2);
        received(&mut client, 3 * third).await;
    }

    #[tokio::test]
    async fn what_a_failed_write_should_have_taken_along_is_told() {
        let (mut session, client) = session().await;
        let home = begin(&mut session).unwrap();
        drop(client);
        let batch = vec![
            header(&[("content-length", "1000000")]),
            body(FULL_PIECE_BYTES, false),
            body(FULL_PIECE_BYTES, false),
            body(1, false),
        ];
        assert!(session.write_response_tasks(batch).await.is_err());
        let unsent = end(&mut session, &home);
        assert_eq!(
            (unsent, session.as_downstream().body_bytes_sent()),
            (2 * FULL_PIECE_BYTES, 2 * FULL_PIECE_BYTES)
        );
    }

    #[tokio::test]
    async fn pieces_wait_for_the_last_of_their_batch() {
        let (mut gathering, mut client) = gathering().await;
        gathering.write(header(&[("content-length", "6000")]), true).await.unwrap();
        gathering.write(body(2000, false), true).await.unwrap();
        gathering.write(body(2000, false), true).await.unwrap();
        assert_eq!(calls(&gathering), 0, "lent, and kept where they lie");
        assert!(gathering.write(body(2000, true), false).await.unwrap());
        assert_eq!(calls(&gathering), 1);
        let head = received_head(&mut client).await;
        assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", head.escape_ascii());
        assert!(received(&mut client, 6000).await == [b'x'; 6000]);
    }

    /// The body without the framing of chunks, which may differ.
    fn without_chunks(mut body: &[u8]) -> Vec<u8> {
        let mut whole = Vec::new();
        loop {
            let line = body.windows(2).position(|two| two == b"\r\n").unwrap();
            let size = usize::from_str_radix(std::str::from_utf8(&body[..line]).unwrap(), 16).unwrap();
            let chunk = &body[line + 2..];
            whole.extend_from_slice(&chunk[..size]);
            assert_eq!(&chunk[size..size + 2], b"\r\n");
            body = &chunk[size + 2..];
            if size == 0 {
                assert!(body.is_empty());
                return whole;
            }
        }
    }

    /// Sends two batches, and says what came of it: whether each was the end, what was counted, and the body received.
    async fn outcome(fields: &[(&'static str, &str)], gathered: bool) -> (Vec<bool>, usize, Vec<u8>) {
        let (mut session, mut client) = session().await;
        let home = if gathered { Some(begin(&mut session).unwrap()) } else { None };
        let reader = tokio::spawn(async move {
            let mut bytes = Vec::new();
            client.read_to_end(&mut bytes).await.unwrap();
            bytes
        });
        let large = LARGE_BATCH_BYTES;
        let mut ends = Vec::new();
        for batch in [
            vec![header(fields), body(7, false), body(large, false)],
            vec![body(large, false), body(large, true)],
        ] {
            ends.push(session.write_response_tasks(batch).await.unwrap());
        }
        session.as_downstream_mut().finish_body().await.unwrap();
        assert_eq!(session.as_downstream().is_custom(), gathered);
        if let Some(home) = home {
            end(&mut session, &home);
        }
        assert!(session.as_downstream().as_http1().is_some());
        let counted = session.as_downstream().body_bytes_sent();
        drop(session);
        let bytes = reader.await.unwrap();
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let received = bytes[head..].to_vec();
        (ends, counted, if fields[0].0 == "transfer-encoding" { without_chunks(&received) } else { received })
    }

    #[tokio::test]
    async fn the_client_gets_what_pingora_alone_would_send() {
        let whole = 3 * LARGE_BATCH_BYTES + 7;
        for (fields, bytes) in [
            ([("content-length", whole.to_string().as_str())], whole),
            ([("transfer-encoding", "chunked")], whole),
            // More than was announced is cut off.
            ([("content-length", "9")], 9),
        ] {
            let ours = outcome(&fields, true).await;
            assert_eq!(ours.2.len(), bytes, "{fields:?}");
            assert!(ours == outcome(&fields, false).await, "{fields:?}");
        }
    }

    #[tokio::test]
    async fn a_stream_that_is_not_ours_stays_as_it_is() {
        let (ours, _client) = UnixStream::pair().unwrap();
        let mut session = Session::new_h1(Box::new(pingora::protocols::l4::stream::Stream::from(ours)));
        assert!(begin(&mut session).is_none());
        assert!(session.as_downstream().as_http1().is_some());
    }
}
