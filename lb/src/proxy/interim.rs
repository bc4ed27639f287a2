//! Answers of a server before its answer.

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use pingora::http::ResponseHeader;
use pingora_proxy::Session;

use super::context::Request;

/// Lets early hints pass to the client where the request's location says so (`early_hints`). All others end here.
pub(super) fn consider(answer: &ResponseHeader, session: &Session, request: &mut Request) {
    if answer.status != StatusCode::EARLY_HINTS || !request.facts.connection.http2 {
        return;
    }
    let Some(settings) = request.state.location().map(|location| Arc::clone(&location.settings.http2)) else {
        return;
    };
    let mut is_wanted = |template: &crate::script::Template| {
        let mut value = Vec::new();
        template.render(&mut request.values(session.req_header(), None, Instant::now()), &mut value);
        !matches!(value.as_slice(), b"" | b"0")
    };
    if settings.early_hints.iter().any(&mut is_wanted) {
        request.facts.reply.pass_early_hints();
    }
}
