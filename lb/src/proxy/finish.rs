//! What every answer gets on its way to the client, whoever made it.

use std::time::Instant;

use bytes::Bytes;
use http::Version;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;

use super::carried;
use super::context::Request;
use crate::config::model::FieldName;
use crate::observe::clock;
use crate::request::headers::Fields;
use crate::request::headers::to_client::{self, ToClient};
use crate::script::Template;

/// What refused a request asks for.
const CHALLENGE: FieldName = FieldName::known(WWW_AUTHENTICATE, "WWW-Authenticate");

/// Sets what every answer gets.
pub(super) fn finish(
    answer: &mut ResponseHeader,
    session: &Session,
    request: &mut Request,
    keeps_server: bool,
    now: Instant,
) -> Result<()> {
    if !request.carried.is_empty() {
        let has_own_type = request.state.proxying().is_some() || request.state.has_own_type();
        carried::give(answer, &request.carried, has_own_type)?;
    }
    for challenge in request.state.challenges() {
        answer.add(&CHALLENGE, challenge.clone())?;
    }
    if let Some((name, value)) = request.refused_with.take() {
        answer.set(&name, value)?;
    }
    if request.state.outer().is_some() {
        // As in nginx, what the configuration adds is for answers to clients.
        return Ok(());
    }
    let received = session.req_header();
    let asked = request.asked_charset.clone();
    let charset = asked.as_ref().map(|name| {
        let lower = String::from_utf8_lossy(name.as_bytes()).to_ascii_lowercase();
        (name, request.snapshot().config.http.charsets.contains(&lower))
    });
    let location = request.state.location().cloned();
    let to = ToClient {
        location: location.as_deref(),
        status: answer.status,
        http_1_0: received.version == Version::HTTP_10,
        keeps_alive: session.get_keepalive().is_some(),
        keeps_server,
        charset,
        clock: clock::now_and_zone,
    };
    to_client::finish(answer, &to, |answer, template| {
        field_value(request, received, Some(answer), template, now)
    })
}

/// A field's value for this request. `None` where it is empty, and where it cannot stand in a header (a line break from
/// a decoded argument), which is left out rather than sent.
pub(super) fn field_value(
    request: &mut Request,
    received: &RequestHeader,
    answer: Option<&ResponseHeader>,
    template: &Template,
    now: Instant,
) -> Option<HeaderValue> {
    let mut value = Vec::new();
    template.render(&mut request.values(received, answer, now), &mut value);
    HeaderValue::from_maybe_shared(Bytes::from(value)).ok().filter(|value| !value.is_empty())
}
