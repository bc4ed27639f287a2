//! From the servers as written, and what their names resolve to, to the list of members. Pure.
//!
//! The list keeps what the crate's set of backends cannot: the order of the file (nginx breaks ties by it) and the
//! same address named twice (which nginx counts twice).

use std::net::{IpAddr, SocketAddr};

use super::Address;
use super::peer::PeerKey;
use crate::balance::Terms;
use crate::config::model::UpstreamServer;

/// Where the addresses of one `server` line come from.
#[derive(Debug, Clone)]
pub(super) enum Source<F> {
    /// Known since the configuration was prepared.
    Fixed(Vec<Address>),
    /// A name that is followed in DNS; its addresses come from elsewhere, each with this port.
    Followed(F, u16),
}

/// One `server` line, with where its addresses come from.
#[derive(Debug, Clone)]
pub(super) struct Line<F> {
    pub(super) server: UpstreamServer,
    pub(super) source: Source<F>,
}

/// One server of the group: a line and one of its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: PeerKey,
    pub(super) terms: Terms,
    pub(super) backup: bool,
}

/// The members that `lines` stand for at present, in order; `followed` tells the addresses of a name.
pub(super) fn members<F>(lines: &[Line<F>], followed: impl Fn(&F) -> Vec<IpAddr>) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::new();
    for Line { server, source } in lines {
        let addresses = match source {
            Source::Fixed(addresses) => addresses.clone(),
            Source::Followed(name, port) => {
                followed(name).into_iter().map(|ip| Address::Inet(SocketAddr::new(ip, *port))).collect()
            }
        };
        for address in addresses {
            let written: Box<str> = server.written.as_str().into();
            let equal =
                members.iter().filter(|m| m.key.address == address && m.key.written == written).count();
            members.push(Member {
                key: PeerKey { written, address, occurrence: u32::try_from(equal).unwrap_or(u32::MAX) },
                terms: terms(server),
                backup: server.backup,
            });
        }
    }
    members
}

fn terms(server: &UpstreamServer) -> Terms {
    Terms {
        weight: server.weight.max(1),
        max_fails: server.max_fails,
        fail_timeout: server.fail_timeout,
        down: server.down,
    }
}
