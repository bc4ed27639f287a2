//! Strings with variables (`"$scheme://$host$request_uri"`): compiled once, evaluated only where used.
//!
//! A [`Template`] knows which variables it needs, never their values; whoever renders it brings a [`Values`].

use std::fmt;

use http::HeaderName;

/// A compiled string.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Variable(Variable),
}

/// Who knows the values of variables for one request.
pub trait Values {
    /// Appends the value of `variable` to `out` and returns true; returns false, with nothing appended, where the
    /// variable has no value (nginx logs it as `-`).
    fn write(&self, variable: &Variable, out: &mut Vec<u8>) -> bool;
}

/// A variable, resolved when the configuration is read: an unknown name is an error there, never at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// `$http_NAME`: a request field.
    RequestHeader(HeaderName),
    /// `$sent_http_NAME`: a field of the answer as sent.
    SentHeader(HeaderName),
    /// `$upstream_http_NAME`: a field of the upstream's answer.
    UpstreamHeader(HeaderName),
    /// `$arg_NAME`: a query argument.
    Argument(Box<str>),
    /// `$cookie_NAME`
    Cookie(Box<str>),
    /// Any other, by its fixed name.
    Named(Named),
}

/// Variables with fixed names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Named {
    /// `$args`, `$query_string`
    Args,
    /// `$body_bytes_sent`
    BodyBytesSent,
    /// `$bytes_sent`
    BytesSent,
    /// `$connection`: serial number.
    Connection,
    /// `$connection_requests`
    ConnectionRequests,
    /// `$content_length`
    ContentLength,
    /// `$content_type`
    ContentType,
    /// `$document_uri`, `$uri`: the normalised path.
    Uri,
    /// `$host`
    Host,
    /// `$hostname`
    Hostname,
    /// `$is_args`
    IsArgs,
    /// `$msec`
    Msec,
    /// `$nginx_version`: our own version.
    Version,
    /// `$pid`
    Pid,
    /// `$pipe`
    Pipe,
    /// `$proxy_add_x_forwarded_for`
    ProxyAddXForwardedFor,
    /// `$proxy_host`
    ProxyHost,
    /// `$proxy_port`
    ProxyPort,
    /// `$binary_remote_addr`
    BinaryRemoteAddr,
    /// `$remote_addr`
    RemoteAddr,
    /// `$remote_port`
    RemotePort,
    /// `$remote_user`
    RemoteUser,
    /// `$request`: the request line.
    Request,
    /// `$request_completion`
    RequestCompletion,
    /// `$request_id`
    RequestId,
    /// `$request_length`
    RequestLength,
    /// `$request_method`
    RequestMethod,
    /// `$request_time`
    RequestTime,
    /// `$request_uri`: the target as sent.
    RequestUri,
    /// `$scheme`
    Scheme,
    /// `$server_addr`
    ServerAddr,
    /// `$server_name`
    ServerName,
    /// `$server_port`
    ServerPort,
    /// `$server_protocol`
    ServerProtocol,
    /// `$status`
    Status,
    /// `$time_iso8601`
    TimeIso8601,
    /// `$time_local`
    TimeLocal,
    /// `$upstream_addr`: every try, comma separated.
    UpstreamAddr,
    /// `$upstream_bytes_received`
    UpstreamBytesReceived,
    /// `$upstream_bytes_sent`
    UpstreamBytesSent,
    /// `$upstream_connect_time`
    UpstreamConnectTime,
    /// `$upstream_header_time`
    UpstreamHeaderTime,
    /// `$upstream_response_length`
    UpstreamResponseLength,
    /// `$upstream_response_time`
    UpstreamResponseTime,
    /// `$upstream_status`
    UpstreamStatus,
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.parts)
    }
}
