//! The balancing methods.
//!
//! A method chooses among candidates; it does not know why a server is none. Eligibility, failures and backups are
//! the group's, so a method is one file with its own state and no copy of nginx's failure rules. Each tier of a group
//! (primaries, backups) has a method of its own, as in nginx.
//!
//! # How to add a balancing method
//!
//! 1. `balance/NAME.rs`: a struct with the state of one tier, `new(&[Server]) -> Self` and
//!    `choose(&mut self, &mut Candidates<'_>, &Ask<'_>) -> Option<usize>`, and table tests. `None` means that no
//!    candidate is left. A method that falls back to round robin (ip_hash, hash, random after 20 misses) or breaks
//!    ties by it (least_conn, consistent hash) holds a [`RoundRobin`] of its own. Random numbers come from a generator
//!    in the state, seeded from [`MethodKind`].
//! 2. `balance/mod.rs`: `mod NAME;` and a line of the table.
//! 3. `balance/method.rs` (this file): a variant of [`MethodKind`] with the parameters of the directive, a variant
//!    of [`Method`], and one arm each in `Method::new` and `Method::choose`.
//! 4. `balance/tried.rs`, only for a method that remembers more of a request than the servers it tried (the number of
//!    rehashes of ip_hash and hash): a field of `Tried`, passed to `choose`.
//! 5. The directive: its row and setting beside the other directives of `upstream` blocks in `config/`, and a field
//!    of the model's `Upstream`.
//! 6. `upstream/members.rs`: `method()` maps the model's field to [`MethodKind`]. A method with a key also needs the
//!    caller of `Upstream::pick` (in `proxy/`) to set [`Ask::key`].
//!
//! [`Group::pick`](super::Group::pick), the servers' records, the set changes in `upstream/` and the frame of
//! pingora-load-balancing stay as they are: a changed set gets a new method through `Method::new`, an unchanged one
//! keeps its method with its state.

use super::candidates::{Ask, Candidates};
use super::hash::{ConsistentHash, KeyHash};
use super::ip_hash::IpHash;
use super::least_conn::LeastConn;
use super::random::Random;
use super::round_robin::RoundRobin;
use super::server::Server;
use super::tried::Search;

/// A balancing method with its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MethodKind {
    /// Smooth weighted round robin, nginx's default.
    #[default]
    RoundRobin,
    /// `least_conn`
    LeastConn,
    /// `ip_hash`, with the bytes of the client's address as the key: three of an IPv4 address, all of an IPv6 address.
    IpHash,
    /// `hash KEY`
    Hash,
    /// `hash KEY consistent`
    ConsistentHash,
    /// `random`, or `random two` (with `least_conn`).
    Random {
        /// Of two, the one with fewer requests in flight for its weight.
        two: bool,
        /// Where the sequence of random numbers begins.
        seed: u64,
    },
}

impl MethodKind {
    /// The method among backups. A method with a key or with chance goes over to round robin to find them.
    pub(super) fn of_backups(self) -> Self {
        match self {
            Self::RoundRobin | Self::IpHash | Self::Hash | Self::ConsistentHash | Self::Random { .. } => {
                Self::RoundRobin
            }
            Self::LeastConn => Self::LeastConn,
        }
    }
}

/// A balancing method with the state of one tier of servers.
#[derive(Debug, Clone)]
pub(super) enum Method {
    RoundRobin(RoundRobin),
    LeastConn(LeastConn),
    IpHash(IpHash),
    Hash(KeyHash),
    ConsistentHash(ConsistentHash),
    Random(Random),
}

impl Method {
    /// The method for these servers, without a past.
    pub(super) fn new(kind: MethodKind, servers: &[Server]) -> Self {
        match kind {
            MethodKind::RoundRobin => Self::RoundRobin(RoundRobin::new(servers)),
            MethodKind::LeastConn => Self::LeastConn(LeastConn::new(servers)),
            MethodKind::IpHash => Self::IpHash(IpHash::new(servers)),
            MethodKind::Hash => Self::Hash(KeyHash::new(servers)),
            MethodKind::ConsistentHash => Self::ConsistentHash(ConsistentHash::new(servers)),
            MethodKind::Random { two, seed } => Self::Random(Random::new(servers, two, seed)),
        }
    }

    /// The index of the chosen candidate.
    pub(super) fn choose(
        &mut self,
        candidates: &mut Candidates<'_>,
        ask: &Ask<'_>,
        search: &mut Search,
    ) -> Option<usize> {
        match self {
            Self::RoundRobin(round_robin) => round_robin.choose(candidates),
            Self::LeastConn(least_conn) => least_conn.choose(candidates),
            Self::IpHash(ip_hash) => ip_hash.choose(candidates, ask, search),
            Self::Hash(hash) => hash.choose(candidates, ask, search),
            Self::ConsistentHash(hash) => hash.choose(candidates, ask, search),
            Self::Random(random) => random.choose(candidates, search),
        }
    }
}
