//! What the process holds while it serves: the configuration in force and the state that outlives it.

mod snapshot;
mod state;

pub use snapshot::Snapshot;
pub use state::ServerState;
