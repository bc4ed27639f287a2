//! The balancing methods.
//!
//! A method chooses among candidates; it does not know why a server is not one. Eligibility, failures and backups are
//! the group's, so a method is one file with its own state and no copy of nginx's failure rules. Each tier of a group
//! (primaries, backups) has a method of its own, as in nginx.
//!
//! # How to add a balancing method
//!
//! The commit "balance: add least_conn" is the example; `ARCHITECTURE.md` has the same list as a table.
//!
//! 1. `balance/NAME.rs`: a struct with the state of one tier, `new(&[Server]) -> Self`, `choose`, and table tests.
//!    `choose` takes the [`Candidates`], and where the method needs them the [`Ask`] with the key and the [`Search`].
//!    `None` means that no candidate is left. A method that falls back to round robin (ip_hash, hash, random after 20
//!    misses) or breaks ties by it (least_conn, consistent hash) holds a [`RoundRobin`] of its own. Random numbers come
//!    from a generator in the state, seeded from [`MethodKind`].
//! 2. `balance/mod.rs`: `mod NAME;` and a line of the table.
//! 3. `balance/method.rs` (this file): a variant of [`MethodKind`], a variant of [`Method`], and one arm each in
//!    `MethodKind::of_backups`, `Method::new` and `Method::choose`.
//! 4. `balance/tried.rs`, only for a method that remembers more of a request than the servers it tried: a field of
//!    [`Search`], where a retry goes on.
//! 5. `config/modules/balancing.rs`: a variant of `BalancingMethod` with the parameters of the directive, whether its
//!    servers may be backups, the directive's row in place of its refusal, its reader, and tests of its arguments.
//! 6. `upstream/members.rs`: an arm of `method()`, which maps the model's method to [`MethodKind`].
//! 7. `proxy/balancing_key.rs`: an arm, which makes the key of a request for a method that has one.
//! 8. `docs/directives.md`: written by `LB_WRITE_REFERENCE=1 cargo test -p lb --test it config_reference`.
//! 9. Tests from outside: what `nginx -t` says in `lb/tests/it/config_against_nginx.rs`, the running directive in
//!    `lb/tests/it/black_box/balancing_methods.rs`, and the same requests against nginx in
//!    `nginx-compat/judge/cases/balancing_methods.py`.
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

    /// The index of the chosen candidate. Round robin, which most upstreams have, pays nothing for the others.
    #[inline]
    pub(super) fn choose(
        &mut self,
        candidates: &mut Candidates<'_>,
        ask: &Ask<'_>,
        search: &mut Search,
    ) -> Option<usize> {
        match self {
            Self::RoundRobin(round_robin) => round_robin.choose(candidates),
            other => other.choose_otherwise(candidates, ask, search),
        }
    }

    #[inline(never)]
    fn choose_otherwise(
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
