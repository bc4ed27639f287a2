//! Running upstreams: their servers, the choice among them, the health of each.
//!
//! A configuration becomes [`Upstreams`] through [`Runtime::prepare`], which looks names up but starts nothing, so
//! that `lb -t` and a refused reload leave no trace; [`Upstreams::start`] spawns what it needs. Per request there
//! are two calls: [`Upstream::pick`] before a try, whose result counts the try as in flight until it is dropped, and
//! [`Upstream::settle`] after it. Neither allocates (in groups of up to 64), formats, or waits for anything but one lock
//! that is never held longer than one pick.
//!
//! The frame is pingora-load-balancing's: its `LoadBalancer` runs discovery, its `HealthRegistry` has the probes'
//! targets, its `TcpHealthCheck` connects. The choice per request is our own, behind the crate's `BackendSelection`,
//! for the reasons in `docs/decisions/002-picker-behind-backend-selection.md`.
//!
//! | file | idea |
//! |---|---|
//! | `running` | [`Upstream`]: picking a server, recording results |
//! | `membership` | changes of an upstream's set of servers |
//! | `peer_set` | the servers at one moment, with their records under one lock |
//! | `peer` | one server: identity and counters |
//! | `members` | configuration and DNS answers to a list of members (pure) |
//! | `dynamic` | upstreams that requests name |
//! | `failure` | the kinds of failure of an attempt |
//! | `check/` | active checks |
//! | `discovery` | following names in DNS |
//! | `shared_task` | tasks that run while they have users |
//! | `pingora_lb` | the traits of pingora-load-balancing |
//! | `runtime` | the state that outlives a configuration; start, stop, reload |
//! | `tls/` | TLS to servers |
//! | `address` | the address of a server |
//! | `monotonic` | the clock |

mod address;
mod check;
mod discovery;
mod dynamic;
mod failure;
mod members;
mod membership;
mod monotonic;
mod peer;
mod peer_set;
mod pingora_lb;
mod running;
mod runtime;
mod shared_task;
pub mod tls;

pub use address::Address;
pub use check::{AddressHealth, HealthTotals, LastProbe, is_local_shortage};
pub use discovery::{Family, FamilyAnswer, Known, LookUpError, look_up_once, next_query_in};
pub use failure::FailureKind;
pub use monotonic::{at, now};
pub use peer::{InFlight, Peer, PeerMetrics, PeerTotals};
pub use peer_set::PeerSet;
pub use pingora_lb::{Selection, SelectionIter, Slot};
pub use running::{NoPeer, Outcome, PeerState, Settled, Upstream};
pub use runtime::{NoDestination, Runtime, Upstreams, look_up};
