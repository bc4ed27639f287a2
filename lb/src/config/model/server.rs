//! A `server` block.

use std::sync::Arc;

use super::{Location, LocationMatch, Position, Return, ServerName};

/// A `server` block.
#[derive(Debug)]
pub struct Server {
    /// `server_name`s as matched; a server without any has the empty exact name, as in nginx.
    pub names: Vec<ServerName>,
    /// The first `server_name` as written (`$server_name`); empty when none.
    pub first_name: String,
    /// `return` directly in the server: answered before any location is looked for.
    pub answer: Option<Return>,
    /// What applies where no location matches (and to `answer`): the server's own settings.
    pub fallback: Arc<Location>,
    /// The locations, in order of appearance, with those nested in them.
    pub locations: Vec<Arc<Location>>,
    /// Where the block begins.
    pub position: Position,
}

impl Server {
    /// The location `@name`, the name with its `@`; of several the first.
    pub fn named_location(&self, name: &str) -> Option<&Arc<Location>> {
        let is_named = |location: &&Arc<Location>| matches!(&location.pattern, LocationMatch::Named(known) if known == name);
        self.locations.iter().find(is_named)
    }

    /// Every location, nested ones and the fallback too.
    pub fn all_locations(&self) -> impl Iterator<Item = &Location> {
        self.locations.iter().chain([&self.fallback]).flat_map(|location| location.with_nested())
    }
}
