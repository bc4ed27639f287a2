//! What holds for the bytes of any client of HTTP/2: frames, what they cost, and requests.

use http::header::{COOKIE, HOST, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Request};

use super::budget::Budget;
use super::frames::{DATA, Frame, FrameScanner, HEAD_BYTES, HEADERS, RST_STREAM, WINDOW_UPDATE};
use super::hygiene::{judge, request_line};
use super::preface::{FirstBytes, PREFACE, look};
use crate::config::model::HeaderLimits;
use crate::connection::h1::hygiene::{self, Framing, Verdict};

const LIMITS: HeaderLimits = HeaderLimits { line_bytes: 256, total_bytes: 1024 };
const MAX_FIELDS: usize = 20;

/// The bytes are taken as a stream of frames, and as a request in words: `METHOD TARGET AUTHORITY` in the first line, a
/// field in each of the others.
pub(crate) fn check(bytes: &[u8]) {
    preface(bytes);
    let found = frames(bytes);
    budget(&found);
    for has_ended in [true, false] {
        if let Some(parts) = parts_of(bytes) {
            request(parts, has_ended);
        }
    }
}

fn preface(bytes: &[u8]) {
    let whole = look(bytes);
    assert_eq!(whole == FirstBytes::Http2, bytes.starts_with(PREFACE));
    for end in 0..bytes.len().min(PREFACE.len()) {
        match look(&bytes[..end]) {
            FirstBytes::Perhaps => {}
            said => assert_eq!(said, whole, "its first {end} bytes"),
        }
    }
}

/// The frames of the bytes, which are found in any split and are those that a reader finds who has all of them.
fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut whole = Vec::new();
    FrameScanner::after(0).advance(bytes, |frame| whole.push(frame));
    for size in [1, 2, 7, 30] {
        let (mut scanner, mut found) = (FrameScanner::after(0), Vec::new());
        bytes.chunks(size).for_each(|piece| scanner.advance(piece, |frame| found.push(frame)));
        assert_eq!(found, whole, "in pieces of {size}");
    }
    let mut rest = bytes;
    let mut expected = Vec::new();
    while let Some((head, behind)) = rest.split_at_checked(HEAD_BYTES) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & (u32::MAX >> 1);
        let mut code = 0;
        if head[3] == RST_STREAM && length == 4 {
            let Some(bytes) = behind.first_chunk::<4>() else { break };
            code = u32::from_be_bytes(*bytes);
        }
        expected.push(Frame { kind: head[3], flags: head[4], stream, length, code });
        rest = behind.get(length as usize..).unwrap_or_default();
    }
    assert_eq!(whole, expected);
    whole
}

/// A client that sends these frames again and again, and gets no answer, is ended, unless it sends bodies.
fn budget(frames: &[Frame]) {
    let earns = |frame: &Frame| frame.kind == DATA && (frame.length > 0 || frame.ends_stream());
    let costs = |frame: &Frame| !matches!(frame.kind, HEADERS | WINDOW_UPDATE | DATA);
    if frames.is_empty() || frames.iter().any(earns) || !frames.iter().any(costs) {
        return;
    }
    let pays = |frame: &Frame| frame.kind == super::frames::CONTINUATION && frame.length > 0;
    if frames.iter().filter(|frame| costs(frame)).all(pays) {
        return;
    }
    let mut budget = Budget::new(128);
    for _ in 0..10_000 {
        if budget.is_exhausted() {
            return;
        }
        frames.iter().for_each(|frame| budget.received(*frame));
    }
    assert!(budget.is_exhausted(), "{frames:?}");
}

/// What the h2 crate would hand over for it; none of what it refuses itself.
fn parts_of(bytes: &[u8]) -> Option<Parts> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.split('\n');
    let mut words = lines.next()?.split(' ');
    let mut uri = http::Uri::builder();
    let (method, target) = (words.next()?, words.next()?);
    if let Some(authority) = words.next() {
        uri = uri.scheme("https").authority(authority);
    }
    let request = Request::builder().method(method).uri(uri.path_and_query(target).build().ok()?);
    let (mut parts, ()) = request.body(()).ok()?.into_parts();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_lowercase(name.as_bytes()).ok()?;
        let of_the_connection =
            ["connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"];
        if of_the_connection.contains(&name.as_str()) {
            return None;
        }
        parts.headers.append(name, HeaderValue::from_str(value).ok()?);
    }
    Some(parts)
}

/// What is admitted is admitted in HTTP/1, too, with the same body: so nobody behind reads it in another way.
fn request(mut parts: Parts, has_ended: bool) {
    let line = request_line(&parts);
    let Ok(shape) = judge(&mut parts, has_ended, LIMITS, MAX_FIELDS) else { return };
    let target = &line[shape.target.0..shape.target.1];
    assert_eq!(target.first(), Some(&b'/'));
    assert_eq!(&line[..shape.method_bytes], parts.method.as_str().as_bytes());
    assert_eq!(parts.headers.get_all(HOST).iter().count(), 1);
    assert!(parts.headers.get_all(COOKIE).iter().count() <= 1);
    let mut head = [&line[..shape.method_bytes], b" ", target, b" HTTP/1.1\r\n"].concat();
    for (name, value) in &parts.headers {
        head.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    if shape.framing == Framing::Chunked {
        head.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    head.extend_from_slice(b"\r\n");
    let mut again = parts.clone();
    // The host is a field now, and cookies are one, which count.
    let wider = HeaderLimits { line_bytes: 1 << 16, total_bytes: 1 << 16 };
    assert_eq!(judge(&mut again, has_ended, wider, MAX_FIELDS + 1).as_ref(), Ok(&shape), "judged again");
    match hygiene::judge(&head, hygiene::MAX_FIELDS) {
        Verdict::Admit(in_http_1, _) => {
            assert_eq!(in_http_1.framing, shape.framing);
            assert_eq!(in_http_1.expects_continue, shape.expects_continue);
        }
        Verdict::Refuse(reason) => panic!("{} is refused in HTTP/1: {reason:?}", head.escape_ascii()),
    }
}
