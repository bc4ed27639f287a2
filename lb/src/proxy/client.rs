//! The client's connection, as the request's location wants it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Version;
use pingora_proxy::Session;

use super::context::Request;

/// How long a client may take to send a body that is only thrown away: nginx's `lingering_time`.
const UNWANTED_BODY: Duration = Duration::from_secs(30);

/// Says how the rest of a body is treated that nobody wants, before anything is decided.
pub(super) fn expect_unwanted_bodies(session: &mut Session) {
    // It is read and dropped, but not for ever.
    session.set_total_drain_timeout(Some(UNWANTED_BODY));
    // Pingora would close every connection whose answer comes before the body's end, a `100 Continue` too, since it
    // might take what follows for a body. Here the stream knows where the body ends.
    session.set_close_on_response_before_downstream_finish(false);
}

/// Whether a server's 103 goes to the client (`early_hints`): HTTP/1.0 knows no interim answers.
pub(super) fn wants_hints(session: &Session, request: &mut Request) -> bool {
    let received = session.req_header();
    let conditions = request.state.location().map(|location| Arc::clone(&location.settings.early_hints));
    let Some(conditions) = conditions.filter(|_| received.version != Version::HTTP_10) else { return false };
    let mut values = request.values(received, None, Instant::now());
    conditions.any.iter().any(|condition| condition.holds(&mut values))
}

/// Applies what the location says of the connection, before anything is read or written.
pub(super) fn prepare(session: &mut Session, request: &Request, draining: bool) {
    let Some(location) = request.state.location() else { return };
    let facts = &request.facts;
    facts.reply.set_idle_timeout(location.settings.keepalive.timeout.idle);
    // Pingora looks at the first `Connection` field alone; the client may say "close" in another.
    let asked_to_close = !facts.shape.keep_alive;
    if draining
        || asked_to_close
        || location.settings.keepalive.timeout.idle.is_zero()
        || facts.number >= location.settings.keepalive.requests
    {
        session.set_keepalive(None);
    }
    session.set_read_timeout(Some(location.settings.client.body_timeout));
    // Writes are watched over by the connection's stream.
    facts.reply.set_send_timeout(location.settings.client.send_timeout);
}
