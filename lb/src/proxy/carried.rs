//! Fields of a server's answer that outlive it: what nginx keeps of an answer with `X-Accel-Redirect`, so that a server
//! names the type and the cookies of a file that another location sends, and the challenge of an intercepted 401.

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, EXPIRES, HeaderMap, HeaderName,
    HeaderValue, SET_COOKIE, WWW_AUTHENTICATE,
};
use pingora::Result;
use pingora::http::ResponseHeader;

use crate::config::model::FieldName;
use crate::request::headers::Fields;

/// The names, as nginx writes them.
static KEPT: [FieldName; 7] = [
    FieldName::known(WWW_AUTHENTICATE, "WWW-Authenticate"),
    FieldName::known(ACCEPT_RANGES, "Accept-Ranges"),
    FieldName::known(CONTENT_TYPE, "Content-Type"),
    FieldName::known(SET_COOKIE, "Set-Cookie"),
    FieldName::known(CONTENT_DISPOSITION, "Content-Disposition"),
    FieldName::known(CACHE_CONTROL, "Cache-Control"),
    FieldName::known(EXPIRES, "Expires"),
];

/// The fields that are kept, with their places in [`KEPT`].
pub(super) type Carried = Vec<(usize, HeaderValue)>;

/// What is kept of an answer; `asked` where it asked for another location itself.
pub(super) fn of(fields: &HeaderMap, asked: bool) -> Carried {
    let each = |(place, name): (usize, &'static FieldName)| {
        let known: &HeaderName = name.name();
        fields.get_all(known).iter().map(move |value| (place, value.clone())).collect::<Vec<_>>()
    };
    KEPT.iter().enumerate().filter(|(place, _)| (*place == 0) != asked).flat_map(each).collect()
}

/// Gives another answer what was kept; `has_own_type` where it has a media type of its own.
pub(super) fn give(answer: &mut ResponseHeader, carried: &Carried, has_own_type: bool) -> Result<()> {
    for (place, value) in carried {
        let name = &KEPT[*place];
        match *name.name() {
            CONTENT_TYPE if has_own_type => {}
            SET_COOKIE => answer.add(name, value.clone())?,
            _ => answer.set(name, value.clone())?,
        }
    }
    Ok(())
}
