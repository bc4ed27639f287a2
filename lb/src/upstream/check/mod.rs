//! Active checks: each distinct address is probed once per period for each definition of a check, however many
//! upstreams and configurations name it.
//!
//! A new address counts as reachable until a probe has failed: the configuration or DNS names it, and a server that
//! refuses costs a request one try, while holding it back could cost the only server.
//!
//! | file | idea |
//! |---|---|
//! | `definition` | how an address is checked |
//! | `schedule` | when which address is probed: spread over the period, sooner on request (pure) |
//! | `outcome` | the effect of a result on a server's record (pure) |
//! | `address` | what the probes know of one address; tells watchers of each result |
//! | `prober` | the task that runs the schedule, on pingora-load-balancing's registry |
//! | `shortage` | what a probe came to, and which failures are this machine's own |
//! | `tcp` | the TCP probe |
//! | `tls` | the TLS probe |

mod address;
mod definition;
mod outcome;
mod prober;
mod schedule;
mod shortage;
mod tcp;
mod tls;

pub use address::{AddressHealth, HealthTotals, LastProbe};
pub use shortage::is_local_shortage;

pub(super) use address::Watcher;
pub(super) use definition::Definition;
pub(super) use outcome::{AfterProbe, Probe, apply};
pub(super) use prober::Prober;
pub(super) use schedule::hurry_all_gap;
pub(super) use tls::TlsProbe;
