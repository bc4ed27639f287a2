//! What the connection loop asks of the configuration in force, and the record of the requests that it refuses.

use std::sync::Arc;
use std::time::Duration;

use super::record;
use crate::config::model::{HeaderLimits, Settings};
use crate::connection::{ConnectionFacts, ConnectionHost, Http2Limits, Limits, ListenerFacts, Refused};
use crate::observe::handshakes::{Handshake, HandshakeFailure};
use crate::observe::status::StatusClass;
use crate::server::{ServerState, Snapshot};
use crate::tls::Chosen;

/// For a connection whose address a reload has taken away: the configuration no longer describes it.
const FALLBACK_LIMITS: Limits = Limits {
    header_timeout: Duration::from_secs(10),
    first_request_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_secs(75),
    header: HeaderLimits { line_bytes: 8 * 1024, total_bytes: 32 * 1024 },
    max_fields: 256,
    server_tokens: true,
};

impl ConnectionHost for ServerState {
    type Snapshot = Snapshot;

    fn current(&self) -> Arc<Snapshot> {
        self.current()
    }

    fn limits(&self, snapshot: &Snapshot, listener: &ListenerFacts) -> Limits {
        match snapshot.listener(listener) {
            Some(listener) => {
                let settings = &snapshot.config.http.servers[listener.default_server.0].fallback.settings;
                let client = &settings.client;
                Limits {
                    header_timeout: client.header_timeout,
                    first_request_timeout: client.header_timeout,
                    idle_timeout: settings.keepalive.timeout.idle,
                    header: client.header_limits,
                    max_fields: client.max_headers,
                    server_tokens: settings.core.server_tokens,
                }
            }
            None => FALLBACK_LIMITS,
        }
    }

    fn http2(
        &self,
        snapshot: &Snapshot,
        listener: &ListenerFacts,
        server_name: Option<&str>,
    ) -> Option<Http2Limits> {
        let (listener, server) = snapshot.asked_for(listener, server_name)?;
        let settings = &snapshot.config.http.servers[server.0].fallback.settings;
        (listener.http2 || settings.http2.enabled).then(|| http2_limits(settings))
    }

    fn reads_proxy_protocol(&self, snapshot: &Snapshot, listener: &ListenerFacts) -> bool {
        snapshot.listener(listener).is_some_and(|listener| listener.proxy_protocol)
    }

    fn speaks_tls(&self, snapshot: &Snapshot, listener: &ListenerFacts) -> bool {
        snapshot.listener(listener).is_some_and(|listener| listener.ssl)
    }

    fn tls(&self, snapshot: &Snapshot, listener: &ListenerFacts, server_name: Option<&str>) -> Chosen {
        snapshot.tls(listener, server_name)
    }

    fn handshake_ended(&self, outcome: Result<Handshake, HandshakeFailure>) {
        match outcome {
            Ok(handshake) => self.totals.handshakes.increment(handshake as usize),
            Err(failure) => self.totals.failed_handshakes.increment(failure as usize),
        }
    }

    fn refused(&self, snapshot: &Arc<Snapshot>, connection: &Arc<ConnectionFacts>, refused: &Refused<'_>) {
        self.totals.refused.increment();
        self.totals
            .requests
            .increment(StatusClass::of_answer((refused.bytes_sent > 0).then_some(refused.status.as_u16())));
        record::refused(snapshot, connection, refused);
    }
}

fn http2_limits(settings: &Settings) -> Http2Limits {
    let bounded = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Http2Limits {
        concurrent_streams: bounded(settings.http2.max_concurrent_streams),
        window: bounded(settings.http2.body_preread_bytes),
        requests: settings.keepalive.requests,
        lifetime: settings.keepalive.lifetime,
        send_timeout: settings.client.send_timeout,
    }
}
