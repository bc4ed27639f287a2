//! The command line as typed. What it means is [`crate::plan`]'s business; only the shape is checked here.

use std::str::FromStr;

use structopt::StructOpt;
use structopt::clap::AppSettings;

/// What stands below the options in `--help`.
const AFTER_HELP: &str = "\
EXIT STATUS:
    0  every request succeeded (2xx)
    1  some request failed, or loadgen itself could not finish
    2  the command line made no sense
    4  the target could not be reached, nothing was sent

A request that finds its kept-alive connection closed before the first byte of
an answer is sent once more on a fresh one, as HTTP clients do, if its method is
idempotent; the summary counts how often. Ctrl-C ends the run and prints the
summary of what was done.
";

/// As wide as the reports are.
const HELP_COLUMNS: usize = 80;

/// Sends requests to an HTTP server, and says which backend answered them.
#[derive(Debug, Clone, StructOpt)]
#[structopt(
    name = "loadgen",
    after_help = AFTER_HELP,
    set_term_width = HELP_COLUMNS,
    global_settings = &[
        AppSettings::ColorNever,
        AppSettings::UnifiedHelpMessage,
        AppSettings::DeriveDisplayOrder,
    ],
)]
pub struct Arguments {
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

    /// Keep COUNT connections busy
    #[structopt(
        short = "c",
        long = "concurrent",
        alias = "c",
        value_name = "COUNT",
        parse(try_from_str = count),
        default_value = "1"
    )]
    pub concurrent: usize,

    /// Send them to URL
    #[structopt(
        short = "u",
        long = "url",
        alias = "u",
        value_name = "URL",
        default_value = "http://localhost:80"
    )]
    pub url: String,

    /// Send for TIME (500ms, 10s, 2m) instead of a number
    #[structopt(short = "d", long = "duration", alias = "d", value_name = "TIME")]
    pub duration: Option<String>,

    /// Use METHOD [default: GET, or POST with a body]
    #[structopt(long = "method", value_name = "METHOD")]
    pub method: Option<String>,

    /// Send a body: SIZE bytes (100, 64k, 1m), or what FILE holds
    #[structopt(long = "body", value_name = "SIZE|FILE")]
    pub body: Option<String>,

    /// Send a header, as in `Name: value`; may be given several times
    #[structopt(short = "H", long = "header", value_name = "HEADER", number_of_values = 1, multiple = true)]
    pub header: Vec<String>,

    /// Give up on a request after TIME
    #[structopt(long = "timeout", value_name = "TIME", default_value = "30s")]
    pub timeout: String,

    /// Use COUNT threads [default: one per core, at most one per connection]
    #[structopt(long = "threads", value_name = "COUNT", parse(try_from_str = count))]
    pub threads: Option<usize>,

    /// Count a request as failed when its kept-alive connection was closed, instead of sending it again
    #[structopt(long = "no-resend")]
    pub no_resend: bool,

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
                (arguments.number, arguments.concurrent, arguments.url.as_str()),
                (Some(20000), 50, "http://a"),
                "{line}"
            );
        }
        let arguments = parse("").unwrap();
        assert_eq!(
            (arguments.number, arguments.concurrent, arguments.url.as_str()),
            (None, 1, "http://localhost:80")
        );
    }

    #[test]
    fn headers_repeat_and_do_not_swallow_what_follows() {
        let arguments = parse("--header A:b -H C:d --json").unwrap();
        assert_eq!(arguments.header, ["A:b", "C:d"]);
        assert!(arguments.json);
        let words =
            ["loadgen", "--at", "1s", "echo a", "--at", "2s", "echo b", "--slo", "p99 < 5ms", "--json"];
        let arguments = Arguments::from_iter_safe(words).unwrap();
        assert_eq!(arguments.at, ["1s", "echo a", "2s", "echo b"]);
        assert_eq!(arguments.slo, ["p99 < 5ms"]);
        assert!(arguments.json);
    }

    #[test]
    fn contradictions_are_refused() {
        for line in ["-n 5 -d 1s", "--verbose --json", "-n x", "-c -1", "--unknown", "extra", "-n", "--at 5s"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
