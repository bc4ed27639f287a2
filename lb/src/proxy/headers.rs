//! What changes in a request's header on its way up and in an answer's on its way down.
//!
//! Connection-level fields (`Connection`, `Transfer-Encoding`, `Upgrade`, …) are Pingora's: its request policy has
//! already stripped them, and passed on a valid WebSocket upgrade, when these functions run. But for the common case,
//! which the connection loop has told apart while it judged the header: where there is nothing but a plain
//! `Connection`, the policy is not asked, and that one field is taken out here.

use std::time::Instant;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{StatusCode, Version};
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};

use super::context::Context;
use super::values::{RequestValues, host_field};
use crate::config::model::{AddHeader, Location, Proxy, Redirect, SentValue};
use crate::config::template::{Template, Values};
use crate::connection::facts::HopFields;
use crate::content::page;
use crate::routing::{matched_length, path, target};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Turns the request as received into the request for the upstream server.
pub fn prepare_upstream_request(
    upstream_request: &mut RequestHeader,
    received: &RequestHeader,
    context: &Context,
    location: &Location,
    proxy: &Proxy,
) -> Result<()> {
    set_target(upstream_request, context, location, proxy)?;
    if let Some(shape) = context.facts().map(|facts| &facts.shape) {
        if shape.unusual_names {
            drop_unusual_names(upstream_request);
        }
        if shape.hop_fields == HopFields::OnlyConnection {
            upstream_request.remove_header(&header::CONNECTION);
        }
    }
    // Answered by us before the body was read; asking the server again would bring the client a second 100.
    upstream_request.remove_header(&header::EXPECT);
    for field in &proxy.set_headers {
        let value = match &field.value {
            SentValue::Nothing => None,
            SentValue::Constant(value) => Some(value.clone()),
            SentValue::PerRequest(template) => render(template, received, context),
        };
        match value {
            Some(value) if field.again => {
                upstream_request.append_header(field.name.clone(), value)?;
            }
            Some(value) => upstream_request.insert_header(field.name.clone(), value)?,
            None if field.again => {}
            None => {
                upstream_request.remove_header(&field.name);
            }
        }
    }
    Ok(())
}

/// A field's value for this request. `None` where it is empty, and where it cannot stand in a header (a line break from
/// a decoded argument), which is left out rather than sent.
fn render(template: &Template, received: &RequestHeader, context: &Context) -> Option<HeaderValue> {
    let values = RequestValues {
        context,
        request: received,
        response: None,
        body_bytes_sent: 0,
        body_bytes_read: 0,
        now: Instant::now(),
    };
    let mut value = Vec::new();
    template.render(&values, &mut value);
    HeaderValue::from_maybe_shared(Bytes::from(value)).ok().filter(|value| !value.is_empty())
}

fn set_target(
    upstream_request: &mut RequestHeader,
    context: &Context,
    location: &Location,
    proxy: &Proxy,
) -> Result<()> {
    let Some(target_sent) = context.facts().map(|facts| facts.path_and_query()) else { return Ok(()) };
    match &proxy.uri {
        Some(uri) => {
            let sent = path::Target::split(target_sent);
            // The path was normal enough to be routed; were it not, it would go as it came.
            let normal = path::normalise(sent.path).unwrap_or(std::borrow::Cow::Borrowed(sent.path));
            let replaced = target::replace(sent, &normal, matched_length(&location.pattern), uri);
            upstream_request.set_raw_path(&replaced)
        }
        // Byte for byte: the loop escapes some characters for Pingora's parser, which nginx does not. The quotation
        // marks and angle brackets that no `Uri` can hold stay escaped, and so does what is no path (`http://host?a`).
        None => {
            if target_sent.first() == Some(&b'/') && upstream_request.raw_path() != target_sent {
                let _ = upstream_request.set_raw_path(target_sent);
            }
            Ok(())
        }
    }
}

/// Drops fields whose names hold more than letters, digits and hyphens, as nginx does (`ignore_invalid_headers on`,
/// `underscores_in_headers off`): behind a gateway that turns hyphens into underscores, `X_Real_IP` would pass for
/// `X-Real-IP`.
fn drop_unusual_names(request: &mut RequestHeader) {
    let is_usual =
        |name: &HeaderName| name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let unusual: Vec<HeaderName> = request.headers.keys().filter(|name| !is_usual(name)).cloned().collect();
    for name in &unusual {
        request.remove_header(name);
    }
}

/// What every answer to a client gets, whether a server's or ours. With `keeps_server`, a `Server` that is there stays.
pub fn finish_answer(
    answer: &mut ResponseHeader,
    request: &RequestHeader,
    context: &Context,
    location: &Location,
    keeps_alive: bool,
    keeps_server: bool,
) -> Result<()> {
    if !keeps_server || !answer.headers.contains_key(header::SERVER) {
        answer.insert_header(header::SERVER, page::server_field(location.server_tokens))?;
    }
    if let Some(timeout) = location.keepalive_header
        && keeps_alive
    {
        answer.insert_header(KEEP_ALIVE, format!("timeout={}", timeout.as_secs()))?;
    }
    if request.version == Version::HTTP_10 {
        // Such a client cannot read chunks: the end of the connection ends the body.
        answer.remove_header(&header::TRANSFER_ENCODING);
    }
    add_headers(answer, request, context, &location.add_headers)
}

/// Turns a redirect to the server's own address into one to ours: `Location`, and the URL in a `Refresh`. `own_host` is
/// what a path of ours is made absolute with.
fn bring_home(
    answer: &mut ResponseHeader,
    redirect: &Redirect,
    own_host: impl FnOnce() -> Option<Vec<u8>>,
) -> Result<()> {
    let rest =
        |value: &HeaderValue| value.as_bytes().strip_prefix(redirect.from.as_bytes()).map(<[u8]>::to_vec);
    if let Some(rest) = answer.headers.get(header::LOCATION).and_then(rest) {
        let scheme_and_host = match own_host() {
            Some(host) if redirect.to.starts_with('/') => [b"http://", host.as_slice()].concat(),
            _ => Vec::new(),
        };
        let url = [scheme_and_host.as_slice(), redirect.to.as_bytes(), &rest].concat();
        if let Ok(url) = HeaderValue::from_maybe_shared(Bytes::from(url)) {
            answer.insert_header(header::LOCATION, url)?;
        }
    }
    if let Some(refresh) = answer.headers.get(header::REFRESH) {
        let value = refresh.as_bytes();
        let url = memchr::memmem::find(value, b"url=").map(|at| at + 4);
        if let Some((lead, rest)) =
            url.and_then(|at| Some((&value[..at], value[at..].strip_prefix(redirect.from.as_bytes())?)))
            && let Ok(value) = HeaderValue::from_bytes(&[lead, redirect.to.as_bytes(), rest].concat())
        {
            answer.insert_header(header::REFRESH, value)?;
        }
    }
    Ok(())
}

/// Makes a server's answer ours: takes out what is not for the client (what nginx hides, plus and minus what was
/// configured, and what concerned the connection to the server alone), and brings its redirects home.
pub fn take_over(
    answer: &mut ResponseHeader,
    proxy: &Proxy,
    own_host: impl FnOnce() -> Option<Vec<u8>>,
) -> Result<()> {
    // Nearly always there is nothing to do, and one look at the few names that are there is cheaper than a search
    // for each of the many that might be.
    let is_hidden = |name: &HeaderName| proxy.hidden_headers.contains(name) || name == KEEP_ALIVE;
    let (mut hides, mut redirects) = (false, false);
    for name in answer.headers.keys() {
        hides |= is_hidden(name);
        redirects |= name == header::LOCATION || name == header::REFRESH;
    }
    if hides {
        for name in proxy.hidden_headers.iter().chain([&KEEP_ALIVE]) {
            answer.remove_header(name);
        }
    }
    if let Some(redirect) = proxy.redirect.as_ref().filter(|_| redirects) {
        bring_home(answer, redirect, own_host)?;
    }
    // The version on the wire is this hop's: an HTTP/1.0 server does not make the client's connection one.
    if answer.version == Version::HTTP_10 {
        answer.set_version(Version::HTTP_11);
    }
    Ok(())
}

fn add_headers(
    answer: &mut ResponseHeader,
    request: &RequestHeader,
    context: &Context,
    fields: &[AddHeader],
) -> Result<()> {
    if fields.is_empty() {
        return Ok(());
    }
    let mut rendered = Vec::with_capacity(fields.len());
    for field in fields.iter().filter(|field| field.always || adds_by_default(answer.status)) {
        let values = RequestValues {
            context,
            request,
            response: Some(answer),
            body_bytes_sent: 0,
            body_bytes_read: 0,
            now: Instant::now(),
        };
        let mut value = Vec::new();
        field.value.render(&values as &dyn Values, &mut value);
        if !value.is_empty()
            && let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value))
        {
            rendered.push((&field.name, value));
        }
    }
    for (name, value) in rendered {
        answer.append_header(HeaderName::clone(name), value)?;
    }
    Ok(())
}

/// The statuses to which `add_header` applies without `always`.
fn adds_by_default(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 201 | 204 | 206 | 301 | 302 | 303 | 304 | 307 | 308)
}

/// The host for messages; the empty string where none was sent.
pub fn host_text(request: &RequestHeader) -> String {
    host_field(request).map(|host| String::from_utf8_lossy(host).into_owned()).unwrap_or_default()
}
