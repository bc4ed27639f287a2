//! HTTP/2 to clients: the loop over a connection's streams, each a request that is served as HTTP/1's are.
//!
//! The h2 crate frames, compresses and controls the flow; this room has what it leaves to others and what Pingora's own
//! loop leaves out. Pingora makes its session of a stream inside a function that answers some requests by itself, with no
//! hook and no line in any log, reads bodies without a deadline, and drops `100 Continue`. So the session is one of our
//! own (`session`), behind the trait that Pingora has for protocols that it does not know, and every request is judged
//! before it (`hygiene`). `docs/decisions/016-http2.md` has the reasons.
//!
//! | file | idea |
//! |---|---|
//! | `preface` | how a plain connection says that it speaks HTTP/2 |
//! | `frames` | the headers of frames in a stream of bytes |
//! | `budget` | what a client may ask for without asking for anything |
//! | `watch` | what both directions of a connection tell: refused streams, sizes, floods |
//! | `stream` | the bytes between h2 and the transport |
//! | `hygiene` | the rules for a request |
//! | `session` | a stream, as Pingora's proxy uses it |
//! | `refuse` | the answer to a request that is not let in |
//! | `requests` | the loop |

pub(super) mod budget;
pub(super) mod frames;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(super) mod hygiene;
pub(super) mod preface;
mod refuse;
pub(super) mod requests;
mod session;
mod stream;
mod watch;
