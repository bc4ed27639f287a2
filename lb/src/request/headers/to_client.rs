//! An answer's header on its way to the client: a server's, one of the program's own, and that of a refused request.

use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, EXPIRES, HeaderName, HeaderValue, LAST_MODIFIED, LOCATION,
    REFRESH, SERVER, SET_COOKIE, TRANSFER_ENCODING,
};
use http::{HeaderMap, StatusCode};

use super::{Fields, rewriting};
use crate::config::model::{
    Charset, Expires, ExpiresTime, FieldName, IgnoredHeaders, Location, MediaTypes, Proxy,
};
use crate::content::file::answer::FileAnswer;
use crate::content::file::{expires, http_time, media};
use crate::content::{Answer, page};
use crate::request::pace;
use crate::script::{Template, Values};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const ACCEL_LIMIT_RATE: HeaderName = HeaderName::from_static("x-accel-limit-rate");
const ACCEL_CHARSET: HeaderName = HeaderName::from_static("x-accel-charset");

/// The names that the program itself sets, as nginx writes them.
mod known {
    use super::*;

    pub(super) static SERVER: FieldName = FieldName::known(super::SERVER, "Server");
    pub(super) static CONTENT_TYPE: FieldName = FieldName::known(super::CONTENT_TYPE, "Content-Type");
    pub(super) static CONTENT_LENGTH: FieldName = FieldName::known(super::CONTENT_LENGTH, "Content-Length");
    pub(super) static TRANSFER_ENCODING: FieldName =
        FieldName::known(super::TRANSFER_ENCODING, "Transfer-Encoding");
    pub(super) static EXPIRES: FieldName = FieldName::known(super::EXPIRES, "Expires");
    pub(super) static CACHE_CONTROL: FieldName = FieldName::known(super::CACHE_CONTROL, "Cache-Control");
    pub(super) static KEEP_ALIVE: FieldName = FieldName::known(super::KEEP_ALIVE, "Keep-Alive");
}

/// What decides the fields that every answer gets.
pub struct ToClient<'a> {
    /// The request's location, where one is known.
    pub location: Option<&'a Location>,
    /// The answer's status.
    pub status: StatusCode,
    /// The client speaks HTTP/1.0.
    pub http_1_0: bool,
    /// The connection goes on behind the answer.
    pub keeps_alive: bool,
    /// A `Server` that is there stays: a server's with `proxy_pass_header Server`, or one that the configuration sets.
    pub keeps_server: bool,
    /// The character set that a server asks for (`X-Accel-Charset`), and whether the configuration names it.
    pub charset: Option<(&'a HeaderValue, bool)>,
    /// Now, in seconds after 1970, and what local time is ahead of UTC then; asked for only by `expires`.
    pub clock: fn() -> (i64, i64),
}

/// Sets what every answer gets, whether a server's or the program's own. `render` makes a value for the answer as it is by
/// then; `None` where it is empty or cannot stand in a header.
pub fn finish<F: Fields>(
    answer: &mut F,
    to: &ToClient<'_>,
    mut render: impl FnMut(&F, &Template) -> Option<HeaderValue>,
) -> Result<(), F::Error> {
    if !to.keeps_server {
        let tokens = to.location.is_none_or(|location| location.settings.core.server_tokens);
        answer.set(&known::SERVER, page::server_field(tokens))?;
    }
    let Some(location) = to.location else { return Ok(()) };
    if let Some(timeout) = location.settings.keepalive.timeout.header
        && to.keeps_alive
        && let Ok(value) = HeaderValue::try_from(format!("timeout={}", timeout.as_secs()))
    {
        answer.set(&known::KEEP_ALIVE, value)?;
    }
    if to.http_1_0 || !location.settings.core.chunked_transfer_encoding {
        // Such a client cannot read chunks: the end of the connection ends the body.
        answer.remove(&TRANSFER_ENCODING);
    }
    if (location.settings.charset.name.is_some() || to.charset.is_some())
        && !matches!(to.status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND)
    {
        name_charset(answer, to.charset, &location.settings.charset, &mut render)?;
    }
    if location.settings.headers.expires != Expires::Off && adds_by_default(to.status) {
        set_expires(answer, &location.settings.headers.expires, to.clock, &mut render)?;
    }
    if location.settings.headers.add.is_empty() {
        return Ok(());
    }
    // All are rendered before one is added: none of them sees another.
    let applies =
        location.settings.headers.add.iter().filter(|field| field.always || adds_by_default(to.status));
    let rendered: Vec<_> =
        applies.filter_map(|field| Some((&field.name, render(answer, &field.value)?))).collect();
    for (name, value) in rendered {
        answer.add(name, value)?;
    }
    Ok(())
}

/// Names the character set: the one that the server asks for, of any media type, or else the location's. A text that is
/// said to have another one keeps it, as nothing is converted.
fn name_charset<F: Fields>(
    answer: &mut F,
    asked: Option<(&HeaderValue, bool)>,
    charset: &Charset,
    render: &mut impl FnMut(&F, &Template) -> Option<HeaderValue>,
) -> Result<(), F::Error> {
    let (name, types) = match (asked, &charset.name) {
        // nginx knows the names that its configuration has.
        (Some((_, false)), _) | (None, None) => return Ok(()),
        (Some((name, true)), _) => (Some(name.clone()), &MediaTypes::All),
        (None, Some(name)) => (render(answer, name), &charset.types),
    };
    if let Some(source) = &charset.source {
        let same = |(one, other): (&HeaderValue, &HeaderValue)| {
            one.as_bytes().eq_ignore_ascii_case(other.as_bytes())
        };
        if !name.as_ref().zip(render(answer, source).as_ref()).is_some_and(same) {
            return Ok(());
        }
    }
    set_charset(answer, name.as_ref(), types)
}

/// Adds the character set to a media type that has none.
fn set_charset<F: Fields>(
    answer: &mut F,
    name: Option<&HeaderValue>,
    types: &MediaTypes,
) -> Result<(), F::Error> {
    let content_type = answer.map().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let with_charset = content_type
        .zip(name.and_then(|name| name.to_str().ok()))
        .and_then(|(content_type, name)| media::with_charset(content_type, name, types))
        .and_then(|content_type| HeaderValue::try_from(content_type).ok());
    match with_charset {
        Some(content_type) => answer.set(&known::CONTENT_TYPE, content_type),
        None => Ok(()),
    }
}

/// `expires`
fn set_expires<F: Fields>(
    answer: &mut F,
    given: &Expires,
    clock: fn() -> (i64, i64),
    render: &mut impl FnMut(&F, &Template) -> Option<HeaderValue>,
) -> Result<(), F::Error> {
    let mut parsed = |template: &Template, after_modified: bool| {
        let value = render(answer, template)?;
        // What is no time is as if nothing was said, as in nginx.
        ExpiresTime::parse(value.to_str().ok()?, after_modified).ok().flatten()
    };
    let at = match given {
        Expires::Off => None,
        Expires::Fixed(at) => Some(*at),
        Expires::PerRequest(template) => parsed(template, false),
        Expires::ModifiedPerRequest(template) => parsed(template, true),
    };
    let Some(at) = at else { return Ok(()) };
    let modified = answer.map().get(LAST_MODIFIED).and_then(|value| http_time::read(value.as_bytes()));
    let (now, ahead) = clock();
    let fields = expires::fields(at, now, modified, ahead);
    if let (Ok(expires), Ok(cache_control)) =
        (HeaderValue::try_from(fields.expires), HeaderValue::try_from(fields.cache_control))
    {
        answer.set(&known::EXPIRES, expires)?;
        answer.set(&known::CACHE_CONTROL, cache_control)?;
    }
    Ok(())
}

/// The fields of an answer with a file, in nginx's order. One whose length is not known is sent in chunks.
pub fn file<F: Fields>(fields: &mut F, answer: &FileAnswer, server_tokens: bool) -> Result<(), F::Error> {
    fields.set(&known::SERVER, page::server_field(server_tokens))?;
    if let Some(content_type) = &answer.content_type {
        fields.set(&known::CONTENT_TYPE, content_type.clone())?;
    }
    match answer.length {
        Some(length) => fields.set(&known::CONTENT_LENGTH, HeaderValue::from(length))?,
        None if answer.pieces.is_empty() => {}
        None => fields.set(&known::TRANSFER_ENCODING, HeaderValue::from_static("chunked"))?,
    }
    for (name, value) in &answer.fields {
        fields.add(name, value.clone())?;
    }
    Ok(())
}

/// The fields of an answer of the program's own, in nginx's order.
pub fn own<F: Fields>(fields: &mut F, answer: &Answer, server_tokens: bool) -> Result<(), F::Error> {
    fields.set(&known::SERVER, page::server_field(server_tokens))?;
    // That of a 204 is there for `$sent_http_content_type` alone: `drop_type` takes it out again.
    if (has_body(answer.status) || answer.status == StatusCode::NO_CONTENT)
        && let Some(content_type) = &answer.content_type
    {
        fields.set(&known::CONTENT_TYPE, content_type.clone())?;
    }
    if has_body(answer.status) {
        fields.set(&known::CONTENT_LENGTH, HeaderValue::from(answer.body.len()))?;
    }
    for (name, value) in &answer.headers {
        fields.add(name, value.clone())?;
    }
    Ok(())
}

/// Takes the media type out of a 204 of the program's own; one that the configuration adds stays.
pub fn drop_type<F: Fields>(fields: &mut F, answer: &Answer) -> Result<(), F::Error> {
    if answer.status != StatusCode::NO_CONTENT || answer.content_type.is_none() {
        return Ok(());
    }
    let added: Vec<_> = fields.map().get_all(CONTENT_TYPE).iter().skip(1).cloned().collect();
    fields.remove(&CONTENT_TYPE);
    for value in added {
        fields.add(&known::CONTENT_TYPE, value)?;
    }
    Ok(())
}

/// Whether an answer of this status has a body.
pub fn has_body(status: StatusCode) -> bool {
    !(status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED)
}

/// A server's answer without a body, such as a 304, that gets the status of one with a body says where that ends.
pub fn give_body<F: Fields>(
    answer: &mut F,
    had: StatusCode,
    given: StatusCode,
    without_chunks: bool,
) -> Result<(), F::Error> {
    if has_body(had) || !has_body(given) {
        return Ok(());
    }
    answer.remove(&CONTENT_LENGTH);
    match without_chunks {
        true => answer.set(&known::CONTENT_LENGTH, HeaderValue::from(0)),
        false => answer.set(&known::TRANSFER_ENCODING, HeaderValue::from_static("chunked")),
    }
}

/// The header of the answer to a request that was refused before Pingora saw it.
pub fn refused(status: StatusCode, server_tokens: bool, date: &str, body_bytes: usize) -> String {
    format!(
        "HTTP/1.1 {} {}\r\nServer: {}\r\nDate: {date}\r\nContent-Type: text/html\r\nContent-Length: {body_bytes}\r\n\
         Connection: close\r\n\r\n",
        status.as_u16(),
        page::status_phrase(status),
        page::server_name(server_tokens),
    )
}

/// What was found in a server's answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// [`rewrite`] may have something to do.
    pub rewritable: bool,
    /// The rate that the server asks for (`X-Accel-Limit-Rate`).
    pub rate: Option<u64>,
    /// The character set that the server asks for (`X-Accel-Charset`).
    pub charset: Option<HeaderValue>,
}

/// Strips what is not for the client from a server's answer: nginx's hidden fields, plus and minus what was configured,
/// and what concerned the connection to the server alone.
pub fn take_over<F: Fields>(answer: &mut F, proxy: &Proxy) -> Found {
    // Nearly always there is nothing to do, and one look at the few names that are there is cheaper than a search
    // for each of the many that might be.
    let is_hidden = |name: &HeaderName| proxy.hidden_headers.contains(name) || name == KEEP_ALIVE;
    let (mut hides, mut redirects, mut cookies, mut steers) = (false, false, false, false);
    for name in answer.map().keys() {
        hides |= is_hidden(name);
        redirects |= name == LOCATION || name == REFRESH;
        cookies |= name == SET_COOKIE;
        steers |= name == ACCEL_LIMIT_RATE || name == ACCEL_CHARSET;
    }
    let rate = if steers { asked_rate(answer.map(), proxy) } else { None };
    let charset = if steers { asked_charset(answer.map(), proxy) } else { None };
    if hides {
        for name in proxy.hidden_headers.iter().chain([&KEEP_ALIVE]) {
            answer.remove(name);
        }
    }
    let rewritable = (redirects && !proxy.redirects.is_empty())
        || (cookies && rewriting::touches_cookies(&proxy.settings));
    Found { rewritable, rate, charset }
}

/// The rate that a server asks for (`X-Accel-Limit-Rate`), where that is heeded.
pub fn asked_rate(fields: &HeaderMap, proxy: &Proxy) -> Option<u64> {
    let heeded = !proxy.settings.ignore_headers.has(IgnoredHeaders::X_ACCEL_LIMIT_RATE);
    let asked = heeded.then(|| fields.get(ACCEL_LIMIT_RATE)).flatten();
    asked.and_then(|rate| pace::accel_limit_rate(rate.as_bytes()))
}

/// The character set that a server asks for (`X-Accel-Charset`), where that is heeded.
pub fn asked_charset(fields: &HeaderMap, proxy: &Proxy) -> Option<HeaderValue> {
    let heeded = !proxy.settings.ignore_headers.has(IgnoredHeaders::X_ACCEL_CHARSET);
    let asked = heeded.then(|| fields.get(ACCEL_CHARSET)).flatten();
    asked.filter(|name| !name.is_empty()).cloned()
}

/// Rewrites a server's redirects and cookies (`proxy_redirect`, `proxy_cookie_*`). `origin` is what a redirect to a path of
/// this program begins with to be absolute.
pub fn rewrite<F: Fields>(
    answer: &mut F,
    proxy: &Proxy,
    values: &mut dyn Values,
    origin: Option<Vec<u8>>,
) -> Result<(), F::Error> {
    rewriting::redirects(answer, proxy, values, origin)?;
    if rewriting::touches_cookies(&proxy.settings) {
        rewriting::cookies(answer, &proxy.settings, values)?;
    }
    Ok(())
}

/// The statuses to which `add_header` applies without `always`.
fn adds_by_default(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 201 | 204 | 206 | 301 | 302 | 303 | 304 | 307 | 308)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Plain, wire};
    use super::*;

    #[test]
    fn an_answer_without_a_body_has_no_type_and_no_length() {
        let mut fields = Plain::of("");
        own(&mut fields, &Answer::standard(StatusCode::NO_CONTENT, false), false).unwrap();
        drop_type(&mut fields, &Answer::standard(StatusCode::NO_CONTENT, false)).unwrap();
        assert_eq!(wire(&fields), "Server: cirque");
        let text = Answer::text(StatusCode::NO_CONTENT, "");
        own(&mut fields, &text, false).unwrap();
        fields.add(&FieldName::known(CONTENT_TYPE, "Content-Type"), HeaderValue::from_static("a/b")).unwrap();
        drop_type(&mut fields, &text).unwrap();
        assert_eq!(wire(&fields), "Server: cirque|Content-Type: a/b");
        fields = Plain::of("");
        own(&mut fields, &Answer::text(StatusCode::OK, "hi"), false).unwrap();
        assert_eq!(wire(&fields), "Server: cirque|Content-Type: text/plain; charset=utf-8|Content-Length: 2");
    }

    #[test]
    fn an_answer_that_gets_a_body_says_where_it_ends() {
        let (ok, not_modified) = (StatusCode::OK, StatusCode::NOT_MODIFIED);
        for (had, given, without_chunks, expected) in [
            (not_modified, ok, false, "x-a: 1|Transfer-Encoding: chunked"),
            (StatusCode::NO_CONTENT, ok, true, "x-a: 1|Content-Length: 0"),
            (not_modified, StatusCode::NO_CONTENT, false, "x-a: 1|content-length: 5"),
            (StatusCode::NOT_FOUND, ok, false, "x-a: 1|content-length: 5"),
        ] {
            let mut fields = Plain::of("x-a: 1|content-length: 5");
            give_body(&mut fields, had, given, without_chunks).unwrap();
            assert_eq!(wire(&fields), expected, "{had} {given}");
        }
    }
}
