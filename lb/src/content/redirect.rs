//! The answer of a redirect, and that of a `return` with a text.

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};

use super::Answer;
use crate::config::model::{FieldName, Location};

/// A redirect to `url`.
pub fn redirect(status: StatusCode, url: Vec<u8>, server_tokens: bool) -> Answer {
    let page = Answer::standard(status, server_tokens);
    match HeaderValue::from_maybe_shared(Bytes::from(url)) {
        Ok(url) => page.with(FieldName::known(LOCATION, "Location"), url),
        // A decoded variable contained a line break: no target is safer than a forged one.
        Err(_) => page,
    }
}

/// A text of the type that `path` has.
pub fn text(status: StatusCode, body: Vec<u8>, location: &Location, path: &[u8]) -> Answer {
    Answer {
        status,
        // An empty type is none.
        content_type: HeaderValue::from_str(media_type(location, path)).ok().filter(|kind| !kind.is_empty()),
        headers: Vec::new(),
        body: Bytes::from(body),
    }
}

/// The media type of a path by its extension, from `types` and `default_type`.
pub fn media_type<'a>(location: &'a Location, path: &[u8]) -> &'a str {
    let file = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    file.iter()
        .rposition(|byte| *byte == b'.')
        .and_then(|dot| std::str::from_utf8(&file[dot + 1..]).ok())
        .and_then(|extension| location.settings.types.by_extension.get(&extension.to_ascii_lowercase()))
        .unwrap_or(&location.settings.types.default)
}
