//! Answers that a location gives without a server: standard pages and `return`.
//!
//! `content/` makes an [`Answer`]; `proxy/` writes it to the client.

pub mod answer;
mod escape;
pub mod file;
pub mod page;
pub mod redirect;
pub mod ssi;

pub use answer::Answer;
