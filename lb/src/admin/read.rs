//! The answers of the admin listener: `/healthz` and `/metrics`, and an index of both.
//!
//! Read only: a scrape by any client that may reach the listener is harmless.

use http::header::{ALLOW, CACHE_CONTROL, HeaderValue};
use http::{Method, StatusCode};
use pingora::http::RequestHeader;

use super::metrics;
use crate::config::model::FieldName;
use crate::content::Answer;
use crate::routing::path::Target;
use crate::server::ServerState;

/// The media type of Prometheus' text format.
const EXPOSITION_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const INDEX: &str = "Cirque\n\n/healthz   200 once every listener accepts; closed once stopping\n\
                     /metrics   Prometheus text format\n";

/// Answers one request.
pub(super) fn answer(request: &RequestHeader, state: &ServerState) -> Answer {
    if request.method != Method::GET && request.method != Method::HEAD {
        return Answer::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n")
            .with(FieldName::known(ALLOW, "Allow"), HeaderValue::from_static("GET, HEAD"));
    }
    let answer = match Target::split(request.raw_path()).path {
        b"/" => Answer::text(StatusCode::OK, INDEX),
        b"/healthz" if state.is_ready() => Answer::text(StatusCode::OK, "ok\n"),
        b"/healthz" => Answer::text(StatusCode::SERVICE_UNAVAILABLE, "not accepting\n"),
        b"/metrics" => {
            let mut answer = Answer::text(StatusCode::OK, metrics::render(state));
            answer.content_type = Some(HeaderValue::from_static(EXPOSITION_TYPE));
            answer
        }
        _ => Answer::text(StatusCode::NOT_FOUND, INDEX),
    };
    answer.with(FieldName::known(CACHE_CONTROL, "Cache-Control"), HeaderValue::from_static("no-store"))
}
