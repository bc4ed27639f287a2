//! A complete answer made by this program, small enough to be held in memory.

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderValue;

use super::page;
use crate::config::model::FieldName;

/// Status, body, and the fields that belong to them. The fields of the connection and of the server are added when it
/// is written.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// `Content-Type`; `None` without a body.
    pub content_type: Option<HeaderValue>,
    /// The other fields.
    pub headers: Vec<(FieldName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The standard page of a status.
    pub fn standard(status: StatusCode, with_version: bool) -> Self {
        Self {
            status: page::seen_as(status),
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
