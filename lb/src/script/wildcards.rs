//! Names with a wildcard at one end, as in `server_name` and in a `map` with `hostnames`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// What belongs to the fixed parts of wildcard names. A wildcard stands for whole labels, so that a name can match only
/// at its dots: it is looked up once for each, however many names there are.
#[derive(Debug)]
pub struct Wildcards<T> {
    values: HashMap<Box<[u8]>, T>,
    /// The length of the longest; longer parts are not looked up, since a client decides how many dots a name has.
    longest: usize,
}

impl<T> Default for Wildcards<T> {
    fn default() -> Self {
        Self { values: HashMap::new(), longest: 0 }
    }
}

impl<T> Wildcards<T> {
    /// The first to claim a name keeps it; false for those that come later.
    pub fn add(&mut self, fixed: &str, value: T) -> bool {
        self.longest = self.longest.max(fixed.len());
        match self.values.entry(fixed.as_bytes().into()) {
            Entry::Vacant(free) => {
                free.insert(value);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// For `.example.org`: the longest that the name ends with. The wildcard stands for at least one byte.
    pub fn find_suffix(&self, name: &[u8]) -> Option<&T> {
        let from = name.len().saturating_sub(self.longest).max(1);
        let tail = name.get(from..).filter(|_| !self.values.is_empty())?;
        let dots = tail.iter().enumerate().filter(|(_, byte)| **byte == b'.');
        dots.map(|(at, _)| &tail[at..]).find_map(|suffix| self.values.get(suffix))
    }

    /// For `mail.`: the longest that the name begins with, likewise.
    pub fn find_prefix(&self, name: &[u8]) -> Option<&T> {
        let to = name.len().saturating_sub(1).min(self.longest);
        let head = name.get(..to).filter(|_| !self.values.is_empty())?;
        let dots = head.iter().enumerate().rev().filter(|(_, byte)| **byte == b'.');
        dots.map(|(at, _)| &head[..=at]).find_map(|prefix| self.values.get(prefix))
    }
}
