//! HTTP/1.1 as a client needs it for measuring: a request made once, answers taken apart in place.
//!
//! Nothing here touches a socket or a clock. [`request`] makes the bytes that every request repeats,
//! [`decoder`] is fed whatever the socket gave and says when an answer is complete, [`head`] and [`body`]
//! are its two halves. Answers are judged strictly, since a load tester that quietly repairs a broken
//! answer hides the fault that it was started to find.

pub mod body;
pub mod decoder;
pub mod head;
pub mod request;

use thiserror::Error;

/// Why the bytes of an answer are not HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// The status line or a header line cannot be parsed.
    #[error("bad head: {0}")]
    Head(#[from] httparse::Error),
    /// The head did not end within [`decoder::HEAD_LIMIT_BYTES`].
    #[error("head longer than {} bytes", decoder::HEAD_LIMIT_BYTES)]
    HeadTooLong,
    /// `Content-Length` is no number, or several of them disagree.
    #[error("bad content-length")]
    Length,
    /// Both `Content-Length` and `Transfer-Encoding` are there: a sign of request smuggling (RFC 9112, 6.3).
    #[error("both content-length and transfer-encoding")]
    LengthAndEncoding,
    /// A chunk size, the end of a chunk or the trailer section is wrong.
    #[error("bad chunk")]
    Chunk,
    /// Bytes followed a complete answer although nothing more was asked for.
    #[error("bytes after the end of the answer")]
    Surplus,
}
