//! `listen` and `server_name` of all servers to listening addresses.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::diagnostics::Report;
use crate::config::model::{ListenAddress, Listener, ServerId, ServerName};
use crate::config::modules::listen::{DEFAULT_BACKLOG, Listen, Listens};
use crate::config::modules::server_name::GivenName;
use crate::config::table::Block;

/// nginx's port for a server without `listen`: 80, where it may be bound.
const DEFAULT_PORT: u16 = 80;
const DEFAULT_PORT_WITHOUT_ROOT: u16 = 8000;

/// A listener while servers are being added to it.
struct Building {
    listener: Listener,
    /// Whether some `listen` said `default_server`, and some other set options of the socket.
    has_default: bool,
    has_options: bool,
}

/// The listeners, and the servers again, whose indices they hold.
pub(super) fn build(mut servers: Vec<Block>, root: bool, report: &mut Report) -> (Vec<Listener>, Vec<Block>) {
    let mut building = Listeners::default();
    for (index, server) in servers.iter_mut().enumerate() {
        let listens = server.take::<Listens>().unwrap_or_else(|| {
            let port = if root { DEFAULT_PORT } else { DEFAULT_PORT_WITHOUT_ROOT };
            let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
            vec![Listen::plain(vec![ListenAddress::Inet(address)], server.position.clone())]
        });
        for listen in &listens {
            for address in &listen.addresses {
                building.add(address, listen, ServerId(index), report);
            }
        }
    }
    let listeners: Vec<Listener> = building.all.into_iter().map(|building| building.listener).collect();
    for listener in &listeners {
        warn_of_conflicting_names(listener, &servers, report);
    }
    (listeners, servers)
}

/// The listeners so far, and where each address is among them.
#[derive(Default)]
struct Listeners {
    all: Vec<Building>,
    by_address: HashMap<ListenAddress, usize>,
}

impl Listeners {
    fn add(&mut self, address: &ListenAddress, listen: &Listen, server: ServerId, report: &mut Report) {
        let Some(known) = self.by_address.get(address).and_then(|index| self.all.get_mut(*index)) else {
            self.by_address.insert(address.clone(), self.all.len());
            self.all.push(Building {
                listener: Listener {
                    address: address.clone(),
                    backlog: listen.backlog.unwrap_or(DEFAULT_BACKLOG),
                    ipv6_only: listen.ipv6_only.unwrap_or(true),
                    http2: listen.http2,
                    proxy_protocol: listen.proxy_protocol,
                    default_server: server,
                    ssl: listen.ssl,
                    servers: vec![server],
                    position: listen.position.clone(),
                },
                has_default: listen.default_server,
                has_options: listen.sets_options,
            });
            return;
        };
        // Servers come in order: one that is there already came last.
        if known.listener.servers.last() == Some(&server) {
            report.emerg(format!("a duplicate listen {address}"), &listen.position);
            return;
        }
        known.listener.servers.push(server);
        // As in nginx: what one `listen` of an address asks of the protocol holds for the address.
        known.listener.ssl |= listen.ssl;
        known.listener.http2 |= listen.http2;
        known.listener.proxy_protocol |= listen.proxy_protocol;
        if listen.sets_options {
            if known.has_options {
                report.emerg(format!("duplicate listen options for {address}"), &listen.position);
            }
            known.has_options = true;
            known.listener.backlog = listen.backlog.unwrap_or(known.listener.backlog);
            known.listener.ipv6_only = listen.ipv6_only.unwrap_or(known.listener.ipv6_only);
        }
        if listen.default_server {
            if known.has_default {
                report.emerg(format!("a duplicate default server for {address}"), &listen.position);
            }
            known.has_default = true;
            known.listener.default_server = server;
        }
    }
}

/// Of two equal names on one address the first is found; nginx says so and goes on.
fn warn_of_conflicting_names(listener: &Listener, servers: &[Block], report: &mut Report) {
    let mut taken: HashSet<String> = HashSet::new();
    for server in listener.servers.iter().map(|id| &servers[id.0]) {
        let names = server.given::<Vec<GivenName>>().map(Vec::as_slice).unwrap_or_default();
        let unnamed = names.is_empty().then_some(("", &server.position));
        let literal = |name: &&GivenName| !matches!(name.name, ServerName::Regex(_));
        let named = names.iter().filter(literal).map(|name| (name.written.as_str(), &name.position));
        for (name, position) in unnamed.into_iter().chain(named) {
            if !taken.insert(name.to_ascii_lowercase()) {
                let message = format!("conflicting server name \"{name}\" on {}, ignored", listener.address);
                report.warn(message, position);
            }
        }
    }
}
