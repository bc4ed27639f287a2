//! The state that outlives a configuration, and the succession of one configuration's upstreams to another's.
//!
//! Three steps, so that a refused configuration leaves no trace: [`Runtime::prepare`] looks up names and builds
//! everything but starts nothing; [`Upstreams::start`] takes over from the predecessor and spawns the tasks;
//! [`Upstreams::stop`] ends them. Between start of the new and stop of the old both run, which is harmless: probes
//! and names are shared, each address is probed once.

use std::collections::HashMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::net::SocketAddr as UnixSocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use pingora::lb::{Backends, LoadBalancer};
use tokio::sync::watch;

use super::address::Address;
use super::check::{Prober, TlsProbe};
use super::discovery::{LookUpError, NameKey, NameWatch};
use super::dynamic::Dynamic;
use super::members::{Line, Source};
use super::pingora_lb::{Discovery, Selection, Slot};
use super::running::Upstream;
use super::shared_task::TaskUse;
use super::tls::{Context, Contexts, Identity};
use crate::config::diagnostics::Diagnostic;
use crate::config::model::{self, Resolver, ServerAddress, TlsToServersId, UpstreamId, UpstreamServer};
use crate::routing::passed::{Passed, PassedHost};

/// The state that all configurations of a process share: the probes with their records of each address, and the
/// followed names with their last good answers.
pub struct Runtime {
    prober: Arc<Prober>,
    names: Mutex<HashMap<NameKey, Weak<NameWatch>>>,
}

/// All upstreams of one configuration.
pub struct Upstreams {
    list: Vec<Arc<Upstream>>,
    previous: Vec<Option<Weak<Upstream>>>,
    prober: Arc<Prober>,
    dynamic: Dynamic,
    tls: Contexts,
    warnings: Vec<Diagnostic>,
    running: Mutex<Option<Running>>,
}

/// A request that names a server which nobody can find, in nginx's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoDestination {
    /// A name that is no upstream, where there is no `resolver`.
    #[error("no resolver defined to resolve {0}")]
    NoResolver(String),
    /// DNS does not know it, or does not answer.
    #[error("{0} could not be resolved ({1})")]
    Unresolved(String, LookUpError),
    /// The path of a Unix socket is too long.
    #[error("too long path in the unix domain socket in upstream \"{0}\"")]
    LongPath(String),
}

/// Ends all tasks when dropped.
struct Running {
    stop: watch::Sender<bool>,
    _names: Vec<TaskUse>,
    _probes: Option<TaskUse>,
    /// Kept for their membership in the health registry.
    _balancers: Vec<Arc<LoadBalancer<Selection>>>,
}

/// The answers of the system's resolver, so that each name is asked for once per configuration.
type LookUps<'a> = HashMap<(&'a str, u16), Option<Vec<SocketAddr>>>;

impl Runtime {
    /// For a process that has no configuration yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { prober: Prober::new(), names: Mutex::default() })
    }

    /// Builds the upstreams of a configuration. Names without `resolve` are looked up here, blocking, as nginx does;
    /// nothing is started, and `previous` is not touched.
    ///
    /// Servers that `previous` has under the same upstream name, as written, and at the same address, stay the same:
    /// their counts, tries under way and failures continue.
    ///
    /// # Errors
    ///
    /// Every server whose name is not found, and every file for TLS that cannot be used, in nginx's words.
    pub fn prepare(
        self: &Arc<Self>,
        http: &model::Http,
        previous: Option<&Upstreams>,
    ) -> Result<Upstreams, Vec<Diagnostic>> {
        let mut look_ups = LookUps::new();
        let mut errors = Vec::new();
        let mut list = Vec::with_capacity(http.upstreams.len());
        let mut predecessors = Vec::with_capacity(http.upstreams.len());
        let (tls, warnings) = Contexts::load(&http.tls_to_servers).unwrap_or_else(|found| {
            errors.extend(found);
            Default::default()
        });
        for upstream in &http.upstreams {
            let mut lines = Vec::with_capacity(upstream.servers.len());
            for server in &upstream.servers {
                match self.source(upstream, server, &mut look_ups) {
                    Ok(source) => lines.push(Line { server: server.clone(), source }),
                    Err(message) => errors.push(Diagnostic::emerg(message, server.position.clone())),
                }
            }
            let predecessor = previous.and_then(|previous| previous.named(upstream));
            list.push(Upstream::new(
                upstream.clone(),
                lines,
                Arc::clone(&self.prober),
                greeting(upstream, &tls),
                predecessor.map(Arc::as_ref),
            ));
            predecessors.push(predecessor.map(Arc::downgrade));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Upstreams {
            tls,
            warnings,
            list,
            previous: predecessors,
            dynamic: Dynamic::new(&self.prober),
            prober: Arc::clone(&self.prober),
            running: Mutex::default(),
        })
    }

    fn source<'a>(
        &self,
        upstream: &model::Upstream,
        server: &'a UpstreamServer,
        look_ups: &mut LookUps<'a>,
    ) -> Result<Source<Arc<NameWatch>>, String> {
        let in_upstream = |what: &str| format!("{what} in upstream \"{}\"", server.written);
        match &server.address {
            ServerAddress::Inet(address) => Ok(Source::Fixed(vec![Address::Inet(*address)])),
            ServerAddress::Unix(path) => match UnixSocketAddr::from_pathname(path) {
                Ok(address) => Ok(Source::Fixed(vec![Address::Unix(address)])),
                Err(_) => Err(in_upstream("too long path in the unix domain socket")),
            },
            ServerAddress::Name { host, port } if server.resolve => match &upstream.resolver {
                Some(resolver) => {
                    let key = NameKey { host: host.clone(), resolver: resolver.clone() };
                    Ok(Source::Followed(self.name(key), *port))
                }
                None => Err(format!(
                    "no resolver defined to resolve names at run time in upstream \"{}\"",
                    upstream.name
                )),
            },
            ServerAddress::Name { host, port } => {
                let found = look_ups.entry((host, *port)).or_insert_with(|| look_up(host, *port));
                match found {
                    Some(found) => Ok(Source::Fixed(found.iter().copied().map(Address::Inet).collect())),
                    None => Err(in_upstream("host not found")),
                }
            }
        }
    }

    fn name(&self, key: NameKey) -> Arc<NameWatch> {
        let mut names = self.names.lock();
        if let Some(name) = names.get(&key).and_then(Weak::upgrade) {
            return name;
        }
        names.retain(|_, name| name.strong_count() > 0);
        let name = NameWatch::new(key.clone());
        names.insert(key, Arc::downgrade(&name));
        name
    }
}

impl Upstreams {
    /// The upstream with this id.
    ///
    /// # Panics
    ///
    /// If the id is not from the configuration that these upstreams were prepared from.
    pub fn by_id(&self, id: UpstreamId) -> &Arc<Upstream> {
        &self.list[id.0]
    }

    /// How TLS is spoken where these settings hold.
    pub fn tls(&self, id: TlsToServersId) -> Option<&Arc<Context>> {
        self.tls.get(id)
    }

    /// What loading found that refuses nothing.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// All, in the order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Upstream>> {
        self.list.iter()
    }

    /// The upstream that a URL names: one of the configuration, or the server at its address, which for a name is looked
    /// up with `resolver` when no valid answer is known.
    ///
    /// # Errors
    ///
    /// In nginx's words, where there is no such server.
    pub async fn upstream_for(
        &self,
        passed: &Passed,
        resolver: Option<&Resolver>,
    ) -> Result<Arc<Upstream>, NoDestination> {
        let host = match &passed.host {
            PassedHost::Unix(path) => {
                let shown = || NoDestination::LongPath(format!("unix:{}", path.display()));
                return self.dynamic.of_unix(path).ok_or_else(shown);
            }
            PassedHost::Address(ip) => {
                return Ok(self.dynamic.of_address(SocketAddr::new(*ip, passed.port)));
            }
            PassedHost::Name(host) => host,
        };
        if let Some(upstream) = self.list.iter().find(|upstream| is_meant(upstream.model(), host, passed)) {
            return Ok(Arc::clone(upstream));
        }
        let Some(resolver) = resolver else { return Err(NoDestination::NoResolver(host.clone())) };
        let found = self.dynamic.of_name(host, passed.port, resolver).await;
        found.map_err(|error| NoDestination::Unresolved(host.clone(), error))
    }

    /// Takes over from the predecessor and starts the tasks that follow names and probe, on the current tokio
    /// runtime. Returns when every followed name has had its first answer or failure, and after `first_answer_within`
    /// in any case.
    pub async fn start(&self, first_answer_within: Duration) {
        let (stop, stopped) = watch::channel(false);
        let names: Vec<TaskUse> =
            self.list.iter().flat_map(|upstream| upstream.names()).map(NameWatch::start).collect();
        for (upstream, previous) in self.list.iter().zip(&self.previous) {
            if let Some(previous) = previous.as_ref().and_then(Weak::upgrade) {
                upstream.take_over(&previous);
            }
        }
        let balancers: Vec<_> = self.list.iter().map(|upstream| Arc::new(self.balancer(upstream))).collect();
        let first =
            balancers.iter().map(|balancer| tokio::time::timeout(first_answer_within, balancer.update()));
        // The loop below tells the names that were not in time; failures are logged where they happen.
        join_all(first).await;
        for (balancer, upstream) in balancers.iter().zip(&self.list) {
            if upstream.names().next().is_some() {
                let (balancer, stopped) = (Arc::clone(balancer), stopped.clone());
                tokio::spawn(async move { balancer.run(stopped, None).await });
            }
        }
        let probes = self.list.iter().any(|upstream| upstream.model().probe).then(|| self.prober.start());
        self.prober.membership_changed();
        *self.running.lock() = Some(Running { stop, _names: names, _probes: probes, _balancers: balancers });
    }

    /// Ends the tasks of this configuration. Requests that still hold it continue with the present set.
    pub fn stop(&self) {
        self.running.lock().take();
    }

    fn named(&self, model: &model::Upstream) -> Option<&Arc<Upstream>> {
        self.list.iter().find(|other| other.name() == model.name && other.model().implicit == model.implicit)
    }

    fn balancer(&self, upstream: &Arc<Upstream>) -> LoadBalancer<Selection> {
        let discovery = Box::new(Discovery::new(upstream));
        let backends = if upstream.model().probe {
            Backends::new_with_health_registry(discovery, self.prober.registry())
        } else {
            Backends::new(discovery)
        };
        let slot = Slot(Arc::downgrade(upstream));
        let mut balancer = LoadBalancer::from_backends_with_config(backends, Some(slot));
        // The discovery itself waits for changes.
        balancer.update_frequency = Some(Duration::ZERO);
        balancer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// The handshake of an upstream's probes, where those speak TLS.
fn greeting(upstream: &model::Upstream, tls: &Contexts) -> Option<TlsProbe> {
    let handshake = upstream.handshake.as_ref()?;
    let context = tls.get(handshake.tls)?;
    Some(TlsProbe::new(Identity::new(context, &handshake.name, None), handshake.http_2))
}

/// Whether a host that a request names means this upstream: a block by its name alone, the server of another `proxy_pass` by
/// its name and port.
fn is_meant(upstream: &model::Upstream, host: &str, passed: &Passed) -> bool {
    if !upstream.implicit {
        return !passed.port_written && upstream.name.eq_ignore_ascii_case(host);
    }
    upstream.servers.iter().any(|server| {
        matches!(&server.address, ServerAddress::Name { host: name, port }
            if name.eq_ignore_ascii_case(host) && *port == passed.port)
    })
}

/// All addresses of a name, as the system's resolver finds them; `None` when it finds none.
pub fn look_up(host: &str, port: u16) -> Option<Vec<SocketAddr>> {
    let mut distinct: Vec<SocketAddr> = Vec::new();
    for address in (host, port).to_socket_addrs().ok()? {
        if !distinct.contains(&address) {
            distinct.push(address);
        }
    }
    (!distinct.is_empty()).then_some(distinct)
}
