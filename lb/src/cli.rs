//! The command line: nginx's switches, as typed, and a few of our own.
//!
//! nginx reads its arguments letter by letter (`-tq`, `-cfile`, `-c file`, and `-c -t` names a file `-t`), the last
//! occurrence counts, and its messages are well known. structopt parses differently, so `spelled_out` first turns
//! nginx's letters into long options and refuses in nginx's words the command lines that nginx refuses; structopt is
//! left with the typed form and the default from the environment. Both are pure: arguments in, [`Invocation`] out.
//!
//! nginx's defaults depend on its build; ours are: the prefix is the working directory, so that `lb -c nginx.conf`
//! reads the file there; the configuration is `/etc/nginx/nginx.conf`, the path of NGINX's packages and image; the
//! error log is standard error.

mod usage;

use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use structopt::StructOpt;
use structopt::clap::AppSettings;
use thiserror::Error;

pub use self::usage::{build_text, help_text, version_text};
use crate::config::model::LogDestination;

/// The configuration file without `-c`.
pub const DEFAULT_CONFIGURATION: &str = "/etc/nginx/nginx.conf";

/// The environment variable in place of `--admin`.
pub const ADMIN_VARIABLE: &str = "LB_ADMIN";

/// The exit code of success.
pub const EXIT_SUCCESS: u8 = 0;

/// nginx's exit code for every failure: usage, configuration, start, a signal without a process to receive it. The
/// health check has the same, as Docker expects 1 of it.
pub const EXIT_FAILURE: u8 = 1;

/// A parsed command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The text to print on standard error before anything else (`-v`, `-V`, `-h`).
    pub show: Option<Show>,
    /// The command to run then.
    pub command: Command,
    /// The options for the command.
    pub options: Options,
}

/// The texts of `-v`, `-V` and `-h`; each includes those before it, except the help, which has no build facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// `-v`: one line.
    Version,
    /// `-V`: the version and how it was built.
    Build,
    /// `-h`, `-?`: the version and all options.
    Help,
}

/// The command to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Serve.
    Run,
    /// `-t`, `-T`: test the configuration.
    Test {
        /// `-T`: print it to standard output when it is good.
        dump: bool,
        /// `-q`: print nothing below a warning.
        quiet: bool,
    },
    /// `-s`: signal the running process.
    Signal(SignalRequest),
    /// Nothing but [`Invocation::show`]: exit 0.
    ShowOnly,
    /// `healthcheck [URL]`
    Healthcheck {
        /// The URL; by default that of the admin address.
        url: Option<String>,
    },
}

/// The word after `-s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalRequest {
    /// `stop`: at once.
    Stop,
    /// `quit`: gracefully.
    Quit,
    /// `reload`: read the configuration again.
    Reload,
    /// `reopen`: open the logs again.
    Reopen,
}

/// Settings of the command line, with the prefix applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `-p`, or the working directory: the base of the configuration's relative paths.
    pub prefix: PathBuf,
    /// `-c`
    pub configuration: PathBuf,
    /// `-e`: the error log while, and where, the configuration names none.
    pub error_log: LogDestination,
    /// `-g`: directives of the main context, besides the file.
    pub directives: String,
    /// `--admin` or `LB_ADMIN`.
    pub admin: Option<SocketAddr>,
}

/// The environment of a command line.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The working directory.
    pub directory: PathBuf,
    /// The value of [`ADMIN_VARIABLE`].
    pub admin: Option<OsString>,
}

impl Surroundings {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self {
            // A directory that was removed has no name; relative paths then fail one by one, with their names.
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            admin: std::env::var_os(ADMIN_VARIABLE),
        }
    }
}

/// The error of a command line; printed after `lb: `, exit code 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UsageError {
    /// An unknown letter or word.
    #[error("invalid option: \"{0}\"")]
    Invalid(String),
    /// A value is missing.
    #[error("option \"{option}\" requires {what}")]
    Requires {
        /// The option.
        option: &'static str,
        /// The value that should follow it.
        what: &'static str,
    },
    /// `-s` with a word that is no signal.
    #[error("invalid option: \"-s {0}\"")]
    Signal(String),
    /// `-g` with a value that is not text.
    #[error("option \"-g\" requires text in UTF-8")]
    Encoding,
    /// An invalid address.
    #[error(
        "invalid address \"{value}\" in {source_name}: expected ADDRESS:PORT, such as 127.0.0.1:9145, [::1]:9145 or \
         localhost:9145"
    )]
    Admin {
        /// The given value.
        value: String,
        /// `"--admin"` or `"LB_ADMIN"`.
        source_name: &'static str,
    },
    /// An error of the parser beneath; should not happen after `spelled_out`.
    #[error("{0}")]
    Other(String),
}

/// The typed form. Help and usage are our own (see [`usage`]): nginx's letters are not structopt's.
#[derive(Debug, StructOpt)]
#[structopt(
    name = "lb",
    no_version,
    setting = AppSettings::DisableVersion,
    setting = AppSettings::AllArgsOverrideSelf,
    setting = AppSettings::DisableHelpSubcommand
)]
struct Arguments {
    #[structopt(long)]
    show_help: bool,
    #[structopt(long)]
    show_version: bool,
    #[structopt(long)]
    show_build: bool,
    #[structopt(long)]
    test: bool,
    #[structopt(long)]
    dump: bool,
    #[structopt(long)]
    quiet: bool,
    #[structopt(long, parse(try_from_str = signal_request))]
    signal: Option<SignalRequest>,
    #[structopt(long, parse(from_os_str))]
    prefix: Option<PathBuf>,
    #[structopt(long, parse(from_os_str))]
    configuration: Option<PathBuf>,
    #[structopt(long, parse(from_os_str))]
    error_log: Option<PathBuf>,
    #[structopt(long)]
    directives: Option<String>,
    #[structopt(long)]
    admin: Option<String>,
    #[structopt(subcommand)]
    subcommand: Option<Subcommand>,
}

#[derive(Debug, StructOpt)]
enum Subcommand {
    Healthcheck { url: Option<String> },
}

/// Reads a command line, without the program's name.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    surroundings: &Surroundings,
) -> Result<Invocation, UsageError> {
    let arguments = spelled_out(arguments)?;
    let arguments = Arguments::from_iter_safe(std::iter::once(OsString::from("lb")).chain(arguments))
        .map_err(|error| {
            UsageError::Other(error.message.lines().next().unwrap_or("invalid command line").to_owned())
        })?;
    resolve(arguments, surroundings)
}

/// nginx's letters as long options, `healthcheck` and its URL as they are.
fn spelled_out(arguments: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, UsageError> {
    let mut arguments = arguments.into_iter();
    let mut spelled = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "healthcheck" {
            spelled.push(argument);
            spelled.extend(healthcheck_url(&mut arguments)?);
            return Ok(spelled);
        }
        match argument.as_bytes() {
            [b'-', b'-', long @ ..] if !long.is_empty() => {
                spelled.push(long_option(long, &argument, &mut arguments)?);
            }
            [b'-', letters @ ..] => spell_letters(letters, &mut arguments, &mut spelled)?,
            _ => return Err(UsageError::Invalid(argument.to_string_lossy().into_owned())),
        }
    }
    Ok(spelled)
}

fn healthcheck_url(arguments: &mut impl Iterator<Item = OsString>) -> Result<Option<OsString>, UsageError> {
    let url = arguments.next();
    // The URL is not an option in disguise, and nothing follows it.
    match url.iter().find(|url| url.as_bytes().starts_with(b"-")).cloned().or_else(|| arguments.next()) {
        Some(extra) => Err(UsageError::Invalid(extra.to_string_lossy().into_owned())),
        None => Ok(url),
    }
}

fn long_option(
    long: &[u8],
    argument: &OsStr,
    arguments: &mut impl Iterator<Item = OsString>,
) -> Result<OsString, UsageError> {
    match long {
        b"help" => Ok("--show-help".into()),
        b"version" => Ok("--show-version".into()),
        b"admin" => {
            let address = arguments
                .next()
                .ok_or(UsageError::Requires { option: "--admin", what: "address and port" })?;
            Ok(with_value("--admin", address))
        }
        _ if long.starts_with(b"admin=") => Ok(argument.to_owned()),
        _ => Err(UsageError::Invalid(argument.to_string_lossy().into_owned())),
    }
}

fn with_value(option: &str, value: OsString) -> OsString {
    let mut spelled = OsString::from(option);
    spelled.push("=");
    spelled.push(value);
    spelled
}

/// One argument of letters. A letter that takes a value takes the rest of the argument, or the next one in any form.
fn spell_letters(
    letters: &[u8],
    arguments: &mut impl Iterator<Item = OsString>,
    spelled: &mut Vec<OsString>,
) -> Result<(), UsageError> {
    for (index, letter) in letters.iter().enumerate() {
        let (option, short, what) = match letter {
            b'?' | b'h' => {
                spelled.push("--show-help".into());
                continue;
            }
            b'v' => {
                spelled.push("--show-version".into());
                continue;
            }
            b'V' => {
                spelled.push("--show-build".into());
                continue;
            }
            b't' => {
                spelled.push("--test".into());
                continue;
            }
            b'T' => {
                spelled.push("--dump".into());
                continue;
            }
            b'q' => {
                spelled.push("--quiet".into());
                continue;
            }
            b's' => ("--signal", "-s", "parameter"),
            b'p' => ("--prefix", "-p", "directory name"),
            b'e' => ("--error-log", "-e", "file name"),
            b'c' => ("--configuration", "-c", "file name"),
            b'g' => ("--directives", "-g", "parameter"),
            other => return Err(UsageError::Invalid(char::from(*other).to_string())),
        };
        let value = match &letters[index + 1..] {
            [] => arguments.next().ok_or(UsageError::Requires { option: short, what })?,
            rest => OsString::from_vec(rest.to_vec()),
        };
        match short {
            // Refused here, because structopt would refuse them in its own words.
            "-s" if value.to_str().is_none_or(|word| signal_request(word).is_err()) => {
                return Err(UsageError::Signal(value.to_string_lossy().into_owned()));
            }
            "-g" if value.to_str().is_none() => return Err(UsageError::Encoding),
            _ => {}
        }
        spelled.push(with_value(option, value));
        return Ok(());
    }
    Ok(())
}

fn signal_request(word: &str) -> Result<SignalRequest, UsageError> {
    match word {
        "stop" => Ok(SignalRequest::Stop),
        "quit" => Ok(SignalRequest::Quit),
        "reload" => Ok(SignalRequest::Reload),
        "reopen" => Ok(SignalRequest::Reopen),
        other => Err(UsageError::Signal(other.to_owned())),
    }
}

fn resolve(arguments: Arguments, surroundings: &Surroundings) -> Result<Invocation, UsageError> {
    let Arguments {
        show_help,
        show_version,
        show_build,
        test,
        dump,
        quiet,
        signal,
        prefix,
        configuration,
        error_log,
        directives,
        admin,
        subcommand,
    } = arguments;
    let show = match (show_help, show_build, show_version) {
        (true, _, _) => Some(Show::Help),
        (false, true, _) => Some(Show::Build),
        (false, false, true) => Some(Show::Version),
        (false, false, false) => None,
    };
    // nginx's order: `-vt` shows the version and tests, `-vs reload` shows the version only, `-ts reload` tests only.
    let command = match (subcommand, signal) {
        _ if test || dump => Command::Test { dump, quiet },
        _ if show.is_some() => Command::ShowOnly,
        (Some(Subcommand::Healthcheck { url }), _) => Command::Healthcheck { url },
        (None, Some(request)) => Command::Signal(request),
        (None, None) => Command::Run,
    };
    let prefix = match prefix {
        Some(prefix) if !prefix.as_os_str().is_empty() => prefix,
        Some(_) | None => surroundings.directory.clone(),
    };
    let configuration =
        prefix.join(configuration.as_deref().unwrap_or_else(|| Path::new(DEFAULT_CONFIGURATION)));
    let error_log = match error_log {
        Some(file) if file.as_os_str() != "stderr" => LogDestination::File(prefix.join(file)),
        Some(_) | None => LogDestination::Stderr,
    };
    let admin = match (admin, &surroundings.admin) {
        (Some(address), _) => admin_address(&address, "\"--admin\"")?,
        (None, Some(address)) => admin_address(&address.to_string_lossy(), "\"LB_ADMIN\"")?,
        (None, None) => None,
    };
    let directives = directives.unwrap_or_default();
    Ok(Invocation { show, command, options: Options { prefix, configuration, error_log, directives, admin } })
}

/// An address to listen on; `None` for the empty text, which compose files make of an unset variable. A bare port is
/// refused: an admin surface must not guess whether it means this machine or the network.
fn admin_address(text: &str, source_name: &'static str) -> Result<Option<SocketAddr>, UsageError> {
    if text.is_empty() {
        return Ok(None);
    }
    let invalid = || UsageError::Admin { value: text.to_owned(), source_name };
    let address = match text.strip_prefix("localhost:") {
        Some(port) => {
            SocketAddr::from((IpAddr::V4(Ipv4Addr::LOCALHOST), port.parse::<u16>().map_err(|_| invalid())?))
        }
        None => text.parse().map_err(|_| invalid())?,
    };
    Ok(Some(address))
}

#[cfg(test)]
mod tests;
