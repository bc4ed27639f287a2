//! One request as nginx sees it: what is known of it, and what happens to it next.
//!
//! Pure: values and the time come in, a typed decision comes out. This room imports neither Pingora nor tokio; it does not
//! await, lock, log or read a clock. `proxy/` translates Pingora's hooks into an [`Event`], asks [`State::step`], and
//! carries out the [`Step`].
//!
//! | file | idea |
//! |---|---|
//! | `state` | what each stage of a request knows |
//! | `uri` | the URI as it is now |
//! | `flow` | where it stands among the phases |
//! | `values` | variables, and whom to ask for them |
//! | `phases` | nginx's phases in their order, and what happens after each event |
//! | `limits` | how many requests there may be |
//! | `access` | who may come in, and which guards say so |
//! | `password` | `auth_basic` |
//! | `token` | `auth_jwt` |
//! | `auth_request` | who may come in by what another location says |
//! | `subrequest`, `inside` | requests inside a request, and what passes between them |
//! | `links` | signed links, and the pages that requests come from |
//! | `files` | `try_files`, index files, files and lists as answers |
//! | `rewrite` | the programs of `set`, `rewrite`, `if`, `return` |
//! | `real_ip` | who the client is behind proxies that are believed |
//! | `security` | whether the connection is as secure as the server asks |
//! | `redirect` | `error_page`, named locations, internal redirects |
//! | `answer_hygiene` | which answers of servers are passed on, and where their bodies end |
//! | `failure` | who failed; the status, label and words of each failure: one table |
//! | `pace` | how fast an answer goes to the client |
//! | `retry` | whether a failed try is followed by another |

mod access;
pub mod answer_hygiene;
mod auth_request;
mod escape;
pub mod failure;
mod files;
mod flow;
mod guards;
pub mod headers;
mod inside;
mod limits;
mod links;
pub mod pace;
mod password;
pub mod phases;
mod real_ip;
mod redirect;
pub mod retry;
mod rewrite;
mod security;
pub mod state;
mod subrequest;
#[cfg(test)]
mod testing;
mod token;
mod uri;
pub mod values;

pub use failure::Failure;
pub use flow::{FileKind, Note, Open, Opening, Question};
pub use guards::{PasswordCheck, PasswordVerdict, TokenCheck, TokenVerdict};
pub use inside::{Answered, Outer, Sharing, Subrequest};
pub use password::credentials;
pub use phases::{Around, Content, Event, Rules, Settlement, Step, TryFailed, UpstreamHead};
pub use state::{BalancingKey, Ending, ProxyTarget, Proxying, Routed, Stage, State, Try};
pub use uri::{Path, Uri};
pub use values::{Evaluation, Outside, Variables};
