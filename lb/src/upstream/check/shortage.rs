//! What a probe came to, and which failures are this machine's own.
//!
//! A probe that fails for lack of a resource on *this* machine (file descriptors, memory, ports) says nothing about
//! the server and changes nothing: otherwise running out of descriptors would take every server out at once.

use std::error::Error as StdError;
use std::io;

use crate::system_error::SystemError;

/// The result of a probe.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    /// The server failed it, with the reason.
    Failed(String),
    /// This machine could not carry it out, with the reason.
    NotDone(String),
}

/// Errors of this machine, not of the server: ENOMEM, ENFILE, EMFILE, EADDRNOTAVAIL (no local port left), ENOBUFS,
/// and EAGAIN, which a Unix socket gives when its queue is full for the moment (numbers as on Linux).
fn is_ours(os_error: i32) -> bool {
    matches!(os_error, 11 | 12 | 23 | 24 | 99 | 105)
}

/// True if a connection failed because this machine ran out of a resource: no server is to blame.
pub fn is_local_shortage(error: &pingora::Error) -> bool {
    os_error(error).and_then(io::Error::raw_os_error).is_some_and(is_ours)
}

fn os_error(error: &pingora::Error) -> Option<&io::Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error.root_cause());
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

/// The reason for a failed probe, in nginx's words where the system gave a number.
pub(super) fn reason(error: &pingora::Error) -> String {
    match os_error(error).filter(|cause| cause.raw_os_error().is_some()) {
        Some(cause) => format!("connect() failed {}", SystemError(cause)),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn want_of_something_here_is_not_the_server_s_fault() {
        for (number, what, ours) in [
            (24, "too many open files", true),
            (23, "too many open files in system", true),
            (105, "no buffer space", true),
            (99, "no local port left", true),
            (111, "refused", false),
            (110, "timed out", false),
            (113, "no route to host", false),
            (2, "no such Unix socket", false),
        ] {
            assert_eq!(is_ours(number), ours, "{what}");
        }
    }
}
