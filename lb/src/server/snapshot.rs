//! One configuration while it is served: a request holds it from start to end, and a reload replaces it as a whole.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::cache::Zones;
use crate::config::model::{Config, Listener, ServerId, UpstreamId};
use crate::connection::ListenerFacts;
use crate::limits;
use crate::observe::access_log::AccessLogs;
use crate::observe::error_log::LevelLogs;
use crate::routing::Routes;
use crate::tls;
use crate::upstream::Upstreams;

/// The checked configuration and the values built from it; immutable.
pub struct Snapshot {
    /// The checked configuration.
    pub config: Config,
    /// Tables that find server block and location.
    pub routes: Routes,
    /// The upstreams, whose peers carry over from snapshot to snapshot.
    pub upstreams: Upstreams,
    /// Open access logs.
    pub access_logs: AccessLogs,
    /// Open error logs of levels, by [`ErrorLogsId`](crate::config::model::ErrorLogsId).
    pub error_logs: Vec<Arc<LevelLogs>>,
    /// The TLS of each server block.
    pub tls: tls::Servers,
    /// The zones of the cache.
    pub caches: Zones,
    /// The zones in which requests are counted, which carry over from snapshot to snapshot.
    pub limits: limits::Zones,
    /// By upstream: the key that keeps its connections apart from those of others to the same address. Made from the
    /// name alone, so that a reload finds the connections again.
    connection_groups: Vec<u64>,
    /// By listener slot: the index in `config.http.listeners`.
    slots: Vec<Option<usize>>,
}

/// The open logs of a configuration.
#[derive(Debug)]
pub struct Logs {
    /// Those of `access_log`.
    pub access_logs: AccessLogs,
    /// Those of `error_log` of levels.
    pub error_logs: Vec<Arc<LevelLogs>>,
}

impl Snapshot {
    /// Puts the parts together. `slots` has the slot of each listener's socket, in the order of the configuration.
    pub fn new(
        config: Config,
        upstreams: Upstreams,
        logs: Logs,
        tls: tls::Servers,
        caches: Zones,
        limits: limits::Zones,
        slots: &[usize],
    ) -> Arc<Self> {
        let routes = Routes::new(&config.http);
        let mut by_slot = vec![None; slots.iter().max().map_or(0, |slot| slot + 1)];
        for (listener, slot) in slots.iter().enumerate() {
            by_slot[*slot] = Some(listener);
        }
        let connection_groups =
            config.http.upstreams.iter().map(|upstream| group_of(&upstream.name)).collect();
        let Logs { access_logs, error_logs } = logs;
        Arc::new(Self {
            config,
            routes,
            upstreams,
            access_logs,
            error_logs,
            tls,
            caches,
            limits,
            connection_groups,
            slots: by_slot,
        })
    }

    /// The group of an upstream's connections in Pingora's pool.
    pub fn connection_group(&self, upstream: UpstreamId) -> u64 {
        self.connection_groups[upstream.0]
    }

    /// The group of the connections of an upstream that a request names.
    pub fn connection_group_named(&self, name: &str) -> u64 {
        group_of(name)
    }

    /// The index of a listener in this configuration; `None` for one that it no longer has.
    pub fn listener_index(&self, facts: &ListenerFacts) -> Option<usize> {
        self.slots.get(facts.slot).copied().flatten()
    }

    /// The TLS for a client on this listener that asks for the server of this name. As in nginx, a server without a
    /// certificate has that of the address's default server.
    pub fn tls(&self, facts: &ListenerFacts, server_name: Option<&str>) -> tls::Chosen {
        let Some(index) = self.listener_index(facts) else { return tls::Chosen::default() };
        let listener = &self.config.http.listeners[index];
        let named = self.named_server(index, server_name);
        let server = named.unwrap_or(listener.default_server);
        let http2 = listener.http2 || self.config.http.servers[server.0].fallback.settings.http2.enabled;
        self.tls.choose(named, listener.default_server, http2)
    }

    /// The listener and the server block that a client asks for, by this name or by none.
    pub fn asked_for(
        &self,
        facts: &ListenerFacts,
        server_name: Option<&str>,
    ) -> Option<(&Listener, ServerId)> {
        let index = self.listener_index(facts)?;
        let listener = &self.config.http.listeners[index];
        Some((listener, self.named_server(index, server_name).unwrap_or(listener.default_server)))
    }

    fn named_server(&self, listener: usize, name: Option<&str>) -> Option<ServerId> {
        // As in nginx, a regular expression that gives up has not matched.
        let found = self.routes.named_server(listener, name?.as_bytes()).ok().flatten();
        found.map(|found| found.id)
    }

    /// The listener, if this configuration still has it.
    pub fn listener(&self, facts: &ListenerFacts) -> Option<&Listener> {
        self.listener_index(facts).map(|index| &self.config.http.listeners[index])
    }
}

fn group_of(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}
