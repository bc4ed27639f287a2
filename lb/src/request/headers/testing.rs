//! Fields without Pingora, for tables.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::Fields;
use crate::config::model::FieldName;

/// A plain header map, and the names as they were written.
pub(super) struct Plain(HeaderMap, HeaderMap<String>);

impl Plain {
    /// Reads `name: value|name: value`.
    pub(super) fn of(text: &str) -> Self {
        let mut plain = Self(HeaderMap::new(), HeaderMap::with_capacity(4));
        for field in text.split('|').filter(|field| !field.is_empty()) {
            let (name, value) = field.split_once(": ").unwrap();
            plain.add(&FieldName::parse(name).unwrap(), value.parse().unwrap()).unwrap();
        }
        plain
    }
}

/// Writes what [`Plain::of`] reads.
pub(super) fn wire(fields: &Plain) -> String {
    let both = fields.0.values().zip(fields.1.values());
    let fields: Vec<String> =
        both.map(|(value, name)| format!("{name}: {}", value.to_str().unwrap())).collect();
    fields.join("|")
}

impl Fields for Plain {
    type Error = std::convert::Infallible;

    fn map(&self) -> &HeaderMap {
        &self.0
    }

    fn set(&mut self, name: &FieldName, value: HeaderValue) -> Result<(), Self::Error> {
        self.0.insert(name.name(), value);
        self.1.insert(name.name(), name.to_string());
        Ok(())
    }

    fn add(&mut self, name: &FieldName, value: HeaderValue) -> Result<(), Self::Error> {
        self.0.append(name.name(), value);
        self.1.append(name.name(), name.to_string());
        Ok(())
    }

    fn remove(&mut self, name: &HeaderName) -> Option<HeaderValue> {
        self.1.remove(name);
        self.0.remove(name)
    }
}
