//! nginx.conf to a checked model.
//!
//! Text becomes directives with positions, directives become the [`model`]; every error is collected, not only
//! the first. This room opens no socket, resolves no name and knows nothing of Pingora: what it returns is a
//! value that the other rooms act on.

pub mod diagnostics;
pub mod model;
pub mod template;
