//! A complete answer of our own, small enough to stand in memory.

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderValue;

use super::page;
use crate::config::model::FieldName;

/// Status, body, and the fields that belong to them. The connection's and the server's fields are added when it is
/// written.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// `Content-Type`; `None` where there is no body to speak of.
    pub content_type: Option<HeaderValue>,
    /// Further fields.
    pub headers: Vec<(FieldName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The standard page of a status.
    pub fn standard(status: StatusCode, with_version: bool) -> Self {
        Self {
            status,
            content_type: Some(HeaderValue::from_static("text/html")),
            headers: Vec::new(),
            body: page::standard_page(status, with_version),
        }
    }

    /// A plain text.
    pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: Some(HeaderValue::from_static("text/plain; charset=utf-8")),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// Adds a field.
    pub fn with(mut self, name: FieldName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}
