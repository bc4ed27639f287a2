//! The zones in which requests are counted.

use super::Position;
use crate::script::Template;

/// Index into [`Http::limit_zones`](super::Http::limit_zones).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ZoneId(pub usize);

/// `limit_req_zone`, `limit_conn_zone`
#[derive(Debug, Clone)]
pub struct LimitZone {
    /// Its name.
    pub name: Box<str>,
    /// How much memory its states take at most, as nginx counts it.
    pub bytes: u64,
    /// What requests are counted by.
    pub key: Template,
    /// The same as written.
    pub key_text: Box<str>,
    /// What is counted.
    pub kind: ZoneKind,
    /// Where it is declared.
    pub position: Position,
}

/// What a zone counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneKind {
    /// Requests in a time.
    Requests {
        /// Thousandths of a request a second.
        rate: u64,
    },
    /// Requests at a time.
    Connections,
}
