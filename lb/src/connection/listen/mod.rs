//! Listening sockets: the sockets that a configuration needs, their exchange while running, their accept loops.

pub(super) mod accept;
pub mod plan;
mod served;
pub mod socket;
pub mod sockets;
