//! The reasons for refusing a request, with the client's answer and the log's words for each.

use std::fmt;

use bytes::Bytes;
use http::StatusCode;

use crate::content::page;

/// The reason why a request was refused, or ended before its header was whole. Displayed in NGINX's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The method is not made of upper-case letters, `_` and `-`.
    InvalidMethod,
    /// The request line is not of the form `METHOD target HTTP/1.x`.
    InvalidRequestLine,
    /// A version other than HTTP/1.0 or HTTP/1.1.
    InvalidVersion,
    /// `CONNECT`
    ConnectMethod,
    /// `TRACE`
    TraceMethod,
    /// The request line exceeds `large_client_header_buffers`.
    RequestLineTooLong,
    /// A field exceeds `large_client_header_buffers`.
    FieldTooLong,
    /// The header as a whole exceeds `large_client_header_buffers`.
    HeaderTooLarge,
    /// More fields than `max_headers`, or than [`MAX_FIELDS`](super::hygiene::MAX_FIELDS).
    TooManyFields,
    /// Not `name: value`, or bytes that are not allowed in one.
    InvalidField,
    /// HTTP/1.1 without `Host`.
    MissingHost,
    /// A `Host` that names no host.
    InvalidHost,
    /// More than one `Host`.
    DuplicateHost,
    /// Like `InvalidHost`, of an absolute-form target.
    InvalidHostInTarget,
    /// A `Content-Length` that is not a number.
    InvalidLength,
    /// More than one `Content-Length`, equal or not.
    DuplicateLength,
    /// `Content-Length` and `Transfer-Encoding` together.
    LengthAndEncoding,
    /// A `Transfer-Encoding` other than `chunked`.
    UnknownEncoding,
    /// More than one `Transfer-Encoding`.
    DuplicateEncoding,
    /// More than one `Expect`.
    DuplicateExpectation,
    /// `Transfer-Encoding` in HTTP/1.0.
    EncodingInHttp10,
    /// A chunked body whose framing is wrong, seen together with the header.
    InvalidChunks,
    /// `client_header_timeout` passed within the header.
    TimedOut,
    /// The client closed or reset the connection within the header.
    ClosedEarly,
    /// HTTP/2: what RFC 9113 calls malformed. The client got a reset of the stream.
    MalformedStream,
    /// Pingora refused a request that hygiene admitted. Not expected; shows that hygiene has a gap.
    RefusedByPingora,
}

impl Reason {
    /// The status for the client and the access log.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::ConnectMethod | Self::TraceMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestLineTooLong => StatusCode::URI_TOO_LONG,
            Self::UnknownEncoding => StatusCode::NOT_IMPLEMENTED,
            Self::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::InvalidMethod
            | Self::InvalidRequestLine
            | Self::FieldTooLong
            | Self::HeaderTooLarge
            | Self::TooManyFields
            | Self::InvalidField
            | Self::MissingHost
            | Self::InvalidHost
            | Self::DuplicateHost
            | Self::InvalidHostInTarget
            | Self::InvalidLength
            | Self::DuplicateLength
            | Self::LengthAndEncoding
            | Self::DuplicateEncoding
            | Self::DuplicateExpectation
            | Self::EncodingInHttp10
            | Self::InvalidChunks
            | Self::ClosedEarly
            | Self::MalformedStream
            | Self::RefusedByPingora => StatusCode::BAD_REQUEST,
        }
    }

    /// The page for the client.
    pub(in crate::connection) fn page(self, server_tokens: bool) -> Bytes {
        match self {
            Self::FieldTooLong | Self::HeaderTooLarge | Self::TooManyFields => {
                page::header_too_large_page(server_tokens)
            }
            _ => page::standard_page(self.status(), server_tokens),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidMethod => "client sent invalid method",
            Self::InvalidRequestLine => "client sent invalid request",
            Self::InvalidVersion => "client sent invalid version",
            Self::ConnectMethod => "client sent CONNECT method",
            Self::TraceMethod => "client sent TRACE method",
            Self::RequestLineTooLong => "client sent too long URI",
            Self::FieldTooLong => "client sent too long header line",
            Self::HeaderTooLarge => "client sent too large request",
            Self::TooManyFields => "client sent too many header lines",
            Self::InvalidField => "client sent invalid header line",
            Self::MissingHost => "client sent HTTP/1.1 request without \"Host\" header",
            Self::InvalidHost => "client sent invalid host header",
            Self::DuplicateHost => "client sent duplicate host header",
            Self::InvalidHostInTarget => "client sent invalid host in request line",
            Self::InvalidLength => "client sent invalid \"Content-Length\" header",
            Self::DuplicateLength => "client sent duplicate header line: \"Content-Length\"",
            Self::LengthAndEncoding => {
                "client sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time"
            }
            Self::UnknownEncoding => "client sent unknown \"Transfer-Encoding\"",
            Self::DuplicateEncoding => "client sent duplicate header line: \"Transfer-Encoding\"",
            Self::DuplicateExpectation => "client sent duplicate header line: \"Expect\"",
            Self::EncodingInHttp10 => "client sent HTTP/1.0 request with \"Transfer-Encoding\" header",
            Self::InvalidChunks => "client sent invalid chunked body",
            Self::TimedOut => "client timed out",
            Self::ClosedEarly => "client prematurely closed connection",
            Self::MalformedStream => "client sent a malformed request",
            Self::RefusedByPingora => "client sent a request that the HTTP parser refused",
        })
    }
}
