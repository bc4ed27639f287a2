//! The command line as typed. What it means is [`crate::plan`]'s business; only the shape is checked here.

pub mod ab;
mod sending;

use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::LazyLock;

use structopt::StructOpt;
use structopt::clap::{AppSettings, Shell};

pub use sending::Sending;

use crate::exit_codes;

/// What stands below the options in `--help`.
static AFTER_HELP: LazyLock<String> =
    LazyLock::new(|| format!("EXIT STATUS:\n{}{AFTER_EXIT_STATUS}", exit_codes::help(HELP_COLUMNS),));

/// What stands below the exit statuses.
const AFTER_EXIT_STATUS: &str = "
When several apply, 5 comes before 3 and 3 before 1.

A request that finds its kept-alive connection closed before the first byte of
an answer is sent once more on a fresh one, as HTTP clients do, if its method is
idempotent; the summary counts how often. Ctrl-C ends the run and prints the
summary of what was done.

In an open loop (--rate, --stages) latency counts from the time at which a
request was planned, however late it was sent. What is due while no connection
is free is counted as unsent.
";

/// Where such a script belongs.
const COMPLETIONS_AFTER_HELP: &str = "\
For bash: loadgen completions bash > ~/.local/share/bash-completion/completions/loadgen
For zsh:  loadgen completions zsh > a folder of $fpath, as _loadgen
For fish: loadgen completions fish > ~/.config/fish/completions/loadgen.fish
";

/// Where requests go by default, if the environment says so.
pub const URL_VARIABLE: &str = "LOADGEN_URL";

/// As wide as the reports are.
const HELP_COLUMNS: usize = 80;

/// Sends requests to an HTTP server, and says which backend answered them.
#[derive(Debug, Clone, StructOpt)]
#[structopt(
    name = "loadgen",
    after_help = AFTER_HELP.as_str(),
    set_term_width = HELP_COLUMNS,
    global_settings = &[
        AppSettings::ColorNever,
        AppSettings::UnifiedHelpMessage,
        AppSettings::DeriveDisplayOrder,
        AppSettings::VersionlessSubcommands,
    ],
    // An option of the plain run before a subcommand would have no effect: it is refused instead.
    settings = &[AppSettings::ArgsNegateSubcommands, AppSettings::DisableHelpSubcommand],
)]
pub struct Arguments {
    /// What to do instead of a plain run.
    #[structopt(subcommand)]
    pub command: Option<Command>,

    /// Send COUNT requests [default: 1000]
    #[structopt(
        short = "n",
        long = "number",
        alias = "n",
        value_name = "COUNT",
        parse(try_from_str = count),
        conflicts_with = "duration"
    )]
    pub number: Option<u64>,

    /// Keep COUNT connections busy, or use up to COUNT in an open loop [default: 1, or 100 in an open loop]
    #[structopt(
        short = "c",
        long = "concurrent",
        alias = "c",
        value_name = "COUNT",
        parse(try_from_str = count)
    )]
    pub concurrent: Option<usize>,

    /// Send them to URL, http or https; given several times, to each in turn [default: what LOADGEN_URL
    /// says in the environment, or http://localhost:80]
    #[structopt(
        short = "u",
        long = "url",
        alias = "u",
        value_name = "URL",
        number_of_values = 1,
        multiple = true
    )]
    pub url: Vec<String>,

    /// Where requests go without `--url`. An option of its own because the parser would add the
    /// environment's URL to those of the command line.
    #[structopt(
        long = "default-url",
        env = URL_VARIABLE,
        hidden = true,
        default_value = "http://localhost:80"
    )]
    pub default_url: String,

    /// How often each URL has its turn, as in `3,1`: one whole number per URL [default: equally often]
    #[structopt(long = "url-weights", value_name = "WEIGHTS")]
    pub url_weights: Option<String>,

    /// Send for TIME (500ms, 10s, 2m) instead of a number
    #[structopt(short = "d", long = "duration", alias = "d", value_name = "TIME")]
    pub duration: Option<String>,

    /// Send RATE requests per second (1000, 20k, 0.5) whatever the answers do: an open loop
    #[structopt(short = "r", long = "rate", value_name = "RATE", conflicts_with = "stages")]
    pub rate: Option<String>,

    /// Change the rate over time: TIME:RATE points from 0 to the end of the run, joined by straight lines
    /// (0:1k,30s:20k,60s:20k); an open loop as well
    #[structopt(long = "stages", value_name = "POINTS", conflicts_with_all = &["number", "duration"])]
    pub stages: Option<String>,

    /// Send later, in order, what was due while no connection was free, instead of counting it as unsent
    #[structopt(long = "catch-up")]
    pub catch_up: bool,

    #[structopt(flatten)]
    #[expect(missing_docs, reason = "structopt would put it in place of what help says of the program")]
    pub sending: Sending,

    /// Close each connection after COUNT requests, and say so in the last [default: keep it open]
    #[structopt(long = "requests-per-connection", value_name = "COUNT", parse(try_from_str = count))]
    pub requests_per_connection: Option<u64>,

    /// Ask TLS servers for NAME, and check their certificates for it, instead of the URL's host
    #[structopt(long = "server-name", value_name = "NAME")]
    pub server_name: Option<String>,

    /// Take the name of the backend from the answer's header NAME; given several times, the first that an
    /// answer carries [default: X-Backend]
    #[structopt(long = "backend-header", value_name = "NAME", number_of_values = 1, multiple = true)]
    pub backend_header: Vec<String>,

    /// Judge the backends' shares by weights, as in b1=3,b2=1, instead of as equal
    #[structopt(long = "expect-shares", value_name = "NAME=WEIGHT,…")]
    pub expect_shares: Option<String>,

    /// Report the run over time in slots of TIME; a long run gets longer ones
    #[structopt(long = "slot", value_name = "TIME", default_value = "100ms")]
    pub slot: String,

    /// Run a shell COMMAND at TIME since the start, such as 10s 'docker kill b2', and mark it in the report;
    /// may be given several times
    #[structopt(
        long = "at",
        value_names = &["TIME", "COMMAND"],
        number_of_values = 2,
        multiple = true
    )]
    pub at: Vec<String>,

    /// Ask a backend for its own count before and after the run, at URL (/rps when it has no path); may be given
    /// several times, once for each backend
    #[structopt(long = "truth", value_name = "URL", number_of_values = 1, multiple = true)]
    pub truth: Vec<String>,

    /// Exit with 3 unless EXPRESSION holds: p50, p90, p95, p99, p99.9, max, mean or gap < TIME, errors or
    /// unsent < PERCENT, share.max/share.min < NUMBER, rate > NUMBER (also <= and >=), such as 'p99<20ms'. Too
    /// few requests to tell count as missed. May be given several times
    #[structopt(long = "slo", value_name = "EXPRESSION", number_of_values = 1, multiple = true)]
    pub slo: Vec<String>,

    /// Print one line per request
    #[structopt(long = "verbose", conflicts_with = "json")]
    pub verbose: bool,

    /// Print the summary as JSON, and nothing else, to standard output
    #[structopt(long = "json")]
    pub json: bool,

    /// Write a report to FILE: one page of HTML with charts, which needs nothing else to be read
    #[structopt(long = "html", value_name = "FILE", parse(from_os_str))]
    pub html: Option<PathBuf>,

    /// Show plain lines of progress, even on a terminal
    #[structopt(long = "plain")]
    pub plain: bool,
}

// What `loadgen` does besides one run. As a comment for documentation, this would take the place of what `--help` says
// of the program itself; and a command whose own takes two paragraphs would make `--help` twice as long.
#[derive(Debug, Clone, StructOpt)]
#[expect(missing_docs, reason = "see above")]
pub enum Command {
    Ab(Box<ab::AbArguments>),
    /// Print a script that completes loadgen's options in a shell
    #[structopt(after_help = COMPLETIONS_AFTER_HELP)]
    Completions {
        /// bash, zsh or fish
        #[structopt(value_name = "SHELL", possible_values = &["bash", "zsh", "fish"])]
        shell: Shell,
    },
}

/// Writes the script that completes the options in `shell`.
pub fn completions(shell: Shell, out: &mut impl Write) {
    Arguments::clap().gen_completions_to("loadgen", shell, out);
}

/// The standard library's own message names neither the value nor what would be accepted.
fn count<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("'{text}' is not a whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, structopt::clap::Error> {
        Arguments::from_iter_safe(["loadgen"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn the_original_spellings_all_work() {
        for line in [
            "--n 20000 --c 50 --u http://a",
            "-n 20000 -c 50 -u http://a",
            "--number 20000 --concurrent 50 --url http://a",
            "--number=20000 -c50 --u=http://a",
        ] {
            let arguments = parse(line).unwrap();
            assert_eq!(
                (arguments.number, arguments.concurrent, arguments.url),
                (Some(20000), Some(50), vec!["http://a".to_owned()]),
                "{line}"
            );
        }
        let arguments = parse("").unwrap();
        assert_eq!((arguments.number, arguments.concurrent, arguments.url), (None, None, Vec::new()));
    }

    #[test]
    fn headers_repeat_and_do_not_swallow_what_follows() {
        let arguments = parse("--header A:b -H C:d --json").unwrap();
        assert_eq!(arguments.sending.header, ["A:b", "C:d"]);
        assert!(arguments.json);
        let words =
            ["loadgen", "--at", "1s", "echo a", "--at", "2s", "echo b", "--slo", "p99 < 5ms", "--json"];
        let arguments = Arguments::from_iter_safe(words).unwrap();
        assert_eq!(arguments.at, ["1s", "echo a", "2s", "echo b"]);
        assert_eq!(arguments.slo, ["p99 < 5ms"]);
        assert!(arguments.json);
    }

    #[test]
    fn urls_repeat_and_keep_their_commas() {
        let arguments = parse("-u http://a/?x=1,2 --url http://b --u http://c -n 5").unwrap();
        assert_eq!(arguments.url, ["http://a/?x=1,2", "http://b", "http://c"]);
        assert_eq!(arguments.number, Some(5));
    }

    #[test]
    fn a_subcommand_has_its_own_options() {
        let Some(Command::Ab(arguments)) = parse("ab http://a http://b -c 3 --seed 7").unwrap().command
        else {
            panic!("no subcommand");
        };
        assert_eq!((arguments.concurrent, arguments.seed), (3, Some(7)));
        assert!(parse("-c 3").unwrap().command.is_none());
        for line in ["-c 3 ab http://a http://b", "ab", "ab http://a http://b http://c", "ab http://a -n 5"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for line in ["-r 5 --stages 0:1,5:1", "--stages 0:1,5:1 -n 5", "--stages 0:1,5:1 -d 5", "-r"] {
            assert!(parse(line).is_err(), "{line}");
        }
        for line in [
            "-n 5 -d 1s",
            "--verbose --json",
            "--insecure --ca-file a",
            "-n x",
            "-c -1",
            "--unknown",
            "extra",
            "-n",
            "completions",
            "completions tcsh",
            "-n 5 completions bash",
            "help",
            "--at 5s",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_command_leaves_the_options_where_they_are() {
        assert!(parse("-n 5 --html run.html --plain").unwrap().command.is_none());
        let Some(Command::Completions { shell }) = parse("completions zsh").unwrap().command else {
            panic!("no command")
        };
        let mut script = Vec::new();
        completions(shell, &mut script);
        let script = String::from_utf8(script).unwrap();
        for option in ["--number", "--concurrent", "--html", "completions"] {
            assert!(script.contains(option), "no {option} in {script}");
        }
    }

    #[test]
    fn the_help_says_what_every_exit_code_means() {
        let mut help = Vec::new();
        Arguments::clap().write_long_help(&mut help).unwrap();
        let help = String::from_utf8(help).unwrap();
        assert!(help.contains(&exit_codes::help(HELP_COLUMNS)), "{help}");
    }

    #[test]
    fn the_help_begins_with_what_the_program_is_for() {
        let error = parse("--help").unwrap_err();
        let help = error.message;
        assert!(help.contains("\nSends requests to an HTTP server"), "{help}");
        // In two columns, which a command with much to say would undo.
        let is_short =
            |line: &str| line.trim_start().starts_with("-n, --number <COUNT>") && line.contains("Send COUNT");
        assert!(help.lines().any(is_short), "{help}");
    }
}
