//! What a location does besides proxying, and what the admin listener answers.
//!
//! Handlers make an [`Answer`]; writing it to the client is `proxy`'s.

pub mod admin;
pub mod answer;
pub mod metrics;
pub mod page;
pub mod returns;

pub use answer::Answer;
