//! Upstreams that a request names: what a `proxy_pass` with variables goes to where that is no upstream of the
//! configuration.
//!
//! A name is looked up when a request first needs it, and again once the answer is no longer valid; requests for one name
//! wait for one look-up. A name whose answer has not changed keeps its upstream, and with it the connections and the turn
//! among its addresses. As in nginx, no failure takes such a server out of use for other requests. A failed look-up is not
//! kept: the next request asks again.
//!
//! The names are those of clients as often as not, so there are at most [`NAMES`] of them; beyond that, the one that was
//! used longest ago goes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::unix::net::SocketAddr as UnixSocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::address::Address;
use super::check::Prober;
use super::discovery::{LookUpError, look_up_once};
use super::members::{Line, Source};
use super::running::Upstream;
use crate::config::model::{
    self, BalancingMethod, Resolver, ServerAddress, UpstreamKeepalive, UpstreamServer,
};

/// The most names that are kept.
const NAMES: usize = 1024;

/// The upstreams of one configuration that its requests have named.
pub(super) struct Dynamic {
    prober: Arc<Prober>,
    known: Mutex<HashMap<Key, Entry>>,
}

/// What a request names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Name { host: String, port: u16, resolver: Resolver },
    Address(SocketAddr),
    Unix(Box<Path>),
}

struct Entry {
    name: Arc<Name>,
    used: Instant,
}

/// A name, and what it stands for at present. Its lock is held while it is looked up.
type Name = tokio::sync::Mutex<Option<Present>>;

struct Present {
    upstream: Arc<Upstream>,
    addresses: Vec<Address>,
    /// When it has to be looked up again; an address never.
    until: Option<Instant>,
}

impl Dynamic {
    pub(super) fn new(prober: &Arc<Prober>) -> Self {
        Self { prober: Arc::clone(prober), known: Mutex::default() }
    }

    /// The servers of a name.
    pub(super) async fn of_name(
        &self,
        host: &str,
        port: u16,
        resolver: &Resolver,
    ) -> Result<Arc<Upstream>, LookUpError> {
        let host = host.to_ascii_lowercase();
        let name = self.entry(Key::Name { host: host.clone(), port, resolver: resolver.clone() });
        let mut present = name.lock().await;
        if let Some(known) =
            present.as_ref().filter(|known| known.until.is_none_or(|until| Instant::now() < until))
        {
            return Ok(Arc::clone(&known.upstream));
        }
        let (ips, valid) = look_up_once(resolver, &host).await?;
        let mut addresses: Vec<SocketAddr> = ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        // Name servers shuffle their answers, which is no change.
        addresses.sort_unstable();
        addresses.dedup();
        let addresses: Vec<Address> = addresses.into_iter().map(Address::Inet).collect();
        let until = Some(Instant::now() + valid);
        let upstream = match present.as_ref() {
            Some(known) if known.addresses == addresses => Arc::clone(&known.upstream),
            previous => {
                let previous = previous.map(|known| &*known.upstream);
                let address = ServerAddress::Name { host: host.clone(), port };
                self.upstream(&format!("{host}:{port}"), address, addresses.clone(), previous)
            }
        };
        *present = Some(Present { upstream: Arc::clone(&upstream), addresses, until });
        Ok(upstream)
    }

    /// The server at an address.
    pub(super) fn of_address(&self, address: SocketAddr) -> Arc<Upstream> {
        let name = self.entry(Key::Address(address));
        self.fixed(&name, &address.to_string(), ServerAddress::Inet(address), Address::Inet(address))
    }

    /// The server at a Unix socket; `None` where the path is too long for one.
    pub(super) fn of_unix(&self, path: &Path) -> Option<Arc<Upstream>> {
        let address = UnixSocketAddr::from_pathname(path).ok()?;
        let name = self.entry(Key::Unix(path.into()));
        let written = format!("unix:{}", path.display());
        Some(self.fixed(&name, &written, ServerAddress::Unix(path.to_owned()), Address::Unix(address)))
    }

    /// What needs no look-up is made at once; whoever finds the lock taken makes one for itself.
    fn fixed(&self, name: &Name, written: &str, server: ServerAddress, address: Address) -> Arc<Upstream> {
        let make = || self.upstream(written, server, vec![address.clone()], None);
        let Ok(mut present) = name.try_lock() else { return make() };
        let known = present.get_or_insert_with(|| Present {
            upstream: make(),
            addresses: vec![address.clone()],
            until: None,
        });
        Arc::clone(&known.upstream)
    }

    fn entry(&self, key: Key) -> Arc<Name> {
        let used = Instant::now();
        let mut known = self.known.lock();
        if !known.contains_key(&key) && known.len() >= NAMES {
            let oldest = known.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| known.remove(&oldest));
        }
        let entry = known.entry(key).or_insert_with(|| Entry { name: Arc::default(), used });
        entry.used = used;
        Arc::clone(&entry.name)
    }

    fn upstream(
        &self,
        written: &str,
        server: ServerAddress,
        addresses: Vec<Address>,
        previous: Option<&Upstream>,
    ) -> Arc<Upstream> {
        let position = model::Position { file: "".into(), line: 0 };
        let server = UpstreamServer {
            max_fails: 0,
            ..UpstreamServer::plain(server, written.to_owned(), position.clone())
        };
        let model = model::Upstream {
            name: written.to_owned(),
            implicit: true,
            method: BalancingMethod::RoundRobin,
            servers: vec![server.clone()],
            keepalive: UpstreamKeepalive::default(),
            zone: None,
            probe: false,
            handshake: None,
            resolver: None,
            position,
        };
        let lines = vec![Line { server, source: Source::Fixed(addresses) }];
        Upstream::new(model, lines, Arc::clone(&self.prober), None, previous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_upstream_and_the_oldest_goes() {
        let dynamic = Dynamic::new(&Prober::new());
        let address = |number: usize| SocketAddr::from(([127, 0, (number >> 8) as u8, number as u8], 80));
        let first = dynamic.of_address(address(0));
        assert!(Arc::ptr_eq(&first, &dynamic.of_address(address(0))));
        assert_eq!(first.server_count(), 1);
        for number in 1..=NAMES {
            dynamic.of_address(address(number));
        }
        assert_eq!(dynamic.known.lock().len(), NAMES);
        assert!(!Arc::ptr_eq(&first, &dynamic.of_address(address(0))));
    }

    #[test]
    fn a_unix_socket_has_a_path_that_fits() {
        let dynamic = Dynamic::new(&Prober::new());
        assert!(dynamic.of_unix(Path::new("/tmp/a.sock")).is_some());
        assert!(dynamic.of_unix(Path::new(&format!("/{}", "x".repeat(200)))).is_none());
    }
}
