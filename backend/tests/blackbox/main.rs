//! The program from outside: each test starts its own server on a port that the system chooses, and speaks HTTP/1.1
//! to it over plain sockets. The client is written here, in `client.rs`, because the tests need to see what a usual
//! client hides: bytes as they come, how a connection ends, and when.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod client;
mod command_line;
mod endpoints;
mod faults;
mod server;
mod shutdown;
mod stream;
mod wire;
