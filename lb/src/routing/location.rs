//! Path to location, in nginx's order: the exact one; else the longest prefix, and the locations inside it; else the
//! first regular expression that matches, those inside the prefix before those beside it; else the prefix.
//!
//! Source of the order: `ngx_http_core_find_location` and nginx, "location",
//! <https://nginx.org/en/docs/http/ngx_http_core_module.html#location>.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::config::model::{Location, LocationMatch};
use crate::script::{LimitReached, Matched, Pattern};

/// What a search finds.
#[derive(Debug)]
pub struct Found<'t> {
    /// The location; `None` where none takes the path.
    pub location: Option<&'t Arc<Location>>,
    /// The regular expressions on the way to it, outer ones first: each sets the variables of its named groups, and the
    /// last decides `$1` and the others.
    pub matched: SmallVec<[Matched; 1]>,
}

/// The locations of one level: of a server, or inside a location.
#[derive(Debug, Default)]
pub struct LocationTable {
    /// Sorted by path.
    paths: Vec<Path>,
    /// In order of appearance.
    regexes: Vec<(Pattern, Entry)>,
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
    ///
    /// # Errors
    ///
    /// When a regular expression gives up: nginx answers 500.
    pub fn find(&self, path: &[u8]) -> Result<Found<'_>, LimitReached> {
        let mut found = Found { location: None, matched: SmallVec::new() };
        self.search(path, &mut found)?;
        Ok(found)
    }

    /// Sets `found` to the location at this level or inside it; true when no level around may look any further.
    fn search<'t>(&'t self, path: &[u8], found: &mut Found<'t>) -> Result<bool, LimitReached> {
        let mut skips_regexes = false;
        if let Some(at) = self.longest(path) {
            if let Some(exact) = at.exact.as_ref().filter(|_| at.path.len() == path.len()) {
                found.location = Some(exact);
                return Ok(true);
            }
            if let Some(prefix) = &at.prefix {
                found.location = Some(&prefix.location);
                skips_regexes = at.is_final;
                if prefix.nested.search(path, found)? {
                    return Ok(true);
                }
            }
        }
        if skips_regexes {
            return Ok(false);
        }
        for (regex, entry) in &self.regexes {
            if let Some(matched) = regex.matched(path)? {
                found.matched.push(matched);
                found.location = Some(&entry.location);
                entry.nested.search(path, found)?;
                return Ok(true);
            }
        }
        Ok(false)
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
