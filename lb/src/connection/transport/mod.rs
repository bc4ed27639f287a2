//! The byte streams that a connection runs over, and how they close.

mod linger;
mod socket;

pub(super) use linger::linger;
pub(super) use socket::{Accepted, Socket};
