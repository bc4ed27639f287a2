//! The members of an upstream, from its `server` lines and the addresses of their names. Pure.
//!
//! The list keeps two facts that the crate's set of backends cannot: the order of the file (nginx breaks ties by it)
//! and the same address named twice (which nginx counts twice).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::address::Address;
use super::peer::PeerKey;
use crate::balance::{MethodKind, ServerConfig};
use crate::config::model::{BalancingMethod, UpstreamServer};

/// The source of the addresses of one `server` line.
#[derive(Debug, Clone)]
pub(super) enum Source<F> {
    /// Known since the configuration was prepared.
    Fixed(Vec<Address>),
    /// A name that is followed in DNS, and the port of each of its addresses.
    Followed(F, u16),
}

/// One `server` line, with the source of its addresses.
#[derive(Debug, Clone)]
pub(super) struct Line<F> {
    pub(super) server: UpstreamServer,
    pub(super) source: Source<F>,
}

/// One server of the group: a line and one of its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: PeerKey,
    pub(super) config: ServerConfig,
    pub(super) backup: bool,
}

/// The present members of `lines`, in order; `followed` returns the addresses of a name.
pub(super) fn members<F>(lines: &[Line<F>], followed: impl Fn(&F) -> Vec<IpAddr>) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::new();
    let mut occurrences: HashMap<(&str, Address), u32> = HashMap::new();
    for Line { server, source } in lines {
        let addresses = match source {
            Source::Fixed(addresses) => addresses.clone(),
            Source::Followed(name, port) => {
                followed(name).into_iter().map(|ip| Address::Inet(SocketAddr::new(ip, *port))).collect()
            }
        };
        for address in addresses {
            let next = occurrences.entry((&server.written, address.clone())).or_insert(0);
            let occurrence = *next;
            *next += 1;
            members.push(Member {
                key: PeerKey { written: server.written.as_str().into(), address, occurrence },
                config: config(server),
                backup: server.backup,
            });
        }
    }
    members
}

/// The balancing method of an upstream; `seed` is for the one that draws random numbers.
pub(super) fn method(method: &BalancingMethod, seed: u64) -> MethodKind {
    match method {
        BalancingMethod::RoundRobin => MethodKind::RoundRobin,
        BalancingMethod::LeastConn => MethodKind::LeastConn,
        BalancingMethod::IpHash => MethodKind::IpHash,
        BalancingMethod::Hash { consistent: false, .. } => MethodKind::Hash,
        BalancingMethod::Hash { consistent: true, .. } => MethodKind::ConsistentHash,
        BalancingMethod::Random { two } => MethodKind::Random { two: *two, seed },
    }
}

fn config(server: &UpstreamServer) -> ServerConfig {
    ServerConfig {
        weight: server.weight.max(1),
        max_fails: server.max_fails,
        fail_timeout: server.fail_timeout,
        max_conns: 0,
        slow_start: Duration::ZERO,
        down: server.down,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::model::{Position, ServerAddress};

    fn server(written: &str, weight: u32, backup: bool) -> UpstreamServer {
        UpstreamServer {
            address: ServerAddress::Name { host: written.to_owned(), port: 80 },
            written: written.to_owned(),
            weight,
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
            backup,
            down: false,
            resolve: false,
            position: Position { file: "nginx.conf".into(), line: 1 },
        }
    }

    fn inet(text: &str) -> Address {
        Address::Inet(text.parse().unwrap())
    }

    #[test]
    fn keeps_the_order_of_the_file_and_what_is_named_twice() {
        let fixed = |written: &str, addresses: &[&str]| Line {
            server: server(written, 1, false),
            source: Source::Fixed(addresses.iter().map(|address| inet(address)).collect()),
        };
        let lines: Vec<Line<()>> = vec![
            fixed("z", &["10.0.0.9:80"]),
            fixed("a", &["10.0.0.1:80", "10.0.0.2:80"]),
            fixed("z", &["10.0.0.9:80"]),
            fixed("same-address", &["10.0.0.9:80"]),
        ];
        let members = members(&lines, |()| Vec::new());
        let keys: Vec<_> =
            members.iter().map(|m| (&*m.key.written, m.key.address.clone(), m.key.occurrence)).collect();
        assert_eq!(
            keys,
            [
                ("z", inet("10.0.0.9:80"), 0),
                ("a", inet("10.0.0.1:80"), 0),
                ("a", inet("10.0.0.2:80"), 0),
                ("z", inet("10.0.0.9:80"), 1),
                ("same-address", inet("10.0.0.9:80"), 0),
            ]
        );
    }

    #[test]
    fn a_followed_name_gives_its_port_and_configuration_to_each_address() {
        let line =
            Line { server: server("backend:5000", 3, true), source: Source::Followed("backend", 5000) };
        let members = members(&[line], |name| {
            assert_eq!(*name, "backend");
            vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()]
        });
        assert_eq!(
            members.iter().map(|m| m.key.address.clone()).collect::<Vec<_>>(),
            [inet("10.0.0.1:5000"), inet("[::1]:5000")]
        );
        assert!(members.iter().all(|member| member.config.weight == 3 && member.backup));
    }
}
