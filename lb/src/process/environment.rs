//! `env`: the variables that can be honoured, and the restart that sets them.
//!
//! nginx empties its environment except `TZ` and the variables that `env` lists, for the sake of modules and child
//! processes. Neither exists here: this program starts no other (except itself, below) and reads only the variables
//! in [`READ`]. So a bare `env NAME;` changes nothing, as nothing was removed, and `env NAME=VALUE;` matters only for
//! those.
//!
//! A process cannot safely change its own environment once other threads may read it, and the standard library marks
//! the call unsafe, which this workspace forbids. A changed environment is therefore given to a fresh start of the
//! same program: [`restart_with`] replaces the process image before any socket, thread or file exists. The process id
//! stays, so other processes see no change. The second start finds the variables set and goes on, so there is at most
//! one restart; a reload does not do it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The variables that this program reads: time zone of log lines, log levels, backtraces of a panic. The admin
/// address (`LB_ADMIN`) is part of the command line, which is older than the configuration that could change it.
pub const READ: [&str; 3] = ["TZ", "RUST_LOG", "RUST_BACKTRACE"];

/// The variables that must be set for `env` to hold, each with its value; empty when all are set as configured.
/// `configured` is [`Main::env`](crate::config::model::Main::env); of two entries of one name the last counts.
pub fn missing(
    configured: &[(String, Option<String>)],
    inherited: impl Fn(&str) -> Option<OsString>,
) -> Vec<(&'static str, String)> {
    READ.into_iter()
        .filter_map(|name| {
            let (_, value) = configured.iter().rev().find(|(configured, _)| configured == name)?;
            let value = value.as_ref()?;
            let stands = inherited(name).is_some_and(|inherited| inherited == OsStr::new(value));
            (!stands).then(|| (name, value.clone()))
        })
        .collect()
}

/// The configured variables with a value that nothing here reads: `lb -t` warns of them.
pub fn without_effect(configured: &[(String, Option<String>)]) -> impl Iterator<Item = &str> {
    configured
        .iter()
        .filter(|(name, value)| value.is_some() && !READ.contains(&name.as_str()))
        .map(|(name, _)| name.as_str())
}

/// Starts this program again in this process, with the same arguments and `variables` set. Returns only on an error.
pub fn restart_with(variables: &[(&str, String)]) -> io::Error {
    let mut arguments = std::env::args_os();
    // The link keeps its meaning when the file has been replaced or lies outside a changed root.
    let mut program = Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        program.arg0(name);
    }
    program.args(arguments).envs(variables.iter().map(|(name, value)| (name, value))).exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(list: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect()
    }

    #[test]
    fn only_what_is_read_and_differs_is_missing() {
        let inherited = |name: &str| (name == "TZ").then(|| OsString::from("UTC"));
        for (configured, expected) in [
            (entries(&[]), vec![]),
            (entries(&[("TZ", None), ("RUST_LOG", None)]), vec![]),
            (entries(&[("TZ", Some("UTC"))]), vec![]),
            (entries(&[("PERL5LIB", Some("/x"))]), vec![]),
            (entries(&[("TZ", Some("Asia/Tokyo"))]), vec![("TZ", "Asia/Tokyo".to_owned())]),
            (
                entries(&[("RUST_LOG", Some("a")), ("RUST_LOG", Some("b"))]),
                vec![("RUST_LOG", "b".to_owned())],
            ),
        ] {
            assert_eq!(missing(&configured, inherited), expected, "{configured:?}");
        }
    }

    #[test]
    fn a_value_for_nobody_is_found() {
        let configured = entries(&[("TZ", Some("UTC")), ("PATH", None), ("OPENSSL_CONF", Some("/x"))]);
        assert_eq!(without_effect(&configured).collect::<Vec<_>>(), ["OPENSSL_CONF"]);
    }
}
