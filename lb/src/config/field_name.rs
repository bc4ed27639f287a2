//! The name of a header field: compared without case, sent as it was written.

use std::fmt;

use bytes::Bytes;
use http::HeaderName;

/// A field's name, in both forms. Cloning either costs no allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldName {
    name: HeaderName,
    written: Bytes,
}

impl FieldName {
    /// A name that nginx knows, as nginx writes it.
    pub const fn known(name: HeaderName, written: &'static str) -> Self {
        Self { name, written: Bytes::from_static(written.as_bytes()) }
    }

    /// A name from a configuration; `None` where it is none.
    pub fn parse(written: &str) -> Option<Self> {
        let name = HeaderName::from_bytes(written.as_bytes()).ok()?;
        Some(Self { name, written: Bytes::copy_from_slice(written.as_bytes()) })
    }

    /// The form that is compared.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The form that is sent.
    pub fn written(&self) -> &Bytes {
        &self.written
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.escape_ascii().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_case_and_compares_without() {
        let name = FieldName::parse("X-MiXed").unwrap();
        assert_eq!((name.name().as_str(), name.to_string().as_str()), ("x-mixed", "X-MiXed"));
        assert_eq!(FieldName::parse("X Mixed"), None);
        assert_eq!(FieldName::parse(""), None);
    }
}
