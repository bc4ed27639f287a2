//! The program: read the command line, make a plan, reach the target, run, report, and say by the exit
//! status how it went.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::exit;
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::Context;
use loadgen::cli::{self, Arguments, Command};
use loadgen::plan::{self, Output, Plan};
use loadgen::reach::{self, Reached};
use loadgen::report::{html, json, text};
use loadgen::summary::Summary;
use loadgen::{exit_codes, run};
use structopt::StructOpt;

fn main() {
    let arguments = Arguments::from_iter_safe(std::env::args_os()).unwrap_or_else(|error| {
        if error.use_stderr() {
            fail(error, exit_codes::USAGE);
        }
        // --help or --version; whoever closed stdout does not want it.
        let _ = writeln!(io::stdout(), "{}", error.message.trim_end());
        exit(exit_codes::SUCCESS)
    });
    if let Some(Command::Completions { shell }) = arguments.command {
        // To memory first: the generator panics when its output refuses a byte, as a closed pipe does.
        let mut script = Vec::new();
        cli::completions(shell, &mut script);
        let written = io::stdout().write_all(&script);
        exit(if written.is_ok() { exit_codes::SUCCESS } else { exit_codes::FAILED });
    }
    let cores = available_parallelism().map_or(1, usize::from);
    let plan = plan::check(arguments, cores, |path| std::fs::read(path))
        .unwrap_or_else(|error| fail(format!("error: {error}"), exit_codes::USAGE));

    let status = execute(plan).unwrap_or_else(|error| fail(format!("error: {error:#}"), exit_codes::FAILED));
    exit(status);
}

/// Answers with the exit status.
fn execute(plan: Plan) -> anyhow::Result<i32> {
    let plan = Arc::new(plan);
    let mut out = BufWriter::new(io::stdout().lock());
    if plan.output != Output::Json {
        text::header(&mut out, &plan).and_then(|()| out.flush()).context("failed to write to stdout")?;
    }
    let reached: Reached = match reach::reach(&plan.target, plan.timeout) {
        Ok(reached) => reached,
        Err(error) => fail(format!("error: {error}"), exit_codes::UNREACHABLE),
    };

    // Before anything is sent: a mistyped name must not cost a run.
    let report = plan.html.as_deref().map(open_report).transpose()?;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let summary = runtime.block_on(run::run(&plan, reached, &mut out)).context("failed to finish the run")?;
    match plan.output {
        Output::Json => json::summary(&mut out, &summary),
        Output::Text | Output::TextWithRequests => text::summary(&mut out, &summary),
    }
    .and_then(|()| out.flush())
    .context("failed to write to stdout")?;
    if let Some((file, path)) = report {
        write_report(file, &summary).with_context(|| format!("failed to write '{}'", path.display()))?;
    }
    Ok(summary.exit_code())
}

/// Opens the file of the HTML report, and leaves what is in it until there is something better.
fn open_report(path: &Path) -> anyhow::Result<(File, &Path)> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    Ok((file.with_context(|| format!("failed to open '{}' for --html", path.display()))?, path))
}

fn write_report(mut file: File, summary: &Summary) -> io::Result<()> {
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let called = html::called(arguments);
    let written = chrono::Local::now().format("%-d %B %Y, %H:%M %:z").to_string();
    // A pipe has no length.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    html::write(&mut file, summary, html::Context { called: &called, written: &written })
}

fn fail(message: impl Display, status: i32) -> ! {
    // Nothing is left to tell it to when stderr is gone.
    let _ = writeln!(io::stderr(), "{message}");
    exit(status);
}
