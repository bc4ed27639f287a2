//! What a location answers by itself: standard pages and `return`.
//!
//! This room makes an [`Answer`]; `proxy` writes it to the client.

pub mod answer;
pub mod page;
pub mod return_directive;

pub use answer::Answer;
