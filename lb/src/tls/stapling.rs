//! `ssl_stapling`: the authority's word on a certificate, fetched while the server runs and shown with the certificate.
//!
//! A handshake takes the certificate as it stands in [`Stapled`] and never waits. Whoever runs a configuration asks for its
//! [`Stapled`] certificates, sends what [`Stapled::request`] says, and hands the answer to [`Stapled::take`], which says
//! when to ask again. An answer is shown until its end and no longer.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::prelude::{BASE64_STANDARD, Engine};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::sign::CertifiedKey;

use super::ocsp::{Answer, Question};
use crate::config::model::Resolver;

/// nginx's figures: when to ask again, in seconds.
const SOON: i64 = 300;
const LATER: i64 = 3600;

/// What stays as it is in a path: RFC 3986's unreserved characters.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where an authority is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Responder {
    /// A name or an address, without the brackets of IPv6.
    pub host: String,
    /// Its port; 80 where none is written.
    pub port: u16,
    /// As the `Host` field has it: without the port, as in nginx.
    shown: String,
    path: String,
}

impl Responder {
    /// Of a URL, which must be of `http`, as in nginx.
    pub(super) fn of(url: &str) -> Option<Self> {
        let rest = url.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://")).map(|_| &url[7..])?;
        let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let uri: http::uri::Authority = authority.parse().ok()?;
        let host = uri.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(80);
        (!host.is_empty()).then(|| Self { host, port, shown: uri.host().to_owned(), path: path.to_owned() })
    }
}

/// A certificate whose authority is asked about it.
#[derive(Debug)]
pub struct Stapled {
    /// The certificate's file, for the log.
    pub file: String,
    /// Who is asked.
    pub responder: Responder,
    /// `resolver`, for its name.
    pub resolver: Option<Resolver>,
    pub(super) question: Question,
    /// `ssl_stapling_verify`
    pub(super) verify: bool,
    pub(super) shown: ArcSwap<CertifiedKey>,
}

/// When something is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// The authority is to be asked again.
    pub ask_in: Duration,
    /// The answer at hand ends, and is no longer to be shown.
    pub end_in: Option<Duration>,
}

impl Stapled {
    /// The request to the responder, in HTTP/1.0 as nginx's.
    pub fn request(&self) -> Option<String> {
        let question = BASE64_STANDARD.encode(self.question.to_der()?);
        let question = utf8_percent_encode(&question, COMPONENT);
        let Responder { shown, path, .. } = &self.responder;
        let slash = if path.ends_with('/') { "" } else { "/" };
        Some(format!("GET {path}{slash}{question} HTTP/1.0\r\nHost: {shown}\r\n\r\n"))
    }

    /// Takes the responder's whole answer at `now`, in seconds since 1970: a good one is shown from now on.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in nginx's words. What was shown before goes on.
    pub fn take(&self, answer: &[u8], now: i64) -> Result<Next, String> {
        let body = body(answer)?;
        let Answer { until } = self.question.judge(body, self.verify, now)?;
        let mut shown = CertifiedKey::clone(&self.shown.load());
        shown.ocsp = Some(body.to_vec());
        self.shown.store(Arc::new(shown));
        Ok(next(until, now))
    }

    /// Shows the certificate alone: the answer has ended.
    pub fn end(&self) {
        let mut shown = CertifiedKey::clone(&self.shown.load());
        shown.ocsp = None;
        self.shown.store(Arc::new(shown));
    }
}

/// When to ask again after a failure.
pub const AFTER_A_FAILURE: Duration = Duration::from_secs(SOON as u64);

/// nginx's rule: an hour later, or five minutes before the end if that comes first; but not within five minutes.
fn next(until: Option<i64>, now: i64) -> Next {
    let left = until.map(|until| until.saturating_sub(now).max(0));
    let ask_in = left.map_or(LATER, |left| left.saturating_sub(SOON).min(LATER)).max(SOON);
    let duration = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
    Next { ask_in: duration(ask_in), end_in: left.map(duration) }
}

/// The body of an answer of HTTP: what is behind its header, which must say that it is of OCSP.
fn body(answer: &[u8]) -> Result<&[u8], String> {
    let invalid = || "OCSP responder sent invalid response".to_owned();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(invalid)?;
    let (head, body) = (&answer[..end], &answer[end + 4..]);
    let head = std::str::from_utf8(head).map_err(|_| invalid())?;
    let mut lines = head.split("\r\n");
    if !lines.next().is_some_and(|status| status.starts_with("HTTP/1.")) {
        return Err(invalid());
    }
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-type")
            && !value.eq_ignore_ascii_case("application/ocsp-response")
        {
            return Err(format!("OCSP responder sent invalid \"Content-Type\" header: \"{value}\""));
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_responder_is_read_from_its_url() {
        let read = |url: &str| Responder::of(url).map(|one| (one.host, one.port, one.shown, one.path));
        for (url, host, port, shown, path) in [
            ("http://ocsp.test", "ocsp.test", 80, "ocsp.test", "/"),
            ("HTTP://ocsp.test:8080/a/b", "ocsp.test", 8080, "ocsp.test", "/a/b"),
            ("http://[::1]:81/", "::1", 81, "[::1]", "/"),
        ] {
            assert_eq!(read(url), Some((host.to_owned(), port, shown.to_owned(), path.to_owned())), "{url}");
        }
        for url in ["https://ocsp.test/", "ocsp.test", "http://", "http:///a", ""] {
            assert_eq!(read(url), None, "{url}");
        }
    }

    #[test]
    fn the_authority_is_asked_again_in_time_and_not_too_often() {
        for (until, ask_in, end_in) in [
            (None, 3600, None),
            (Some(100_000), 3600, Some(99_000)),
            (Some(3000), 1700, Some(2000)),
            (Some(1400), 300, Some(400)),
            (Some(900), 300, Some(0)),
        ] {
            let next = next(until, 1000);
            assert_eq!(
                (next.ask_in.as_secs(), next.end_in.map(|end| end.as_secs())),
                (ask_in, end_in),
                "{until:?}"
            );
        }
    }

    #[test]
    fn an_answer_of_http_must_be_one_of_ocsp() {
        let of = |answer: &str| body(answer.as_bytes()).map(<[u8]>::to_vec);
        assert_eq!(
            of("HTTP/1.0 200 OK\r\nContent-type: application/ocsp-response\r\n\r\nx\r\n\r\n"),
            Ok(b"x\r\n\r\n".to_vec())
        );
        assert_eq!(of("HTTP/1.1 200 OK\r\n\r\n"), Ok(Vec::new()));
        for (answer, words) in [
            (
                "HTTP/1.0 404 Not Found\r\nContent-Type: text/html\r\n\r\nx",
                "invalid \"Content-Type\" header: \"text/html\"",
            ),
            ("HTTP/1.0 200 OK\r\nContent-Type: x", "invalid response"),
            ("SSH-2.0\r\n\r\n", "invalid response"),
            ("", "invalid response"),
        ] {
            assert!(of(answer).unwrap_err().ends_with(words), "{answer}");
        }
    }
}
