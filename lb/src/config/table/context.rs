//! Where a directive may stand: nginx's blocks, and sets of them.

/// A set of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct Contexts(u32);

pub(in crate::config) const MAIN: Contexts = Contexts(1);
pub(in crate::config) const EVENTS: Contexts = Contexts(1 << 1);
pub(in crate::config) const HTTP: Contexts = Contexts(1 << 2);
pub(in crate::config) const SERVER: Contexts = Contexts(1 << 3);
pub(in crate::config) const LOCATION: Contexts = Contexts(1 << 4);
pub(in crate::config) const UPSTREAM: Contexts = Contexts(1 << 5);
pub(in crate::config) const IF_IN_SERVER: Contexts = Contexts(1 << 6);
pub(in crate::config) const IF_IN_LOCATION: Contexts = Contexts(1 << 7);
pub(in crate::config) const LIMIT_EXCEPT: Contexts = Contexts(1 << 8);
const MAP: Contexts = Contexts(1 << 9);
const GEO: Contexts = Contexts(1 << 10);
const SPLIT_CLIENTS: Contexts = Contexts(1 << 11);
const TYPES: Contexts = Contexts(1 << 12);
const MATCH: Contexts = Contexts(1 << 13);

/// Where most settings may stand.
pub(in crate::config) const LEVELS: Contexts = HTTP.or(SERVER).or(LOCATION);
/// Every block that this program reads with the table.
pub(in crate::config) const ANYWHERE: Contexts = MAIN.or(EVENTS).or(LEVELS).or(UPSTREAM).or(LIMIT_EXCEPT);

/// All of nginx's blocks, in the order in which messages name them.
const NAMES: [(Contexts, &str); 14] = [
    (MAIN, "main"),
    (EVENTS, "events"),
    (HTTP, "http"),
    (SERVER, "server"),
    (LOCATION, "location"),
    (UPSTREAM, "upstream"),
    (IF_IN_SERVER, "if in server"),
    (IF_IN_LOCATION, "if in location"),
    (LIMIT_EXCEPT, "limit_except"),
    (MAP, "map"),
    (GEO, "geo"),
    (SPLIT_CLIENTS, "split_clients"),
    (TYPES, "types"),
    (MATCH, "match"),
];

impl Contexts {
    pub(in crate::config) const NONE: Self = Self(0);

    pub(in crate::config) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the sets have a block in common.
    pub(in crate::config) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The names of the blocks, for people.
    pub(in crate::config) fn names(self) -> String {
        let names: Vec<&str> =
            NAMES.iter().filter(|(context, _)| self.meets(*context)).map(|(_, name)| *name).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_of_nginx_has_a_bit_and_a_name_of_its_own() {
        let mut all = Contexts::NONE;
        for (context, name) in NAMES {
            assert!(!all.meets(context), "{name}");
            assert_eq!(context.names(), name);
            all = all.or(context);
        }
        assert_eq!(HTTP.or(LOCATION).names(), "http, location");
    }
}
