//! May this request be tried again, and where? Pure: the facts of a failed try in, a verdict out.
//!
//! nginx's rules (`proxy_next_upstream`): only what the directive lists, never once the client has seen a byte of
//! an answer, never a `POST`, `LOCK` or `PATCH` that a server may already have acted on (unless it lists
//! `non_idempotent`), never beyond `_tries` and `_timeout`. An answer with a listed status is left for another server's
//! by the same rules ([`leaves`]); the last server's is passed on. Three rules are ours, each
//! because the machine beneath differs:
//!
//! - A server may close a kept-alive connection in the moment we send on it. That says nothing about its health,
//!   so the first such failure of a request is not held against the server and costs no try. nginx grants the
//!   extra try but still counts the failure, which with `max_fails=1` takes a healthy server out.
//! - A server of HTTP/2 may say that it has not begun with a request (`REFUSED_STREAM`, a `GOAWAY`): it is sent again,
//!   whatever its method, and the first time to any server. nginx takes that for an error like any other.
//! - A request body that has outgrown Pingora's replay buffer (64 KiB) cannot be sent twice.

use std::time::Duration;

use http::{Method, StatusCode};

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
    /// `proxy_next_upstream_timeout` is over.
    pub out_of_time: bool,
    /// `proxy_next_upstream`.
    pub policy: NextUpstream,
}

/// What is known when a server has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnsweredTry {
    /// The answer's status.
    pub status: StatusCode,
    /// `POST`, `LOCK`, `PATCH`.
    pub non_idempotent: bool,
    /// The body can be sent again from the start.
    pub body_replayable: bool,
    /// How many servers may still be tried.
    pub tries_left: usize,
    /// `proxy_next_upstream_timeout` is over.
    pub out_of_time: bool,
    /// `proxy_next_upstream`.
    pub policy: NextUpstream,
}

/// Why an answer is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It is a failure of its server.
    Failure,
    /// It is none: another server may allow or have what this one does not (403, 404).
    NoFailure,
}

impl FailedTry {
    /// Whether the failure counts against the server. Not when the connection was a kept-alive one that the server
    /// may just have closed, whatever becomes of the request; and not, as in nginx, once its answer had begun: an event
    /// stream that falls silent or is cut says little about the server. Nor while the client owes bytes: a server that
    /// waits for them in vain, or closes meanwhile, did nothing wrong. One that takes no bytes, or answers what is not
    /// HTTP, did.
    pub fn blames_server(&self) -> bool {
        !self.answered
            && !self.is_stale_connection()
            && !self.waits_for_client()
            && self.kind != FailureKind::Unprocessed
    }

    fn waits_for_client(&self) -> bool {
        self.client_owes_bytes && matches!(self.kind, FailureKind::ReadTimeout | FailureKind::Closed)
    }

    fn is_stale_connection(&self) -> bool {
        let stale = self.kind == FailureKind::Closed && self.reused;
        (stale || self.kind == FailureKind::Unprocessed) && !self.forgiven_before && !self.answered
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
    /// `proxy_next_upstream_timeout` is over.
    OutOfTime,
}

/// Decides. The order of the checks is the order in which a user would want to be told.
pub fn decide(failed: &FailedTry) -> Verdict {
    if failed.answer_begun {
        return Verdict::GiveUp(GiveUp::AnswerBegun);
    }
    if failed.kind == FailureKind::ReadTimeout && failed.client_owes_bytes && !failed.answered {
        return Verdict::GiveUp(GiveUp::ClientStalled);
    }
    let nothing_done = matches!(
        failed.kind,
        FailureKind::Connect
            | FailureKind::ConnectTimeout
            | FailureKind::Handshake
            | FailureKind::Unprocessed
    );
    if !nothing_done && failed.non_idempotent && !failed.policy.lists(NextUpstream::NON_IDEMPOTENT) {
        return Verdict::GiveUp(GiveUp::NonIdempotent);
    }
    if !failed.body_replayable {
        return Verdict::GiveUp(GiveUp::BodyGone);
    }
    if failed.is_stale_connection() && failed.policy.lists(NextUpstream::ERROR) && !failed.out_of_time {
        return Verdict::Forgive;
    }
    if !listed(failed.policy, failed.kind) {
        return Verdict::GiveUp(GiveUp::NotListed);
    }
    if failed.tries_left == 0 {
        return Verdict::GiveUp(GiveUp::NoServerLeft);
    }
    if failed.out_of_time {
        return Verdict::GiveUp(GiveUp::OutOfTime);
    }
    Verdict::NextServer
}

/// Whether an answer is left and another server asked, and what that says of the first.
pub fn leaves(answered: &AnsweredTry) -> Option<Left> {
    let listed = of_status(answered.status)?;
    let allowed = if answered.non_idempotent { listed.with(NextUpstream::NON_IDEMPOTENT) } else { listed };
    if !answered.policy.lists(allowed)
        || !answered.body_replayable
        || answered.tries_left == 0
        || answered.out_of_time
    {
        return None;
    }
    let blameless = listed == NextUpstream::HTTP_403 || listed == NextUpstream::HTTP_404;
    Some(if blameless { Left::NoFailure } else { Left::Failure })
}

/// The condition that a status meets.
fn of_status(status: StatusCode) -> Option<NextUpstream> {
    Some(match status.as_u16() {
        500 => NextUpstream::HTTP_500,
        502 => NextUpstream::HTTP_502,
        503 => NextUpstream::HTTP_503,
        504 => NextUpstream::HTTP_504,
        403 => NextUpstream::HTTP_403,
        404 => NextUpstream::HTTP_404,
        429 => NextUpstream::HTTP_429,
        _ => return None,
    })
}

/// Whether `proxy_next_upstream` names this failure.
fn listed(policy: NextUpstream, kind: FailureKind) -> bool {
    policy.lists(match kind {
        FailureKind::Connect | FailureKind::Handshake | FailureKind::Unprocessed | FailureKind::Closed => {
            NextUpstream::ERROR
        }
        FailureKind::ConnectTimeout | FailureKind::ReadTimeout | FailureKind::WriteTimeout => {
            NextUpstream::TIMEOUT
        }
        FailureKind::InvalidAnswer => NextUpstream::INVALID_HEADER,
        // Such an answer is left or passed on; it fails no try.
        FailureKind::ListedStatus => return false,
    })
}

/// How many servers one request may be sent to: `proxy_next_upstream_tries` of those that an upstream has.
pub fn tries_allowed(servers: usize, configured: u64) -> usize {
    match usize::try_from(configured) {
        Ok(0) | Err(_) => servers,
        Ok(configured) => servers.min(configured),
    }
}

/// Whether `proxy_next_upstream_timeout` is over, so long after the first try began.
pub fn out_of_time(elapsed: Duration, limit: Duration) -> bool {
    !limit.is_zero() && elapsed >= limit
}

/// The methods that nginx does not pass to a second server unless told to (`non_idempotent`).
pub fn is_non_idempotent(method: &Method) -> bool {
    *method == Method::POST || *method == Method::PATCH || method.as_str() == "LOCK"
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: NextUpstream = NextUpstream::ERROR.with(NextUpstream::TIMEOUT);
    const OFF: NextUpstream = NextUpstream::OFF;

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
            out_of_time: false,
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
            ("handshake", FailedTry { non_idempotent: true, ..base(Handshake) }, NextServer),
            ("closed", base(Closed), NextServer),
            ("read timeout", base(ReadTimeout), NextServer),
            ("garbage", base(InvalidAnswer), give_up(GiveUp::NotListed)),
            ("not begun", FailedTry { non_idempotent: true, ..base(Unprocessed) }, Forgive),
            (
                "not begun twice",
                FailedTry { non_idempotent: true, forgiven_before: true, ..base(Unprocessed) },
                NextServer,
            ),
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
                FailedTry { policy: NextUpstream::ERROR, ..base(ReadTimeout) },
                give_up(GiveUp::NotListed),
            ),
            (
                "garbage, listed",
                FailedTry { policy: NextUpstream::INVALID_HEADER, ..base(InvalidAnswer) },
                NextServer,
            ),
            (
                "POST, listed",
                FailedTry {
                    policy: DEFAULT.with(NextUpstream::NON_IDEMPOTENT),
                    non_idempotent: true,
                    ..base(Closed)
                },
                NextServer,
            ),
            ("too late", FailedTry { out_of_time: true, ..base(Connect) }, give_up(GiveUp::OutOfTime)),
            (
                "too late, stale",
                FailedTry { out_of_time: true, reused: true, ..base(Closed) },
                give_up(GiveUp::OutOfTime),
            ),
        ] {
            assert_eq!(decide(&failed), verdict, "{name}");
        }
    }

    #[test]
    fn an_answer_with_a_listed_status_is_left_while_another_server_may_be_asked() {
        use NextUpstream as On;
        let status = |status| AnsweredTry {
            status: StatusCode::from_u16(status).unwrap(),
            non_idempotent: false,
            body_replayable: true,
            tries_left: 1,
            out_of_time: false,
            policy: On::HTTP_503.with(On::HTTP_404),
        };
        let all = [On::HTTP_500, On::HTTP_502, On::HTTP_503, On::HTTP_504, On::HTTP_429];
        for (listed, code) in all.into_iter().zip([500, 502, 503, 504, 429]) {
            let answered = AnsweredTry { policy: listed, ..status(code) };
            assert_eq!(leaves(&answered), Some(Left::Failure), "{code}");
            assert_eq!(leaves(&AnsweredTry { policy: DEFAULT, ..answered }), None, "{code}");
        }
        for (listed, code) in [(On::HTTP_403, 403), (On::HTTP_404, 404)] {
            assert_eq!(
                leaves(&AnsweredTry { policy: listed, ..status(code) }),
                Some(Left::NoFailure),
                "{code}"
            );
        }
        let non_idempotent = AnsweredTry { non_idempotent: true, ..status(503) };
        let with_it = non_idempotent.policy.with(On::NON_IDEMPOTENT);
        for (name, answered, left) in [
            ("not listed", status(500), None),
            ("no condition", status(200), None),
            ("last server", AnsweredTry { tries_left: 0, ..status(503) }, None),
            ("too late", AnsweredTry { out_of_time: true, ..status(503) }, None),
            ("body gone", AnsweredTry { body_replayable: false, ..status(503) }, None),
            ("POST", non_idempotent, None),
            ("POST, listed", AnsweredTry { policy: with_it, ..non_idempotent }, Some(Left::Failure)),
        ] {
            assert_eq!(leaves(&answered), left, "{name}");
        }
    }

    #[test]
    fn tries_and_time_are_limited_where_that_is_configured() {
        for (servers, configured, allowed) in [(3, 0, 3), (3, 2, 2), (3, 9, 3), (1, 2, 1)] {
            assert_eq!(tries_allowed(servers, configured), allowed);
        }
        let seconds = Duration::from_secs;
        for (elapsed, limit, over) in [(9, 0, false), (1, 2, false), (2, 2, true), (3, 2, true)] {
            assert_eq!(out_of_time(seconds(elapsed), seconds(limit)), over);
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
