//! How the values of options are read: times, sizes, headers, and what has a form of its own. Part of checking what was
//! typed; pure but for the body's file, which is read through the caller's function.

use std::io;
use std::time::Duration;

use super::{BACKEND_HEADER, BODY_LIMIT_BYTES, Goal, PlanError};
use crate::fault::Fault;
use crate::objective::Objective;
use crate::schedule::{Point, Schedule};
use crate::target::Target;
use crate::truth::{self, Source};

/// Reads points such as `0:1k,30s:20k`.
pub(super) fn read_stages(value: String) -> Result<Schedule, PlanError> {
    let mut points = Vec::new();
    for stage in value.split(',') {
        let stage = stage.trim();
        let Some((at, rate)) = stage.split_once(':') else {
            return Err(PlanError::Stage { stage: stage.to_owned(), value });
        };
        let Some(at) = duration(at) else {
            return Err(PlanError::Stage { stage: stage.to_owned(), value });
        };
        match rate.parse() {
            Ok(rate) => points.push(Point { at, rate }),
            Err(reason) => return Err(PlanError::Stages { value, reason }),
        }
    }
    Schedule::through(points).map_err(|reason| PlanError::Stages { value, reason })
}

/// Reads a time above zero.
pub(crate) fn time(flag: &'static str, text: &str) -> Result<Duration, PlanError> {
    duration(text)
        .filter(|time| !time.is_zero())
        .ok_or_else(|| PlanError::Time { flag, value: text.to_owned() })
}

/// Reads a number with a unit (us, ms, s, m, h); without one it counts seconds.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit_s = match unit.trim() {
        "us" | "µs" => Some(1e-6),
        "ms" => Some(0.001),
        "" | "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    number
        .parse::<f64>()
        .ok()
        .zip(unit_s)
        .and_then(|(number, unit_s)| Duration::try_from_secs_f64(number * unit_s).ok())
        // A year: far above any test, far below where arithmetic on times overflows.
        .filter(|time| *time <= Duration::from_secs(366 * 24 * 3600))
}

/// A size makes a body of so many `x`; anything else is a file's name (`./100` for a file called 100).
pub(super) fn read_body(
    value: String,
    read_file: impl Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<Vec<u8>, PlanError> {
    if let Some(size) = size(&value) {
        return Ok(vec![b'x'; size]);
    }
    read_file(&value).map_err(|reason| PlanError::Body { value, reason })
}

fn size(text: &str) -> Option<usize> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit_bytes = match unit {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        _ => return None,
    };
    let bytes = number.parse::<u64>().ok()?.checked_mul(unit_bytes)?;
    usize::try_from(bytes).ok().filter(|_| bytes <= BODY_LIMIT_BYTES)
}

/// Methods are case-sensitive, but nobody means `get`.
pub(super) fn read_method(text: String) -> Result<String, PlanError> {
    let method = text.to_ascii_uppercase();
    // CONNECT turns the connection into a tunnel, which a closed loop of requests cannot use.
    if !is_token(&method) || method == "CONNECT" {
        return Err(PlanError::Method(text));
    }
    Ok(method)
}

pub(super) fn read_header(text: String) -> Result<(String, String), PlanError> {
    let Some((name, value)) = text.split_once(':') else { return Err(PlanError::Header(text)) };
    let value = value.trim();
    if !is_token(name) || value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(PlanError::Header(text));
    }
    if name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding") {
        return Err(PlanError::FramingHeader(text));
    }
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn read_backend_headers(names: Vec<String>) -> Result<Vec<String>, PlanError> {
    if names.is_empty() {
        return Ok(vec![BACKEND_HEADER.to_owned()]);
    }
    match names.iter().find(|name| !is_token(name)) {
        Some(name) => Err(PlanError::HeaderName(name.clone())),
        None => Ok(names),
    }
}

pub(super) fn read_slot(text: String) -> Result<Duration, PlanError> {
    let limits = Duration::from_millis(1)..=Duration::from_secs(3600);
    let slot = time("--slot", &text)?;
    if limits.contains(&slot) { Ok(slot) } else { Err(PlanError::Slot(text)) }
}

/// Times and commands in turn.
pub(super) fn read_faults(words: &[String], goal: Goal) -> Result<Vec<Fault>, PlanError> {
    let mut faults = Vec::new();
    for words in words.chunks(2) {
        let [at, command] = words else { return Err(PlanError::NoCommand) };
        if command.trim().is_empty() {
            return Err(PlanError::NoCommand);
        }
        let fault = Fault { at: time("--at", at)?, command: command.clone() };
        match goal {
            Goal::Time(duration) if fault.at >= duration => {
                return Err(PlanError::TooLate { at: at.clone(), duration });
            }
            Goal::Time(_) | Goal::Number(_) => faults.push(fault),
        }
    }
    faults.sort_by_key(|fault| fault.at);
    Ok(faults)
}

/// A bare origin is asked for its stream of readings.
pub(super) fn read_source(url: String) -> Result<Source, PlanError> {
    if url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
        return Err(PlanError::Truth { url, reason: "backends are asked over http only".to_owned() });
    }
    match url.parse::<Target>() {
        Ok(mut target) => {
            let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            if !rest.contains(['/', '?']) {
                target.path = truth::DEFAULT_PATH.to_owned();
            }
            Ok(Source { url, target })
        }
        Err(reason) => Err(PlanError::Truth { url, reason: reason.to_string() }),
    }
}

/// `NAME=WEIGHT` several times, with commas between them.
pub(super) fn read_shares(text: String) -> Result<Vec<(String, f64)>, PlanError> {
    let share = |item: &str| {
        let (name, weight) = item.rsplit_once('=')?;
        let weight =
            weight.trim().parse::<f64>().ok().filter(|weight| weight.is_finite() && *weight > 0.0)?;
        Some((name.trim().to_owned(), weight)).filter(|(name, _)| !name.is_empty())
    };
    let shares: Option<Vec<(String, f64)>> = text.split(',').map(share).collect();
    shares
        .filter(|shares| {
            let is_new = |index: usize, name: &String| shares[..index].iter().all(|(other, _)| other != name);
            shares.len() > 1 && shares.iter().enumerate().all(|(index, (name, _))| is_new(index, name))
        })
        .ok_or(PlanError::Shares(text))
}

pub(super) fn read_objective(text: String) -> Result<Objective, PlanError> {
    text.parse().map_err(|reason| PlanError::Objective { text, reason })
}

/// RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
