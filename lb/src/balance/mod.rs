//! Load balancing as pure values: the choice of a server for one request.
//!
//! A [`Group`] holds the [`Server`] records of one upstream and its balancing method. [`Tried`] holds the servers
//! that one request has tried, and the time ([`Now`]) comes in as an argument. No lock, clock, log or await, and no
//! knowledge of addresses: the caller maps an index to a server. nginx's rules are full of cases that only show under
//! failures; pure values let tables of tests cover them.
//!
//! The group never fails open: when every server is down, failed or unreachable the answer is [`Pick::NoLive`], as in
//! nginx ("no live upstreams"), not a server known to be bad.
//!
//! | file | idea |
//! |---|---|
//! | `server` | the record of one server: failures, ejection, weight, reachability, slow start |
//! | `group` | the eligible servers: primaries, then backups; recording of results |
//! | `candidates` | the inputs of a pick, and the servers that a method chooses among |
//! | `method` | the balancing methods, and how to add one |
//! | `round_robin` | nginx's smooth weighted round robin |
//! | `least_conn` | the fewest requests in flight for the weight |
//! | `ip_hash` | the client's address picks the server |
//! | `hash` | a key of the configuration picks the server, among the weights or on a ring |
//! | `random` | chance picks the server, or two to compare |
//! | `ranges` | servers as adjoining ranges by weight |
//! | `tried` | the servers that one request has tried |
//! | `load` | requests in flight at one server |
//! | `now` | moments |

mod candidates;
mod group;
mod hash;
mod ip_hash;
mod least_conn;
mod load;
mod method;
mod now;
#[cfg(test)]
mod placements;
mod random;
mod ranges;
mod round_robin;
mod server;
mod tried;

pub use candidates::Ask;
pub use group::{Group, NoLive, Pick};
pub use load::Load;
pub use method::MethodKind;
pub use now::Now;
pub use server::{AfterFailure, Availability, Server, ServerConfig, Stage, ramp};
pub use tried::{SlotSet, Tried};
