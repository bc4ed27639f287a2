//! What is told of a request: nginx's error lines while it runs, counts and access log once at its end.

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use pingora::{Error, ErrorType};
use pingora_proxy::Session;

use super::context::Context;
use super::failure::Failure;
use super::headers::host_text;
use super::retry::{FailedTry, GiveUp, Verdict};
use super::values::{RefusedValues, RequestValues};
use crate::connection::{ClientAddress, ConnectionFacts, Refused};
use crate::observe::reasons::{Generated, RetryReason};
use crate::observe::status::StatusClass;
use crate::server::ServerState;
use crate::server::Snapshot;
use crate::upstream::FailureKind;

/// Counts and logs a request that is over.
pub(super) fn finish(session: &mut Session, context: &mut Context, state: &ServerState) {
    let now = Instant::now();
    let upstream_received = session.upstream_body_bytes_received() as u64;
    if let Some(last) = context.tries.last_mut()
        && last.finished.is_none()
    {
        last.bytes_received = upstream_received;
    }
    context.end_try(None, now);
    let Some(facts) = context.facts() else { return };
    let response = session.response_written();
    state.totals.requests.increment(StatusClass::of_answer(response.map(|answer| answer.status.as_u16())));
    state.totals.durations.observe(now.duration_since(facts.received));
    if let Some(reason) = context.generated {
        state.totals.generated.increment(reason as usize);
    }
    for one in &context.tries {
        let metrics = &one.peer.metrics;
        if let (Some(header), Some(status)) = (one.header, one.status) {
            metrics.count_answer(StatusClass::of(status.as_u16()));
            metrics.header_time.observe(header);
            metrics.response_time.observe(one.finished.unwrap_or(header));
        }
        if let Some(time) = one.connected.filter(|_| !one.reused) {
            metrics.connect_time.observe(time);
        }
        metrics.count_bytes(one.bytes_sent, one.bytes_received);
    }
    write_access_logs(session, context, now);
}

/// A request that the connection loop refused: counted there, logged here, in the log of the address's default server.
pub fn refused(snapshot: &Arc<Snapshot>, connection: &ConnectionFacts, refused: &Refused<'_>) {
    log::info!("{}{}", refused.reason, refused_circumstances(connection, refused));
    let Some(listener) = snapshot.listener(&connection.listener) else { return };
    let server = &snapshot.config.http.servers[listener.default_server.0];
    let values = RefusedValues { server, connection, refused, now: Instant::now() };
    let mut line = Vec::with_capacity(256);
    for log in server.fallback.access_logs.iter() {
        line.clear();
        log.format.template.render_log(&values, log.format.escape, &mut line);
        snapshot.access_logs.write(log.file, &line);
    }
}

fn refused_circumstances(connection: &ConnectionFacts, refused: &Refused<'_>) -> String {
    let client = match &connection.client {
        ClientAddress::Inet(address) => address.ip().to_string(),
        ClientAddress::Unix => "unix:".to_owned(),
    };
    let request = String::from_utf8_lossy(refused.request_line);
    format!(", client: {client}, request: \"{request}\"")
}

fn write_access_logs(session: &Session, context: &Context, now: Instant) {
    let (Some(snapshot), Some(location)) = (context.snapshot(), context.location()) else { return };
    if location.access_logs.is_empty() {
        return;
    }
    let values = RequestValues {
        context,
        request: session.req_header(),
        response: session.response_written(),
        body_bytes_sent: session.body_bytes_sent().saturating_sub(context.unsent_bytes) as u64,
        body_bytes_read: session.body_bytes_read() as u64,
        now,
    };
    let mut line = Vec::with_capacity(256);
    for log in location.access_logs.iter() {
        line.clear();
        log.format.template.render_log(&values, log.format.escape, &mut line);
        snapshot.access_logs.write(log.file, &line);
    }
}

/// The tail of nginx's error lines: `, client: …, server: …, request: "…", upstream: "…", host: "…"`.
fn circumstances(session: &Session, context: &Context) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    if let Some(facts) = context.facts() {
        let _ = match &facts.connection.client {
            ClientAddress::Inet(address) => write!(text, ", client: {}", address.ip()),
            ClientAddress::Unix => write!(text, ", client: unix:"),
        };
        let server = context.server().map_or("", |server| server.first_name.as_str());
        let request = String::from_utf8_lossy(facts.request_line());
        let _ = write!(text, ", server: {server}, request: \"{request}\"");
    }
    if let Some(last) = context.tries.last() {
        let target = context
            .facts()
            .map_or_else(String::new, |facts| String::from_utf8_lossy(facts.path_and_query()).into_owned());
        let _ = write!(text, ", upstream: \"http://{}{target}\"", last.peer.name());
    }
    let host = host_text(session.req_header());
    if !host.is_empty() {
        let _ = write!(text, ", host: \"{host}\"");
    }
    text
}

/// A connection that this machine could not even begin.
pub(super) fn local_shortage(session: &Session, context: &Context, error: &Error) {
    crate::crit!(
        "connect() failed ({}) while connecting to upstream{}",
        cause(error),
        circumstances(session, context)
    );
}

/// A try that failed, in nginx's words, and why there is no other when that is not plain from the failure itself. A
/// stale kept-alive connection whose request goes on is no error.
pub(super) fn failed_try(
    session: &Session,
    context: &Context,
    error: &Error,
    failed: &FailedTry,
    verdict: Verdict,
) {
    if verdict == Verdict::Forgive {
        log::info!(
            "a kept-alive connection was closed by the upstream server; trying again{}",
            circumstances(session, context)
        );
        return;
    }
    let circumstances = circumstances(session, context);
    let doing = if session.was_upgraded() {
        "proxying upgraded connection"
    } else if failed.answered {
        "reading upstream"
    } else if failed.kind == FailureKind::WriteTimeout {
        "sending request to upstream"
    } else {
        "reading response header from upstream"
    };
    match failed.kind {
        FailureKind::Connect => {
            log::error!("connect() failed ({}) while connecting to upstream{circumstances}", cause(error));
        }
        FailureKind::ConnectTimeout => {
            log::error!(
                "upstream timed out (110: Connection timed out) while connecting to upstream{circumstances}"
            );
        }
        FailureKind::ReadTimeout | FailureKind::WriteTimeout => {
            log::error!("upstream timed out (110: Connection timed out) while {doing}{circumstances}");
        }
        FailureKind::InvalidAnswer => {
            log::error!("upstream sent invalid header while {doing}{circumstances}")
        }
        FailureKind::Closed => {
            log::error!("upstream prematurely closed connection while {doing}{circumstances}");
            log::debug!("{}", cause(error));
        }
    }
    if let Verdict::GiveUp(reason) = verdict {
        let why = match reason {
            GiveUp::NonIdempotent => "the server may already have acted on this request",
            GiveUp::BodyGone => "the request body is longer than can be sent again",
            GiveUp::AnswerBegun => "the client has part of the answer already",
            GiveUp::NotListed => "proxy_next_upstream does not list this failure",
            GiveUp::NoServerLeft => "every server was tried",
        };
        log::info!("no other server is tried: {why}{circumstances}");
    }
}

/// nginx's line for a server that failures took out of use.
pub(super) fn ejected(session: &Session, context: &Context) {
    log::warn!(
        "upstream server temporarily disabled while connecting to upstream{}",
        circumstances(session, context)
    );
}

/// nginx's line for a body beyond `client_max_body_size`.
pub(super) fn body_too_large(session: &Session, context: &Context, bytes: u64) {
    log::error!("client intended to send too large body: {bytes} bytes{}", circumstances(session, context));
}

/// nginx's line for an upstream without a usable server.
pub(super) fn no_live_upstream(session: &Session, context: &Context) {
    log::error!("no live upstreams while connecting to upstream{}", circumstances(session, context));
}

/// The innermost cause of an error, in the operating system's words and nginx's form (`111: Connection refused`)
/// where it has some.
fn cause(error: &Error) -> String {
    let Some(cause) = &error.cause else {
        return match error.etype() {
            ErrorType::ConnectTimedout => "110: Connection timed out".to_owned(),
            other => other.as_str().to_owned(),
        };
    };
    match cause.downcast_ref::<Box<Error>>() {
        Some(inner) => self::cause(inner),
        None => in_nginx_form(&cause.to_string()),
    }
}

/// Pingora hands the system's errors on in wrappers of several kinds; their text is always Rust's.
fn in_nginx_form(text: &str) -> String {
    match text.strip_suffix(')').and_then(|text| text.rsplit_once(" (os error ")) {
        Some((message, number)) => format!("{number}: {message}"),
        None => text.to_owned(),
    }
}

/// The reason label of an answer that a failure made ours.
pub(super) fn generated_reason(failure: Failure, no_live_upstream: bool) -> Generated {
    match failure {
        _ if no_live_upstream => Generated::NoLiveUpstream,
        Failure::Upstream(FailureKind::Connect) => Generated::ConnectError,
        Failure::Upstream(FailureKind::ConnectTimeout) => Generated::ConnectTimeout,
        Failure::Upstream(FailureKind::Closed) => Generated::UpstreamClosed,
        Failure::Upstream(FailureKind::ReadTimeout | FailureKind::WriteTimeout) => Generated::UpstreamTimeout,
        Failure::Upstream(FailureKind::InvalidAnswer) => Generated::InvalidAnswer,
        Failure::ClientGone | Failure::ClientTimeout => Generated::ClientTimeout,
        Failure::Status(413) => Generated::BodyTooLarge,
        Failure::Status(code) if StatusCode::from_u16(code).is_ok_and(|status| status.is_client_error()) => {
            Generated::BadRequest
        }
        Failure::Status(_) | Failure::Internal => Generated::Internal,
    }
}

/// What a further try is counted as.
pub(super) fn retry_reason(kind: FailureKind, forgiven: bool) -> RetryReason {
    if forgiven {
        return RetryReason::StaleConnection;
    }
    match kind {
        FailureKind::Connect => RetryReason::ConnectError,
        FailureKind::ConnectTimeout => RetryReason::ConnectTimeout,
        FailureKind::Closed => RetryReason::Closed,
        FailureKind::ReadTimeout => RetryReason::ReadTimeout,
        FailureKind::WriteTimeout => RetryReason::WriteTimeout,
        FailureKind::InvalidAnswer => RetryReason::InvalidAnswer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_reasons_have_the_label_of_their_failure() {
        for (kind, forgiven, label) in [
            (FailureKind::Connect, false, "connect_error"),
            (FailureKind::ConnectTimeout, false, "connect_timeout"),
            (FailureKind::Closed, false, "closed"),
            (FailureKind::Closed, true, "stale_connection"),
            (FailureKind::ReadTimeout, false, "read_timeout"),
            (FailureKind::WriteTimeout, false, "write_timeout"),
            (FailureKind::InvalidAnswer, false, "invalid_answer"),
        ] {
            assert_eq!(retry_reason(kind, forgiven).label(), label);
        }
    }

    #[test]
    fn system_errors_are_told_in_nginx_form() {
        assert_eq!(in_nginx_form("Connection refused (os error 111)"), "111: Connection refused");
        assert_eq!(in_nginx_form("something else"), "something else");
    }

    #[test]
    fn no_live_upstream_comes_before_the_failure_that_led_to_it() {
        let failure = Failure::Upstream(FailureKind::Connect);
        assert_eq!(generated_reason(failure, false), Generated::ConnectError);
        assert_eq!(generated_reason(failure, true), Generated::NoLiveUpstream);
    }
}
