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

use std::process::ExitCode;

use structopt::StructOpt;

use crate::cli::{Arguments, Command, Settings};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let settings = match Settings::resolve(&arguments, cli::environment, cli::host_name) {
        Ok(settings) => settings,
        Err(error) => return failure(&error),
    };
    let outcome = match arguments.command {
        Some(Command::Healthcheck { url }) => {
            healthcheck::run(&url.unwrap_or_else(|| settings.health_url())).map_err(|error| error.to_string())
        }
        None => {
            logging::start();
            server::run(settings).map_err(|error| error.to_string())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => failure(&message),
    }
}

/// Says on standard error why the program ends; the answer is the exit code 1.
fn failure(message: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("backend: {message}");
    ExitCode::FAILURE
}
