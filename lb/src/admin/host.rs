//! The callbacks for connections of the admin listener, which no configuration describes.

use std::sync::Arc;
use std::time::Duration;

use super::AdminApp;
use crate::config::model::HeaderLimits;
use crate::connection::{ConnectionFacts, ConnectionHost, Limits, ListenerFacts, Refused};

/// The limits of the admin listener. They are not nginx's defaults: its clients are scrapers and health checks nearby.
const LIMITS: Limits = Limits {
    header_timeout: Duration::from_secs(10),
    first_request_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_secs(75),
    header: HeaderLimits { line_bytes: 8 * 1024, total_bytes: 32 * 1024 },
    max_fields: 256,
    server_tokens: true,
};

impl ConnectionHost for AdminApp {
    /// Requests here read the state of the process, not a configuration.
    type Snapshot = ();

    fn current(&self) -> Arc<()> {
        Arc::default()
    }

    fn limits(&self, (): &(), _: &ListenerFacts) -> Limits {
        LIMITS
    }

    /// Counts of requests and the access logs are about traffic: a request refused here is in none of them. Its connection
    /// counts as any other.
    fn refused(&self, _: &Arc<()>, _: &Arc<ConnectionFacts>, _: &Refused<'_>) {}
}
