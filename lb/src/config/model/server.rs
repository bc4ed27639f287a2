//! A `server` block.

use std::sync::Arc;

use super::{Location, LocationMatch, Position, Program, ServerName};

/// A `server` block.
#[derive(Debug)]
pub struct Server {
    /// `server_name`s as matched; a server without any has the empty exact name, as in nginx.
    pub names: Vec<ServerName>,
    /// The first `server_name` as written (`$server_name`); empty when none.
    pub first_name: String,
    /// What is run before any location is looked for.
    pub program: Program,
    /// What applies where no location matches, and while the program runs: the server's own settings.
    pub fallback: Arc<Location>,
    /// The locations, in order of appearance, with those nested in them.
    pub locations: Vec<Arc<Location>>,
    /// Where the block begins.
    pub position: Position,
}

impl Server {
    /// The location `@name`.
    pub fn named(&self, name: &[u8]) -> Option<&Arc<Location>> {
        self.locations.iter().find(|location| match &location.pattern {
            LocationMatch::Named(known) => known.trim_start_matches('@').as_bytes() == name,
            _ => false,
        })
    }

    /// Every location, nested ones and the fallback too.
    pub fn all_locations(&self) -> impl Iterator<Item = &Location> {
        self.locations.iter().chain([&self.fallback]).flat_map(|location| location.with_nested())
    }
}
