//! Path to location: an exact one, else the longest prefix.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::model::{Location, LocationMatch};

/// The locations of one server block.
#[derive(Debug)]
pub struct LocationTable {
    exact: HashMap<Box<[u8]>, Arc<Location>>,
    /// Longest first, so that the first match is the longest.
    prefixes: Vec<(Box<[u8]>, Arc<Location>)>,
}

impl LocationTable {
    /// Builds the table. Patterns are distinct: the configuration refuses duplicates.
    pub fn new(locations: &[Arc<Location>]) -> Self {
        let mut exact = HashMap::new();
        let mut prefixes = Vec::new();
        for location in locations {
            match &location.pattern {
                LocationMatch::Exact(path) => {
                    exact.insert(path.as_bytes().into(), location.clone());
                }
                LocationMatch::Prefix(path) => {
                    prefixes.push((Box::<[u8]>::from(path.as_bytes()), location.clone()));
                }
            }
        }
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self { exact, prefixes }
    }

    /// The location for a normalised path.
    pub fn find(&self, path: &[u8]) -> Option<&Arc<Location>> {
        if !self.exact.is_empty()
            && let Some(location) = self.exact.get(path)
        {
            return Some(location);
        }
        self.prefixes.iter().find(|(prefix, _)| path.starts_with(prefix)).map(|(_, location)| location)
    }
}
