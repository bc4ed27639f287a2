//! The blocks that work out the value of a variable.

use super::geo::Geo;
use super::map::Map;
use super::split_clients::SplitClients;

/// Such a block.
#[derive(Debug)]
pub enum Computed {
    /// `map`
    Map(Map),
    /// `geo`
    Geo(Geo),
    /// `split_clients`
    SplitClients(SplitClients),
    /// `auth_jwt_claim_set`, `auth_jwt_header_set`
    Claim(Claim),
}

/// What a token says, below names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its header says it.
    pub of_header: bool,
    /// The names, from the outside in.
    pub path: Vec<Box<str>>,
}
