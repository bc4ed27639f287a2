//! Path to location: an exact one, else the longest prefix.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::config::model::{Action, Location, LocationMatch};

/// The locations of one server block.
#[derive(Debug)]
pub struct LocationTable {
    exact: HashMap<Box<[u8]>, Arc<Location>>,
    /// Longest first, so the first that matches is the answer.
    prefixes: Vec<(Box<[u8]>, Arc<Location>)>,
    /// Paths that lack only the slash of a proxied `location /x/`: nginx redirects them there.
    slashless: HashSet<Box<[u8]>>,
}

impl LocationTable {
    /// Builds the table. Patterns are distinct: the configuration refuses duplicates.
    pub fn new(locations: &[Arc<Location>]) -> Self {
        let mut exact = HashMap::new();
        let mut prefixes = Vec::new();
        let mut slashless = HashSet::new();
        for location in locations {
            match &location.pattern {
                LocationMatch::Exact(path) => {
                    exact.insert(path.as_bytes().into(), location.clone());
                }
                LocationMatch::Prefix(path) => {
                    if matches!(location.action, Action::Proxy(_))
                        && let Some(path) = path.strip_suffix('/').filter(|path| !path.is_empty())
                    {
                        slashless.insert(Box::<[u8]>::from(path.as_bytes()));
                    }
                    prefixes.push((Box::<[u8]>::from(path.as_bytes()), location.clone()));
                }
            }
        }
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        // A location of exactly that path has the first word.
        slashless
            .retain(|path| !exact.contains_key(path) && prefixes.iter().all(|(prefix, _)| prefix != path));
        Self { exact, prefixes, slashless }
    }

    /// Whether the path is to be asked for again with a slash at its end.
    pub fn lacks_slash(&self, path: &[u8]) -> bool {
        !self.slashless.is_empty() && self.slashless.contains(path)
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
