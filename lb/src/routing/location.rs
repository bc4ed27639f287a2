//! Path to location, in nginx's order: the exact one; else the longest prefix, and the locations inside it; else the
//! first regular expression that matches, those inside the prefix before those beside it; else the prefix.
//!
//! Source of the order: `ngx_http_core_find_location` and nginx, "location",
//! <https://nginx.org/en/docs/http/ngx_http_core_module.html#location>.

use std::sync::Arc;

use crate::config::model::{Location, LocationMatch};

/// The locations of one level: of a server, or inside a location.
#[derive(Debug, Default)]
pub struct LocationTable {
    /// Sorted by path.
    paths: Vec<Path>,
    /// In order of appearance.
    regexes: Vec<(regex::Regex, Entry)>,
}

/// The locations at one path.
#[derive(Debug)]
struct Path {
    path: Box<[u8]>,
    exact: Option<Arc<Location>>,
    prefix: Option<Entry>,
    /// True if the prefix keeps the regular expressions of its level out (`^~`).
    is_final: bool,
    /// The longest shorter path that this one begins with, as an index.
    shorter: Option<usize>,
}

/// A location and the table of those inside it.
#[derive(Debug)]
struct Entry {
    location: Arc<Location>,
    nested: LocationTable,
}

impl Entry {
    fn new(location: &Arc<Location>) -> Self {
        Self { location: Arc::clone(location), nested: LocationTable::new(&location.nested) }
    }
}

impl LocationTable {
    /// Builds the table. Patterns of a level are distinct: the configuration refuses duplicates. A named location is
    /// in no table, as no path leads to it.
    pub fn new(locations: &[Arc<Location>]) -> Self {
        let mut table = Self::default();
        for location in locations {
            match &location.pattern {
                LocationMatch::Exact(path) => {
                    table.paths.push(Path { exact: Some(Arc::clone(location)), ..Path::empty(path) });
                }
                LocationMatch::Prefix(path) => {
                    table.paths.push(Path { prefix: Some(Entry::new(location)), ..Path::empty(path) });
                }
                LocationMatch::FinalPrefix(path) => {
                    let prefix = Some(Entry::new(location));
                    table.paths.push(Path { prefix, is_final: true, ..Path::empty(path) });
                }
                LocationMatch::Regex(regex) => table.regexes.push((regex.clone(), Entry::new(location))),
                LocationMatch::Named(_) => {}
            }
        }
        table.paths.sort_by(|one, other| one.path.cmp(&other.path));
        table.paths.dedup_by(|later, earlier| earlier.absorb(later));
        table.link();
        table
    }

    /// Gives each path the longest shorter one that it begins with: in sorted order those come before it, each
    /// beginning with the one before.
    fn link(&mut self) {
        let mut around: Vec<usize> = Vec::new();
        for index in 0..self.paths.len() {
            let path = &self.paths[index].path;
            while around.last().is_some_and(|outer| !path.starts_with(&self.paths[*outer].path)) {
                around.pop();
            }
            self.paths[index].shorter = around.last().copied();
            around.push(index);
        }
    }

    /// The location for a normalised path.
    pub fn find(&self, path: &[u8]) -> Option<&Arc<Location>> {
        let mut found = None;
        self.search(path, &mut found);
        found
    }

    /// Sets `found` to the location at this level or inside it; true when no level around may look any further.
    fn search<'t>(&'t self, path: &[u8], found: &mut Option<&'t Arc<Location>>) -> bool {
        let mut skips_regexes = false;
        if let Some(at) = self.longest(path) {
            if let Some(exact) = at.exact.as_ref().filter(|_| at.path.len() == path.len()) {
                *found = Some(exact);
                return true;
            }
            if let Some(prefix) = &at.prefix {
                *found = Some(&prefix.location);
                skips_regexes = at.is_final;
                if prefix.nested.search(path, found) {
                    return true;
                }
            }
        }
        if self.regexes.is_empty() || skips_regexes {
            return false;
        }
        // As with host names, a regular expression sees text.
        let Ok(text) = std::str::from_utf8(path) else { return false };
        let Some((_, entry)) = self.regexes.iter().find(|(regex, _)| regex.is_match(text)) else {
            return false;
        };
        *found = Some(&entry.location);
        entry.nested.search(path, found);
        true
    }

    /// The locations at the longest path that `path` begins with and that takes it.
    fn longest(&self, path: &[u8]) -> Option<&Path> {
        // The last that sorts no later than the path: it begins with the longest prefix of the path.
        let mut candidate = self.paths.partition_point(|known| *known.path <= *path).checked_sub(1)?;
        loop {
            let known = &self.paths[candidate];
            let takes = known.prefix.is_some() || known.path.len() == path.len();
            if takes && path.starts_with(&known.path) {
                return Some(known);
            }
            candidate = known.shorter?;
        }
    }
}

impl Path {
    fn empty(path: &str) -> Self {
        Self { path: path.as_bytes().into(), exact: None, prefix: None, is_final: false, shorter: None }
    }

    /// Takes the locations of `other` if it is the same path.
    fn absorb(&mut self, other: &mut Self) -> bool {
        let same = self.path == other.path;
        if same {
            self.exact = self.exact.take().or(other.exact.take());
            self.prefix = self.prefix.take().or(other.prefix.take());
            self.is_final |= other.is_final;
        }
        same
    }
}

#[cfg(test)]
mod tests;
