//! What nginx's rewrite module makes of a level: its directives in order, those of `if` blocks among them.

use std::sync::Arc;

use super::{Assigned, Condition, Location, Return, Rewrite};
use crate::script::Template;

/// The directives of a `server` or a `location`, in the order in which they run.
pub type Program = Arc<[Operation]>;

/// One of them.
#[derive(Debug, Clone)]
pub enum Operation {
    /// `set`
    Set(Assigned, Template),
    /// `return`
    Return(Return),
    /// `rewrite`
    Rewrite(Rewrite),
    /// `break`
    Break,
    /// `if`
    If(If),
}

/// The head of an `if`; what stands inside follows it in the program.
#[derive(Debug, Clone)]
pub struct If {
    /// What it asks.
    pub condition: Condition,
    /// In a location: what holds from here on where the condition does.
    pub location: Option<Arc<Location>>,
    /// How many operations stand inside: they are left out where the condition does not hold.
    pub length: usize,
}
