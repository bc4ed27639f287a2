//! The sockets that a set of listening addresses needs, and the changes from one set to the next. Pure.
//!
//! An address and a socket are not the same: where a wildcard address and a specific one share a port, the kernel
//! lets only the wildcard be bound, and the local end of a connection tells which address it meant. NGINX binds that
//! way too. Port 0 never shares, as each socket gets a port of its own.

use std::net::{IpAddr, SocketAddr};

use crate::config::model::{ListenAddress, Listener};

/// A wanted listening address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The address to bind.
    pub address: ListenAddress,
    /// `backlog=`
    pub backlog: u32,
    /// `ipv6only=`; has no effect on other addresses.
    pub ipv6_only: bool,
}

impl From<&Listener> for Wanted {
    fn from(listener: &Listener) -> Self {
        Self { address: listener.address.clone(), backlog: listener.backlog, ipv6_only: listener.ipv6_only }
    }
}

impl Wanted {
    /// The admin listener, with the backlog that NGINX gives a listener on Linux.
    pub fn admin(address: ListenAddress) -> Self {
        Self { address, backlog: 511, ipv6_only: true }
    }
}

/// A socket that a set of addresses needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketPlan {
    /// The address to bind.
    pub bound: Wanted,
    /// The specific addresses that a wildcard socket serves besides its own.
    pub members: Vec<Wanted>,
}

/// The changes from the open sockets to the wanted ones.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Open sockets that stay: index of the open one, and its new plan.
    pub keep: Vec<(usize, SocketPlan)>,
    /// Open sockets of specific addresses that a wanted wildcard covers: index of the open one, and the wildcard's
    /// plan, which becomes its own. They stay open because closing a listening socket resets every connection whose
    /// handshake the kernel completes between the last `accept` and the `close`; and while such a socket is open, the
    /// kernel prefers it to the wildcard's.
    pub relabel: Vec<(usize, SocketPlan)>,
    /// Sockets to bind.
    pub open: Vec<SocketPlan>,
    /// Open sockets to close: their indices.
    pub close: Vec<usize>,
}

/// The sockets that `wanted` needs, in order. An address named twice counts once.
pub fn sockets(wanted: &[Wanted]) -> Vec<SocketPlan> {
    let mut sockets: Vec<SocketPlan> = Vec::new();
    let mut members = Vec::new();
    for one in wanted {
        if wanted.iter().any(|other| covers(&other.address, &one.address)) {
            members.push(one);
        } else if !sockets.iter().any(|socket| socket.bound.address == one.address) {
            sockets.push(SocketPlan { bound: one.clone(), members: Vec::new() });
        }
    }
    for member in members {
        for socket in &mut sockets {
            let is_new = !socket.members.iter().any(|known| known.address == member.address);
            if is_new && covers(&socket.bound.address, &member.address) {
                socket.members.push(member.clone());
            }
        }
    }
    sockets
}

/// Compares the addresses that open sockets are bound to with the wanted ones.
pub fn plan(open: &[&ListenAddress], wanted: &[Wanted]) -> Plan {
    let mut plan = Plan::default();
    let sockets = sockets(wanted);
    for (index, address) in open.iter().enumerate() {
        let same = sockets.iter().find(|socket| socket.bound.address == **address);
        let wildcard = sockets.iter().find(|socket| covers(&socket.bound.address, address));
        match (same, wildcard) {
            (Some(socket), _) => plan.keep.push((index, socket.clone())),
            (None, Some(socket)) => plan.relabel.push((index, socket.clone())),
            (None, None) => plan.close.push(index),
        }
    }
    plan.open = sockets
        .into_iter()
        .filter(|socket| open.iter().all(|address| **address != socket.bound.address))
        .collect();
    plan
}

/// True if a socket bound to `wildcard` receives connections to `address`, so that both cannot be bound.
pub fn covers(wildcard: &ListenAddress, address: &ListenAddress) -> bool {
    match (inet(wildcard), inet(address)) {
        (Some(wildcard), Some(address)) => {
            wildcard.ip().is_unspecified()
                && !address.ip().is_unspecified()
                && wildcard.is_ipv4() == address.is_ipv4()
                && wildcard.port() == address.port()
                && wildcard.port() != 0
        }
        _ => false,
    }
}

pub(super) fn inet(address: &ListenAddress) -> Option<SocketAddr> {
    match address {
        ListenAddress::Inet(address) => Some(*address),
        ListenAddress::Unix(_) => None,
    }
}

/// The address part, if it is one.
pub fn ip(address: &ListenAddress) -> Option<IpAddr> {
    inet(address).map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ListenAddress {
        match text.strip_prefix("unix:") {
            Some(path) => ListenAddress::Unix(path.into()),
            None => ListenAddress::Inet(text.parse().unwrap()),
        }
    }

    fn wanted(addresses: &[&str]) -> Vec<Wanted> {
        addresses.iter().map(|text| Wanted::admin(address(text))).collect()
    }

    fn told(socket: &SocketPlan) -> String {
        let members: Vec<_> = socket.members.iter().map(|member| member.address.to_string()).collect();
        format!("{}[{}]", socket.bound.address, members.join(" "))
    }

    #[test]
    fn a_wildcard_serves_the_specific_addresses_of_its_port_and_family() {
        for (addresses, expected) in [
            (vec!["127.0.0.1:80", "127.0.0.2:80"], "127.0.0.1:80[] 127.0.0.2:80[]"),
            (vec!["127.0.0.1:80", "0.0.0.0:80"], "0.0.0.0:80[127.0.0.1:80]"),
            (vec!["0.0.0.0:80", "127.0.0.1:80", "127.0.0.1:81"], "0.0.0.0:80[127.0.0.1:80] 127.0.0.1:81[]"),
            (vec!["[::]:80", "127.0.0.1:80", "[::1]:80"], "[::]:80[[::1]:80] 127.0.0.1:80[]"),
            (vec!["0.0.0.0:0", "127.0.0.1:0"], "0.0.0.0:0[] 127.0.0.1:0[]"),
            (vec!["unix:/a", "unix:/b", "unix:/a"], "unix:/a[] unix:/b[]"),
            (vec!["0.0.0.0:80", "127.0.0.1:80", "127.0.0.1:80"], "0.0.0.0:80[127.0.0.1:80]"),
        ] {
            let sockets: Vec<_> = sockets(&wanted(&addresses)).iter().map(told).collect();
            assert_eq!(sockets.join(" "), expected, "{addresses:?}");
        }
    }

    #[test]
    fn what_stays_is_kept_what_a_wildcard_covers_is_relabelled_and_only_what_is_gone_is_closed() {
        for (open, next, keep, relabel, opened, close) in [
            (vec!["127.0.0.1:80"], vec!["127.0.0.1:80"], "0=127.0.0.1:80[]", "", "", "[]"),
            (vec!["127.0.0.1:80"], vec!["127.0.0.1:81"], "", "", "127.0.0.1:81[]", "[0]"),
            // A specific address gives way to its wildcard, with and without being named beside it.
            (vec!["127.0.0.1:80"], vec!["0.0.0.0:80"], "", "0=0.0.0.0:80[]", "0.0.0.0:80[]", "[]"),
            (
                vec!["127.0.0.1:80"],
                vec!["127.0.0.1:80", "0.0.0.0:80"],
                "",
                "0=0.0.0.0:80[127.0.0.1:80]",
                "0.0.0.0:80[127.0.0.1:80]",
                "[]",
            ),
            (
                vec!["127.0.0.1:80", "127.0.0.2:80", "127.0.0.3:81"],
                vec!["0.0.0.0:80", "127.0.0.2:80"],
                "",
                "0=0.0.0.0:80[127.0.0.2:80] 1=0.0.0.0:80[127.0.0.2:80]",
                "0.0.0.0:80[127.0.0.2:80]",
                "[2]",
            ),
            // While the wildcard is wanted, the relabelled socket stays.
            (
                vec!["127.0.0.1:80", "0.0.0.0:80"],
                vec!["0.0.0.0:80"],
                "1=0.0.0.0:80[]",
                "0=0.0.0.0:80[]",
                "",
                "[]",
            ),
            // And back: the socket is there already, or is opened.
            (vec!["127.0.0.1:80", "0.0.0.0:80"], vec!["127.0.0.1:80"], "0=127.0.0.1:80[]", "", "", "[1]"),
            (vec!["0.0.0.0:80"], vec!["127.0.0.1:80"], "", "", "127.0.0.1:80[]", "[0]"),
            (vec!["127.0.0.1:80", "0.0.0.0:80"], vec!["127.0.0.2:80"], "", "", "127.0.0.2:80[]", "[0, 1]"),
            // Another family or port covers nothing.
            (vec!["127.0.0.1:80"], vec!["[::]:80"], "", "", "[::]:80[]", "[0]"),
            (vec!["127.0.0.1:80"], vec!["0.0.0.0:81"], "", "", "0.0.0.0:81[]", "[0]"),
            (vec!["127.0.0.1:0"], vec!["0.0.0.0:0"], "", "", "0.0.0.0:0[]", "[0]"),
            (
                vec!["0.0.0.0:80"],
                vec!["0.0.0.0:80", "127.0.0.1:80"],
                "0=0.0.0.0:80[127.0.0.1:80]",
                "",
                "",
                "[]",
            ),
            (vec!["unix:/a", "unix:/b"], vec!["unix:/b"], "1=unix:/b[]", "", "", "[0]"),
            (vec!["unix:/a"], vec![], "", "", "", "[0]"),
        ] {
            let open: Vec<_> = open.into_iter().map(address).collect();
            let plan = plan(&open.iter().collect::<Vec<_>>(), &wanted(&next));
            let with_index = |sockets: &[(usize, SocketPlan)]| {
                let told = sockets.iter().map(|(index, socket)| format!("{index}={}", told(socket)));
                told.collect::<Vec<_>>().join(" ")
            };
            let new: Vec<_> = plan.open.iter().map(told).collect();
            assert_eq!(
                (with_index(&plan.keep), with_index(&plan.relabel), new.join(" ")),
                (keep.into(), relabel.into(), opened.into()),
                "{open:?} to {next:?}"
            );
            assert_eq!(format!("{:?}", plan.close), close, "{open:?} to {next:?}");
        }
    }
}
