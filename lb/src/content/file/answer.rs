//! The answer with a file: status, fields, and which of its bytes, from what the request says and what the file is.
//!
//! No byte of the file is needed for it. What fails here (412, 416) goes the way of every other failure, so that
//! `error_page` has it too; the 416 takes its `Content-Range` with it.

use std::ops::Range;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE, VARY,
};
use http::{HeaderMap, StatusCode};
use smallvec::{SmallVec, smallvec};

use super::conditional::{self, Validators, Verdict};
use super::http_time;
use super::range::{self, Wanted};
use crate::config::model::{FieldName, StaticFiles};

static LAST_MODIFIED_FIELD: FieldName = FieldName::known(LAST_MODIFIED, "Last-Modified");
static ETAG_FIELD: FieldName = FieldName::known(ETAG, "ETag");
static ACCEPT_RANGES_FIELD: FieldName = FieldName::known(ACCEPT_RANGES, "Accept-Ranges");
static CONTENT_RANGE_FIELD: FieldName = FieldName::known(CONTENT_RANGE, "Content-Range");
static CONTENT_ENCODING_FIELD: FieldName = FieldName::known(CONTENT_ENCODING, "Content-Encoding");
static VARY_FIELD: FieldName = FieldName::known(VARY, "Vary");

/// What is known of the file once it is open.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Bytes.
    pub length: u64,
    /// When it was changed, in seconds after 1970.
    pub modified: i64,
    /// The media type, with its character set.
    pub content_type: Option<&'a HeaderValue>,
    /// The coding of it, where it is the compressed file of what was asked for.
    pub encoding: Option<&'static str>,
    /// Its bytes will be changed on their way, so that no range of them can be asked for.
    pub changes: bool,
    /// Another client may get another file for the same URI.
    pub varies: bool,
    /// Conditions and ranges are heard: not where the file stands for an error.
    pub conditional: bool,
}

/// Part of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Text(Bytes),
    /// These bytes of the file.
    File(Range<u64>),
}

/// A body in pieces; nearly always one.
pub type Pieces = SmallVec<[Piece; 1]>;

/// An answer with a file, or with parts of it.
#[derive(Debug, Clone)]
pub struct FileAnswer {
    /// 200, 206 or 304.
    pub status: StatusCode,
    /// `Content-Type`; `None` for a 304.
    pub content_type: Option<HeaderValue>,
    /// The length of the body; `None` for a 304.
    pub length: Option<u64>,
    /// The other fields, in nginx's order.
    pub fields: SmallVec<[(FieldName, HeaderValue); 5]>,
    /// The body.
    pub pieces: Pieces,
}

/// Why there is no such answer.
#[derive(Debug, Clone)]
pub struct Refused {
    /// 412 or 416.
    pub status: StatusCode,
    /// `Content-Range` of a 416.
    pub field: Option<(FieldName, HeaderValue)>,
}

/// Decides the answer to a request with the header `request`. `boundary` makes the number that separates parts.
pub fn respond(
    request: &HeaderMap,
    file: Facts<'_>,
    settings: &StaticFiles,
    boundary: impl FnOnce() -> u64,
) -> Result<FileAnswer, Refused> {
    let etag = settings.etag.then(|| conditional::etag_of(file.modified, file.length));
    let validators = Validators { etag: etag.as_deref().map(str::as_bytes), modified: Some(file.modified) };
    let mut answer = FileAnswer {
        status: StatusCode::OK,
        content_type: file.content_type.cloned(),
        length: Some(file.length),
        fields: SmallVec::new(),
        pieces: SmallVec::new(),
    };
    if file.conditional {
        answer.set(&LAST_MODIFIED_FIELD, &http_time::written(file.modified));
    }
    if let Some(etag) = &etag {
        answer.set(&ETAG_FIELD, etag);
    }
    let verdict = match file.conditional {
        true => conditional::judge(request, validators, settings.if_modified_since),
        false => Verdict::Serve,
    };
    if verdict == Verdict::PreconditionFailed {
        return Err(Refused { status: StatusCode::PRECONDITION_FAILED, field: None });
    }
    if file.varies {
        answer.set(&VARY_FIELD, "Accept-Encoding");
    }
    if verdict == Verdict::NotModified {
        answer.status = StatusCode::NOT_MODIFIED;
        (answer.content_type, answer.length) = (None, None);
        return Ok(answer);
    }
    if let Some(encoding) = file.encoding {
        answer.set(&CONTENT_ENCODING_FIELD, encoding);
    }
    let max_ranges =
        settings.max_ranges.or(Some(u64::MAX)).filter(|_| file.conditional && !file.changes).or(Some(0));
    match wanted(request, validators, max_ranges, file.length) {
        Wanted::Nothing => {
            let field =
                value(&range::unsatisfied(file.length)).map(|value| (CONTENT_RANGE_FIELD.clone(), value));
            return Err(Refused { status: StatusCode::RANGE_NOT_SATISFIABLE, field });
        }
        Wanted::Parts(spans) => answer.part(&spans, file.length, boundary),
        Wanted::Everything => {
            if max_ranges != Some(0) {
                answer.set(&ACCEPT_RANGES_FIELD, "bytes");
            }
            answer.pieces = smallvec![Piece::File(0..file.length)];
        }
    }
    Ok(answer)
}

fn wanted(request: &HeaderMap, validators: Validators<'_>, max_ranges: Option<u64>, length: u64) -> Wanted {
    let Some(asked) = request.get(RANGE).filter(|_| max_ranges != Some(0)) else { return Wanted::Everything };
    let holds = |value: &HeaderValue| conditional::if_range_holds(value.as_bytes(), validators);
    if !request.get(IF_RANGE).is_none_or(holds) {
        return Wanted::Everything;
    }
    range::wanted(asked.as_bytes(), length, max_ranges)
}

impl FileAnswer {
    fn set(&mut self, name: &FieldName, text: &str) {
        if let Some(value) = value(text) {
            self.fields.push((name.clone(), value));
        }
    }

    fn part(&mut self, spans: &[Range<u64>], length: u64, boundary: impl FnOnce() -> u64) {
        self.status = StatusCode::PARTIAL_CONTENT;
        if let [span] = spans {
            self.set(&CONTENT_RANGE_FIELD, &range::content_range(span, length));
            self.length = Some(span.end - span.start);
            self.pieces = smallvec![Piece::File(span.clone())];
            return;
        }
        let boundary = boundary();
        let content_type = self.content_type.as_ref().map(HeaderValue::as_bytes);
        let mut total = 0;
        for span in spans {
            let head = range::part_head(boundary, content_type, span, length);
            total += head.len() as u64 + (span.end - span.start);
            self.pieces.push(Piece::Text(head));
            self.pieces.push(Piece::File(span.clone()));
        }
        let end = range::multipart_end(boundary);
        self.length = Some(total + end.len() as u64);
        self.pieces.push(Piece::Text(end));
        self.content_type = value(&range::multipart_type(boundary));
    }
}

fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn shown(request: &[(&str, &str)], settings: &StaticFiles, gzip: bool) -> String {
        let mut fields = HeaderMap::new();
        for (name, value) in request {
            fields.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let content_type = HeaderValue::from_static("text/plain");
        let file = Facts {
            length: 5,
            modified: 101,
            content_type: Some(&content_type),
            encoding: gzip.then_some("gzip"),
            changes: false,
            varies: gzip,
            conditional: true,
        };
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        match respond(&fields, file, settings, || 7) {
            Err(refused) => {
                let field = refused.field.map(|(name, value)| format!("|{name}: {}", text(&value)));
                format!("{}{}", refused.status.as_u16(), field.unwrap_or_default())
            }
            Ok(answer) => {
                let mut out = answer.status.as_u16().to_string();
                if let Some(content_type) = &answer.content_type {
                    out += &format!("|{}", text(content_type));
                }
                if let Some(length) = answer.length {
                    out += &format!("|{length}");
                }
                for (name, value) in &answer.fields {
                    out += &format!("|{name}: {}", text(value));
                }
                for piece in &answer.pieces {
                    out += &match piece {
                        Piece::Text(text) => format!("|+{}", text.len()),
                        Piece::File(span) => format!("|{span:?}"),
                    };
                }
                out
            }
        }
    }

    const STATE: &str = "Last-Modified: Thu, 01 Jan 1970 00:01:41 GMT|ETag: \"65-5\"";

    #[test]
    fn the_request_decides_status_fields_and_bytes() {
        let whole = format!("200|text/plain|5|{STATE}|Accept-Ranges: bytes|0..5");
        let part = format!("206|text/plain|2|{STATE}|Content-Range: bytes 1-2/5|1..3");
        let parts = format!(
            "206|multipart/byteranges; boundary=00000000000000000007|196|{STATE}|+82|1..3|+82|3..5|+28"
        );
        let unmodified = format!("304|{STATE}");
        for (request, expected) in [
            (&[][..], whole.as_str()),
            (&[("range", "bytes=1-2")], &part),
            (&[("range", "bytes=1-2,3-")], &parts),
            (&[("range", "bytes=9-")], "416|Content-Range: bytes */5"),
            (&[("range", "bytes=1-2"), ("if-range", "\"65-5\"")], &part),
            (&[("range", "bytes=1-2"), ("if-range", "\"x\"")], &whole),
            (&[("range", "bytes=1-2"), ("if-none-match", "\"65-5\"")], &unmodified),
            (&[("range", "bytes=9-"), ("if-match", "\"x\"")], "412"),
        ] {
            assert_eq!(shown(request, &StaticFiles::default(), false), expected, "{request:?}");
        }
    }

    #[test]
    fn settings_take_fields_away() {
        let settings = StaticFiles { etag: false, max_ranges: Some(0), ..StaticFiles::default() };
        let expected = "200|text/plain|5|Last-Modified: Thu, 01 Jan 1970 00:01:41 GMT|0..5";
        assert_eq!(shown(&[("range", "bytes=1-2")], &settings, false), expected);
    }

    #[test]
    fn what_stands_for_an_error_hears_no_conditions() {
        let fields = HeaderMap::from_iter([
            (RANGE, HeaderValue::from_static("bytes=1-2")),
            (http::header::IF_NONE_MATCH, HeaderValue::from_static("*")),
        ]);
        let file = Facts {
            length: 5,
            modified: 101,
            content_type: None,
            encoding: None,
            changes: false,
            varies: false,
            conditional: false,
        };
        let answer = respond(&fields, file, &StaticFiles::default(), || 7).unwrap();
        assert_eq!((answer.status, answer.length), (StatusCode::OK, Some(5)));
        let names: Vec<&str> = answer.fields.iter().map(|(name, _)| name.name().as_str()).collect();
        assert_eq!(names, ["etag"]);
    }

    #[test]
    fn a_compressed_file_says_so() {
        let settings = StaticFiles::default();
        let vary = "Vary: Accept-Encoding";
        let expected =
            format!("200|text/plain|5|{STATE}|{vary}|Content-Encoding: gzip|Accept-Ranges: bytes|0..5");
        assert_eq!(shown(&[], &settings, true), expected);
        assert_eq!(shown(&[("if-none-match", "*")], &settings, true), format!("304|{STATE}|{vary}"));
    }
}
