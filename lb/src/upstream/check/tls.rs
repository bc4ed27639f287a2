//! The TLS probe: connects and shakes hands as the location's requests do, and says nothing.
//!
//! The handshake is one of its own each time: a probe resumes no session and leaves none, so that what it proves is
//! what a new connection needs.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::shortage::{Outcome, is_local_shortage, reason};
use crate::upstream::address::Address;
use crate::upstream::tls::{Identity, Reach, shake_hands};

/// How servers are greeted.
pub(in crate::upstream) struct TlsProbe {
    identity: Identity,
    http_2: bool,
}

impl TlsProbe {
    pub(in crate::upstream) fn new(identity: Identity, http_2: bool) -> Self {
        Self { identity, http_2 }
    }

    /// A number that stays the same from one configuration to the next while the settings do.
    pub(in crate::upstream) fn number(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{:?}", self.identity.settings()).hash(&mut hasher);
        (self.identity.name(), self.http_2).hash(&mut hasher);
        hasher.finish()
    }

    pub(super) async fn run(&self, address: &Address, timeout: Duration) -> Outcome {
        let reach = Reach { address: address.clone(), bind: None, keepalive: false, timeout };
        match tokio::time::timeout(timeout, shake_hands(&reach, &self.identity, self.http_2)).await {
            Ok(Ok(())) => Outcome::Passed,
            Ok(Err(error)) if is_local_shortage(&error) => Outcome::NotDone(error.to_string()),
            Ok(Err(error)) => Outcome::Failed(match &error.context {
                Some(words) if error.cause.is_none() => words.as_str().to_owned(),
                _ => reason(&error),
            }),
            Err(_) => Outcome::Failed(format!("no handshake within {} s", timeout.as_secs_f64())),
        }
    }
}

impl fmt::Debug for TlsProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsProbe").field("name", &self.identity.name()).finish_non_exhaustive()
    }
}
