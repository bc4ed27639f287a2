//! How a server's sessions are resumed, as one value that can be given to another configuration of the same server.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::NoServerSessionStorage;

use super::loading::Loading;
use super::resolver::Kept;
use super::sessions::{SessionCache, Sessions};
use super::tickets::{TicketKeys, Tickets};
use crate::config::model::{SessionCache as CacheSetting, Tls};

/// How much early data a client may send; nginx's figure.
const EARLY_DATA_BYTES: u32 = 16 << 10;

/// How sessions are resumed: by tickets, by what is kept here, or not at all.
#[derive(Debug)]
pub(super) struct SessionStores {
    cache: Option<Arc<SessionCache>>,
    tickets: Option<Arc<TicketKeys>>,
    /// Clients may send early data.
    early_data: bool,
    lifetime: Duration,
    /// What tells servers apart whose sessions must not be mixed, beside their certificates: the authorities that they
    /// trust.
    told: Vec<CertificateDer<'static>>,
}

impl SessionStores {
    pub(super) fn of(tls: &Tls, told: &[CertificateDer<'static>], loading: &mut Loading<'_>) -> Option<Self> {
        let has_cache = !matches!(tls.session_cache, CacheSetting::Off | CacheSetting::None);
        let cache = loading.session_cache(&tls.session_cache);
        if tls.early_data && (tls.session_tickets || has_cache) {
            // Early data can be replayed, unless a session can be resumed but once: so sessions are kept here, and taken
            // from here, as OpenSSL does it by default (RFC 8446, section 8.1).
            let cache = Some(cache.unwrap_or_else(|| loading.cache_of_early_data()));
            let (lifetime, told) = (tls.session_timeout, told.to_vec());
            return Some(Self { cache, tickets: None, early_data: true, lifetime, told });
        }
        let tickets = match tls.session_tickets {
            true => Some(loading.ticket_keys(tls)?),
            false => None,
        };
        Some(Self { cache, tickets, early_data: false, lifetime: tls.session_timeout, told: told.to_vec() })
    }

    /// Has a server with these certificates resume sessions so.
    pub(super) fn put(&self, config: &mut ServerConfig, keys: &[Kept]) {
        let (lifetime, context) = (self.lifetime, context(keys, &self.told));
        config.session_storage = match &self.cache {
            Some(cache) => Arc::new(Sessions { cache: Arc::clone(cache), lifetime, context }),
            None => Arc::new(NoServerSessionStorage {}),
        };
        if self.early_data {
            config.max_early_data_size = EARLY_DATA_BYTES;
            config.send_half_rtt_data = true;
        }
        match &self.tickets {
            Some(keys) => config.ticketer = Arc::new(Tickets { keys: Arc::clone(keys), lifetime, context }),
            None if self.cache.is_none() => config.send_tls13_tickets = 0,
            None => {}
        }
    }
}

/// What tells servers apart whose sessions must not be mixed: the certificates that they show, and the authorities that
/// they trust.
fn context(keys: &[Kept], told: &[CertificateDer<'_>]) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    for key in keys {
        hash.update(&key.now().cert[0]);
    }
    for certificate in told {
        hash.update(certificate);
    }
    hash.finish().as_ref().try_into().unwrap_or_default()
}
