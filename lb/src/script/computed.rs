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
}
