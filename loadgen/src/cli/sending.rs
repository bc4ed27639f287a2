//! The options that a plain run and a comparison have in common.

use structopt::StructOpt;

use super::count;

// How requests are sent, whatever becomes of their answers. As a comment for documentation, this would take the place of
// what `--help` says of the program.
#[derive(Debug, Clone, StructOpt)]
#[expect(missing_docs, reason = "see above")]
pub struct Sending {
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

    /// Trust the certificate authorities in FILE (PEM) instead of this machine's; may be given several times
    #[structopt(
        long = "ca-file",
        value_name = "FILE",
        number_of_values = 1,
        multiple = true,
        conflicts_with = "insecure"
    )]
    pub ca_file: Vec<String>,

    /// Believe any certificate, or rather: do not find out who answers
    #[structopt(long = "insecure")]
    pub insecure: bool,

    /// Use COUNT threads [default: one per core, at most one per connection]
    #[structopt(long = "threads", value_name = "COUNT", parse(try_from_str = count))]
    pub threads: Option<usize>,

    /// Count a request as failed when its kept-alive connection was closed, instead of sending it again
    #[structopt(long = "no-resend")]
    pub no_resend: bool,
}
