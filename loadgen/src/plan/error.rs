//! What is wrong with a command line, each with the option, the value and what would be accepted.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::objective::ObjectiveError;
use crate::schedule::ScheduleError;
use crate::target::TargetError;

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
