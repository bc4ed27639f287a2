//! Faults on demand, for testing what stands in front: a delay, a share of errors, no answer at all, a closed
//! connection.
//!
//! They come from two places: what was set for the whole process ([`FaultSwitch`]), and what a request's own query
//! says, which wins key by key. Only a server started with `--faults` has any of this.

use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longer than any proxy waits by default, short enough for a stop not to be forgotten.
const MAX_DELAY: Duration = Duration::from_secs(600);

/// What is wrong with this server. The default is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    /// How long to wait before anything else, in milliseconds.
    delay_ms: u64,
    /// The share of requests that are answered with 500, from 0 to 1.
    error_share: f64,
    /// Never answer.
    hang: bool,
    /// Close the connection instead of answering.
    close: bool,
}

/// What becomes of a request once its delay is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is answered as if nothing were wrong.
    Answer,
    /// It is answered with 500.
    Fail,
    /// It is never answered.
    Hang,
    /// Its connection is closed without an answer.
    Close,
}

/// A fault that cannot be had.
#[derive(Debug, Error)]
pub(crate) enum FaultError {
    #[error("delay={0:?}: expected a whole number with a unit, such as 250ms, 2s or 1m, up to 10m")]
    Delay(String),
    #[error("delay_ms: {0} is more than 600000")]
    DelayMs(u64),
    #[error("error={0:?}: expected a share from 0 to 1, such as 0.1")]
    Error(String),
    #[error("error_share: {0} is not a share from 0 to 1")]
    ErrorShare(f64),
    #[error("{key}={value:?}: expected no value, or 1, true, 0 or false")]
    Flag { key: &'static str, value: String },
    #[error("{0}; expected an object with any of delay_ms, error_share, hang and close")]
    Json(#[from] serde_json::Error),
}

impl Faults {
    /// Reads the JSON form; keys that are missing mean no fault of that kind.
    ///
    /// # Errors
    /// On anything else than an object with known keys and possible values.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, FaultError> {
        let faults: Self = serde_json::from_slice(json)?;
        if u128::from(faults.delay_ms) > MAX_DELAY.as_millis() {
            return Err(FaultError::DelayMs(faults.delay_ms));
        }
        if !(0.0..=1.0).contains(&faults.error_share) {
            return Err(FaultError::ErrorShare(faults.error_share));
        }
        Ok(faults)
    }

    /// These faults, except where `query` says otherwise. Keys that have nothing to do with faults are left alone.
    ///
    /// # Errors
    /// If a fault's value in `query` is not possible.
    pub(crate) fn overridden_by(mut self, query: &str) -> Result<Self, FaultError> {
        for parameter in query.split('&') {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match key {
                "delay" => self.delay_ms = parse_delay_ms(value)?,
                "error" => self.error_share = parse_share(value)?,
                "hang" => self.hang = parse_flag("hang", value)?,
                "close" => self.close = parse_flag("close", value)?,
                _ => {}
            }
        }
        Ok(self)
    }

    /// How long to wait first; none if there is nothing to wait for.
    pub(crate) fn delay(self) -> Option<Duration> {
        (self.delay_ms > 0).then(|| Duration::from_millis(self.delay_ms))
    }

    /// Decides about a request by `draw`, a random number from 0 up to but not including 1.
    pub(crate) fn outcome(self, draw: f64) -> Outcome {
        if self.close {
            Outcome::Close
        } else if self.hang {
            Outcome::Hang
        } else if draw < self.error_share {
            Outcome::Fail
        } else {
            Outcome::Answer
        }
    }
}

/// The faults of the whole process. Its lock is taken once per request, which is fine where faults are wanted and
/// does not exist where they are not.
#[derive(Debug, Default)]
pub(crate) struct FaultSwitch(Mutex<Faults>);

impl FaultSwitch {
    /// What is wrong now.
    pub(crate) fn faults(&self) -> Faults {
        *self.0.lock()
    }

    /// Makes `faults` hold from the next request on.
    pub(crate) fn set(&self, faults: Faults) {
        *self.0.lock() = faults;
    }
}

fn parse_delay_ms(text: &str) -> Result<u64, FaultError> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let milliseconds_per_unit = match &text[digits.len()..] {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    digits
        .parse()
        .ok()
        .zip(milliseconds_per_unit)
        .and_then(|(count, per_unit): (u64, u64)| count.checked_mul(per_unit))
        .filter(|delay_ms| u128::from(*delay_ms) <= MAX_DELAY.as_millis())
        .ok_or_else(|| FaultError::Delay(text.to_owned()))
}

fn parse_share(text: &str) -> Result<f64, FaultError> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| FaultError::Error(text.to_owned()))
}

fn parse_flag(key: &'static str, value: &str) -> Result<bool, FaultError> {
    match value {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(FaultError::Flag { key, value: value.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Faults = Faults { delay_ms: 0, error_share: 0.0, hang: false, close: false };

    #[test]
    fn a_query_is_read_key_by_key() {
        for (query, expected) in [
            ("", NONE),
            ("cache=0&page", NONE),
            ("delay=250ms", Faults { delay_ms: 250, ..NONE }),
            ("delay=2s", Faults { delay_ms: 2_000, ..NONE }),
            ("delay=10m", Faults { delay_ms: 600_000, ..NONE }),
            ("error=0.25", Faults { error_share: 0.25, ..NONE }),
            ("error=1", Faults { error_share: 1.0, ..NONE }),
            ("hang", Faults { hang: true, ..NONE }),
            ("close=1&x=y", Faults { close: true, ..NONE }),
            ("delay=5ms&error=0.5&hang=true&close=", {
                Faults { delay_ms: 5, error_share: 0.5, hang: true, close: true }
            }),
        ] {
            assert_eq!(NONE.overridden_by(query).unwrap(), expected, "{query}");
        }
    }

    #[test]
    fn a_query_wins_over_what_was_set_and_keeps_the_rest() {
        let set = Faults { delay_ms: 100, error_share: 0.5, hang: true, close: false };
        assert_eq!(
            set.overridden_by("hang=0&error=0").unwrap(),
            Faults { delay_ms: 100, error_share: 0.0, hang: false, close: false }
        );
    }

    #[test]
    fn impossible_values_are_named() {
        for query in [
            "delay=",
            "delay=250",
            "delay=ms",
            "delay=-1ms",
            "delay=1.5s",
            "delay=601s",
            "delay=99999999999999999999s",
            "delay=18446744073709551615m",
            "delay=5€",
            "error=",
            "error=1.1",
            "error=-0.1",
            "error=NaN",
            "error=ten",
            "hang=maybe",
            "close=2",
        ] {
            let error = NONE.overridden_by(query).unwrap_err().to_string();
            let (key, value) = query.split_once('=').unwrap();
            assert!(error.starts_with(&format!("{key}={value:?}: expected")), "{query}: {error}");
        }
    }

    #[test]
    fn json_is_read_strictly() {
        assert_eq!(Faults::from_json(b"{}").unwrap(), NONE);
        assert_eq!(
            Faults::from_json(br#"{"delay_ms":20,"error_share":1}"#).unwrap(),
            Faults { delay_ms: 20, error_share: 1.0, ..NONE }
        );
        for (json, complaint) in [
            ("", "expected an object with any of delay_ms"),
            ("{\"delay\":1}", "unknown field `delay`"),
            ("{\"delay_ms\":-1}", "invalid value"),
            ("{\"delay_ms\":600001}", "delay_ms: 600001 is more than 600000"),
            ("{\"error_share\":1.5}", "error_share: 1.5 is not a share"),
            ("{\"hang\":1}", "invalid type"),
        ] {
            let error = Faults::from_json(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(complaint), "{json}: {error}");
        }
    }

    #[test]
    fn the_gravest_fault_wins() {
        for (query, draw, expected) in [
            ("", 0.0, Outcome::Answer),
            ("delay=1s", 0.0, Outcome::Answer),
            ("error=0", 0.0, Outcome::Answer),
            ("error=0.1", 0.099, Outcome::Fail),
            ("error=0.1", 0.1, Outcome::Answer),
            ("error=1", 0.999_999, Outcome::Fail),
            ("error=1&hang", 0.0, Outcome::Hang),
            ("error=1&hang&close", 0.0, Outcome::Close),
        ] {
            assert_eq!(NONE.overridden_by(query).unwrap().outcome(draw), expected, "{query} at {draw}");
        }
    }
}
