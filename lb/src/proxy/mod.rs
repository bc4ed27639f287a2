//! The Pingora `ProxyHttp` service: translates each hook to an event, asks `request/`, carries out the step.
//!
//! Runs for every request. With `connection/` it is the only room that knows Pingora's session, and it decides nothing
//! that nginx's rules decide. A request holds the snapshot that the connection loop gave it from its first hook to its
//! last, and is recorded once, in [`record`].
//!
//! | file | idea |
//! |---|---|
//! | `service` | the hooks, in Pingora's order |
//! | `context` | what is carried from hook to hook |
//! | `admit` | a server's answer, judged before anything is made of it |
//! | `answer` | answers of the program's own, and the header of a server's |
//! | `carried` | what is kept of an answer with `X-Accel-Redirect` |
//! | `cache`, `caching` | what Pingora asks of the cache, and what is carried for that |
//! | `background` | requests of the program's own that renew an answer of the cache |
//! | `client` | the client's connection, as its location wants it |
//! | `tries` | picking servers, booking what became of them |
//! | `upload` | request bodies, read before a server is picked |
//! | `peer` | a server as Pingora takes it |
//! | `secure` | a server on a connection with TLS |
//! | `http2` | what HTTP/2 to a server asks of Pingora |
//! | `fields`, `failure` | Pingora's headers and errors as `request/` takes them |
//! | `values`, `simple_values` | variables |
//! | `destination` | the upstream of a `proxy_pass` |
//! | `received` | the header of a server's answer |
//! | `flow` | what `request/` wants done, one thing after another |
//! | `subrequest` | a second request through the same service |
//! | `mirror`, `copies` | copies of a request, and how its body reaches them |
//! | `compose` | answers made of several |
//! | `record` | counting and logging, once |
//! | `gather` | large answers without a copy |
//! | `file` | files and lists of directories as answers |
//! | `ready` | an answer with a file, before it is written |
//! | `filtering` | bodies that change on their way: with which filters |
//! | `filtered` | bodies that change on their way: through the filters to the client |
//! | `finish` | what every answer gets |
//! | `reuse` | requests per upstream connection |
//! | `host` | what the connection loop asks |

mod admit;
mod answer;
mod background;
mod balancing_key;
mod cache;
mod caching;
mod carried;
mod checked;
mod client;
mod compose;
pub mod context;
mod copies;
mod destination;
mod failure;
mod fields;
mod file;
mod filtered;
mod filtering;
mod finish;
mod flow;
mod gather;
mod host;
mod http2;
mod mirror;
mod password;
mod peer;
mod ready;
mod received;
pub mod record;
pub mod reuse;
mod secure;
mod service;
mod simple_values;
mod subrequest;
mod token;
mod tries;
mod upload;
pub mod values;
mod wait;
mod wire_bytes;

pub use service::ProxyService;
