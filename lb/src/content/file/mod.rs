//! Files as answers: everything that is decided about them, as functions of values.
//!
//! `files/` touches the file system and `proxy/` the connection; between them, this room maps a URI to a path, judges
//! conditions and ranges, lists a directory, and says what an answer with a file is made of. It opens nothing and reads
//! no clock.

pub mod answer;
pub mod conditional;
pub mod expires;
pub mod http_time;
pub mod listing;
pub mod listing_data;
pub mod mapping;
pub mod media;
pub mod range;
