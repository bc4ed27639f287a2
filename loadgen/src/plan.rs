//! What the command line means: checked once, so that nothing behind it asks again.
//!
//! Pure but for the body's file, which is read through a function that the caller passes in.

mod destinations;
mod readers;

use std::fmt;
use std::io;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::cli::{self, Arguments, Sending};
use crate::fault::Fault;
use crate::mix::{Mix, Prepared};
use crate::objective::{Objective, ObjectiveError};
use crate::schedule::{Rate, Schedule, ScheduleError};
use crate::target::TargetError;
use crate::tls::Trust;
use crate::truth::Source;
use crate::wire::head::Expectations;
use crate::wire::request::{self, Persistence, Request};
use destinations::{Origins, authorities, read_server_name, weights};
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

/// What is wrong with a command line whose shape is right.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The URL cannot be tested.
    #[error("invalid value '{url}' for '{source_name}': {reason}; expected http[s]://host[:port][/path]")]
    Url {
        /// The option, or the variable of the environment.
        source_name: &'static str,
        /// As typed.
        url: String,
        /// What is wrong with it.
        reason: TargetError,
    },
    /// The weights do not fit the URLs.
    #[error("invalid value '{value}' for '--url-weights': {reason}; expected {expected}")]
    Weights {
        /// As typed.
        value: String,
        /// What is wrong.
        reason: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A file of certificates cannot be used.
    #[error("invalid value '{value}' for '--ca-file': {reason}; expected a file of PEM certificates")]
    Certificates {
        /// As typed.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// A name that no certificate could bear.
    #[error("invalid value '{0}' for '--server-name': expected a host name or an address")]
    ServerName(String),
    /// An option about TLS where there is none.
    #[error("'{0}' needs an https URL")]
    NeedsTls(&'static str),
    /// A count is zero.
    #[error("invalid value '0' for '{flag}': expected a number of at least 1")]
    Zero {
        /// The option.
        flag: &'static str,
    },
    /// A count is larger than anyone can mean.
    #[error("invalid value '{value}' for '{flag}': expected a number from 1 to {limit}")]
    TooMany {
        /// The option.
        flag: &'static str,
        /// As typed.
        value: usize,
        /// The largest that is accepted.
        limit: usize,
    },
    /// A time cannot be read, or is zero.
    #[error(
        "invalid value '{value}' for '{flag}': expected a time above zero such as 500ms, 10s, 1.5s, 2m or 1h"
    )]
    Time {
        /// The option.
        flag: &'static str,
        /// As typed.
        value: String,
    },
    /// A rate cannot be read, or would send nothing.
    #[error("invalid value '{value}' for '--rate': {reason}")]
    Rate {
        /// As typed.
        value: String,
        /// What is wrong with it.
        reason: ScheduleError,
    },
    /// The stages make no schedule.
    #[error("invalid value '{value}' for '--stages': {reason}")]
    Stages {
        /// As typed.
        value: String,
        /// What is wrong with it.
        reason: ScheduleError,
    },
    /// A stage is not a time and a rate.
    #[error(
        "invalid value '{value}' for '--stages': '{stage}' is no point; expected TIME:RATE, as in 0:1k,30s:20k"
    )]
    Stage {
        /// As typed.
        value: String,
        /// The part that cannot be read.
        stage: String,
    },
    /// Nothing is ever late in a closed loop.
    #[error("'--catch-up' makes sense only with '--rate' or '--stages'")]
    NothingToCatchUp,
    /// The method is no token, or one that a load tester cannot send.
    #[error("invalid value '{0}' for '--method': expected a method such as GET, HEAD, POST, PUT or DELETE")]
    Method(String),
    /// A header is not `Name: value`.
    #[error("invalid value '{0}' for '--header': expected 'Name: value' in printable characters")]
    Header(String),
    /// A header that frames the request.
    #[error("invalid value '{0}' for '--header': this header follows from --body, leave it out")]
    FramingHeader(String),
    /// A header's name is none.
    #[error("invalid value '{0}' for '--backend-header': expected the name of a header, such as X-Backend")]
    HeaderName(String),
    /// Weights cannot be read.
    #[error(
        "invalid value '{0}' for '--expect-shares': expected a weight above zero for each of at least two \
         backends, such as b1=3,b2=1"
    )]
    Shares(String),
    /// A slot is shorter than can be told apart.
    #[error("invalid value '{0}' for '--slot': expected a time from 1ms to 1h")]
    Slot(String),
    /// A command would never run.
    #[error("invalid value '{at}' for '--at': expected a time within --duration {duration:?}")]
    TooLate {
        /// As typed.
        at: String,
        /// How long the run is.
        duration: Duration,
    },
    /// There is nothing to run.
    #[error("invalid value '' for '--at': expected a time and a command, such as 10s 'docker kill b2'")]
    NoCommand,
    /// A backend cannot be asked.
    #[error("invalid value '{url}' for '--truth': {reason}; expected http://host[:port][/path]")]
    Truth {
        /// As typed.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An objective cannot be read.
    #[error("invalid value '{text}' for '--slo': {reason}")]
    Objective {
        /// As typed.
        text: String,
        /// What is wrong with it.
        reason: ObjectiveError,
    },
    /// The body is neither a size nor a file that can be read.
    #[error("invalid value '{value}' for '--body': expected a size up to 1024m or a file: {reason}")]
    Body {
        /// As typed.
        value: String,
        /// Why the file cannot be read.
        reason: io::Error,
    },
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
mod tests {
    use structopt::StructOpt;

    use super::*;

    fn plan(words: &[&str]) -> Result<Plan, PlanError> {
        let arguments = Arguments::from_iter_safe(["loadgen"].iter().chain(words)).unwrap();
        check(arguments, 4, |path| match path {
            "./body.txt" => Ok(b"from a file".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        })
    }

    pub(super) fn plan_with(words: &[&str], file: &[u8]) -> Result<Plan, PlanError> {
        let arguments = Arguments::from_iter_safe(["loadgen"].iter().chain(words)).unwrap();
        check(arguments, 4, |_| Ok(file.to_vec()))
    }

    fn request(words: &[&str]) -> String {
        String::from_utf8(plan(words).unwrap().mix.requests()[0].bytes.clone()).unwrap()
    }

    #[test]
    fn defaults_are_those_of_the_original() {
        let plan = plan(&[]).unwrap();
        assert_eq!(plan.goal, Goal::Number(1000));
        assert_eq!((plan.concurrency, plan.threads, plan.connections()), (1, 1, 1));
        assert_eq!(plan.mix.urls(), "http://localhost:80");
        assert_eq!((plan.trust, plan.requests_per_connection), (Trust::System, None));
        assert_eq!(plan.method, "GET");
        assert_eq!(plan.timeout, Duration::from_secs(30));
        assert_eq!(plan.output, Output::Text);
        assert!(plan.resend);
    }

    #[test]
    fn connections_and_threads_follow_from_what_there_is_to_do() {
        let table: &[(&[&str], usize, &[usize])] = &[
            (&["-c", "10"], 10, &[3, 3, 2, 2]),
            (&["-c", "3"], 3, &[1, 1, 1]),
            (&["-c", "50", "-n", "2"], 2, &[1, 1]),
            (&["-c", "50", "-d", "1s", "--threads", "2"], 50, &[25, 25]),
            (&["-c", "2", "--threads", "64"], 2, &[1, 1]),
            (&["-r", "10"], 100, &[25, 25, 25, 25]),
            (&["-r", "0.5", "-d", "5s"], 3, &[1, 1, 1]),
        ];
        for (words, connections, shares) in table {
            let plan = plan(words).unwrap();
            assert_eq!(plan.connections(), *connections, "{words:?}");
            let actual: Vec<_> = (0..plan.threads).map(|thread| plan.connections_of(thread)).collect();
            assert_eq!(actual, *shares, "{words:?}");
        }
    }

    #[test]
    fn an_open_loop_ends_where_its_goal_says() {
        let second = Duration::from_secs(1);
        let table: &[(&[&str], u64, Goal)] = &[
            (&["-r", "2k", "-d", "3s"], 6000, Goal::Time(3 * second)),
            (&["-r", "2k", "-n", "500"], 500, Goal::Number(500)),
            (&["-r", "2k"], 1000, Goal::Number(DEFAULT_NUMBER)),
            (&["--stages", "0:0, 1s:100, 1500ms:100"], 100, Goal::Time(3 * second / 2)),
            (&["--stages", "0s:1k,1m:1k"], 60_000, Goal::Time(60 * second)),
        ];
        for (words, total, goal) in table {
            let plan = plan(words).unwrap();
            assert_eq!(plan.goal, *goal, "{words:?}");
            let Pacing::Open { schedule, catch_up: false } = plan.pacing else {
                panic!("no open loop: {words:?}")
            };
            assert_eq!(schedule.total(), *total, "{words:?}");
        }
        assert!(matches!(
            plan(&["-r", "1", "--catch-up"]).unwrap().pacing,
            Pacing::Open { catch_up: true, .. }
        ));
        assert_eq!(plan(&["-c", "3"]).unwrap().pacing, Pacing::Closed);
    }

    #[test]
    fn times_have_units() {
        let table = [
            ("250us", Some(Duration::from_micros(250))),
            ("500ms", Some(Duration::from_millis(500))),
            ("10s", Some(Duration::from_secs(10))),
            ("10", Some(Duration::from_secs(10))),
            ("1.5s", Some(Duration::from_millis(1500))),
            ("2m", Some(Duration::from_secs(120))),
            ("1h", Some(Duration::from_secs(3600))),
            ("0s", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1d", None),
            ("1s5", None),
            ("1.2.3s", None),
            ("99999999999h", None),
        ];
        for (text, expected) in table {
            assert_eq!(time("--duration", text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_body_is_a_size_or_a_file_and_makes_it_a_post() {
        assert!(request(&["--body", "3"]).ends_with("Content-Length: 3\r\n\r\nxxx"));
        assert!(request(&["--body", "3"]).starts_with("POST / "));
        assert!(request(&["--body", "2k"]).contains("Content-Length: 2048\r\n"));
        assert!(request(&["--body", "./body.txt", "--method", "put"]).starts_with("PUT / "));
        assert!(request(&["--body", "./body.txt"]).ends_with("\r\n\r\nfrom a file"));
        for value in ["missing.txt", "2t", "2048m"] {
            let error = plan(&["--body", value]).unwrap_err();
            assert!(error.to_string().contains(&format!("'{value}' for '--body'")), "{error}");
        }
    }

    #[test]
    fn only_idempotent_requests_are_resent() {
        let table: &[(&[&str], bool)] = &[
            (&[], true),
            (&["--method", "HEAD"], true),
            (&["--method", "PUT", "--body", "1"], true),
            (&["--body", "1"], false),
            (&["--method", "PATCH"], false),
            (&["--no-resend"], false),
        ];
        for (words, expected) in table {
            assert_eq!(plan(words).unwrap().resend, *expected, "{words:?}");
        }
    }

    #[test]
    fn headers_are_checked() {
        assert!(request(&["--header", "X-A:  b: c "]).contains("\r\nX-A: b: c\r\n"));
        for value in ["nothing", ": x", "A B: c", "A: b\r\nC: d", "Content-Length: 3"] {
            let error = plan(&["--header", value]).unwrap_err().to_string();
            assert!(error.contains("--header"), "{value:?}: {error}");
        }
    }

    #[test]
    fn senseless_values_name_their_option() {
        let table: &[(&[&str], &str)] = &[
            (&["-n", "0"], "--number"),
            (&["-c", "0"], "--concurrent"),
            (&["--threads", "0"], "--threads"),
            (&["-d", "soon"], "'soon' for '--duration'"),
            (&["--timeout", "0"], "'0' for '--timeout'"),
            (&["--requests-per-connection", "0"], "--requests-per-connection"),
            (&["--url", "ftp://a"], "'ftp://a' for '--url'"),
            (&["--method", "GET /"], "'GET /' for '--method'"),
            (&["-r", "fast"], "'fast' for '--rate': 'fast' is no rate"),
            (&["-r", "0"], "'0' for '--rate': the rate is never above zero"),
            (&["-r", "0.000001", "-n", "1000"], "longer than a year"),
            (&["--stages", "0:1k"], "'0:1k' for '--stages': expected at least two points"),
            (&["--stages", "0:1k,soon:1"], "'soon:1' is no point"),
            (&["--stages", "0:1k,5s"], "'5s' is no point"),
            (&["--stages", "0:1k,5s:lots"], "'lots' is no rate"),
            (&["--stages", "1s:1k,5s:1k"], "the first point has to be at 0"),
            (&["--stages", "0:1k,5s:1k,4s:2k"], "the times have to rise"),
            (&["--stages", "0:0,5s:0"], "the rate is never above zero"),
            (&["--catch-up"], "'--catch-up' makes sense only with"),
            (&["--method", "connect"], "'connect' for '--method'"),
        ];
        for (words, expected) in table {
            let error = plan(words).unwrap_err().to_string();
            assert!(error.contains(expected), "{words:?}: {error}");
        }
    }

    #[test]
    fn what_is_counted_is_checked() {
        let all = plan(&[
            "-d",
            "10s",
            "--slot",
            "50ms",
            "--at",
            "5s",
            "later",
            "--at",
            "1s",
            "first",
            "--truth",
            "http://b1:81",
            "--truth",
            "b2/",
            "--expect-shares",
            "b1=3, b2=0.5",
            "--slo",
            "p99<5ms",
            "--backend-header",
            "Via",
            "--backend-header",
            "X-Served-By",
        ])
        .unwrap();
        assert_eq!(all.slot, Duration::from_millis(50));
        let faults: Vec<_> =
            all.faults.iter().map(|fault| (fault.at.as_secs(), fault.command.as_str())).collect();
        assert_eq!(faults, [(1, "first"), (5, "later")]);
        let paths: Vec<_> = all.truth.iter().map(|source| source.target.path.as_str()).collect();
        assert_eq!(paths, ["/rps", "/"]);
        assert_eq!(all.expected_shares, [("b1".to_owned(), 3.0), ("b2".to_owned(), 0.5)]);
        assert_eq!((all.objectives.len(), all.expectations.backend_headers.len()), (1, 2));
        assert_eq!(plan(&[]).unwrap().expectations.backend_headers, [BACKEND_HEADER]);

        let table: &[(&[&str], &str)] = &[
            (&["--slot", "100us"], "'100us' for '--slot'"),
            (&["--slot", "2h"], "expected a time from 1ms to 1h"),
            (&["--at", "soon", "true"], "'soon' for '--at'"),
            (&["--at", "1s", " "], "expected a time and a command"),
            (&["-d", "5s", "--at", "5s", "true"], "'5s' for '--at': expected a time within --duration 5s"),
            (&["--truth", "https://b1"], "'https://b1' for '--truth': backends are asked over http only"),
            (&["--truth", "http://"], "'http://' for '--truth': it names no host"),
            (&["--expect-shares", "b1=3"], "'b1=3' for '--expect-shares': expected a weight above zero"),
            (&["--expect-shares", "b1=3,b2"], "'b1=3,b2'"),
            (&["--expect-shares", "b1=3,b1=1"], "'b1=3,b1=1'"),
            (&["--expect-shares", "b1=3,b2=0"], "'b1=3,b2=0'"),
            (&["--slo", "p99"], "'p99' for '--slo': expected MEASURE<LIMIT"),
            (&["--backend-header", "a b"], "'a b' for '--backend-header'"),
        ];
        for (words, expected) in table {
            let error = plan(words).unwrap_err().to_string();
            assert!(error.contains(expected), "{words:?}: {error}");
        }
    }
}
