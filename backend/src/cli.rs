//! The command line: what was typed ([`Arguments`]) and, with the environment, what it means ([`Settings`]).
//!
//! The environment is read here rather than by the argument parser, because compose files pass variables that are
//! set but empty (`APP_PORT: ${PORT:-}`), and those should mean "not given" instead of ending the start.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use actix_web::http::header::HeaderValue;
use structopt::StructOpt;
use thiserror::Error;

/// Where a backend listens unless told otherwise: the first port of the original demo was 5001, its default 5000.
const DEFAULT_PORT: u16 = 5000;

/// Actix refuses to start more workers than this.
const MAX_WORKERS: usize = 512;

/// What was typed.
#[derive(Debug, Default, StructOpt)]
#[structopt(
    name = "backend",
    about = "A demo HTTP server that shows its own request rate.",
    after_help = "ENDPOINTS:\n    \
        /              a JSON answer with the rate and the number of requests so far\n    \
        /bytes/N       a body of N bytes\n    \
        /health        for health checks; not counted\n    \
        /rps           the rate as Server-Sent Events, one a second\n    \
        /rps-display   the live page\n    \
        /faults        faults for all requests, with --faults only\n\n\
        ENVIRONMENT:\n    \
        APP_PORT       as --port\n    \
        BACKEND_NAME   as --name\n    \
        RUST_LOG       which log lines are written, for example `debug`\n\n\
        SIGQUIT, SIGTERM and SIGINT stop gracefully; a second one stops at once."
)]
pub(crate) struct Arguments {
    /// Port to listen on; 0 lets the system choose [default: 5000]
    #[structopt(long, value_name = "PORT", parse(try_from_str = parse_port))]
    port: Option<u16>,

    /// Name in the header X-Backend, in the answers and on the page [default: the host name]
    #[structopt(long, value_name = "NAME", parse(try_from_str = parse_name))]
    name: Option<String>,

    /// Address to listen on, IPv4 or IPv6 [default: 0.0.0.0]
    #[structopt(long, value_name = "ADDRESS", parse(try_from_str = parse_address))]
    bind: Option<IpAddr>,

    /// Number of worker threads [default: one per processor]
    #[structopt(long, value_name = "N", parse(try_from_str = parse_workers))]
    workers: Option<usize>,

    /// Allow faults on demand: /?delay=250ms, /?error=0.1, /?hang, /?close, and the same for all by PUT /faults
    #[structopt(long)]
    faults: bool,

    #[structopt(subcommand)]
    pub(crate) command: Option<Command>,
}

// What to do instead of serving. No doc comment: structopt would show it as the description of the whole program.
#[derive(Debug, StructOpt)]
pub(crate) enum Command {
    /// Ask a server for its health once: exit code 0 if it answers 2xx, 1 if not
    Healthcheck {
        /// What to ask [default: /health of this machine's backend, by --bind and --port]
        #[structopt(value_name = "URL")]
        url: Option<String>,
    },
}

/// What it means: every value present and checked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Where to listen.
    pub(crate) address: SocketAddr,
    /// The server's name; valid in a header.
    pub(crate) name: String,
    /// Number of worker threads, at least one.
    pub(crate) workers: usize,
    /// Whether faults may be asked for.
    pub(crate) faults: bool,
}

/// A value that cannot be used, and what could be.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum ValueError {
    #[error("{0:?} is not a port: expected a number from 0 to 65535")]
    Port(String),
    #[error("{0:?} is not an address: expected IPv4 or IPv6, such as 0.0.0.0 or ::1")]
    Address(String),
    #[error("{0:?} is not a number of workers: expected 1 to {MAX_WORKERS}")]
    Workers(String),
    #[error(
        "{0:?} cannot be a name, which stands in a header: expected printable ASCII without spaces at its ends"
    )]
    Name(String),
}

/// An environment variable with a value that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("environment variable {variable}: {error}")]
pub(crate) struct EnvironmentError {
    variable: &'static str,
    error: ValueError,
}

impl Settings {
    /// Takes each value from the command line, else from the environment, else its default.
    ///
    /// # Errors
    /// If the environment holds a value that cannot be used. The command line was checked when it was parsed.
    pub(crate) fn resolve(
        arguments: &Arguments,
        environment: impl Fn(&str) -> Option<String>,
        host_name: impl FnOnce() -> Option<String>,
    ) -> Result<Self, EnvironmentError> {
        let Arguments { port, name, bind, workers, faults, command: _ } = arguments;
        let port = match port {
            Some(port) => Some(*port),
            None => from_environment("APP_PORT", &environment, parse_port)?,
        };
        let name = match name {
            Some(name) => Some(name.clone()),
            None => from_environment("BACKEND_NAME", &environment, parse_name)?,
        };
        Ok(Self {
            address: SocketAddr::new(
                bind.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
                port.unwrap_or(DEFAULT_PORT),
            ),
            name: name
                .or_else(|| host_name().and_then(|name| parse_name(name.trim()).ok()))
                .unwrap_or_else(|| "backend".to_owned()),
            workers: workers.unwrap_or_else(available_workers),
            faults: *faults,
        })
    }

    /// Where this machine's own server answers health checks: a server that listens on all addresses is asked
    /// through loopback.
    pub(crate) fn health_url(&self) -> String {
        let host = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        format!("http://{}/health", SocketAddr::new(host, self.address.port()))
    }
}

/// The process's environment.
pub(crate) fn environment(variable: &str) -> Option<String> {
    std::env::var_os(variable).map(|value| value.to_string_lossy().into_owned())
}

/// The machine's name; in a container that is the container's.
pub(crate) fn host_name() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| environment("HOSTNAME"))
}

/// Reads one variable; an empty one counts as absent.
fn from_environment<T>(
    variable: &'static str,
    environment: impl Fn(&str) -> Option<String>,
    parse: impl FnOnce(&str) -> Result<T, ValueError>,
) -> Result<Option<T>, EnvironmentError> {
    match environment(variable).filter(|value| !value.is_empty()) {
        Some(value) => parse(&value).map(Some).map_err(|error| EnvironmentError { variable, error }),
        None => Ok(None),
    }
}

fn parse_port(text: &str) -> Result<u16, ValueError> {
    text.parse().map_err(|_| ValueError::Port(text.to_owned()))
}

/// An address, also in the brackets in which URLs write IPv6.
fn parse_address(text: &str) -> Result<IpAddr, ValueError> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| ValueError::Address(text.to_owned()))
}

fn parse_workers(text: &str) -> Result<usize, ValueError> {
    match text.parse() {
        Ok(workers) if (1..=MAX_WORKERS).contains(&workers) => Ok(workers),
        _ => Err(ValueError::Workers(text.to_owned())),
    }
}

fn parse_name(text: &str) -> Result<String, ValueError> {
    let fits =
        !text.is_empty() && text.trim() == text && text.is_ascii() && HeaderValue::from_str(text).is_ok();
    if fits { Ok(text.to_owned()) } else { Err(ValueError::Name(text.to_owned())) }
}

fn available_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Result<Arguments, String> {
        Arguments::from_iter_safe([&["backend"], line].concat()).map_err(|error| error.message)
    }

    fn resolved(line: &[&str], environment: &[(&str, &str)]) -> Result<Settings, EnvironmentError> {
        Settings::resolve(
            &parsed(line).unwrap(),
            |wanted| environment.iter().find(|(key, _)| *key == wanted).map(|(_, value)| (*value).to_owned()),
            || Some("machine\n".to_owned()),
        )
    }

    #[test]
    fn defaults_hold_where_nothing_is_given() {
        let settings = resolved(&[], &[]).unwrap();
        assert_eq!(settings.address.to_string(), "0.0.0.0:5000");
        assert_eq!(settings.name, "machine");
        assert_eq!(settings.workers, available_workers());
        assert!(!settings.faults);
    }

    #[test]
    fn the_command_line_wins_over_the_environment() {
        let environment = [("APP_PORT", "5001"), ("BACKEND_NAME", "from-environment")];
        let settings = resolved(&[], &environment).unwrap();
        assert_eq!((settings.address.port(), &*settings.name), (5001, "from-environment"));

        let line = ["--port", "5002", "--name", "typed", "--bind", "[::1]", "--workers", "3", "--faults"];
        assert_eq!(
            resolved(&line, &environment).unwrap(),
            Settings {
                address: "[::1]:5002".parse().unwrap(),
                name: "typed".to_owned(),
                workers: 3,
                faults: true
            }
        );
    }

    #[test]
    fn an_empty_variable_counts_as_absent() {
        let settings = resolved(&[], &[("APP_PORT", ""), ("BACKEND_NAME", "")]).unwrap();
        assert_eq!((settings.address.port(), &*settings.name), (5000, "machine"));
    }

    #[test]
    fn a_wrong_variable_is_named_with_its_value_and_what_fits() {
        let error = resolved(&[], &[("APP_PORT", "http")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variable APP_PORT: \"http\" is not a port: expected a number from 0 to 65535"
        );
    }

    #[test]
    fn a_host_name_that_fits_no_header_is_not_used() {
        for host_name in [None, Some(String::new()), Some("büro".to_owned())] {
            let settings = Settings::resolve(&Arguments::default(), |_| None, || host_name).unwrap();
            assert_eq!(settings.name, "backend");
        }
    }

    #[test]
    fn values_that_cannot_be_used_are_refused() {
        for (line, complaint) in [
            (["--port", "65536"], "expected a number from 0 to 65535"),
            (["--port", "-1"], "expected a number from 0 to 65535"),
            (["--bind", "localhost"], "expected IPv4 or IPv6"),
            (["--workers", "0"], "expected 1 to 512"),
            (["--workers", "513"], "expected 1 to 512"),
            (["--name", "zwei\nZeilen"], "expected printable ASCII"),
            (["--name", ""], "expected printable ASCII"),
            (["--name", "büro"], "expected printable ASCII"),
            (["--name", " spaced"], "expected printable ASCII"),
        ] {
            let message = parsed(&[&format!("{}={}", line[0], line[1])]).unwrap_err();
            assert!(message.contains(complaint), "{line:?}: {message}");
            assert!(message.contains(line[0]), "{line:?}: {message}");
        }
    }

    #[test]
    fn the_health_url_reaches_what_was_bound() {
        for (line, url) in [
            (vec![], "http://127.0.0.1:5000/health"),
            (vec!["--bind", "::", "--port", "80"], "http://[::1]:80/health"),
            (vec!["--bind", "192.0.2.7"], "http://192.0.2.7:5000/health"),
        ] {
            assert_eq!(resolved(&line, &[]).unwrap().health_url(), url);
        }
    }
}
