//! What the command line means: checked once, so that nothing behind it asks again.
//!
//! Pure but for the body's file, which is read through a function that the caller passes in.

mod destinations;
mod error;
mod readers;

use std::fmt;
use std::io;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::{self, Arguments, Sending};
use crate::fault::Fault;
use crate::mix::{Mix, Prepared};
use crate::objective::Objective;
use crate::schedule::{Rate, Schedule, ScheduleError};
use crate::tls::Trust;
use crate::truth::Source;
use crate::wire::head::Expectations;
use crate::wire::request::{self, Persistence, Request};
use destinations::{Origins, authorities, read_server_name, weights};
pub use error::PlanError;
pub(crate) use readers::{duration, time};
use readers::{
    read_backend_headers, read_body, read_faults, read_header, read_method, read_objective, read_shares,
    read_slot, read_source, read_stages,
};

/// One run, ready to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The URLs: where they lead, what is sent to them, and in which order.
    pub mix: Mix,
    /// Whom to believe where there is TLS.
    pub trust: Trust,
    /// The method, in capitals.
    pub method: String,
    /// How answers are to be read.
    pub expectations: Expectations,
    /// Whether a request whose kept-alive connection turns out closed is sent once more.
    pub resend: bool,
    /// How many requests a connection carries at most.
    pub requests_per_connection: Option<u64>,
    /// When the run ends.
    pub goal: Goal,
    /// When a request is begun.
    pub pacing: Pacing,
    /// How many connections were asked for.
    pub concurrency: usize,
    /// How many threads serve them; never more than [`Plan::connections`].
    pub threads: usize,
    /// How long one request may take, connecting included.
    pub timeout: Duration,
    /// What is printed.
    pub output: Output,
    /// Where the HTML report goes.
    pub html: Option<PathBuf>,
    /// Whether progress is shown as plain lines, even on a terminal.
    pub plain: bool,
    /// How long a slot of the run over time is at first.
    pub slot: Duration,
    /// The commands to run meanwhile, in order of time.
    pub faults: Vec<Fault>,
    /// The backends to ask for their own counts.
    pub truth: Vec<Source>,
    /// What each backend should get, by name, in any scale; empty when all should get the same.
    pub expected_shares: Vec<(String, f64)>,
    /// What the run must come to.
    pub objectives: Vec<Objective>,
}

/// When a run ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// After so many requests.
    Number(u64),
    /// After so much time; what is in flight then is still waited for.
    Time(Duration),
}

/// When a request is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pacing {
    /// When its connection has had its answer: a closed loop.
    Closed,
    /// When a schedule says so, whatever the answers do: an open loop.
    Open {
        /// When each request is due; ends where the goal says.
        schedule: Schedule,
        /// Whether what was due while no connection was free is sent later, rather than counted as unsent.
        catch_up: bool,
    },
}

/// What is printed on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The summary, for people.
    Text,
    /// The summary, with one line per request before it.
    TextWithRequests,
    /// The summary as JSON.
    Json,
}

/// As many requests as the original sent by default.
pub const DEFAULT_NUMBER: u64 = 1000;

/// Connections of a closed loop, as the original had it.
const DEFAULT_CONCURRENCY: usize = 1;

/// Connections that an open loop may use. They are opened only when all others are busy; so many carry 1000
/// requests per second to a target that takes 100 ms.
const DEFAULT_OPEN_CONCURRENCY: usize = 100;

/// More than an address has ports towards one target, so that only several targets could carry them. Each costs some
/// kilobytes before its first request.
const CONNECTION_LIMIT: usize = 100_000;

/// More than nearly every machine has cores; a thread beyond them only takes turns with the others, and costs a
/// megabyte.
const THREAD_LIMIT: usize = 512;

/// The header by which this project's backends name themselves.
pub const BACKEND_HEADER: &str = "X-Backend";

/// Fine enough to see a failover of a few hundred milliseconds, coarse enough for a slot to hold some answers.
pub const DEFAULT_SLOT: Duration = Duration::from_millis(100);

/// The request is kept in memory once, so this is about typing errors, not about cost.
const BODY_LIMIT_BYTES: u64 = 1 << 30;

/// Turns what was typed into what it means. `cores` is how many threads can run at once; `read_file`
/// answers a file's content by its path.
///
/// # Errors
/// The first thing that makes no sense, naming the option, the value and what would be accepted.
pub fn check(
    arguments: Arguments,
    cores: usize,
    read_file: impl Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<Plan, PlanError> {
    let Arguments {
        number,
        concurrent,
        url,
        default_url,
        url_weights,
        requests_per_connection,
        server_name,
        duration,
        rate,
        stages,
        catch_up,
        sending: Sending { method, body, header, timeout, threads, no_resend, ca_file, insecure },
        backend_header,
        expect_shares,
        slot,
        at,
        truth,
        slo,
        verbose,
        json,
        html,
        plain,
        // A plan is what a plain run does.
        command: _,
    } = arguments;

    let (source_name, url) =
        if url.is_empty() { (cli::URL_VARIABLE, vec![default_url]) } else { ("--url", url) };
    let (weights, order) = weights(url_weights, url.len())?;
    let server_name = server_name.map(read_server_name).transpose()?;
    let origins = Origins::read(source_name, &url, server_name.as_ref())?;
    if !origins.places.iter().any(|origin| origin.server_name.is_some()) {
        let given = [
            ("--ca-file", !ca_file.is_empty()),
            ("--server-name", server_name.is_some()),
            ("--insecure", insecure),
        ];
        if let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) {
            return Err(PlanError::NeedsTls(flag));
        }
    }
    let trust = match (insecure, ca_file.is_empty()) {
        (true, _) => Trust::Anyone,
        (false, true) => Trust::System,
        (false, false) => Trust::Authorities(authorities(ca_file, &read_file)?),
    };
    let number = at_least_one("--number", number.unwrap_or(DEFAULT_NUMBER))?;
    let mut goal = match duration {
        Some(text) => Goal::Time(time("--duration", &text)?),
        None => Goal::Number(number),
    };
    let schedule = match (rate, stages) {
        (Some(text), _) => {
            Some(constant(&text, goal).map_err(|reason| PlanError::Rate { value: text, reason })?)
        }
        (None, Some(text)) => {
            let schedule = read_stages(text)?;
            goal = Goal::Time(schedule.length());
            Some(schedule)
        }
        (None, None) => None,
    };
    let pacing = match schedule {
        Some(schedule) => Pacing::Open { schedule, catch_up },
        None if catch_up => return Err(PlanError::NothingToCatchUp),
        None => Pacing::Closed,
    };
    let concurrency = match (concurrent, &pacing) {
        (Some(count), _) => within("--concurrent", count, CONNECTION_LIMIT)?,
        (None, Pacing::Closed) => DEFAULT_CONCURRENCY,
        (None, Pacing::Open { .. }) => DEFAULT_OPEN_CONCURRENCY,
    };
    let threads = match threads {
        Some(count) => within("--threads", count, THREAD_LIMIT)?,
        None => cores.clamp(1, THREAD_LIMIT),
    };
    let timeout = time("--timeout", &timeout)?;
    let requests_per_connection =
        requests_per_connection.map(|count| at_least_one("--requests-per-connection", count)).transpose()?;
    let body = body.map(|value| read_body(value, &read_file)).transpose()?;
    let method = match method {
        Some(text) => read_method(text)?,
        None => if body.is_some() { "POST" } else { "GET" }.to_owned(),
    };
    let headers = header.into_iter().map(read_header).collect::<Result<Vec<_>, _>>()?;

    let prepared =
        url.into_iter().zip(&origins.targets).zip(weights).map(|((url, (target, origin)), weight)| {
            let request = Request { method: &method, target, headers: &headers, body: body.as_deref() };
            Prepared {
                url,
                weight,
                origin: *origin,
                bytes: request.to_bytes(Persistence::Keep),
                last_bytes: requests_per_connection.map(|_| request.to_bytes(Persistence::Close)),
            }
        });
    let mut plan = Plan {
        mix: Mix::new(origins.places, prepared.collect(), order),
        trust,
        requests_per_connection,
        expectations: Expectations {
            backend_headers: read_backend_headers(backend_header)?,
            head_request: method == "HEAD",
        },
        resend: request::is_idempotent(&method) && !no_resend,
        method,
        goal,
        pacing,
        concurrency,
        threads,
        timeout,
        output: match (json, verbose) {
            (true, _) => Output::Json,
            (false, true) => Output::TextWithRequests,
            (false, false) => Output::Text,
        },
        html,
        plain,
        slot: read_slot(slot)?,
        faults: read_faults(&at, goal)?,
        truth: truth.into_iter().map(read_source).collect::<Result<_, _>>()?,
        expected_shares: expect_shares.map(read_shares).transpose()?.unwrap_or_default(),
        objectives: slo.into_iter().map(read_objective).collect::<Result<_, _>>()?,
    };
    plan.threads = plan.threads.min(plan.connections());
    Ok(plan)
}

impl Plan {
    /// How many connections are opened: as many as asked for, but none that would never send a request.
    pub fn connections(&self) -> usize {
        let number = match (&self.pacing, self.goal) {
            (Pacing::Open { schedule, .. }, _) => schedule.total(),
            (Pacing::Closed, Goal::Number(number)) => number,
            (Pacing::Closed, Goal::Time(_)) => return self.concurrency,
        };
        usize::try_from(number).unwrap_or(usize::MAX).min(self.concurrency)
    }

    /// How many of the connections belong to the thread with this index; they differ by one at most.
    pub fn connections_of(&self, thread: usize) -> usize {
        let connections = self.connections();
        connections / self.threads + usize::from(thread < connections % self.threads)
    }
}

impl Pacing {
    /// How long before time zero the threads start. A closed loop begins when they are ready; a schedule would be
    /// late from the beginning.
    pub fn head_start(&self) -> Duration {
        match self {
            Self::Closed => Duration::ZERO,
            Self::Open { .. } => Duration::from_millis(50),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number} requests"),
            Self::Time(time) => write!(formatter, "requests for {time:?}"),
        }
    }
}

fn at_least_one<N: PartialEq + From<u8>>(flag: &'static str, number: N) -> Result<N, PlanError> {
    if number == N::from(0) { Err(PlanError::Zero { flag }) } else { Ok(number) }
}

fn within(flag: &'static str, number: usize, limit: usize) -> Result<usize, PlanError> {
    if number > limit {
        return Err(PlanError::TooMany { flag, value: number, limit });
    }
    at_least_one(flag, number)
}

fn constant(rate: &str, goal: Goal) -> Result<Schedule, ScheduleError> {
    let rate: Rate = rate.parse()?;
    match goal {
        Goal::Time(time) => Schedule::constant(rate, time),
        Goal::Number(number) => {
            let number = NonZeroU64::new(number).ok_or(ScheduleError::Silent)?;
            Schedule::count(rate, number)
        }
    }
}

#[cfg(test)]
mod tests;
