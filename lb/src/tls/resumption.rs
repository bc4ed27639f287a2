//! How a server's sessions are resumed, as one value that can be given to another configuration of the same server.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::NoServerSessionStorage;
use rustls::sign::CertifiedKey;

use super::loading::Loading;
use super::sessions::{SessionCache, Sessions};
use super::tickets::{TicketKeys, Tickets};
use crate::config::model::Tls;

/// How sessions are resumed: by tickets, by what is kept here, or not at all.
#[derive(Debug)]
pub(super) struct SessionStores {
    cache: Option<Arc<SessionCache>>,
    tickets: Option<Arc<TicketKeys>>,
    lifetime: Duration,
    /// What tells servers apart whose sessions must not be mixed, beside their certificates: the authorities that they
    /// trust.
    told: Vec<CertificateDer<'static>>,
}

impl SessionStores {
    pub(super) fn of(tls: &Tls, told: &[CertificateDer<'static>], loading: &mut Loading<'_>) -> Option<Self> {
        let cache = loading.session_cache(&tls.session_cache);
        let tickets = match tls.session_tickets {
            true => Some(loading.ticket_keys(tls)?),
            false => None,
        };
        Some(Self { cache, tickets, lifetime: tls.session_timeout, told: told.to_vec() })
    }

    /// Has a server with these certificates resume sessions so.
    pub(super) fn put(&self, config: &mut ServerConfig, keys: &[Arc<CertifiedKey>]) {
        let (lifetime, context) = (self.lifetime, context(keys, &self.told));
        config.session_storage = match &self.cache {
            Some(cache) => Arc::new(Sessions { cache: Arc::clone(cache), lifetime, context }),
            None => Arc::new(NoServerSessionStorage {}),
        };
        match &self.tickets {
            Some(keys) => config.ticketer = Arc::new(Tickets { keys: Arc::clone(keys), lifetime, context }),
            None if self.cache.is_none() => config.send_tls13_tickets = 0,
            None => {}
        }
    }
}

/// What tells servers apart whose sessions must not be mixed: the certificates that they show, and the authorities that
/// they trust.
fn context(keys: &[Arc<CertifiedKey>], told: &[CertificateDer<'_>]) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    for certificate in keys.iter().map(|key| &key.cert[0]).chain(told) {
        hash.update(certificate);
    }
    hash.finish().as_ref().try_into().unwrap_or_default()
}
