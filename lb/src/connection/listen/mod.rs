//! Listening sockets: which ones a configuration needs, how they change while running, how they accept.

pub(super) mod accept;
pub mod plan;
mod served;
pub mod socket;
pub mod sockets;
