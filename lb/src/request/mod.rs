//! What is decided of a request and its answer. Pure: neither Pingora nor tokio is imported here.
pub mod answer_hygiene;
