//! `return`: a status with its standard page, a text, or a redirect.

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};

use super::Answer;
use crate::config::model::{Location, Return, ReturnContent};
use crate::config::template::Values;

/// The answer that a `return` gives to the request whose variables `values` knows. `path` is the request's path,
/// whose extension decides the type of a text; `host` is what a redirect to a path of our own is made absolute with.
pub fn answer(
    to: &Return,
    location: &Location,
    path: &[u8],
    host: Option<&[u8]>,
    values: &dyn Values,
) -> Answer {
    match &to.content {
        ReturnContent::Standard => Answer::standard(to.status, location.server_tokens),
        ReturnContent::Text(text) => {
            let mut body = Vec::new();
            text.render(values, &mut body);
            Answer {
                status: to.status,
                content_type: HeaderValue::from_str(media_type(location, path)).ok(),
                headers: Vec::new(),
                body: Bytes::from(body),
            }
        }
        ReturnContent::Location(target) => {
            let mut url = Vec::new();
            target.render(values, &mut url);
            redirect(to.status, url, host, location.server_tokens)
        }
    }
}

/// A redirect to `url`; one to a path of our own is made absolute with `host`, as by nginx's `absolute_redirect on`.
pub fn redirect(status: StatusCode, mut url: Vec<u8>, host: Option<&[u8]>, with_version: bool) -> Answer {
    if url.first() == Some(&b'/')
        && let Some(host) = host
    {
        url.splice(0..0, [b"http://", host].concat());
    }
    let page = Answer::standard(status, with_version);
    match HeaderValue::from_maybe_shared(Bytes::from(url)) {
        Ok(url) => page.with(LOCATION, url),
        // A line break came in by a decoded variable: an answer without a target is safer than a forged one.
        Err(_) => page,
    }
}

/// The media type of a path by its extension, from `types` and `default_type`.
pub fn media_type<'a>(location: &'a Location, path: &[u8]) -> &'a str {
    let file = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    file.iter()
        .rposition(|byte| *byte == b'.')
        .and_then(|dot| std::str::from_utf8(&file[dot + 1..]).ok())
        .and_then(|extension| location.types.get(&extension.to_ascii_lowercase()))
        .unwrap_or(&location.default_type)
}
