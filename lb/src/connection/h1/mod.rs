//! HTTP/1 to clients: the loop over a connection's requests, their admission, and the stream that Pingora reads and
//! writes.

pub(super) mod chunks;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(super) mod head;
pub mod hygiene;
pub(super) mod input;
mod output;
mod pieces;
mod reason;
mod refuse;
pub(super) mod requests;
pub(super) mod stream;
pub(super) mod target;
