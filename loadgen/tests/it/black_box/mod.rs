//! The program as its users meet it: started with words, judged by its output, its exit status and what
//! reached the server.

#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod ab;
mod destinations;
mod failures;
mod gaps;
mod live_view;
mod objectives;
mod open_loop;
mod own_limits;
mod reports;
mod runs;
mod scripted;
mod timeline;
mod tls;
