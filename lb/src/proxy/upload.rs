//! Request bodies: read before a server is picked, as far as they fit.
//!
//! nginx reads a body before it asks a server (`proxy_request_buffering on`). A server that is asked earlier waits for the
//! client: its `proxy_read_timeout` runs, and it looks dead because the client is slow. So a body that Pingora can keep
//! for another try (64 KiB) is read first, under `client_body_timeout`. A longer one is passed on as it comes; while the
//! client owes bytes of it, the server is given more time than the client ([`while_client_owes`]), and
//! `request/retry` holds no silence against it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora::{Error, ErrorType, Result};
use pingora_proxy::Session;

use super::context::Request;
use super::{record, wire_bytes};
use crate::connection::facts::Framing;
use crate::request::phases::body_too_large;

/// What Pingora keeps of a body to send it again.
const KEPT_BYTES: u64 = 64 * 1024;
/// How much longer than the client a server may take while the client owes bytes: the client's time runs out first.
const MARGIN: Duration = Duration::from_secs(1);

/// Reads the request's body if it fits and `proxy_request_buffering` allows it. The length of a body in chunks is not
/// known: its beginning is read.
pub(super) async fn read_ahead(session: &mut Session, request: &mut Request) -> Result<()> {
    if request.facts.shape.framing == Framing::Empty
        || !request.proxying()?.target.proxy.settings.request_buffering
    {
        return Ok(());
    }
    read_beginning(session, request).await
}

/// Reads the body for copies of the request. False where it does not fit: then the copies get it as it is passed on.
pub(super) async fn read_for_copies(session: &mut Session, request: &mut Request) -> Result<bool> {
    if request.facts.shape.expects_continue {
        session.write_continue_response().await?;
        request.facts.shape.expects_continue = false;
    }
    read_beginning(session, request).await?;
    let is_whole = session.as_mut().is_body_done() && !session.as_ref().retry_buffer_truncated();
    Ok(is_whole)
}

async fn read_beginning(session: &mut Session, request: &mut Request) -> Result<()> {
    let fits = match request.facts.shape.framing {
        Framing::Empty => false,
        Framing::Length(bytes) => bytes <= KEPT_BYTES,
        Framing::Chunked => true,
    };
    // What has been read before is there.
    if !fits || !request.outgrown.is_empty() {
        return Ok(());
    }
    session.as_mut().enable_retry_buffering();
    let mut pieces = Vec::<Bytes>::new();
    let mut bytes = 0;
    while !session.as_mut().is_body_done() {
        let Some(piece) = session.as_mut().read_request_body().await.map_err(Error::into_down)? else {
            break;
        };
        bytes += piece.len() as u64;
        pieces.push(piece);
        if request.state.location().is_none_or(|location| body_too_large(location, bytes)) {
            return Err(too_large(session, request, bytes));
        }
        if session.as_ref().retry_buffer_truncated() {
            request.outgrown = pieces;
            break;
        }
    }
    Ok(())
}

/// Puts the pieces that were read ahead before `body`, the next one.
pub(super) fn prepend(outgrown: &mut Vec<Bytes>, body: &mut Option<Bytes>) {
    if outgrown.is_empty() {
        return;
    }
    let next = body.take();
    let mut whole = BytesMut::new();
    for piece in outgrown.drain(..).chain(next) {
        whole.extend_from_slice(&piece);
    }
    *body = Some(whole.freeze());
}

/// Puts what the location says of it in the place of a piece of the body (`proxy_set_body`, `proxy_pass_request_body off`),
/// and nothing in the place of one that has gone to another server.
/// False where it says nothing.
pub(super) fn replaces_body(
    session: &Session,
    request: &mut Request,
    body: &mut Option<Bytes>,
    end: bool,
) -> Result<bool> {
    let (own, is_gone) = (request.own_body.clone(), request.body_is_gone);
    let proxying = request.proxying()?;
    // Once upgraded, it is another protocol: a WebSocket's frames are no request body.
    let passes = proxying.target.proxy.settings.pass_request_body && !is_gone;
    if (own.is_none() && passes) || session.was_upgraded() {
        return Ok(false);
    }
    let Some(last) = proxying.tries.last_mut() else { return Ok(false) };
    last.bytes_sent += body.as_ref().map_or(0, Bytes::len) as u64;
    let bytes = last.bytes_sent;
    if body_too_large(&proxying.routed.location, bytes) {
        return Err(too_large(session, request, bytes));
    }
    // An empty piece goes nowhere, and the end of the body is yet to come.
    *body = if end { own } else { Some(Bytes::new()) };
    if end {
        last_sent(request, body.as_ref().map_or(0, Bytes::len));
    }
    Ok(true)
}

/// What was counted is what the client sent, to be held against its limit; this is what the server gets.
fn last_sent(request: &mut Request, bytes: usize) {
    let proxying = request.state.proxying_mut();
    if let Some(last) = proxying.and_then(|proxying| proxying.tries.last_mut()) {
        last.bytes_sent = bytes as u64;
    }
}

/// Passes a piece of the request's body on, counted and held against `client_max_body_size`.
pub(super) fn pass_on(
    session: &mut Session,
    request: &mut Request,
    body: &mut Option<Bytes>,
    end_of_stream: bool,
) -> Result<()> {
    prepend(&mut request.outgrown, body);
    if request.copies.is_some() && !session.was_upgraded() {
        copy(session, request, body.as_ref(), end_of_stream);
    }
    if replaces_body(session, request, body, end_of_stream)? {
        return Ok(());
    }
    let in_chunks = request.facts.shape.framing == Framing::Chunked;
    let proxying = request.proxying()?;
    let Some(last) = proxying.tries.last_mut() else { return Ok(()) };
    if in_chunks && end_of_stream {
        last.overhead_bytes_sent += wire_bytes::chunk_framing(0);
    }
    let Some(body) = body.as_ref().filter(|body| !body.is_empty()) else { return Ok(()) };
    if in_chunks {
        last.overhead_bytes_sent += wire_bytes::chunk_framing(body.len());
    }
    last.bytes_sent += body.len() as u64;
    let bytes = last.bytes_sent;
    // Once upgraded, it is another protocol: a WebSocket's frames are no request body.
    if !session.was_upgraded() && body_too_large(&proxying.routed.location, bytes) {
        return Err(too_large(session, request, bytes));
    }
    Ok(())
}

/// Gives the copies of the request (`mirror`) a piece of its body.
fn copy(session: &Session, request: &mut Request, body: Option<&Bytes>, end: bool) {
    let Some(copies) = request.copies.take() else { return };
    let (left, slow) = copies.copy(body, end);
    request.copies = left;
    for uri in slow {
        record::no_copy(session, request, &uri, "its server does not keep up");
    }
}

/// The error of a body beyond `client_max_body_size`, which is logged here.
pub(super) fn too_large(session: &Session, request: &Request, bytes: u64) -> Box<Error> {
    record::body_too_large(session, request, bytes);
    Error::explain(ErrorType::HTTPStatus(413), "client intended to send too large body").into_down()
}

/// How long a server may be silent while the client owes bytes: longer than the client.
pub(super) fn while_client_owes(proxy_read_timeout: Duration, client_body_timeout: Duration) -> Duration {
    proxy_read_timeout.max(client_body_timeout.saturating_add(MARGIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_ahead_goes_first_and_once() {
        let mut outgrown = vec![Bytes::from_static(b"ab"), Bytes::from_static(b"c")];
        let mut body = Some(Bytes::from_static(b"d"));
        prepend(&mut outgrown, &mut body);
        assert_eq!(body.as_deref(), Some(&b"abcd"[..]));
        let mut body = None;
        prepend(&mut outgrown, &mut body);
        assert_eq!(body, None);
    }

    #[test]
    fn a_client_that_owes_bytes_runs_out_of_time_before_its_server() {
        let seconds = Duration::from_secs;
        assert_eq!(while_client_owes(seconds(2), seconds(60)), seconds(61));
        assert_eq!(while_client_owes(seconds(90), seconds(60)), seconds(90));
    }
}
