//! The state of a serving process: the current configuration and the state that outlives it.

mod snapshot;
mod state;

pub use snapshot::{Logs, Snapshot};
pub use state::ServerState;
