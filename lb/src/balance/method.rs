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
use super::least_conn::LeastConn;
use super::round_robin::RoundRobin;
use super::server::Server;

/// A balancing method with its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MethodKind {
    /// Smooth weighted round robin, nginx's default.
    #[default]
    RoundRobin,
    /// `least_conn`
    LeastConn,
}

/// A balancing method with the state of one tier of servers.
#[derive(Debug, Clone)]
pub(super) enum Method {
    RoundRobin(RoundRobin),
    LeastConn(LeastConn),
}

impl Method {
    /// The method for these servers, without a past.
    pub(super) fn new(kind: MethodKind, servers: &[Server]) -> Self {
        match kind {
            MethodKind::RoundRobin => Self::RoundRobin(RoundRobin::new(servers)),
            MethodKind::LeastConn => Self::LeastConn(LeastConn::new(servers)),
        }
    }

    /// The index of the chosen candidate.
    pub(super) fn choose(&mut self, candidates: &mut Candidates<'_>, _ask: &Ask<'_>) -> Option<usize> {
        match self {
            Self::RoundRobin(round_robin) => round_robin.choose(candidates),
            Self::LeastConn(least_conn) => least_conn.choose(candidates),
        }
    }
}
