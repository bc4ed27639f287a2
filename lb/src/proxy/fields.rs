//! Pingora's headers as [`Fields`].

use http::header::{HeaderMap, HeaderName, HeaderValue};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{BError, Result};

use crate::config::model::FieldName;
use crate::request::headers::Fields;

/// As nginx writes it.
pub(super) const ACCEPT_RANGES: &str = "Accept-Ranges";
/// The same.
pub(super) const CONTENT_RANGE: &str = "Content-Range";

impl Fields for RequestHeader {
    type Error = BError;

    fn map(&self) -> &HeaderMap {
        &self.headers
    }

    fn set(&mut self, name: &FieldName, value: HeaderValue) -> Result<()> {
        self.insert_header(name.written().clone(), value)
    }

    fn add(&mut self, name: &FieldName, value: HeaderValue) -> Result<()> {
        self.append_header(name.written().clone(), value).map(|_| ())
    }

    fn remove(&mut self, name: &HeaderName) -> Option<HeaderValue> {
        self.remove_header(name)
    }
}

impl Fields for ResponseHeader {
    type Error = BError;

    fn map(&self) -> &HeaderMap {
        &self.headers
    }

    fn set(&mut self, name: &FieldName, value: HeaderValue) -> Result<()> {
        self.insert_header(name.written().clone(), value)
    }

    fn add(&mut self, name: &FieldName, value: HeaderValue) -> Result<()> {
        self.append_header(name.written().clone(), value).map(|_| ())
    }

    fn remove(&mut self, name: &HeaderName) -> Option<HeaderValue> {
        self.remove_header(name)
    }
}
