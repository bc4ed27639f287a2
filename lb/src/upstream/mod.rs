//! Upstreams while running: their servers, who is picked, what is known of each one's health.
//!
//! A configuration becomes [`Upstreams`] through [`Runtime::prepare`], which looks names up but starts nothing, so
//! that `lb -t` and a refused reload leave no trace; [`Upstreams::start`] spawns what it needs. Per request there
//! are three calls: [`Upstream::pick`] before a try, [`Peer::enter`] for as long as it runs, [`Upstream::settle`]
//! after it. None of them allocates (in groups of up to 64), formats, or waits for anything but one lock that is
//! never held longer than one pick.
//!
//! The frame is pingora-load-balancing's: its `LoadBalancer` runs discovery, its `HealthRegistry` and
//! `TcpHealthCheck` probe. The choice per request is our own, behind the crate's `BackendSelection`; the reasons
//! stand in `docs/decisions/002-picker-behind-backend-selection.md`.
//!
//! | file | idea |
//! |---|---|
//! | `peer` | one server: identity and counters |
//! | `running` | [`Upstream`]: the set of servers, picking, settling |
//! | `members` | configuration and DNS answers to a list of members (pure) |
//! | `health` | what failures and probes mean (pure) |
//! | `probe` | active checks, one per address and second |
//! | `discovery` | following names in DNS |
//! | `shared_task` | tasks that run while anybody needs them |
//! | `pingora_lb` | the traits of pingora-load-balancing |
//! | `runtime` | what outlives a configuration; start, stop, reload |

mod discovery;
mod health;
mod members;
mod monotonic;
mod peer;
mod pingora_lb;
mod probe;
mod running;
mod runtime;
mod shared_task;

/// Where a server is: an Internet address or a Unix domain socket's path.
pub use pingora::protocols::l4::socket::SocketAddr as Address;

pub use discovery::{Family, FamilyAnswer, Known, next_query_in};
pub use health::FailureKind;
pub use monotonic::{at, now};
pub use peer::{InFlight, Peer, PeerMetrics, PeerTotals, StatusClass};
pub use pingora_lb::{Selection, SelectionIter, Slot};
pub use probe::{AddressHealth, HealthTotals, LastProbe, is_local_shortage};
pub use running::{NoPeer, Outcome, PeerSet, PeerState, Settled, Upstream};
pub use runtime::{Runtime, Upstreams};
