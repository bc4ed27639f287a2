//! What a server's answer must look like to be passed on. Pure: the parsed head in, a [`Verdict`] or a [`Refusal`] out,
//! one pass over the fields, no allocation; runs once per answer.
//!
//! An answer whose end two readers could see in different places lets a server write the client's next answer. So the
//! rules are those of `connection/h1/hygiene` for requests, and those of nginx since 1.23: one `Content-Length` of digits
//! alone, or one `Transfer-Encoding` that says `chunked` and nothing else. nginx 1.22 ignores a coding that it does not
//! know and sends the body without it.
//!
//! What this module cannot judge, because Pingora's parser has decided it before: the status line, bytes of field names
//! and values, white space before a colon, folded lines, a `Content-Length` beside a `Transfer-Encoding` (removed), the
//! lines of chunks, and what follows the end of an answer (the connection is not used again).

use std::fmt;

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::{Method, StatusCode, Version};

/// How much of a refused value is told.
const SHOWN_VALUE_BYTES: usize = 128;

/// An answer's head, and what its request asked for.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The status.
    pub status: StatusCode,
    /// The version of the status line.
    pub version: Version,
    /// The fields.
    pub fields: &'a HeaderMap,
    /// The method of the request.
    pub method: &'a Method,
    /// The client asked for another protocol, and the server was told so.
    pub upgrade_asked: bool,
}

/// What to do with an answer that is not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// An interim answer (1xx other than 101): it is not passed on.
    Interim,
    /// An answer for the client.
    Final(Answer),
}

/// An answer for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Where its body ends.
    pub framing: Framing,
    /// `Content-Length` is to be removed: the answer has no body, and a length says that it has one.
    pub strip_length: bool,
    /// `Transfer-Encoding` is to be removed: the answer has no body, and a client would wait for chunks.
    pub strip_coding: bool,
}

/// Where the body of an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none: 204, 304, or the answer to a HEAD.
    Empty,
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection to the server.
    UntilClose,
    /// Another protocol follows (101).
    Tunnel,
}

/// Why an answer is refused; written in nginx's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// A framing field that stands there twice.
    Duplicate {
        /// Which.
        name: &'static str,
        /// Its second value.
        value: &'a HeaderValue,
        /// Its first value.
        previous: &'a HeaderValue,
    },
    /// A `Content-Length` that is no number.
    InvalidLength(&'a HeaderValue),
    /// A `Transfer-Encoding` other than `chunked`.
    UnknownCoding(&'a HeaderValue),
    /// A 101 to a request that asked for no other protocol.
    UnaskedUpgrade,
}

/// Judges an answer by its head.
pub fn judge<'a>(head: &Head<'a>) -> Result<Verdict, Refusal<'a>> {
    if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Verdict::Interim);
    }
    let (mut length_field, mut coding_field) = (None, None);
    for (name, value) in head.fields {
        if name == CONTENT_LENGTH {
            once("Content-Length", &mut length_field, value)?;
        } else if name == TRANSFER_ENCODING {
            once("Transfer-Encoding", &mut coding_field, value)?;
        }
    }
    let length = match length_field {
        Some(value) => Some(length(value).ok_or(Refusal::InvalidLength(value))?),
        None => None,
    };
    if let Some(value) = coding_field
        && !value.as_bytes().eq_ignore_ascii_case(b"chunked")
    {
        return Err(Refusal::UnknownCoding(value));
    }
    let chunked = coding_field.is_some();

    let empty = Answer { framing: Framing::Empty, strip_length: false, strip_coding: chunked };
    Ok(Verdict::Final(match head.status {
        StatusCode::SWITCHING_PROTOCOLS if !head.upgrade_asked || head.version != Version::HTTP_11 => {
            return Err(Refusal::UnaskedUpgrade);
        }
        StatusCode::SWITCHING_PROTOCOLS => {
            Answer { framing: Framing::Tunnel, strip_length: length.is_some(), strip_coding: chunked }
        }
        // A 204 has no length (RFC 9110, section 8.6). One of 0 misleads nobody, and stays as with nginx.
        StatusCode::NO_CONTENT => Answer { strip_length: length.is_some_and(|length| length > 0), ..empty },
        // Here the length is that of the answer which a GET would have had.
        StatusCode::NOT_MODIFIED => empty,
        _ if head.method == Method::HEAD => empty,
        _ => {
            let framing = match length {
                // A coding overrides a length (RFC 9112, section 6.3); Pingora has removed it already.
                _ if chunked => Framing::Chunked,
                Some(length) => Framing::Length(length),
                None => Framing::UntilClose,
            };
            Answer { framing, strip_length: chunked && length.is_some(), strip_coding: false }
        }
    }))
}

fn once<'a>(
    name: &'static str,
    seen: &mut Option<&'a HeaderValue>,
    value: &'a HeaderValue,
) -> Result<(), Refusal<'a>> {
    match seen.replace(value) {
        Some(previous) => Err(Refusal::Duplicate { name, value, previous }),
        None => Ok(()),
    }
}

/// nginx and Pingora count in a signed 64-bit integer.
fn length(value: &HeaderValue) -> Option<u64> {
    let digits = value.as_bytes();
    if digits.is_empty() {
        return None;
    }
    let length = digits.iter().try_fold(0i64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    });
    length.and_then(|length| u64::try_from(length).ok())
}

impl Framing {
    /// Whether a client that knows no chunks can tell where the body ends.
    pub fn ends_without_chunks(self) -> bool {
        matches!(self, Self::Empty | Self::Length(_))
    }
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { name, value, previous } => write!(
                to,
                "upstream sent duplicate header line: \"{name}: {}\", previous value: \"{name}: {}\"",
                shown(value),
                shown(previous)
            ),
            Self::InvalidLength(value) => {
                write!(
                    to,
                    "upstream sent invalid \"Content-Length\" header: \"Content-Length: {}\"",
                    shown(value)
                )
            }
            Self::UnknownCoding(value) => {
                write!(to, "upstream sent unknown \"Transfer-Encoding\": \"{}\"", shown(value))
            }
            Self::UnaskedUpgrade => {
                write!(to, "upstream sent invalid header: 101 to a request that asked for no upgrade")
            }
        }
    }
}

/// A value for the log: printable ASCII, and not too much of it.
fn shown(value: &HeaderValue) -> impl fmt::Display + '_ {
    let bytes = value.as_bytes();
    bytes[..bytes.len().min(SHOWN_VALUE_BYTES)].escape_ascii()
}

#[cfg(test)]
mod tests;
