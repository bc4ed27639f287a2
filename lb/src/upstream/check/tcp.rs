//! The TCP probe: connects, by pingora-load-balancing's `TcpHealthCheck`.

use std::time::Duration;

use pingora::lb::health_check::{HealthCheck, TcpHealthCheck};
use pingora::lb::{Backend, Extensions};

use super::address::AddressHealth;
use super::shortage::{Outcome, is_local_shortage, reason};

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
}
