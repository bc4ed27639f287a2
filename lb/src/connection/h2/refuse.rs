//! Answers a request that is not let in: nginx's page for the status, under our name. The connection goes on.

use bytes::Bytes;
use h2::server::SendResponse;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderValue, SERVER};
use http::{Method, Response};

use super::frames::HEAD_BYTES;
use crate::connection::h1::hygiene::Reason;
use crate::content::page;

/// The bytes that were sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    pub(super) bytes: u64,
    pub(super) body_bytes: u64,
}

/// Writes the answer. A client that has gone gets none.
pub(super) fn answer(
    mut respond: SendResponse<Bytes>,
    reason: Reason,
    server_tokens: bool,
    method: &Method,
) -> Sent {
    let page = reason.page(server_tokens);
    let mut answer = Response::new(());
    *answer.status_mut() = reason.status();
    let fields = answer.headers_mut();
    fields.insert(SERVER, page::server_field(server_tokens));
    fields.insert(DATE, pingora::protocols::http::date::get_cached_date());
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    fields.insert(CONTENT_LENGTH, HeaderValue::from(page.len()));
    let header_bytes = super::session::header_bytes(fields);
    let head_only = *method == Method::HEAD;
    let Ok(mut sending) = respond.send_response(answer, head_only) else { return Sent::default() };
    if head_only {
        return Sent { bytes: header_bytes, body_bytes: 0 };
    }
    let body_bytes = page.len() as u64;
    match sending.send_data(page, true) {
        Ok(()) => Sent { bytes: header_bytes + HEAD_BYTES as u64 + body_bytes, body_bytes },
        Err(_) => Sent { bytes: header_bytes, body_bytes: 0 },
    }
}
