//! The reasons that metrics use as labels: of an answer made by this program, and of a retry.

/// The reason for an answer made by this program and not by a server: the `reason` label of
/// `lb_responses_generated_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Generated {
    /// `return`.
    Return,
    /// A file or a list, or a request that none can answer.
    File,
    /// `allow`, `deny`: the client may not come in.
    Forbidden,
    /// `auth_basic`, `auth_jwt`: nothing shows who the client is.
    Unauthorized,
    /// `limit_req`: too many requests in a time.
    LimitedRequests,
    /// `limit_conn`: too many requests at a time.
    LimitedConnections,
    /// Nothing is there.
    NotFound,
    /// The request was malformed.
    BadRequest,
    /// `client_max_body_size`.
    BodyTooLarge,
    /// No server was available.
    NoLiveUpstream,
    /// The last server tried could not be connected to.
    ConnectError,
    /// The last server tried could not be connected to in time.
    ConnectTimeout,
    /// The last server tried and this program did not agree on TLS.
    HandshakeFailed,
    /// The last server tried closed the connection.
    UpstreamClosed,
    /// The last server tried did not answer in time.
    UpstreamTimeout,
    /// The last server tried answered something that is not HTTP.
    InvalidAnswer,
    /// A server's answer was kept from the client (`proxy_intercept_errors`, `X-Accel-Redirect`).
    Intercepted,
    /// The client was too slow.
    ClientTimeout,
    /// An error of this program.
    Internal,
    /// The host belongs to another server than the TLS handshake was for.
    Misdirected,
    /// The client's certificate is missing or cannot be trusted.
    ClientCertificate,
    /// HTTP was spoken where TLS is.
    PlainHttp,
}

impl Generated {
    /// The number of reasons.
    pub const COUNT: usize = 22;

    /// All reasons, in the order of their counters.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Return,
        Self::File,
        Self::Forbidden,
        Self::Unauthorized,
        Self::LimitedRequests,
        Self::LimitedConnections,
        Self::NotFound,
        Self::BadRequest,
        Self::BodyTooLarge,
        Self::NoLiveUpstream,
        Self::ConnectError,
        Self::ConnectTimeout,
        Self::HandshakeFailed,
        Self::UpstreamClosed,
        Self::UpstreamTimeout,
        Self::InvalidAnswer,
        Self::Intercepted,
        Self::ClientTimeout,
        Self::Internal,
        Self::Misdirected,
        Self::ClientCertificate,
        Self::PlainHttp,
    ];

    /// True if the connection cannot or should not continue after such an answer: the request's body is not read, or
    /// the request makes no sense.
    pub fn ends_connection(self) -> bool {
        matches!(
            self,
            Self::BadRequest
                | Self::BodyTooLarge
                | Self::ClientTimeout
                | Self::Internal
                | Self::Misdirected
                | Self::ClientCertificate
                | Self::PlainHttp
        )
    }

    /// The label's value.
    pub fn label(self) -> &'static str {
        match self {
            Self::Return => "return",
            Self::File => "file",
            Self::Forbidden => "forbidden",
            Self::Unauthorized => "unauthorized",
            Self::LimitedRequests => "limit_req",
            Self::LimitedConnections => "limit_conn",
            Self::NotFound => "not_found",
            Self::BadRequest => "bad_request",
            Self::BodyTooLarge => "body_too_large",
            Self::NoLiveUpstream => "no_live_upstream",
            Self::ConnectError => "connect_error",
            Self::ConnectTimeout => "connect_timeout",
            Self::HandshakeFailed => "handshake_failed",
            Self::UpstreamClosed => "upstream_closed",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::InvalidAnswer => "invalid_answer",
            Self::Intercepted => "intercepted",
            Self::ClientTimeout => "client_timeout",
            Self::Internal => "internal",
            Self::Misdirected => "misdirected",
            Self::ClientCertificate => "client_certificate",
            Self::PlainHttp => "plain_http",
        }
    }
}

/// The reason for a retry: the `reason` label of `lb_retries_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum RetryReason {
    /// The server could not be connected to.
    ConnectError,
    /// The server could not be connected to in time.
    ConnectTimeout,
    /// The server and this program did not agree on TLS.
    HandshakeFailed,
    /// The server closed the connection.
    Closed,
    /// The server said that it had not begun with the request.
    Unprocessed,
    /// The server did not answer in time.
    ReadTimeout,
    /// The server did not take the request in time.
    WriteTimeout,
    /// The server answered something that is not HTTP.
    InvalidAnswer,
    /// The server had closed a kept-alive connection before the request came.
    StaleConnection,
    /// The server answered with a status that `proxy_next_upstream` lists.
    ListedStatus,
}

impl RetryReason {
    /// The number of reasons.
    pub const COUNT: usize = 10;

    /// All reasons, in the order of their counters.
    pub const ALL: [Self; Self::COUNT] = [
        Self::ConnectError,
        Self::ConnectTimeout,
        Self::HandshakeFailed,
        Self::Closed,
        Self::Unprocessed,
        Self::ReadTimeout,
        Self::WriteTimeout,
        Self::InvalidAnswer,
        Self::StaleConnection,
        Self::ListedStatus,
    ];

    /// The label's value.
    pub fn label(self) -> &'static str {
        match self {
            Self::ConnectError => "connect_error",
            Self::ConnectTimeout => "connect_timeout",
            Self::HandshakeFailed => "handshake_failed",
            Self::Closed => "closed",
            Self::Unprocessed => "unprocessed",
            Self::ReadTimeout => "read_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::InvalidAnswer => "invalid_answer",
            Self::StaleConnection => "stale_connection",
            Self::ListedStatus => "listed_status",
        }
    }
}

impl From<RetryReason> for usize {
    fn from(reason: RetryReason) -> Self {
        reason as Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_at_their_own_index() {
        for (index, reason) in Generated::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{}", reason.label());
        }
        for (index, reason) in RetryReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{}", reason.label());
        }
    }
}
