//! Pingora's errors read as failures: the one place that knows their names.

use pingora::{Error, ErrorSource, ErrorType};

use crate::request::Failure;
use crate::upstream::FailureKind;
use crate::upstream::tls::HANDSHAKE_FAILED;

/// The name of the program's own error for an answer that is not passed on; its context says why.
pub(super) const REFUSED_ANSWER: &str = "RefusedAnswer";

/// The name of the program's own error for an answer that is left where it is: another server is asked.
const LEFT_ANSWER: &str = "LeftAnswer";

/// The error with which a hook leaves a server's answer; the try has been booked.
pub(super) fn left_answer() -> Box<Error> {
    Error::new_up(ErrorType::Custom(LEFT_ANSWER))
}

/// Whether an error is [`left_answer`].
pub(super) fn is_left_answer(error: &Error) -> bool {
    matches!(error.etype(), ErrorType::Custom(LEFT_ANSWER))
}

/// The name of the program's own error for an answer in whose place the cache's old one goes to the client.
const OLD_ANSWER: &str = "OldAnswer";

/// The error with which a hook leaves a server's answer for the cache's old one; the try has been booked.
pub(super) fn old_answer() -> Box<Error> {
    Error::new_up(ErrorType::Custom(OLD_ANSWER))
}

/// Whether an error is [`old_answer`].
pub(super) fn is_old_answer(error: &Error) -> bool {
    matches!(error.etype(), ErrorType::Custom(OLD_ANSWER))
}

/// The names of Pingora's own errors for chunks that cannot be read, and for the end behind the last. It keeps them to
/// itself.
const INVALID_CHUNK: &str = "InvalidChunk";
const INVALID_TRAILER_END: &str = "InvalidTrailerEnd";

/// Reads Pingora's error.
pub(super) fn of(error: &Error) -> Failure {
    if let ErrorType::HTTPStatus(status) = error.etype() {
        return Failure::Status(*status);
    }
    match error.esource() {
        ErrorSource::Upstream => {
            Failure::Upstream(of_http_2(error).unwrap_or_else(|| upstream(error.etype())))
        }
        ErrorSource::Downstream if sent_invalid_body(error) => Failure::Status(400),
        ErrorSource::Downstream => downstream(error.etype()),
        ErrorSource::Internal | ErrorSource::Unset => Failure::Internal,
    }
}

/// Reads the error of a connection that did not come about, whatever else Pingora calls it.
pub(super) fn of_connect(error: &Error) -> FailureKind {
    if *error.etype() == ErrorType::H2Error {
        // A connection that others use, and that takes no further request.
        return FailureKind::Unprocessed;
    }
    match upstream(error.etype()) {
        kind @ (FailureKind::ConnectTimeout | FailureKind::Handshake) => kind,
        _ => FailureKind::Connect,
    }
}

/// What an error of HTTP/2 says that its kind does not.
fn of_http_2(error: &Error) -> Option<FailureKind> {
    let cause = error.root_cause().downcast_ref::<h2::Error>()?;
    let refused = cause.is_reset() && cause.is_remote() && cause.reason() == Some(h2::Reason::REFUSED_STREAM);
    let leaving = cause.is_go_away() && cause.is_remote() && cause.reason() == Some(h2::Reason::NO_ERROR);
    if refused || leaving {
        return Some(FailureKind::Unprocessed);
    }
    cause.is_io().then_some(FailureKind::Closed)
}

fn upstream(kind: &ErrorType) -> FailureKind {
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
        E::Custom(HANDSHAKE_FAILED) => FailureKind::Handshake,
        E::ReadTimedout => FailureKind::ReadTimeout,
        E::WriteTimedout => FailureKind::WriteTimeout,
        E::InvalidHTTPHeader
        | E::H1Error
        | E::H2Error
        | E::H2Downgrade
        | E::InvalidH2
        | E::Custom(REFUSED_ANSWER | INVALID_CHUNK | INVALID_TRAILER_END) => FailureKind::InvalidAnswer,
        // What is left are reads, writes and closes on an established connection.
        _ => FailureKind::Closed,
    }
}

/// Whether the chunks of a body could not be read.
pub(super) fn is_invalid_chunk(kind: &ErrorType) -> bool {
    matches!(kind, ErrorType::Custom(INVALID_CHUNK | INVALID_TRAILER_END))
}

fn downstream(kind: &ErrorType) -> Failure {
    match kind {
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => Failure::ClientTimeout,
        // A stream of HTTP/2 that the client has ended.
        ErrorType::H2Error => Failure::ClientGone,
        ErrorType::ReadError | ErrorType::WriteError | ErrorType::ConnectionClosed => Failure::ClientGone,
        _ => Failure::Status(400),
    }
}

/// Whether the client's stream failed a read on purpose: a body whose end cannot be known.
fn sent_invalid_body(error: &Error) -> bool {
    let cause = error.cause.as_ref().and_then(|cause| cause.downcast_ref());
    cause.is_some_and(crate::connection::is_invalid_body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_party() {
        let up = |kind| Error::explain(kind, "").into_up();
        let down = |kind| Error::explain(kind, "").into_down();
        let read_failed = |kind: std::io::ErrorKind| {
            Error::because(ErrorType::ReadError, "", std::io::Error::from(kind)).into_down()
        };
        for (error, failure) in [
            (up(ErrorType::ConnectRefused), Failure::Upstream(FailureKind::Connect)),
            (up(ErrorType::ConnectTimedout), Failure::Upstream(FailureKind::ConnectTimeout)),
            (up(ErrorType::ReadTimedout), Failure::Upstream(FailureKind::ReadTimeout)),
            (up(ErrorType::WriteTimedout), Failure::Upstream(FailureKind::WriteTimeout)),
            (up(ErrorType::ConnectionClosed), Failure::Upstream(FailureKind::Closed)),
            (up(ErrorType::Custom(REFUSED_ANSWER)), Failure::Upstream(FailureKind::InvalidAnswer)),
            (up(ErrorType::InvalidHTTPHeader), Failure::Upstream(FailureKind::InvalidAnswer)),
            (up(ErrorType::Custom(INVALID_CHUNK)), Failure::Upstream(FailureKind::InvalidAnswer)),
            (up(ErrorType::Custom(INVALID_TRAILER_END)), Failure::Upstream(FailureKind::InvalidAnswer)),
            (down(ErrorType::Custom(INVALID_CHUNK)), Failure::Status(400)),
            (down(ErrorType::ReadTimedout), Failure::ClientTimeout),
            (down(ErrorType::ConnectionClosed), Failure::ClientGone),
            (down(ErrorType::InvalidHTTPHeader), Failure::Status(400)),
            (read_failed(std::io::ErrorKind::InvalidData), Failure::Status(400)),
            (read_failed(std::io::ErrorKind::ConnectionReset), Failure::ClientGone),
            (Error::explain(ErrorType::HTTPStatus(413), ""), Failure::Status(413)),
            (Error::explain(ErrorType::InternalError, ""), Failure::Internal),
        ] {
            assert_eq!(of(&error), failure, "{error}");
        }
        assert_eq!(of_connect(&up(ErrorType::ConnectTimedout)), FailureKind::ConnectTimeout);
        assert_eq!(of_connect(&up(ErrorType::InternalError)), FailureKind::Connect);
    }
}
