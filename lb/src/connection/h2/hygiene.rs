//! The rules that a request of HTTP/2 must satisfy. Pure; runs once per request.
//!
//! The h2 crate has read the header and refused what RFC 9113 calls malformed: names in upper case, fields of a connection,
//! pseudo-header fields that are missing, unknown, doubled or behind others, a length that the body does not have. What is
//! left is what the servers behind would not expect of an nginx: the rules of HTTP/1's `hygiene` for methods, targets,
//! hosts, lengths and sizes. An admitted request looks as if it had come in HTTP/1: its host is in `Host`, and its cookies
//! are in one field (RFC 9113, section 8.2.3).

use http::header::{COOKIE, HOST, HeaderMap, HeaderValue};
use http::request::Parts;

use crate::config::model::HeaderLimits;
use crate::connection::h1::hygiene::{
    Framing, HopFields, HttpVersion, MAX_FIELDS, NameKind, Reason, Shape, name_kind,
};
use crate::connection::h1::target::{has_broken_escape, is_method_byte, is_valid_host};

/// The end of `$request`.
const PROTOCOL: &[u8] = b" HTTP/2.0";

/// What a request line of HTTP/1 would be.
pub(in crate::connection) fn request_line(parts: &Parts) -> Box<[u8]> {
    let method = parts.method.as_str().as_bytes();
    let target = target(parts).as_bytes();
    let mut line = Vec::with_capacity(method.len() + 1 + target.len() + PROTOCOL.len());
    for part in [method, b" ", target, PROTOCOL] {
        line.extend_from_slice(part);
    }
    line.into()
}

fn target(parts: &Parts) -> &str {
    parts.uri.path_and_query().map_or("", |target| target.as_str())
}

/// Checks a request, and gives its fields the form that they have in HTTP/1. `has_ended`: no body follows the header.
pub(in crate::connection) fn judge(
    parts: &mut Parts,
    has_ended: bool,
    limits: HeaderLimits,
    max_fields: usize,
) -> Result<Shape, Reason> {
    let method_bytes = parts.method.as_str().len();
    match parts.method.as_str().as_bytes() {
        b"CONNECT" => return Err(Reason::ConnectMethod),
        b"TRACE" => return Err(Reason::TraceMethod),
        method if !method.iter().all(|byte| is_method_byte(*byte)) => return Err(Reason::InvalidMethod),
        _ => {}
    }
    let target = target(parts).as_bytes();
    if target.len() > limits.line_bytes {
        return Err(Reason::RequestLineTooLong);
    }
    if target.first() != Some(&b'/') || has_broken_escape(target) {
        return Err(Reason::InvalidRequestLine);
    }
    let target = (method_bytes + 1, method_bytes + 1 + target.len());

    let fields = Fields::read(&parts.headers, limits, max_fields)?;
    set_host(parts)?;
    if fields.cookies > 1 {
        join_cookies(&mut parts.headers)?;
    }
    let framing = match fields.length {
        Some(length) => Framing::Length(length),
        None if has_ended => Framing::Empty,
        None => Framing::Chunked,
    };
    Ok(Shape {
        version: HttpVersion::Http2,
        framing,
        method_bytes,
        target,
        path_start: target.0,
        upgrade: false,
        expects_continue: fields.expects_continue == Some(true),
        keep_alive: true,
        unusual_names: fields.unusual_names,
        hop_fields: fields.hop_fields,
    })
}

#[derive(Default)]
struct Fields {
    cookies: usize,
    length: Option<u64>,
    expects_continue: Option<bool>,
    unusual_names: bool,
    hop_fields: HopFields,
}

impl Fields {
    fn read(headers: &HeaderMap, limits: HeaderLimits, max_fields: usize) -> Result<Self, Reason> {
        if headers.len() > max_fields.min(MAX_FIELDS) {
            return Err(Reason::TooManyFields);
        }
        let mut fields = Self::default();
        let mut total_bytes = 0;
        for (name, value) in headers {
            // As a line of HTTP/1: a colon, a space, a line end.
            let bytes = name.as_str().len() + value.len() + 4;
            if bytes > limits.line_bytes {
                return Err(Reason::FieldTooLong);
            }
            total_bytes += bytes;
            if total_bytes > limits.total_bytes {
                return Err(Reason::HeaderTooLarge);
            }
            fields.read_one(name.as_str(), value)?;
        }
        Ok(fields)
    }

    fn read_one(&mut self, name: &str, value: &HeaderValue) -> Result<(), Reason> {
        // `http` takes a quotation mark for a letter of names, which it is in no version of HTTP.
        let kind = name_kind(name.as_bytes()).ok_or(Reason::InvalidField)?;
        self.unusual_names |= kind == NameKind::Unusual;
        match name {
            "cookie" => self.cookies += 1,
            "content-length" => {
                let length = length(value.as_bytes())?;
                if self.length.replace(length).is_some() {
                    return Err(Reason::DuplicateLength);
                }
            }
            "expect" => {
                let expects_continue = value.as_bytes().eq_ignore_ascii_case(b"100-continue");
                if self.expects_continue.replace(expects_continue).is_some() {
                    return Err(Reason::DuplicateExpectation);
                }
            }
            "te" | "trailer" | "http2-settings" | "proxy-authenticate" | "proxy-authorization" => {
                self.hop_fields = HopFields::More;
            }
            _ => {}
        }
        Ok(())
    }
}

fn length(value: &[u8]) -> Result<u64, Reason> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let length =
        std::str::from_utf8(value).ok().filter(|_| is_number).and_then(|text| text.parse::<i64>().ok());
    length.and_then(|length| u64::try_from(length).ok()).ok_or(Reason::InvalidLength)
}

/// Puts the host that `:authority` names into `Host`. Both may be there if they say the same.
fn set_host(parts: &mut Parts) -> Result<(), Reason> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() {
        return Err(Reason::DuplicateHost);
    }
    match (parts.uri.authority().map(|authority| authority.as_str()), host) {
        (None, None) => Err(Reason::MissingHost),
        (None, Some(host)) if is_valid_host(host.as_bytes()) => Ok(()),
        (Some(authority), _) if !is_valid_host(authority.as_bytes()) => Err(Reason::InvalidHost),
        (None, Some(_)) => Err(Reason::InvalidHost),
        (Some(authority), Some(host)) if host.as_bytes() == authority.as_bytes() => Ok(()),
        (Some(_), Some(_)) => Err(Reason::DuplicateHost),
        (Some(authority), None) => {
            let host = HeaderValue::from_str(authority).map_err(|_| Reason::InvalidHost)?;
            parts.headers.insert(HOST, host);
            Ok(())
        }
    }
}

fn join_cookies(headers: &mut HeaderMap) -> Result<(), Reason> {
    let mut joined = Vec::new();
    for cookie in headers.get_all(COOKIE) {
        if !joined.is_empty() {
            joined.extend_from_slice(b"; ");
        }
        joined.extend_from_slice(cookie.as_bytes());
    }
    let joined =
        HeaderValue::from_maybe_shared(bytes::Bytes::from(joined)).map_err(|_| Reason::InvalidField)?;
    headers.insert(COOKIE, joined);
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http::header::HeaderName;

    use super::*;

    const LIMITS: HeaderLimits = HeaderLimits { line_bytes: 200, total_bytes: 600 };

    fn parts(method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn judged(method: &str, uri: &str, fields: &[(&str, &str)]) -> Result<(Shape, HeaderMap), Reason> {
        let mut parts = parts(method, uri, fields);
        judge(&mut parts, true, LIMITS, 8).map(|shape| (shape, parts.headers))
    }

    #[test]
    fn a_request_becomes_one_of_http_1() {
        let mut parts = parts(
            "GET",
            "https://example.org:8443/a%20b?c=d",
            &[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("te", "trailers")],
        );
        assert_eq!(&*request_line(&parts), b"GET /a%20b?c=d HTTP/2.0");
        let shape = judge(&mut parts, true, LIMITS, 8).unwrap();
        assert_eq!(parts.headers[HOST], "example.org:8443");
        let cookies: Vec<_> = parts.headers.get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; b=2"]);
        assert_eq!((shape.method_bytes, shape.target, shape.path_start), (3, (4, 14), 4));
        assert_eq!((shape.framing, shape.hop_fields), (Framing::Empty, HopFields::More));
        assert!(!shape.upgrade && !shape.unusual_names && shape.keep_alive);
    }

    #[test]
    fn the_length_of_a_body_is_known_or_not() {
        let framing = |fields: &[_], has_ended| {
            let mut parts = parts("POST", "http://a/", fields);
            judge(&mut parts, has_ended, LIMITS, 8).unwrap().framing
        };
        assert_eq!(framing(&[], true), Framing::Empty);
        assert_eq!(framing(&[], false), Framing::Chunked);
        assert_eq!(framing(&[("content-length", "7")], false), Framing::Length(7));
        assert_eq!(framing(&[("content-length", "0")], true), Framing::Length(0));
    }

    #[test]
    fn what_nginx_refuses_is_refused() {
        let long = "x".repeat(300);
        let long_target = format!("http://a/{long}");
        let many: Vec<_> = (0..9).map(|_| ("x", "y")).collect();
        let large: Vec<_> = (0..4).map(|_| ("x", &long[..190])).collect();
        for (method, uri, fields, reason) in [
            ("CONNECT", "http://a/", &[][..], Reason::ConnectMethod),
            ("TRACE", "http://a/", &[], Reason::TraceMethod),
            ("get", "http://a/", &[], Reason::InvalidMethod),
            ("G.T", "http://a/", &[], Reason::InvalidMethod),
            ("OPTIONS", "*", &[("host", "a")], Reason::InvalidRequestLine),
            ("GET", "http://a/%zz", &[], Reason::InvalidRequestLine),
            ("GET", "http://a/%00", &[], Reason::InvalidRequestLine),
            ("GET", &long_target, &[], Reason::RequestLineTooLong),
            ("GET", "http://a/", &[("x", &long)], Reason::FieldTooLong),
            ("GET", "http://a/", &large, Reason::HeaderTooLarge),
            ("GET", "http://a/", &many, Reason::TooManyFields),
            ("GET", "/", &[], Reason::MissingHost),
            ("GET", "/", &[("host", "a"), ("host", "a")], Reason::DuplicateHost),
            ("GET", "http://a/", &[("host", "b")], Reason::DuplicateHost),
            ("GET", "http://u@a/", &[], Reason::InvalidHost),
            ("GET", "/", &[("host", "a/b")], Reason::InvalidHost),
            ("GET", "/", &[("host", "")], Reason::InvalidHost),
            (
                "GET",
                "http://a/",
                &[("content-length", "1"), ("content-length", "1")],
                Reason::DuplicateLength,
            ),
            ("GET", "http://a/", &[("content-length", "+1")], Reason::InvalidLength),
            ("GET", "http://a/", &[("content-length", "9999999999999999999")], Reason::InvalidLength),
            ("GET", "http://a/", &[("expect", "x"), ("expect", "x")], Reason::DuplicateExpectation),
        ] {
            assert_eq!(judged(method, uri, fields).err(), Some(reason), "{method} {uri} {fields:?}");
        }
    }

    #[test]
    fn a_name_that_http_1_does_not_have_is_refused() {
        let mut parts = parts("GET", "http://a/", &[]);
        // As the h2 crate makes names.
        let name = HeaderName::from_lowercase(b"x\"y").unwrap();
        parts.headers.insert(name, HeaderValue::from_static("z"));
        assert_eq!(judge(&mut parts, true, LIMITS, 8), Err(Reason::InvalidField));
    }

    #[test]
    fn what_nginx_lets_in_is_let_in() {
        for (method, uri, fields) in [
            ("GET", "http://a/", &[("host", "a")][..]),
            ("GET", "/", &[("host", "a:8080")]),
            ("PURGE", "http://a/", &[]),
            ("GET", "http://[::1]:80/", &[]),
            ("POST", "http://a/", &[("expect", "100-continue")]),
            ("GET", "http://a/", &[("x_y", "z")]),
        ] {
            let judged = judged(method, uri, fields);
            assert!(judged.is_ok(), "{method} {uri} {fields:?}: {judged:?}");
        }
    }
}
