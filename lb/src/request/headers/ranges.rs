//! Ranges of a server's answer that are cut here, whatever the server makes of them: `proxy_force_ranges`.
//!
//! Source of the rules: `ngx_http_range_header_filter` with `single_range`. Only a whole answer of known length is cut, and
//! into one part.

use std::ops::Range;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE};
use http::{HeaderMap, HeaderValue};

use super::Fields;
use crate::config::model::FieldName;
use crate::content::file::conditional::{self, Validators};
use crate::content::file::http_time;
use crate::content::file::range::{self, Wanted};

static ACCEPT_RANGES_FIELD: FieldName = FieldName::known(ACCEPT_RANGES, "Accept-Ranges");
static CONTENT_LENGTH_FIELD: FieldName = FieldName::known(CONTENT_LENGTH, "Content-Length");
static CONTENT_RANGE_FIELD: FieldName = FieldName::known(CONTENT_RANGE, "Content-Range");

/// What a client gets of a whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Share {
    /// All of it.
    Everything,
    /// This part.
    Part(Cut),
    /// Nothing: 416, with this field.
    Nothing(Option<(FieldName, HeaderValue)>),
}

/// A part of a body, while that passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Bytes that come before it.
    skipped: u64,
    /// Bytes of it that are still to come.
    left: u64,
}

impl Cut {
    fn of(span: &Range<u64>) -> Self {
        Self { skipped: span.start, left: span.end - span.start }
    }

    /// Leaves of a piece of the body what is in the part.
    pub fn take(&mut self, piece: &mut Option<Bytes>) {
        let Some(bytes) = piece else { return };
        let length = bytes.len() as u64;
        let start = self.skipped.min(length);
        let end = start.saturating_add(self.left).min(length);
        self.skipped -= start;
        self.left -= end - start;
        // Neither is beyond the length of the piece.
        *bytes = bytes.slice(start as usize..end as usize);
    }
}

/// What a request with the fields `request` gets of an answer with status 200, and the fields that say so. Nothing changes
/// where the length is not known, or no range may be asked for.
pub fn force<F: Fields>(
    answer: &mut F,
    request: &HeaderMap,
    max_ranges: Option<u64>,
) -> Result<Share, F::Error> {
    let length = answer.map().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let Some(length) = length.filter(|_| max_ranges != Some(0)) else { return Ok(Share::Everything) };
    let spans = match wanted(answer.map(), request, length) {
        Wanted::Everything => {
            answer.set(&ACCEPT_RANGES_FIELD, HeaderValue::from_static("bytes"))?;
            return Ok(Share::Everything);
        }
        Wanted::Nothing => {
            let value = HeaderValue::try_from(range::unsatisfied(length)).ok();
            return Ok(Share::Nothing(value.map(|value| (CONTENT_RANGE_FIELD.clone(), value))));
        }
        Wanted::Parts(spans) => spans,
    };
    let (Some(span), Ok(content_range)) =
        (spans.first(), HeaderValue::try_from(range::content_range(&spans[0], length)))
    else {
        return Ok(Share::Everything);
    };
    answer.remove(&ACCEPT_RANGES);
    answer.set(&CONTENT_RANGE_FIELD, content_range)?;
    answer.set(&CONTENT_LENGTH_FIELD, HeaderValue::from(span.end - span.start))?;
    Ok(Share::Part(Cut::of(span)))
}

fn wanted(answer: &HeaderMap, request: &HeaderMap, length: u64) -> Wanted {
    let Some(asked) = request.get(RANGE) else { return Wanted::Everything };
    let modified = answer.get(LAST_MODIFIED).and_then(|value| http_time::read(value.as_bytes()));
    let validators = Validators { etag: answer.get(ETAG).map(HeaderValue::as_bytes), modified };
    let holds = |value: &HeaderValue| conditional::if_range_holds(value.as_bytes(), validators);
    if !request.get(IF_RANGE).is_none_or(holds) {
        return Wanted::Everything;
    }
    range::wanted(asked.as_bytes(), length, Some(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::testing::{Plain, wire};
    use super::*;

    #[test]
    fn one_part_of_a_whole_answer_is_cut() {
        let whole = "Accept-Ranges: bytes";
        for (range, if_range, answer, expected) in [
            ("", "", "content-length: 10", format!("content-length: 10|{whole}")),
            (
                "bytes=2-4",
                "",
                "content-length: 10",
                "Content-Length: 3|Content-Range: bytes 2-4/10".to_owned(),
            ),
            ("bytes=2-4,6-", "", "content-length: 10", format!("content-length: 10|{whole}")),
            ("bytes=20-", "", "content-length: 10", "content-length: 10".to_owned()),
            ("bytes=2-4", "", "x-a: 1", "x-a: 1".to_owned()),
            (
                "bytes=2-4",
                "\"x\"",
                "content-length: 10|etag: \"y\"",
                format!("content-length: 10|etag: \"y\"|{whole}"),
            ),
        ] {
            let mut request = HeaderMap::new();
            for (name, value) in [(RANGE, range), (IF_RANGE, if_range)] {
                if !value.is_empty() {
                    request.insert(name, value.parse().unwrap());
                }
            }
            let mut fields = Plain::of(answer);
            let share = force(&mut fields, &request, None).unwrap();
            assert_eq!(wire(&fields), expected, "{range}");
            assert_eq!(matches!(share, Share::Nothing(_)), range == "bytes=20-", "{range}");
        }
    }

    #[test]
    fn a_part_is_cut_out_of_pieces() {
        let mut cut = Cut::of(&(3..7));
        let taken = ["ab", "cde", "fgh", "ij"].map(|piece| {
            let mut piece = Some(Bytes::from_static(piece.as_bytes()));
            cut.take(&mut piece);
            piece.unwrap()
        });
        assert_eq!(taken, ["", "de", "fg", ""]);
        assert_eq!(cut, Cut { skipped: 0, left: 0 });
    }
}
