//! The texts of `-v`, `-V` and `-h`.

use super::{ADMIN_VARIABLE, DEFAULT_CONFIGURATION};
use crate::build_info::{PINGORA, PRODUCT, PROFILE, RUSTC, TARGET, VERSION};

/// `-v`: one line, with its newline, as nginx prints it.
pub fn version_text() -> String {
    format!("lb version: {PRODUCT}/{VERSION}\n")
}

/// `-V`: the version and how it was built.
pub fn build_text() -> String {
    let version = version_text();
    format!("{version}built by rustc {RUSTC} for {TARGET} ({PROFILE})\nbuilt with Pingora {PINGORA}\n")
}

/// `-h`: the version and every option.
pub fn help_text() -> String {
    let version = version_text();
    format!(
        "\
{version}Usage: lb [-?hvVtTq] [-s signal] [-p prefix]
          [-e filename] [-c filename] [-g directives] [--admin address]
       lb healthcheck [url]

Options:
  -?,-h,--help    : this help
  -v,--version    : show version and exit
  -V              : show version and how it was built, then exit
  -t              : test configuration and exit
  -T              : test configuration, dump it and exit
  -q              : suppress non-error messages during configuration testing
  -s signal       : send signal to the running process:
                    stop, quit, reopen, reload
  -p prefix       : set prefix path (default: the working directory)
  -e filename     : set error log file (default: stderr)
  -c filename     : set configuration file (default: {DEFAULT_CONFIGURATION})
  -g directives   : set global directives out of configuration file
  --admin address : serve health and metrics on this address and port,
                    such as 127.0.0.1:9145 (default: {ADMIN_VARIABLE}, else off)

Commands:
  healthcheck     : ask url, or /healthz at the admin address, and exit with 0
                    if the answer is 2xx, else with 1

"
    )
}
