//! TLS to clients: everything about it but the bytes of a connection.
//!
//! [`Servers::load`] turns the settings of each server block into a `rustls` configuration, and reads every file that
//! those name: only here, when a configuration is prepared, so that a mistake refuses the configuration and a handshake
//! waits for no disk, unless the name of its certificate has a variable ([`Demand`]). [`Session`] is what is kept of a handshake for variables, logs and decisions. The
//! handshake itself, and the records after it, are driven by `connection/`.

pub mod certificate;
mod ciphers;
mod client_verification;
mod curves;
mod demand;
mod distinguished_names;
pub mod key;
mod key_log;
mod loading;
mod ocsp;
mod offer;
mod on_demand;
mod openssl_names;
mod pair;
pub mod refusal;
mod resolver;
mod resumption;
pub mod revocation;
mod server_config;
mod servers;
mod session;
mod sessions;
mod stapling;
mod tickets;
mod variables;

#[cfg(any(test, fuzzing))]
pub(crate) use ciphers::check as check_cipher_list;
pub use client_verification::{Authorities, Verdict};
pub use demand::Demand;
pub use loading::Loading;
pub use offer::{Offer, Wishes};
pub use on_demand::{Names, OnDemand};
pub use pair::{Named, Unusable};
pub use refusal::Refusal;
pub use servers::{Chosen, ServerTls, Servers, Shown};
pub use session::{Offered, Security, Session, Signing};
pub use stapling::{AFTER_A_FAILURE, Next, Responder, Stapled};
