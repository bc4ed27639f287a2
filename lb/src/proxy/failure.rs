//! What went wrong with a request, told from Pingora's errors: the one place that knows their names.
//!
//! Three parties can be at fault: the upstream server (then another may be tried), the client, or we.

use pingora::{Error, ErrorSource, ErrorType};

use crate::upstream::FailureKind;

/// The name of our own error for an answer that is not passed on; its context says why.
pub const REFUSED_ANSWER: &str = "RefusedAnswer";

/// Who failed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The server that was tried.
    Upstream(FailureKind),
    /// The client went away, or stopped reading or writing.
    ClientGone,
    /// The client took longer than `client_body_timeout` or `send_timeout`.
    ClientTimeout,
    /// A decision of ours, or something the client sent, that has a status of its own.
    Status(u16),
    /// None of these: a fault of ours.
    Internal,
}

impl Failure {
    /// Reads Pingora's error.
    pub fn of(error: &Error) -> Self {
        if let ErrorType::HTTPStatus(status) = error.etype() {
            return Self::Status(*status);
        }
        match error.esource() {
            ErrorSource::Upstream => Self::Upstream(upstream_kind(error.etype())),
            ErrorSource::Downstream => downstream(error.etype()),
            ErrorSource::Internal | ErrorSource::Unset => Self::Internal,
        }
    }

    /// The status for the client when this ends the request; `None` where nobody is left to read it.
    pub fn status(self) -> Option<u16> {
        match self {
            Self::Upstream(
                FailureKind::ConnectTimeout | FailureKind::ReadTimeout | FailureKind::WriteTimeout,
            ) => Some(504),
            Self::Upstream(FailureKind::Connect | FailureKind::Closed | FailureKind::InvalidAnswer) => {
                Some(502)
            }
            Self::ClientGone => None,
            Self::ClientTimeout => Some(408),
            Self::Status(status) => Some(status),
            Self::Internal => Some(500),
        }
    }
}

fn upstream_kind(kind: &ErrorType) -> FailureKind {
    use ErrorType as E;
    match kind {
        E::ConnectTimedout | E::TLSHandshakeTimedout => FailureKind::ConnectTimeout,
        E::ConnectRefused
        | E::ConnectNoRoute
        | E::ConnectError
        | E::ConnectProxyFailure
        | E::BindError
        | E::SocketError
        | E::TLSWantX509Lookup
        | E::TLSHandshakeFailure
        | E::InvalidCert
        | E::HandshakeError => FailureKind::Connect,
        E::ReadTimedout => FailureKind::ReadTimeout,
        E::WriteTimedout => FailureKind::WriteTimeout,
        E::InvalidHTTPHeader
        | E::H1Error
        | E::H2Error
        | E::H2Downgrade
        | E::InvalidH2
        | E::Custom(REFUSED_ANSWER) => FailureKind::InvalidAnswer,
        // What is left are reads, writes and closes on an established connection.
        _ => FailureKind::Closed,
    }
}

fn downstream(kind: &ErrorType) -> Failure {
    match kind {
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => Failure::ClientTimeout,
        ErrorType::ReadError | ErrorType::WriteError | ErrorType::ConnectionClosed => Failure::ClientGone,
        _ => Failure::Status(400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_party_keeps_its_own_status() {
        let up = |kind| Error::explain(kind, "").into_up();
        let down = |kind| Error::explain(kind, "").into_down();
        for (error, status) in [
            (up(ErrorType::ConnectRefused), Some(502)),
            (up(ErrorType::ConnectTimedout), Some(504)),
            (up(ErrorType::ReadTimedout), Some(504)),
            (up(ErrorType::ConnectionClosed), Some(502)),
            (up(ErrorType::InvalidHTTPHeader), Some(502)),
            (up(ErrorType::Custom(REFUSED_ANSWER)), Some(502)),
            (down(ErrorType::ReadTimedout), Some(408)),
            (down(ErrorType::ConnectionClosed), None),
            (down(ErrorType::InvalidHTTPHeader), Some(400)),
            (Error::explain(ErrorType::HTTPStatus(413), ""), Some(413)),
            (Error::explain(ErrorType::InternalError, ""), Some(500)),
        ] {
            assert_eq!(Failure::of(&error).status(), status, "{error}");
        }
    }
}
