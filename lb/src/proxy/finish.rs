//! What every answer gets on its way to the client, whoever made it.

use std::time::Instant;

use bytes::Bytes;
use http::Version;
use http::header::HeaderValue;
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;

use super::carried;
use super::context::Request;
use crate::observe::clock;
use crate::request::headers::to_client::{self, ToClient};
use crate::script::Template;

/// Sets what every answer gets.
pub(super) fn finish(
    answer: &mut ResponseHeader,
    session: &Session,
    request: &mut Request,
    keeps_server: bool,
    now: Instant,
) -> Result<()> {
    if !request.carried.is_empty() {
        carried::give(answer, &request.carried, request.state.proxying().is_some())?;
    }
    let received = session.req_header();
    let location = request.state.location().cloned();
    let to = ToClient {
        location: location.as_deref(),
        status: answer.status,
        http_1_0: received.version == Version::HTTP_10,
        keeps_alive: session.get_keepalive().is_some(),
        keeps_server,
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
