//! What went wrong with a request, and what each failure means: one table.
//!
//! Three parties can be at fault: the upstream server (then another may be tried), the client, or this program.
//! `proxy/failure` tells them apart in Pingora's errors.

use crate::observe::reasons::{Generated, RetryReason};
use crate::upstream::FailureKind;

/// Who failed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The server that was tried.
    Upstream(FailureKind),
    /// The client went away, or stopped reading or writing.
    ClientGone,
    /// The client took longer than `client_body_timeout` or `send_timeout`.
    ClientTimeout,
    /// A decision of this program, or something the client sent, that has a status of its own.
    Status(u16),
    /// None of these: a fault of this program.
    Internal,
}

/// What a failure means where it ends the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The status for the client; `None` where nobody is left to read it.
    pub status: Option<u16>,
    /// The `reason` label of `lb_responses_generated_total`. [`Generated::ends_connection`] says whether the client's
    /// connection ends with the answer.
    pub label: Generated,
}

/// What a failed try means, whether or not another follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryMeaning {
    /// The try's status in `$upstream_status`, and the client's where no other try follows.
    pub status: u16,
    /// The `reason` label of `lb_responses_generated_total`.
    pub label: Generated,
    /// The `reason` label of `lb_retries_total`.
    pub retry: RetryReason,
    /// nginx's words for it, up to `while`.
    pub words: &'static str,
}

const TIMED_OUT: &str = "upstream timed out (110: Connection timed out)";

impl TryMeaning {
    /// The table.
    pub fn of(kind: FailureKind) -> Self {
        let (status, label, retry, words) = match kind {
            // The operating system's words follow in parentheses.
            FailureKind::Connect => {
                (502, Generated::ConnectError, RetryReason::ConnectError, "connect() failed")
            }
            // The whole of the words comes with the failure.
            FailureKind::Handshake => {
                (502, Generated::HandshakeFailed, RetryReason::HandshakeFailed, "SSL_do_handshake() failed")
            }
            FailureKind::ConnectTimeout => {
                (504, Generated::ConnectTimeout, RetryReason::ConnectTimeout, TIMED_OUT)
            }
            FailureKind::Closed => (
                502,
                Generated::UpstreamClosed,
                RetryReason::Closed,
                "upstream prematurely closed connection",
            ),
            FailureKind::Unprocessed => {
                (502, Generated::UpstreamClosed, RetryReason::Unprocessed, "upstream rejected request")
            }
            FailureKind::ReadTimeout => {
                (504, Generated::UpstreamTimeout, RetryReason::ReadTimeout, TIMED_OUT)
            }
            FailureKind::WriteTimeout => {
                (504, Generated::UpstreamTimeout, RetryReason::WriteTimeout, TIMED_OUT)
            }
            FailureKind::InvalidAnswer => {
                (502, Generated::InvalidAnswer, RetryReason::InvalidAnswer, "upstream sent invalid header")
            }
            // It never ends a request: the last server's answer is passed on.
            FailureKind::ListedStatus => (
                502,
                Generated::InvalidAnswer,
                RetryReason::ListedStatus,
                "upstream answered with a status of proxy_next_upstream",
            ),
        };
        Self { status, label, retry, words }
    }
}

impl Failure {
    /// The table.
    pub fn meaning(self) -> Meaning {
        let (status, label) = match self {
            Self::Upstream(kind) => {
                let meaning = TryMeaning::of(kind);
                (Some(meaning.status), meaning.label)
            }
            Self::ClientGone => (None, Generated::ClientTimeout),
            Self::ClientTimeout => (Some(408), Generated::ClientTimeout),
            // No server could be found or picked: nothing is wrong with the client's connection.
            Self::Status(502) => (Some(502), Generated::NoLiveUpstream),
            Self::Status(413) => (Some(413), Generated::BodyTooLarge),
            Self::Status(status @ 400..=499) => (Some(status), Generated::BadRequest),
            Self::Status(status) => (Some(status), Generated::Internal),
            Self::Internal => (Some(500), Generated::Internal),
        };
        Meaning { status, label }
    }

    /// The status for the client when this ends the request; `None` where nobody is left to read it.
    pub fn status(self) -> Option<u16> {
        self.meaning().status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failed_try_has_its_status_label_and_words() {
        use FailureKind::*;
        for (kind, status, label, retry_label) in [
            (Connect, 502, "connect_error", "connect_error"),
            (ConnectTimeout, 504, "connect_timeout", "connect_timeout"),
            (Handshake, 502, "handshake_failed", "handshake_failed"),
            (Closed, 502, "upstream_closed", "closed"),
            (Unprocessed, 502, "upstream_closed", "unprocessed"),
            (ReadTimeout, 504, "upstream_timeout", "read_timeout"),
            (WriteTimeout, 504, "upstream_timeout", "write_timeout"),
            (InvalidAnswer, 502, "invalid_answer", "invalid_answer"),
            (ListedStatus, 502, "invalid_answer", "listed_status"),
        ] {
            let meaning = TryMeaning::of(kind);
            assert_eq!((meaning.status, meaning.label.label()), (status, label), "{kind:?}");
            assert_eq!(meaning.retry.label(), retry_label, "{kind:?}");
        }
    }

    #[test]
    fn every_party_keeps_its_own_status() {
        for (failure, status, label, ends) in [
            (Failure::Upstream(FailureKind::Connect), Some(502), "connect_error", false),
            (Failure::Upstream(FailureKind::ReadTimeout), Some(504), "upstream_timeout", false),
            (Failure::ClientTimeout, Some(408), "client_timeout", true),
            (Failure::ClientGone, None, "client_timeout", true),
            (Failure::Status(413), Some(413), "body_too_large", true),
            (Failure::Status(400), Some(400), "bad_request", true),
            (Failure::Status(502), Some(502), "no_live_upstream", false),
            (Failure::Status(501), Some(501), "internal", true),
            (Failure::Internal, Some(500), "internal", true),
        ] {
            let meaning = failure.meaning();
            assert_eq!(
                (meaning.status, meaning.label.label(), meaning.label.ends_connection()),
                (status, label, ends),
                "{failure:?}"
            );
        }
    }
}
