//! Fields without Pingora, for tables.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::Fields;

/// A plain header map.
pub(super) struct Plain(HeaderMap);

impl Plain {
    /// Reads `name: value|name: value`.
    pub(super) fn of(text: &str) -> Self {
        let mut map = HeaderMap::new();
        for field in text.split('|').filter(|field| !field.is_empty()) {
            let (name, value) = field.split_once(": ").unwrap();
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        Self(map)
    }
}

/// Writes what [`Plain::of`] reads.
pub(super) fn wire(fields: &Plain) -> String {
    let fields: Vec<String> =
        fields.0.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    fields.join("|")
}

impl Fields for Plain {
    type Error = std::convert::Infallible;

    fn map(&self) -> &HeaderMap {
        &self.0
    }

    fn set(&mut self, name: &HeaderName, value: HeaderValue) -> Result<(), Self::Error> {
        self.0.insert(name, value);
        Ok(())
    }

    fn add(&mut self, name: &HeaderName, value: HeaderValue) -> Result<(), Self::Error> {
        self.0.append(name, value);
        Ok(())
    }

    fn remove(&mut self, name: &HeaderName) -> Option<HeaderValue> {
        self.0.remove(name)
    }
}
