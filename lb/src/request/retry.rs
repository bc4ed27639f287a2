//! May this request be tried again, and where? Pure: the facts of a failed try in, a verdict out.
//!
//! nginx's rules (`proxy_next_upstream`): only what the directive lists, never once the client has seen a byte of
//! an answer, never a `POST`, `LOCK` or `PATCH` that a server may already have acted on. Two rules are ours, each
//! because the machine beneath differs:
//!
//! - A server may close a kept-alive connection in the moment we send on it. That says nothing about its health,
//!   so the first such failure of a request is not held against the server and costs no try. nginx grants the
//!   extra try but still counts the failure, which with `max_fails=1` takes a healthy server out.
//! - A request body that has outgrown Pingora's replay buffer (64 KiB) cannot be sent twice.

use http::Method;

use crate::config::model::NextUpstream;
use crate::upstream::FailureKind;

/// What is known when a try has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedTry {
    /// How the server failed.
    pub kind: FailureKind,
    /// The connection was a kept-alive one.
    pub reused: bool,
    /// A stale connection was forgiven before in this request.
    pub forgiven_before: bool,
    /// The server's answer had begun: its header was complete.
    pub answered: bool,
    /// The client has seen part of an answer.
    pub answer_begun: bool,
    /// `POST`, `LOCK`, `PATCH`.
    pub non_idempotent: bool,
    /// The body can be sent again from the start.
    pub body_replayable: bool,
    /// The client has not sent the whole body.
    pub client_owes_bytes: bool,
    /// How many servers may still be tried.
    pub tries_left: usize,
    /// `proxy_next_upstream`.
    pub policy: NextUpstream,
}

impl FailedTry {
    /// Whether the failure counts against the server. Not when the connection was a kept-alive one that the server
    /// may just have closed, whatever becomes of the request; and not, as in nginx, once its answer had begun: an event
    /// stream that falls silent or is cut says little about the server. Nor while the client owes bytes: a server that
    /// waits for them in vain, or closes meanwhile, did nothing wrong. One that takes no bytes, or answers what is not
    /// HTTP, did.
    pub fn blames_server(&self) -> bool {
        !self.answered && !self.is_stale_connection() && !self.waits_for_client()
    }

    fn waits_for_client(&self) -> bool {
        self.client_owes_bytes && matches!(self.kind, FailureKind::ReadTimeout | FailureKind::Closed)
    }

    fn is_stale_connection(&self) -> bool {
        self.kind == FailureKind::Closed && self.reused && !self.forgiven_before && !self.answered
    }
}

/// What to do after a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again, the same server too: the connection was stale.
    Forgive,
    /// Try another server.
    NextServer,
    /// Answer the client.
    GiveUp(GiveUp),
}

/// Why there is no further try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUp {
    /// The client has part of an answer already.
    AnswerBegun,
    /// The client stopped in the midst of its body; another server would wait as long for the rest.
    ClientStalled,
    /// The server may have acted on the request.
    NonIdempotent,
    /// The body is not at hand any more.
    BodyGone,
    /// `proxy_next_upstream` does not list this failure.
    NotListed,
    /// Every server was tried.
    NoServerLeft,
}

/// Decides. The order of the checks is the order in which a user would want to be told.
pub fn decide(failed: &FailedTry) -> Verdict {
    if failed.answer_begun {
        return Verdict::GiveUp(GiveUp::AnswerBegun);
    }
    if failed.kind == FailureKind::ReadTimeout && failed.client_owes_bytes && !failed.answered {
        return Verdict::GiveUp(GiveUp::ClientStalled);
    }
    let connecting = matches!(failed.kind, FailureKind::Connect | FailureKind::ConnectTimeout);
    if !connecting && failed.non_idempotent {
        return Verdict::GiveUp(GiveUp::NonIdempotent);
    }
    if !failed.body_replayable {
        return Verdict::GiveUp(GiveUp::BodyGone);
    }
    if failed.is_stale_connection() && failed.policy.error {
        return Verdict::Forgive;
    }
    if !listed(failed.policy, failed.kind) {
        return Verdict::GiveUp(GiveUp::NotListed);
    }
    if failed.tries_left == 0 {
        return Verdict::GiveUp(GiveUp::NoServerLeft);
    }
    Verdict::NextServer
}

/// Whether `proxy_next_upstream` names this failure. `invalid_header` has a value of its own there, which is not
/// among the defaults.
fn listed(policy: NextUpstream, kind: FailureKind) -> bool {
    match kind {
        FailureKind::Connect | FailureKind::Closed => policy.error,
        FailureKind::ConnectTimeout | FailureKind::ReadTimeout | FailureKind::WriteTimeout => policy.timeout,
        FailureKind::InvalidAnswer => false,
    }
}

/// The methods that nginx does not pass to a second server unless told to (`non_idempotent`).
pub fn is_non_idempotent(method: &Method) -> bool {
    *method == Method::POST || *method == Method::PATCH || method.as_str() == "LOCK"
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: NextUpstream = NextUpstream { error: true, timeout: true };
    const OFF: NextUpstream = NextUpstream { error: false, timeout: false };

    fn failed(kind: FailureKind) -> FailedTry {
        FailedTry {
            kind,
            reused: false,
            forgiven_before: false,
            answered: false,
            answer_begun: false,
            non_idempotent: false,
            body_replayable: true,
            client_owes_bytes: false,
            tries_left: 3,
            policy: DEFAULT,
        }
    }

    #[test]
    fn verdicts() {
        use FailureKind::*;
        use Verdict::{Forgive, NextServer};
        let give_up = Verdict::GiveUp;
        let base = failed;
        for (name, failed, verdict) in [
            ("refused", base(Connect), NextServer),
            ("connect timeout", base(ConnectTimeout), NextServer),
            ("closed", base(Closed), NextServer),
            ("read timeout", base(ReadTimeout), NextServer),
            ("garbage", base(InvalidAnswer), give_up(GiveUp::NotListed)),
            ("stale keep-alive", FailedTry { reused: true, ..base(Closed) }, Forgive),
            ("stale twice", FailedTry { reused: true, forgiven_before: true, ..base(Closed) }, NextServer),
            ("stale and last", FailedTry { reused: true, tries_left: 0, ..base(Closed) }, Forgive),
            ("reused, timed out", FailedTry { reused: true, ..base(ReadTimeout) }, NextServer),
            ("begun", FailedTry { answer_begun: true, ..base(Closed) }, give_up(GiveUp::AnswerBegun)),
            ("POST sent", FailedTry { non_idempotent: true, ..base(Closed) }, give_up(GiveUp::NonIdempotent)),
            (
                "POST stale",
                FailedTry { non_idempotent: true, reused: true, ..base(Closed) },
                give_up(GiveUp::NonIdempotent),
            ),
            ("POST not sent", FailedTry { non_idempotent: true, ..base(Connect) }, NextServer),
            ("body gone", FailedTry { body_replayable: false, ..base(Closed) }, give_up(GiveUp::BodyGone)),
            (
                "silent, and the client owes bytes",
                FailedTry { client_owes_bytes: true, ..base(ReadTimeout) },
                give_up(GiveUp::ClientStalled),
            ),
            (
                "closed, and the client owes bytes",
                FailedTry { client_owes_bytes: true, ..base(Closed) },
                NextServer,
            ),
            (
                "takes no bytes, and the client owes more",
                FailedTry { client_owes_bytes: true, ..base(WriteTimeout) },
                NextServer,
            ),
            ("no server left", FailedTry { tries_left: 0, ..base(Connect) }, give_up(GiveUp::NoServerLeft)),
            ("off", FailedTry { policy: OFF, ..base(Connect) }, give_up(GiveUp::NotListed)),
            (
                "off, stale",
                FailedTry { policy: OFF, reused: true, ..base(Closed) },
                give_up(GiveUp::NotListed),
            ),
            (
                "error only",
                FailedTry { policy: NextUpstream { error: true, timeout: false }, ..base(ReadTimeout) },
                give_up(GiveUp::NotListed),
            ),
        ] {
            assert_eq!(decide(&failed), verdict, "{name}");
        }
    }

    #[test]
    fn a_server_is_blamed_for_what_it_did() {
        use FailureKind::{Closed, Connect, InvalidAnswer, ReadTimeout, WriteTimeout};
        let owes = |kind| FailedTry { client_owes_bytes: true, ..failed(kind) };
        for (name, failed, blamed) in [
            ("refused", failed(Connect), true),
            ("closed on a new connection", failed(Closed), true),
            ("closed on a kept one", FailedTry { reused: true, ..failed(Closed) }, false),
            (
                "the same for a POST",
                FailedTry { reused: true, non_idempotent: true, ..failed(Closed) },
                false,
            ),
            ("the second time", FailedTry { reused: true, forgiven_before: true, ..failed(Closed) }, true),
            ("timed out on a kept one", FailedTry { reused: true, ..failed(ReadTimeout) }, true),
            ("waits for the client's bytes", owes(ReadTimeout), false),
            ("closes while the client owes bytes", owes(Closed), false),
            ("takes no bytes", owes(WriteTimeout), true),
            ("garbage while the client owes bytes", owes(InvalidAnswer), true),
            ("refused while the client owes bytes", owes(Connect), true),
            (
                "silent in mid stream",
                FailedTry { answered: true, answer_begun: true, ..failed(ReadTimeout) },
                false,
            ),
        ] {
            assert_eq!(failed.blames_server(), blamed, "{name}");
        }
    }

    #[test]
    fn non_idempotent_methods_are_nginx_three() {
        for (method, is) in [
            ("GET", false),
            ("PUT", false),
            ("DELETE", false),
            ("POST", true),
            ("PATCH", true),
            ("LOCK", true),
        ] {
            assert_eq!(is_non_idempotent(&Method::from_bytes(method.as_bytes()).unwrap()), is, "{method}");
        }
    }
}
