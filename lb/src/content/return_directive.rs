//! `return`: a status with its standard page, a text, or a redirect.

use bytes::Bytes;
use http::header::{HeaderValue, LOCATION};

use super::Answer;
use crate::config::model::{FieldName, Location, Return, ReturnContent};
use crate::routing::redirect::{self, Origin};
use crate::script::Values;

/// The answer of a `return` to the request with the variables `values`. `path` is the request's path, whose extension
/// decides the type of a text; `origin` makes a redirect to a path of our own absolute.
pub fn answer(
    to: &Return,
    location: &Location,
    path: &[u8],
    origin: &Origin<'_>,
    values: &dyn Values,
) -> Answer {
    match &to.content {
        // A success without a text is an empty text, not a page.
        ReturnContent::Standard if to.status.is_success() => text_answer(to, location, path, Vec::new()),
        ReturnContent::Standard => Answer::standard(to.status, location.settings.core.server_tokens),
        ReturnContent::Text(text) => {
            let mut body = Vec::new();
            text.render(values, &mut body);
            text_answer(to, location, path, body)
        }
        ReturnContent::Location(target) => {
            let mut url = Vec::new();
            target.render(values, &mut url);
            let url = redirect::absolute(&location.settings.core, origin, &url).into_owned();
            let page = Answer::standard(to.status, location.settings.core.server_tokens);
            match HeaderValue::from_maybe_shared(Bytes::from(url)) {
                Ok(url) => page.with(FieldName::known(LOCATION, "Location"), url),
                // A decoded variable contained a line break: no target is safer than a forged one.
                Err(_) => page,
            }
        }
    }
}

fn text_answer(to: &Return, location: &Location, path: &[u8], body: Vec<u8>) -> Answer {
    Answer {
        status: to.status,
        content_type: HeaderValue::from_str(media_type(location, path)).ok(),
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
