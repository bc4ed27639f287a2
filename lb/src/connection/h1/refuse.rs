//! Answers a request that is not admitted.
//!
//! The client gets NGINX's page for the status, under our name, and the connection is closed with a lingering close:
//! the client of a bad request is likely still sending.

use tokio::io::AsyncWriteExt;

use super::hygiene::Reason;
use super::stream::ClientStream;
use crate::request::headers::to_client;

/// The bytes that were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sent {
    pub(super) bytes: u64,
    pub(super) body_bytes: u64,
}

/// A client that has gone gets no answer.
pub(super) fn is_answered(reason: Reason) -> bool {
    !matches!(reason, Reason::ClosedEarly | Reason::MalformedStream | Reason::RefusedByPingora)
}

/// Writes the answer; the connection is then to be closed by [`ClientStream::close_gently`].
pub(super) async fn answer(
    stream: &mut ClientStream,
    reason: Reason,
    server_tokens: bool,
    head_only: bool,
) -> Sent {
    let page = reason.page(server_tokens);
    let date = pingora::protocols::http::date::get_cached_date();
    let date = date.to_str().unwrap_or_default();
    let mut answer = to_client::refused(reason.status(), server_tokens, date, page.len()).into_bytes();
    let header_bytes = answer.len() as u64;
    if !head_only {
        answer.extend_from_slice(&page);
    }
    match stream.write_all(&answer).await {
        Ok(()) => Sent { bytes: answer.len() as u64, body_bytes: answer.len() as u64 - header_bytes },
        Err(_) => Sent::default(),
    }
}
