//! `lb`: a load balancer that reads nginx.conf.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use lb::cli::{self, Command, Invocation, Show};
use lb::process::{signals, start};
use lb::{healthcheck, observe};

// Replaces malloc and free in the whole program. The cost of many small allocations per request decides:
// docs/decisions/004-allocator.md, with the reason why it is not a `#[global_allocator]`.
use mimalloc as _;

fn main() -> ExitCode {
    let invocation = match cli::parse(std::env::args_os().skip(1), &cli::Surroundings::of_process()) {
        Ok(invocation) => invocation,
        Err(error) => return fail(&error),
    };
    let Invocation { show, command, options } = invocation;
    match show {
        Some(Show::Version) => say(&cli::version_text()),
        Some(Show::Build) => say(&cli::build_text()),
        Some(Show::Help) => say(&cli::help_text()),
        None => {}
    }
    match command {
        Command::ShowOnly => ExitCode::from(cli::EXIT_SUCCESS),
        Command::Healthcheck { url } => check_health(&healthcheck::url(url.as_deref(), options.admin)),
        Command::Signal(request) => start::signal(&options, request),
        Command::Test { dump, quiet } => start::test(&options, dump, quiet),
        Command::Run => {
            if let Err(error) = signals::hold() {
                return fail(&error);
            }
            match observe::error_log::install(std::env::var("RUST_LOG").ok()) {
                Ok(logger) => {
                    observe::panics::install();
                    start::run(options, logger)
                }
                Err(error) => fail(&error),
            }
        }
    }
}

/// The time limit of a health check.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(2);

fn check_health(url: &str) -> ExitCode {
    match healthcheck::ask(url, HEALTHCHECK_TIMEOUT) {
        Ok(_) => ExitCode::from(cli::EXIT_SUCCESS),
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    say(&format!("lb: {error}\n"));
    ExitCode::from(cli::EXIT_FAILURE)
}

/// A closed terminal is not an error.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
