//! A demo HTTP server that shows its own request rate: what stands behind the balancer in the demo,
//! in its tests and in its benchmarks.
//!
//! What goes over the wire is written down in `docs/wire.md`, and a test holds that document true.

mod cli;
mod connections;
mod faults;
mod filler;
mod healthcheck;
mod logging;
mod page;
mod rate;
mod refusal;
mod routes;
mod server;
mod signals;
mod sse;
mod traffic;

use std::{error::Error, process::ExitCode};

use structopt::StructOpt;

use crate::cli::{Arguments, Command, Settings};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("backend: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let settings = Settings::resolve(&arguments, cli::environment, cli::host_name)?;
    if let Some(Command::Healthcheck { url }) = arguments.command {
        let url = url.unwrap_or_else(|| settings.health_url());
        return Ok(healthcheck::run(&url)?);
    }
    let log = logging::start()?;
    let outcome = server::run(settings);
    log.finish();
    Ok(outcome?)
}
