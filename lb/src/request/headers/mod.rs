//! The two places that decide a header field: on the way to a server, and on the way to the client.
//!
//! Both change the fields of a message through [`Fields`], which `proxy/` implements for Pingora's headers. Three things
//! lie outside: `connection/h1/target` writes the Host of an absolute-form target into the raw header, so that nobody
//! behind it sees two hosts; Pingora takes out connection-level fields where the connection loop has seen any beyond a plain
//! `Connection`, passes on a WebSocket upgrade, and frames bodies; and it adds `Date` and `Connection` to answers.

pub mod bodies;
pub mod encodings;
pub mod ranges;
mod rewriting;
pub mod to_client;
pub mod to_server;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::config::model::FieldName;

/// The fields of a message. Names are sent as they are written.
pub trait Fields {
    /// Why a field cannot be set.
    type Error;

    /// The fields by name.
    fn map(&self) -> &HeaderMap;

    /// Puts a field in the place of all that have its name.
    fn set(&mut self, name: &FieldName, value: HeaderValue) -> Result<(), Self::Error>;

    /// Adds a field beside those that have its name.
    fn add(&mut self, name: &FieldName, value: HeaderValue) -> Result<(), Self::Error>;

    /// Takes out all fields of a name, and returns the first value.
    fn remove(&mut self, name: &HeaderName) -> Option<HeaderValue>;
}

#[cfg(test)]
mod testing;
