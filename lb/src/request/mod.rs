//! One request as nginx sees it: what is known of it, and what happens to it next.
//!
//! Pure: values and the time come in, a typed decision comes out. This room imports neither Pingora nor tokio; it does not
//! await, lock, log or read a clock. `proxy/` translates Pingora's hooks into an [`Event`], asks [`State::step`], and
//! carries out the [`Step`].
//!
//! | file | idea |
//! |---|---|
//! | `state` | what each stage of a request knows |
//! | `phases` | nginx's phases in their order, and what happens after each event |
//! | `answer_hygiene` | which answers of servers are passed on, and where their bodies end |
//! | `failure` | who failed; the status, label and words of each failure: one table |
//! | `pace` | how fast an answer goes to the client |
//! | `retry` | whether a failed try is followed by another |

pub mod answer_hygiene;
pub mod failure;
pub mod headers;
pub mod pace;
pub mod phases;
pub mod retry;
pub mod state;

pub use failure::Failure;
pub use phases::{Begin, Content, Event, Rules, Settlement, Step, TryFailed, UpstreamHead};
pub use state::{BalancingKey, Ending, Path, ProxyTarget, Proxying, Routed, Stage, State, Try};
