//! The TCP probe: connects, by pingora-load-balancing's `TcpHealthCheck`.
//!
//! A probe that fails for lack of a resource on *this* machine (file descriptors, memory, ports) says nothing about
//! the server and changes nothing: otherwise running out of descriptors would take every server out at once.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use pingora::lb::health_check::{HealthCheck, TcpHealthCheck};
use pingora::lb::{Backend, Extensions};

use super::address::AddressHealth;
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

/// Connects to addresses.
pub(super) struct TcpProbe(TcpHealthCheck);

impl TcpProbe {
    pub(super) fn new() -> Self {
        let mut check = TcpHealthCheck::default();
        // Each definition has its own timeout.
        check.peer_template.options.connection_timeout = None;
        Self(check)
    }

    pub(super) async fn run(&self, health: &AddressHealth) -> Outcome {
        let target = Backend { addr: health.address().clone(), weight: 1, ext: Extensions::new() };
        let timeout = health.definition().timeout;
        match tokio::time::timeout(timeout, self.0.check(&target)).await {
            Ok(Ok(())) => Outcome::Passed,
            Ok(Err(error)) if is_local_shortage(&error) => Outcome::NotDone(error.to_string()),
            Ok(Err(error)) => Outcome::Failed(reason(&error)),
            Err(_) => Outcome::Failed(no_connection_within(timeout)),
        }
    }
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
fn reason(error: &pingora::Error) -> String {
    match os_error(error).filter(|cause| cause.raw_os_error().is_some()) {
        Some(cause) => format!("connect() failed {}", SystemError(cause)),
        None => error.to_string(),
    }
}

fn no_connection_within(timeout: Duration) -> String {
    format!("no connection within {} s", timeout.as_secs_f64())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::TcpListener;

    use super::*;
    use crate::upstream::Address;
    use crate::upstream::check::address::for_tests;

    #[tokio::test]
    async fn a_refusal_is_told_in_nginx_s_words() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let health = for_tests(&Address::Inet(listener.local_addr().unwrap()));
        let probe = TcpProbe::new();
        assert_eq!(probe.run(&health).await, Outcome::Passed);
        drop(listener);
        let refused = Outcome::Failed("connect() failed (111: Connection refused)".to_owned());
        assert_eq!(probe.run(&health).await, refused);
        assert_eq!(no_connection_within(Duration::from_secs(1)), "no connection within 1 s");
        assert_eq!(no_connection_within(Duration::from_millis(250)), "no connection within 0.25 s");
    }

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
