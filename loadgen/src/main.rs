//! The program: read the command line, make a plan, reach the target, run, report, and say by the exit
//! status how it went.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::exit;
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::Context;
use loadgen::ab;
use loadgen::cli::ab::AbArguments;
use loadgen::cli::{self, Arguments, Command};
use loadgen::plan::{self, Output, Plan};
use loadgen::reach::{self, Reached};
use loadgen::report::{html, json, text};
use loadgen::run::Finished;
use loadgen::summary::Summary;
use loadgen::tls::Trust;
use loadgen::{descriptors, exit_codes, run, signals};
use structopt::StructOpt;
use structopt::clap::Shell;
use tokio::runtime::{Builder, Runtime};

fn main() {
    if let Some(complaint) = not_utf8() {
        fail(format!("error: {complaint}"), exit_codes::USAGE);
    }
    let mut arguments = Arguments::from_iter_safe(std::env::args_os()).unwrap_or_else(|error| {
        if error.use_stderr() {
            fail(error, exit_codes::USAGE);
        }
        // --help or --version; whoever closed stdout does not want it.
        let _ = writeln!(io::stdout(), "{}", error.message.trim_end());
        exit(exit_codes::SUCCESS)
    });
    let cores = available_parallelism().map_or(1, usize::from);
    let result = match arguments.command.take() {
        None => {
            let plan = plan::check(arguments, cores, |path| std::fs::read(path));
            execute(plan.unwrap_or_else(|error| fail(format!("error: {error}"), exit_codes::USAGE)))
        }
        Some(Command::Ab(arguments)) => compare(*arguments, cores),
        Some(Command::Completions { shell }) => complete(shell),
    };
    exit(result.unwrap_or_else(|error| fail(format!("error: {error:#}"), exit_codes::FAILED)));
}

/// What is wrong with the first word that is not UTF-8, where the parser would panic; so it would with the variable.
fn not_utf8() -> Option<String> {
    let complain = |name: String, value: OsString| {
        let value = value.to_string_lossy().into_owned();
        format!("invalid value '{value}' for {name}: expected text in UTF-8")
    };
    let words = std::env::args_os().enumerate().skip(1);
    let word = words
        .filter(|(_, word)| word.to_str().is_none())
        .map(|(place, word)| complain(format!("argument {place}"), word));
    let variable = std::env::var_os(cli::URL_VARIABLE).filter(|value| value.to_str().is_none());
    word.chain(variable.map(|value| complain(format!("'{}'", cli::URL_VARIABLE), value))).next()
}

/// A plain run; answers with the exit status.
fn execute(plan: Plan) -> anyhow::Result<i32> {
    let plan = Arc::new(plan);
    descriptors::provide(descriptors::needed([&*plan]));
    warn_of_trust(&plan);
    let mut out = BufWriter::new(io::stdout().lock());
    if plan.output != Output::Json {
        text::header(&mut out, &plan).and_then(|()| out.flush()).context("failed to write to stdout")?;
    }
    let reached = reach(&plan);

    // Before anything is sent: a mistyped name must not cost a run.
    let report = plan.html.as_deref().map(open_report).transpose()?;

    signals::watch().context("failed to listen for signals")?;
    let Finished { summary, lines } =
        runtime()?.block_on(run::run(&plan, reached, &mut out)).context("failed to finish the run")?;
    // First, because standard output may be closed or full, and its reader may be slow.
    let reported = report.map_or(Ok(()), |(file, path)| {
        write_report(file, &summary).with_context(|| format!("failed to write '{}'", path.display()))
    });
    let printed = lines
        .and_then(|()| match plan.output {
            Output::Json => json::summary(&mut out, &summary),
            Output::Text | Output::TextWithRequests => text::summary(&mut out, &summary),
        })
        .and_then(|()| out.flush())
        .context("failed to write to stdout");
    reported.and(printed).map(|()| summary.exit_code())
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

/// `loadgen ab`; answers with the exit status.
fn compare(arguments: AbArguments, cores: usize) -> anyhow::Result<i32> {
    let plan = ab::plan::check(arguments, cores, fastrand::u64(..), |path| std::fs::read(path))
        .unwrap_or_else(|error| fail(format!("error: {error}"), exit_codes::USAGE));
    // Without B, there are connections to A twice.
    let second = plan.b.as_ref().unwrap_or(&plan.a);
    descriptors::provide(descriptors::needed([&*plan.a, &**second]));
    let mut out = BufWriter::new(io::stdout().lock());
    if !plan.json {
        ab::report::header(&mut out, &plan)
            .and_then(|()| out.flush())
            .context("failed to write to stdout")?;
    }
    for side in [Some(&plan.a), plan.b.as_ref()].into_iter().flatten() {
        warn_of_trust(side);
        reach(side);
    }

    signals::watch().context("failed to listen for signals")?;
    let summary = runtime()?
        .block_on(ab::driver::run(&plan, &mut io::stderr().lock()))
        .context("failed to finish the comparison")?;
    let write = if plan.json { ab::report::json } else { ab::report::summary };
    write(&mut out, &summary).and_then(|()| out.flush()).context("failed to write to stdout")?;
    Ok(summary.exit_code())
}

/// `loadgen completions`; answers with the exit status.
fn complete(shell: Shell) -> anyhow::Result<i32> {
    // To memory first: the generator panics when its output refuses a byte, as a closed pipe does.
    let mut script = Vec::new();
    cli::completions(shell, &mut script);
    io::stdout().write_all(&script).context("failed to write to stdout")?;
    Ok(exit_codes::SUCCESS)
}

fn warn_of_trust(plan: &Plan) {
    if plan.trust == Trust::Anyone {
        // A warning that nobody can be told is no reason to stop.
        let _ = writeln!(io::stderr(), "warning: with --insecure certificate verification is disabled");
    }
}

/// Nothing is sent when a target is not there.
fn reach(plan: &Plan) -> Reached {
    reach::reach(plan).unwrap_or_else(|error| fail(format!("error: {error}"), exit_codes::UNREACHABLE))
}

/// For the thread that watches the engine's.
fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("failed to start the runtime")
}

fn fail(message: impl Display, status: i32) -> ! {
    // Nothing is left to tell it to when stderr is gone.
    let _ = writeln!(io::stderr(), "{message}");
    exit(status);
}
