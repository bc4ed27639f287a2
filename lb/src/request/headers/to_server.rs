//! A request's header on its way to a server.

use std::borrow::Cow;

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};

use super::Fields;
use crate::config::model::{DroppedNames, FieldName, Location, Proxy, SentField, SentUri, SentValue};
use crate::request::State;
use crate::routing::{matched_length, target};
use crate::script::Template;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const TRAILERS: &str = "trailers";
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What decides the fields.
pub struct ToServer<'a> {
    /// `proxy_set_header`.
    pub set: &'a [SentField],
    /// The fields that are dropped because of their names; nothing where the header has none of those.
    pub dropped_names: DroppedNames,
    /// The client's `Connection` field is still there.
    pub has_connection: bool,
    /// The request may become another protocol.
    pub upgrades: bool,
    /// The connection to the server ends with this request.
    pub closes: bool,
    /// The request goes out as HTTP/2.
    pub http_2: bool,
    /// The client has said that trailers are welcome, and the request is one of gRPC.
    pub wants_trailers: bool,
    /// The client's fields go along (`proxy_pass_request_headers`).
    pub client_fields: bool,
    /// The body that the server gets.
    pub body: SentBody,
}

/// The body that a server gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentBody {
    /// The client's.
    Client,
    /// None.
    Nothing,
    /// Another, of so many bytes.
    Own(usize),
}

/// Changes the fields of the request as received into those of the request for the server. `render` makes a value; `None`
/// where it is empty or cannot stand in a header.
pub fn prepare<F: Fields>(
    fields: &mut F,
    to: &ToServer<'_>,
    mut render: impl FnMut(&Template) -> Option<HeaderValue>,
) -> Result<(), F::Error> {
    if !to.client_fields {
        keep_framing(fields, to.upgrades);
    } else if to.dropped_names != DroppedNames::Nothing {
        drop_unusual_names(fields, to.dropped_names);
    }
    frame(fields, to.body)?;
    if to.has_connection {
        fields.remove(&CONNECTION);
    }
    // Answered here before the body was read; asking the server again would bring the client a second 100.
    fields.remove(&EXPECT);
    if to.http_2 {
        drop_hop_fields(fields, to.wants_trailers)?;
    }
    for field in to.set {
        let value = match &field.value {
            SentValue::Nothing => None,
            SentValue::Constant(value) => Some(value.clone()),
            SentValue::PerRequest(template) => render(template),
        };
        match value {
            // A request with two hosts is refused, by Pingora as by servers: the first that is no empty text is the host.
            Some(_) if field.again && *field.name.name() == HOST && fields.map().contains_key(HOST) => {}
            // Another makes the request malformed (RFC 9113, 8.2.2).
            Some(value) if to.http_2 && *field.name.name() == TE && value != TRAILERS => {}
            Some(value) if field.again => fields.add(&field.name, value)?,
            Some(value) => fields.set(&field.name, value)?,
            None if field.again => {}
            None => {
                fields.remove(field.name.name());
            }
        }
    }
    // Pingora has passed it on, in lower case.
    if to.upgrades
        && !to.http_2
        && let Some(protocol) = fields.map().get(UPGRADE).cloned()
    {
        fields.set(&FieldName::known(UPGRADE, "Upgrade"), protocol)?;
    }
    if to.closes && !to.http_2 {
        fields.set(&FieldName::known(CONNECTION, "Connection"), HeaderValue::from_static("close"))?;
    }
    Ok(())
}

/// HTTP/2 has no fields of a connection; of `TE` it has that trailers are welcome.
fn drop_hop_fields<F: Fields>(fields: &mut F, wants_trailers: bool) -> Result<(), F::Error> {
    for name in [&CONNECTION, &TRANSFER_ENCODING, &UPGRADE, &TE, &KEEP_ALIVE, &PROXY_CONNECTION] {
        fields.remove(name);
    }
    if wants_trailers {
        fields.set(&FieldName::known(TE, "te"), HeaderValue::from_static(TRAILERS))
    } else {
        Ok(())
    }
}

/// Whether a client has said that trailers are welcome.
pub fn welcomes_trailers(received: &http::HeaderMap) -> bool {
    let says = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').any(|coding| coding.trim().eq_ignore_ascii_case(TRAILERS))
    };
    received.get_all(TE).iter().any(says)
}

/// Takes out all fields but those that the body and another protocol need.
fn keep_framing(fields: &mut impl Fields, upgrades: bool) {
    let kept = |name: &HeaderName| {
        *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING || (upgrades && *name == UPGRADE)
    };
    let dropped: Vec<HeaderName> = fields.map().keys().filter(|name| !kept(name)).cloned().collect();
    for name in &dropped {
        fields.remove(name);
    }
}

/// Tells the length of a body that is not the client's.
fn frame<F: Fields>(fields: &mut F, body: SentBody) -> Result<(), F::Error> {
    if body == SentBody::Client {
        return Ok(());
    }
    let length = fields.remove(&CONTENT_LENGTH);
    let coding = fields.remove(&TRANSFER_ENCODING);
    let bytes = match body {
        SentBody::Own(bytes) => bytes,
        // Pingora would frame the client's body, did nothing say that there is none.
        SentBody::Nothing if length.is_some() || coding.is_some() => 0,
        SentBody::Client | SentBody::Nothing => return Ok(()),
    };
    fields.set(&FieldName::known(CONTENT_LENGTH, "Content-Length"), HeaderValue::from(bytes))
}

/// The request target for the server: `sent` is what the client sent, `parsed` what Pingora would send. `None` where that
/// is right.
pub fn request_target<'a>(
    sent: &'a [u8],
    parsed: &[u8],
    state: &State,
    location: &Location,
    proxy: &Proxy,
) -> Option<Cow<'a, [u8]>> {
    let uri = &state.uri;
    let replacing = |covered: usize, replacement: &str| {
        let path = uri.path(sent).get(covered..).unwrap_or_default();
        Some(Cow::Owned(target::replace(replacement, path, uri.arguments(sent).unwrap_or_default())))
    };
    match &proxy.uri {
        SentUri::Exactly(exactly) => Some(Cow::Owned(exactly.as_bytes().to_vec())),
        // `rewrite … break` has left the location's path: the whole URI goes instead.
        SentUri::Replacing(_) if state.leaves_location() => replacing(0, ""),
        SentUri::Replacing(replacement) => replacing(matched_length(&location.pattern), replacement),
        SentUri::Own if uri.is_changed() => replacing(0, ""),
        // Byte for byte: the loop escapes some characters for Pingora's parser, which nginx does not. The quotation
        // marks and angle brackets that no `Uri` can hold stay escaped, and so does what is no path (`http://host?a`).
        SentUri::Own => (sent.first() == Some(&b'/') && parsed != sent).then_some(Cow::Borrowed(sent)),
    }
}

/// Drops fields whose names hold more than letters, digits and hyphens, as nginx does (`ignore_invalid_headers on`,
/// `underscores_in_headers off`): behind a gateway that turns hyphens into underscores, `X_Real_IP` would pass for
/// `X-Real-IP`.
fn drop_unusual_names(fields: &mut impl Fields, dropped: DroppedNames) {
    let unusual: Vec<HeaderName> =
        fields.map().keys().filter(|name| dropped.drops(name.as_str())).cloned().collect();
    for name in &unusual {
        fields.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Plain, wire};
    use super::*;

    fn field(name: &'static str, value: &str, again: bool) -> SentField {
        let value = match value {
            "" => SentValue::Nothing,
            text => SentValue::Constant(text.parse().unwrap()),
        };
        SentField { name: FieldName::parse(name).unwrap(), value, again }
    }

    #[test]
    fn fields_for_a_server() {
        let set = [field("Host", "upstream", false), field("X-a", "1", false), field("x-A", "2", true)];
        let gone = [field("accept", "", false)];
        let (no_te, te, coding) =
            ([field("TE", "", false)], [field("te", "trailers", false)], [field("TE", "gzip", false)]);
        let hosts = [field("Host", "", false), field("Host", "b", true), field("host", "c", true)];
        let to = |set| ToServer {
            set,
            dropped_names: DroppedNames::Nothing,
            has_connection: false,
            upgrades: false,
            closes: false,
            http_2: false,
            wants_trailers: false,
            client_fields: true,
            body: SentBody::Client,
        };
        for (name, received, to, sent) in [
            ("set", "host: a|x-a: 9|accept: b", to(&set), "Host: upstream|X-a: 1|x-A: 2|accept: b"),
            (
                "another protocol",
                "host: a|upgrade: websocket",
                ToServer { upgrades: true, ..to(&[]) },
                "host: a|Upgrade: websocket",
            ),
            ("several hosts", "host: a|accept: b", to(&hosts), "accept: b|Host: b"),
            ("left out", "host: a|accept: b", to(&gone), "host: a"),
            ("expectation", "host: a|expect: 100-continue", to(&[]), "host: a"),
            (
                "unusual names",
                "host: a|x_real_ip: 1|x.y: 2|x-z: 3",
                ToServer { dropped_names: DroppedNames::SpecialAndUnderscores, ..to(&[]) },
                "host: a|x-z: 3",
            ),
            (
                "the client's connection",
                "host: a|connection: keep-alive",
                ToServer { has_connection: true, ..to(&[]) },
                "host: a",
            ),
            (
                "the last on its connection",
                "host: a",
                ToServer { closes: true, ..to(&[]) },
                "host: a|Connection: close",
            ),
            (
                "HTTP/2",
                "host: a|te: gzip, trailers|keep-alive: 5|connection: keep-alive|upgrade: h2c|transfer-encoding: chunked",
                ToServer { http_2: true, upgrades: true, closes: true, ..to(&[]) },
                "host: a",
            ),
            (
                "gRPC",
                "host: a",
                ToServer { http_2: true, wants_trailers: true, ..to(&[]) },
                "host: a|te: trailers",
            ),
            ("HTTP/2 without trailers", "te: gzip", ToServer { http_2: true, ..to(&[]) }, ""),
            (
                "gRPC without trailers",
                "x: y",
                ToServer { http_2: true, wants_trailers: true, ..to(&no_te) },
                "x: y",
            ),
            (
                "HTTP/2 with trailers of its own",
                "x: y",
                ToServer { http_2: true, ..to(&te) },
                "x: y|te: trailers",
            ),
            ("HTTP/2 with a coding", "x: y", ToServer { http_2: true, ..to(&coding) }, "x: y"),
            (
                "none of the client's fields",
                "host: a|content-length: 3|upgrade: x",
                ToServer { client_fields: false, ..to(&set) },
                "content-length: 3|Host: upstream|X-a: 1|x-A: 2",
            ),
            (
                "none of the client's fields but another protocol",
                "host: a|upgrade: x",
                ToServer { client_fields: false, upgrades: true, ..to(&[]) },
                "Upgrade: x",
            ),
            (
                "no body",
                "host: a|content-length: 3",
                ToServer { body: SentBody::Nothing, ..to(&[]) },
                "host: a|Content-Length: 0",
            ),
            ("no body anyway", "host: a", ToServer { body: SentBody::Nothing, ..to(&[]) }, "host: a"),
            (
                "another body",
                "host: a|transfer-encoding: chunked",
                ToServer { body: SentBody::Own(5), ..to(&[]) },
                "host: a|Content-Length: 5",
            ),
        ] {
            let mut fields = Plain::of(received);
            prepare(&mut fields, &to, |_| None).unwrap();
            assert_eq!(wire(&fields), sent, "{name}");
        }
    }
}
