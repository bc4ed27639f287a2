//! What becomes of an answer's body on its way to the client: decided once, from its header.
//!
//! The order is nginx's: a body is unpacked (`gunzip`), texts are replaced in it (`sub_filter`), and it is compressed:
//! `brotli`, else `zstd`, else `gzip`, which is what nginx does with both modules built in in that order. Ranges come behind
//! all of these, so an answer that is changed has none.
//!
//! Source of the rules: `ngx_http_gunzip_header_filter`, `ngx_http_sub_header_filter`, `ngx_http_gzip_header_filter`, and
//! the header filters of ngx_brotli and zstd-nginx-module.

use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED,
    TRANSFER_ENCODING, VARY,
};
use http::{HeaderMap, StatusCode, Version};

use super::{Fields, encodings};
use crate::config::model::{FieldName, MediaTypes, Settings};

static CONTENT_ENCODING_FIELD: FieldName = FieldName::known(CONTENT_ENCODING, "Content-Encoding");
static ETAG_FIELD: FieldName = FieldName::known(ETAG, "ETag");
static TRANSFER_ENCODING_FIELD: FieldName = FieldName::known(TRANSFER_ENCODING, "Transfer-Encoding");
static VARY_FIELD: FieldName = FieldName::known(VARY, "Vary");

/// What is known of the client.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// The fields of its request.
    pub fields: &'a HeaderMap,
    /// The version of its request.
    pub version: Version,
    /// Whether it takes gzip, where that was asked before (`gzip_static`).
    pub takes_gzip: Option<bool>,
    /// Gives the time in seconds after 1970.
    pub now: fn() -> i64,
}

/// What is known of the answer.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub fields: &'a HeaderMap,
    /// Its media type, with parameters.
    pub content_type: Option<&'a HeaderValue>,
    /// The length of its body.
    pub length: Option<u64>,
}

impl<'a> Answer<'a> {
    /// An answer whose fields say everything.
    pub fn of(status: StatusCode, fields: &'a HeaderMap) -> Self {
        let length = fields.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        Self { status, fields, content_type: fields.get(CONTENT_TYPE), length }
    }

    fn is_of(&self, types: &MediaTypes) -> bool {
        let Some(content_type) = self.content_type.and_then(|value| value.to_str().ok()) else {
            return *types == MediaTypes::All;
        };
        types.contains(without_charset(content_type))
    }

    fn encoding(&self) -> Option<&'a HeaderValue> {
        self.fields.get(CONTENT_ENCODING).filter(|encoding| !encoding.is_empty())
    }
}

/// nginx takes the character set off a media type, with what follows it, and leaves other parameters.
fn without_charset(content_type: &str) -> &str {
    let mut from = 0;
    while let Some(found) = content_type[from..].find(';') {
        let at = from + found;
        let parameter = content_type[at + 1..].trim_start_matches(' ');
        if parameter.get(..8).is_some_and(|name| name.eq_ignore_ascii_case("charset=")) {
            return &content_type[..at];
        }
        from = at + 1;
    }
    content_type
}

/// A way to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`
    Gzip,
    /// `brotli`
    Brotli,
    /// `zstd`
    Zstd,
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// What is done with a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plan {
    /// It is unpacked.
    pub unpack: bool,
    /// Texts are replaced in it.
    pub substitute: bool,
    /// It is compressed.
    pub coding: Option<Coding>,
    /// Other clients may get another body.
    pub varies: bool,
}

impl Plan {
    /// Whether the body changes.
    pub fn changes_body(&self) -> bool {
        self.unpack || self.substitute || self.coding.is_some()
    }
}

/// Decides what is done with the body of `answer`.
pub fn decide(settings: &Settings, client: Client<'_>, answer: Answer<'_>) -> Plan {
    let mut plan = Plan::default();
    if answer.status.is_informational() {
        return plan;
    }
    let (gzip, other) = (&settings.gzip, &settings.compression);
    let takes_gzip = || {
        let asked = || encodings::takes_gzip(client.fields, client.version, gzip, answer.fields, client.now);
        client.takes_gzip.unwrap_or_else(asked)
    };
    let encoding = answer.encoding();
    if other.gunzip && encoding.is_some_and(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"gzip")) {
        plan.varies = true;
        plan.unpack = !takes_gzip();
    }
    let length = answer.length.filter(|_| !plan.unpack);
    plan.substitute = !settings.sub_filter.pairs.pairs.is_empty()
        && length != Some(0)
        && answer.is_of(&settings.sub_filter.types);
    let length = length.filter(|_| !plan.substitute);
    let coded = matches!(answer.status.as_u16(), 200 | 403 | 404) && (encoding.is_none() || plan.unpack);
    let is_for = |enabled: bool, types: &MediaTypes, min_length: u64| {
        enabled && coded && length.is_none_or(|length| length >= min_length) && answer.is_of(types)
    };
    for (coding, applies) in [
        (Coding::Brotli, is_for(other.brotli, &other.brotli_types, other.brotli_min_length)),
        (Coding::Zstd, is_for(other.zstd, &other.zstd_types, other.zstd_min_length)),
        (Coding::Gzip, is_for(gzip.enabled, &gzip.types, gzip.min_length)),
    ] {
        if !applies {
            continue;
        }
        plan.varies = true;
        let takes = match coding {
            Coding::Brotli => encodings::takes_brotli(client.fields),
            Coding::Zstd => encodings::takes_zstd(client.fields),
            Coding::Gzip => takes_gzip(),
        };
        if takes {
            plan.coding = Some(coding);
            break;
        }
    }
    plan.varies &= gzip.vary;
    plan
}

/// How the end of a changed body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telling {
    /// The answer has a body: not one to `HEAD`, nor a 304.
    pub has_body: bool,
    /// In chunks; otherwise by the end of the connection.
    pub in_chunks: bool,
}

/// Makes the header say what [`decide`] decided. `varied`: it says already that the answer varies.
pub fn apply<F: Fields>(
    plan: Plan,
    settings: &Settings,
    answer: &mut F,
    telling: Telling,
    varied: bool,
) -> Result<(), F::Error> {
    if plan.varies && !varied {
        // As in nginx it comes before those that are there.
        let others: Vec<HeaderValue> = answer.map().get_all(VARY).iter().cloned().collect();
        answer.set(&VARY_FIELD, HeaderValue::from_static("Accept-Encoding"))?;
        for other in others {
            answer.add(&VARY_FIELD, other)?;
        }
    }
    if !plan.changes_body() {
        return Ok(());
    }
    answer.remove(&CONTENT_LENGTH);
    if telling.has_body && telling.in_chunks {
        answer.set(&TRANSFER_ENCODING_FIELD, HeaderValue::from_static("chunked"))?;
    }
    if plan.unpack {
        answer.remove(&CONTENT_ENCODING);
    }
    if plan.substitute && !settings.sub_filter.last_modified {
        answer.remove(&LAST_MODIFIED);
        answer.remove(&ETAG);
    }
    if let Some(coding) = plan.coding {
        answer.add(&CONTENT_ENCODING_FIELD, HeaderValue::from_static(coding.name()))?;
    }
    if plan.unpack || plan.coding.is_some() {
        answer.remove(&ACCEPT_RANGES);
    }
    weaken_etag(answer)
}

/// A validator of other bytes does not hold for each byte of these.
fn weaken_etag<F: Fields>(answer: &mut F) -> Result<(), F::Error> {
    let Some(etag) = answer.map().get(ETAG) else { return Ok(()) };
    let weak = match etag.as_bytes() {
        [b'W', b'/', _, ..] => return Ok(()),
        [b'"', ..] => HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat()).ok(),
        _ => None,
    };
    match weak {
        Some(weak) => answer.set(&ETAG_FIELD, weak),
        None => {
            answer.remove(&ETAG);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT_ENCODING;

    use super::super::testing::{Plain, wire};
    use super::*;
    use crate::config::testing::{accepted, in_location};

    fn settings(text: &str) -> Settings {
        accepted(&in_location(text)).http.servers[0].locations[0].settings.clone()
    }

    /// The header that a client gets which takes `accepted`, of an answer with `status` and the fields `answer`.
    fn sent(text: &str, takes: &str, status: u16, answer: &str) -> String {
        let settings = settings(text);
        let request = HeaderMap::from_iter([(ACCEPT_ENCODING, takes.parse().unwrap())]);
        let client =
            Client { fields: &request, version: Version::HTTP_11, takes_gzip: None, now: || 1_000_000_000 };
        let mut fields = Plain::of(answer);
        let status = StatusCode::from_u16(status).unwrap();
        let plan = decide(&settings, client, Answer::of(status, fields.map()));
        assert!(settings.change_bodies() || plan == Plan::default());
        apply(plan, &settings, &mut fields, Telling { has_body: true, in_chunks: true }, false).unwrap();
        wire(&fields)
    }

    const PAGE: &str = "content-type: text/html|content-length: 100";
    const PACKED: &str = "content-type: text/html|Transfer-Encoding: chunked|Content-Encoding: ";

    #[test]
    fn the_first_coding_that_the_client_takes_is_used() {
        let all = "gzip on; brotli on; zstd on;";
        for (text, takes, coding) in [
            (all, "gzip, deflate, br, zstd", "br"),
            (all, "gzip, zstd", "zstd"),
            (all, "gzip", "gzip"),
            (all, "gzip, br;q=0", "gzip"),
            ("gzip on;", "gzip, br", "gzip"),
        ] {
            assert_eq!(sent(text, takes, 200, PAGE), format!("{PACKED}{coding}"), "{text} {takes}");
        }
        assert_eq!(sent(all, "identity", 200, PAGE), PAGE);
        assert_eq!(sent("", "gzip, br", 200, PAGE), PAGE);
    }

    #[test]
    fn what_gzip_leaves_alone() {
        for (text, status, answer) in [
            ("gzip on;", 500, PAGE),
            ("gzip on;", 206, PAGE),
            ("gzip on;", 304, ""),
            ("gzip on;", 200, "content-type: text/css|content-length: 100"),
            ("gzip on;", 200, "content-type: text/html; x=y|content-length: 100"),
            ("gzip on;", 200, "content-type: text/html|content-length: 19"),
            ("gzip on; gzip_min_length 101;", 200, PAGE),
            ("gzip on;", 200, "content-type: text/html|content-encoding: br"),
            ("gzip on;", 200, "content-length: 100"),
        ] {
            assert_eq!(sent(text, "gzip", status, answer), answer, "{text} {status}");
        }
        for (text, status, answer) in [
            ("gzip on;", 403, "content-type: Text/HTML; charset=utf-8"),
            ("gzip on; gzip_types a/b;", 404, "content-type: a/b"),
            ("gzip on; gzip_types *;", 200, ""),
            ("gzip on; gzip_min_length 100;", 200, PAGE),
        ] {
            assert!(sent(text, "gzip", status, answer).contains("Content-Encoding: gzip"), "{text} {answer}");
        }
    }

    #[test]
    fn validators_and_ranges_follow() {
        let answer = "content-type: text/html|etag: \"a\"|last-modified: x|accept-ranges: bytes";
        let chunks = "Transfer-Encoding: chunked";
        for (text, expected) in [
            (
                "gzip on;",
                format!(
                    "content-type: text/html|last-modified: x|{chunks}|Content-Encoding: gzip|ETag: W/\"a\""
                ),
            ),
            ("sub_filter a b;", format!("content-type: text/html|accept-ranges: bytes|{chunks}")),
            (
                "sub_filter a b; sub_filter_last_modified on;",
                format!(
                    "content-type: text/html|last-modified: x|accept-ranges: bytes|{chunks}|ETag: W/\"a\""
                ),
            ),
        ] {
            let mut shown: Vec<String> =
                sent(text, "gzip", 200, answer).split('|').map(str::to_owned).collect();
            let mut expected: Vec<String> = expected.split('|').map(str::to_owned).collect();
            shown.sort();
            expected.sort();
            assert_eq!(shown, expected, "{text}");
        }
        assert!(!sent("gzip on;", "gzip", 200, "content-type: text/html|etag: bare").contains("etag"));
        assert!(
            sent("gzip on;", "gzip", 200, "content-type: text/html|etag: W/\"a\"").contains("etag: W/\"a\"")
        );
    }

    #[test]
    fn gunzip_is_for_who_takes_no_gzip() {
        let packed = "content-type: text/html|content-encoding: gzip|content-length: 9";
        let unpacked = "content-type: text/html|Transfer-Encoding: chunked";
        assert_eq!(sent("gunzip on;", "identity", 200, packed), unpacked);
        assert_eq!(sent("gunzip on;", "gzip", 200, packed), packed);
        assert_eq!(sent("gunzip on;", "identity", 200, PAGE), PAGE);
        assert_eq!(
            sent("gunzip on; brotli on;", "br", 200, packed),
            format!("{unpacked}|Content-Encoding: br")
        );
    }

    #[test]
    fn vary_is_said_where_another_client_gets_another_body() {
        let vary = "Vary: Accept-Encoding";
        for (text, takes, status, answer, varies) in [
            ("gzip on; gzip_vary on;", "gzip", 200, PAGE, true),
            ("gzip on; gzip_vary on;", "identity", 200, PAGE, true),
            ("gzip on; gzip_vary on;", "gzip", 500, PAGE, false),
            ("gzip on;", "gzip", 200, PAGE, false),
            ("gzip_vary on;", "gzip", 200, PAGE, false),
            ("gunzip on; gzip_vary on;", "gzip", 200, "content-encoding: gzip", true),
            ("sub_filter a b; gzip_vary on;", "gzip", 200, PAGE, false),
        ] {
            assert_eq!(sent(text, takes, status, answer).contains(vary), varies, "{text} {takes} {status}");
        }
    }
}
