//! An answer's header on its way to the client: a server's, one of the program's own, and that of a refused request.

use bytes::Bytes;
use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, EXPIRES, HeaderName, HeaderValue, LAST_MODIFIED, LOCATION,
    REFRESH, SERVER, TRANSFER_ENCODING,
};

use super::Fields;
use crate::config::model::{Expires, ExpiresTime, FieldName, Location, MediaTypes, Proxy, Redirect};
use crate::content::file::answer::FileAnswer;
use crate::content::file::{expires, http_time, media};
use crate::content::{Answer, page};
use crate::script::Template;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// The names that the program itself sets, as nginx writes them.
mod known {
    use super::*;

    pub(super) static SERVER: FieldName = FieldName::known(super::SERVER, "Server");
    pub(super) static CONTENT_TYPE: FieldName = FieldName::known(super::CONTENT_TYPE, "Content-Type");
    pub(super) static CONTENT_LENGTH: FieldName = FieldName::known(super::CONTENT_LENGTH, "Content-Length");
    pub(super) static LOCATION: FieldName = FieldName::known(super::LOCATION, "Location");
    pub(super) static REFRESH: FieldName = FieldName::known(super::REFRESH, "Refresh");
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
    if !to.keeps_server || !answer.map().contains_key(SERVER) {
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
    if to.http_1_0 {
        // Such a client cannot read chunks: the end of the connection ends the body.
        answer.remove(&TRANSFER_ENCODING);
    }
    if let Some(charset) = &location.settings.charset.name
        && !matches!(to.status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND)
    {
        let name = render(answer, charset);
        set_charset(answer, name.as_ref(), &location.settings.charset.types)?;
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

/// Names the character set of a text that has none.
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
    if has_body(answer.status) {
        if let Some(content_type) = &answer.content_type {
            fields.set(&known::CONTENT_TYPE, content_type.clone())?;
        }
        fields.set(&known::CONTENT_LENGTH, HeaderValue::from(answer.body.len()))?;
    }
    for (name, value) in &answer.headers {
        fields.add(name, value.clone())?;
    }
    Ok(())
}

/// Whether an answer of this status has a body.
pub fn has_body(status: StatusCode) -> bool {
    !(status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED)
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

/// Strips what is not for the client from a server's answer (nginx's hidden fields, plus and minus what was configured,
/// and what concerned the connection to the server alone), and rewrites its redirects (`proxy_redirect`). `origin` is
/// what a redirect to a path of this program begins with to be absolute.
pub fn take_over<F: Fields>(
    answer: &mut F,
    proxy: &Proxy,
    origin: impl FnOnce() -> Option<Vec<u8>>,
) -> Result<(), F::Error> {
    // Nearly always there is nothing to do, and one look at the few names that are there is cheaper than a search
    // for each of the many that might be.
    let is_hidden = |name: &HeaderName| proxy.hidden_headers.contains(name) || name == KEEP_ALIVE;
    let (mut hides, mut redirects) = (false, false);
    for name in answer.map().keys() {
        hides |= is_hidden(name);
        redirects |= name == LOCATION || name == REFRESH;
    }
    if hides {
        for name in proxy.hidden_headers.iter().chain([&KEEP_ALIVE]) {
            answer.remove(name);
        }
    }
    if let Some(redirect) = proxy.redirect.as_ref().filter(|_| redirects) {
        rewrite_redirects(answer, redirect, origin)?;
    }
    Ok(())
}

/// Turns a redirect to the server's own address into one to this program's: `Location`, and the URL in a `Refresh`.
fn rewrite_redirects<F: Fields>(
    answer: &mut F,
    redirect: &Redirect,
    origin: impl FnOnce() -> Option<Vec<u8>>,
) -> Result<(), F::Error> {
    let rest =
        |value: &HeaderValue| value.as_bytes().strip_prefix(redirect.from.as_bytes()).map(<[u8]>::to_vec);
    if let Some(rest) = answer.map().get(LOCATION).and_then(rest) {
        let beginning = if redirect.to.starts_with('/') { origin().unwrap_or_default() } else { Vec::new() };
        let url = [beginning.as_slice(), redirect.to.as_bytes(), &rest].concat();
        if let Ok(url) = HeaderValue::from_maybe_shared(Bytes::from(url)) {
            answer.set(&known::LOCATION, url)?;
        }
    }
    if let Some(refresh) = answer.map().get(REFRESH) {
        let value = refresh.as_bytes();
        let url = memchr::memmem::find(value, b"url=").map(|at| at + 4);
        if let Some((lead, rest)) =
            url.and_then(|at| Some((&value[..at], value[at..].strip_prefix(redirect.from.as_bytes())?)))
            && let Ok(value) = HeaderValue::from_bytes(&[lead, redirect.to.as_bytes(), rest].concat())
        {
            answer.set(&known::REFRESH, value)?;
        }
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
    fn redirects_of_a_server_become_redirects_of_this_program() {
        let redirect = Redirect { from: "http://upstream/".to_owned(), to: "/app/".to_owned() };
        for (received, origin, sent) in [
            ("location: http://upstream/x", Some("http://h:81"), "Location: http://h:81/app/x"),
            ("location: http://upstream/x", None, "Location: /app/x"),
            ("location: http://elsewhere/x", Some("h"), "location: http://elsewhere/x"),
            ("refresh: 5; url=http://upstream/x", Some("h"), "Refresh: 5; url=/app/x"),
        ] {
            let mut answer = Plain::of(received);
            rewrite_redirects(&mut answer, &redirect, || origin.map(|origin| origin.as_bytes().to_vec()))
                .unwrap();
            assert_eq!(wire(&answer), sent);
        }
    }

    #[test]
    fn an_answer_without_a_body_has_no_type_and_no_length() {
        let mut fields = Plain::of("");
        own(&mut fields, &Answer::standard(StatusCode::NO_CONTENT, false), false).unwrap();
        assert_eq!(wire(&fields), "Server: cirque");
        own(&mut fields, &Answer::text(StatusCode::OK, "hi"), false).unwrap();
        assert_eq!(wire(&fields), "Server: cirque|Content-Type: text/plain; charset=utf-8|Content-Length: 2");
    }
}
