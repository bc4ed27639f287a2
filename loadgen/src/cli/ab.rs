//! The command line of `loadgen ab` as typed.

use structopt::StructOpt;

use super::{Sending, count};

/// What stands below the options in `--help`.
const AFTER_HELP: &str = "\
Connections to both targets stay open all the time, and one target at a time
is sent to. A pair is a slice of each, in an order drawn anew for every pair:
with a fixed order, what drifts or recurs would look like a difference between
the targets. Compared are the rate of successful answers and the median and
99th percentile of their latency, as the geometric mean of B/A over all pairs
with a 95 % confidence interval. A ratio above one is good for a rate and bad
for a latency. Each interval alone is wrong one time in twenty; the verdict
below the table allows for there being three of them.

Take the noise floor first (--aa): what A seems to differ from itself says
nothing when B does. To find smaller differences, add pairs; four times as many
halve the interval.

EXIT STATUS:
    0  the targets were compared, whatever came of it
    1  some request failed, or there were too few answers for a verdict, or
       Ctrl-C came before the first pair
    2  the command line made no sense
    4  a target could not be reached, nothing was sent
    5  loadgen itself was the bottleneck, so the figures are not the targets'

Ctrl-C ends the comparison and prints what the pairs done so far say.
";

/// Compares two targets, and says whether B is really faster or slower than A
#[derive(Debug, Clone, StructOpt)]
#[structopt(after_help = AFTER_HELP, usage = "loadgen ab [OPTIONS] <URL_A> [URL_B]")]
pub struct AbArguments {
    /// The target to compare with
    #[structopt(value_name = "URL_A")]
    pub url_a: String,

    /// The target to judge; may be left out with --aa
    #[structopt(value_name = "URL_B")]
    pub url_b: Option<String>,

    /// Measure COUNT pairs of slices, at least 20
    #[structopt(
        long = "pairs",
        value_name = "COUNT",
        parse(try_from_str = count),
        default_value = "20"
    )]
    pub pairs: usize,

    /// Send to one target for TIME before it is the other's turn; keep it below the time that targets leave
    /// idle connections open
    #[structopt(long = "slice", value_name = "TIME", default_value = "1s")]
    pub slice: String,

    /// Drop the first SHARE of every slice
    #[structopt(long = "head", value_name = "SHARE", default_value = "20%")]
    pub head: String,

    /// Compare A with itself, to see what differences mean nothing here; before the comparison if there is a
    /// B
    #[structopt(long = "aa")]
    pub aa: bool,

    /// Draw the order within pairs from NUMBER, as an earlier comparison printed it [default: any]
    #[structopt(long = "seed", value_name = "NUMBER", parse(try_from_str = count))]
    pub seed: Option<u64>,

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

    #[structopt(flatten)]
    #[expect(missing_docs, reason = "structopt would put it in place of what help says of the command")]
    pub sending: Sending,

    /// Print the result as JSON, and nothing else, to standard output
    #[structopt(long = "json")]
    pub json: bool,
}
