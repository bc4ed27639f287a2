//! When an answer is given that is no longer fresh, and who renews it.

use super::freshness::Times;
use crate::config::model::StaleConditions;
use crate::upstream::FailureKind;

/// What becomes of an answer that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is fresh and is given.
    Fresh,
    /// It is given; another request renews it.
    GivenWhileOtherRenews,
    /// It is given; a request of the program's own renews it.
    GivenAndRenewed,
    /// A server is asked.
    Renewed,
}

/// What decides over an answer that was found.
#[derive(Debug, Clone, Copy)]
pub struct Finding {
    /// Its times.
    pub times: Times,
    /// Seconds since 1970.
    pub now: i64,
    /// Another request renews it already.
    pub other_renews: bool,
    /// The request is the program's own, made to renew it.
    pub is_background: bool,
    /// `proxy_cache_use_stale`
    pub use_stale: StaleConditions,
    /// `proxy_cache_background_update`
    pub background_update: bool,
}

/// Decides over an answer that was found; `ngx_http_upstream_cache`.
pub fn found(finding: Finding) -> Found {
    if finding.times.is_fresh(finding.now) {
        return Found::Fresh;
    }
    let may_be_given =
        finding.use_stale.has(StaleConditions::UPDATING) || finding.times.allows_updating(finding.now);
    match may_be_given && !finding.is_background {
        true if finding.other_renews => Found::GivenWhileOtherRenews,
        true if finding.background_update => Found::GivenAndRenewed,
        _ => Found::Renewed,
    }
}

/// How asking servers has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// There was none to ask.
    NoServer,
    /// The last one asked did not answer.
    Server(FailureKind),
    /// It answered with this status.
    Status(u16),
}

/// Whether an answer that is no longer fresh is given in place of a failure.
pub fn replaces(failing: Failing, use_stale: StaleConditions, times: Times, now: i64) -> bool {
    let Some(condition) = condition(failing) else { return false };
    // As in nginx, `stale-if-error` is about errors, and not about answers with the status of one.
    let allowed = !matches!(failing, Failing::Status(_)) && times.allows_error(now);
    use_stale.has(condition) || allowed
}

/// What `proxy_cache_use_stale` calls it; nothing where no directive can ask for it.
fn condition(failing: Failing) -> Option<StaleConditions> {
    match failing {
        Failing::NoServer => Some(StaleConditions::ERROR),
        Failing::Server(kind) => match kind {
            FailureKind::Connect
            | FailureKind::Closed
            | FailureKind::Handshake
            | FailureKind::Unprocessed => Some(StaleConditions::ERROR),
            FailureKind::ConnectTimeout | FailureKind::ReadTimeout | FailureKind::WriteTimeout => {
                Some(StaleConditions::TIMEOUT)
            }
            FailureKind::InvalidAnswer => Some(StaleConditions::INVALID_HEADER),
            FailureKind::ListedStatus => None,
        },
        Failing::Status(status) => match status {
            500 => Some(StaleConditions::HTTP_500),
            502 => Some(StaleConditions::HTTP_502),
            503 => Some(StaleConditions::HTTP_503),
            504 => Some(StaleConditions::HTTP_504),
            403 => Some(StaleConditions::HTTP_403),
            404 => Some(StaleConditions::HTTP_404),
            429 => Some(StaleConditions::HTTP_429),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times { fresh_until: 100, updating: 0, error: 0 };

    #[test]
    fn an_answer_that_was_found() {
        let (off, updating) = (StaleConditions::OFF, StaleConditions::UPDATING);
        for (now, use_stale, allowed, other_renews, background, expected) in [
            (100, off, 0, false, false, Found::Fresh),
            (101, off, 0, false, false, Found::Renewed),
            (101, off, 0, true, true, Found::Renewed),
            (101, updating, 0, true, false, Found::GivenWhileOtherRenews),
            (101, updating, 0, false, false, Found::Renewed),
            (101, updating, 0, false, true, Found::GivenAndRenewed),
            (101, off, 5, true, false, Found::GivenWhileOtherRenews),
            (106, off, 5, true, false, Found::Renewed),
        ] {
            let finding = Finding {
                times: Times { updating: allowed, ..TIMES },
                now,
                other_renews,
                is_background: false,
                use_stale,
                background_update: background,
            };
            assert_eq!(found(finding), expected, "{finding:?}");
            if now > 100 {
                assert_eq!(found(Finding { is_background: true, ..finding }), Found::Renewed);
            }
        }
    }

    #[test]
    fn what_an_old_answer_stands_in_for() {
        let of = |text: StaleConditions, failing| replaces(failing, text, TIMES, 200);
        for (condition, failing) in [
            (StaleConditions::ERROR, Failing::NoServer),
            (StaleConditions::ERROR, Failing::Server(FailureKind::Connect)),
            (StaleConditions::TIMEOUT, Failing::Server(FailureKind::ReadTimeout)),
            (StaleConditions::INVALID_HEADER, Failing::Server(FailureKind::InvalidAnswer)),
            (StaleConditions::HTTP_500, Failing::Status(500)),
            (StaleConditions::HTTP_404, Failing::Status(404)),
            (StaleConditions::HTTP_429, Failing::Status(429)),
        ] {
            assert!(of(condition, failing), "{failing:?}");
            assert!(!of(StaleConditions::UPDATING, failing), "{failing:?}");
        }
        assert!(!of(StaleConditions::HTTP_500, Failing::Status(501)));
        let allowed = Times { error: 100, ..TIMES };
        let error = Failing::Server(FailureKind::Closed);
        assert!(replaces(error, StaleConditions::OFF, allowed, 200));
        assert!(!replaces(error, StaleConditions::OFF, allowed, 201));
        assert!(!replaces(Failing::Status(500), StaleConditions::OFF, allowed, 200));
    }
}
