//! What tells connections apart that must not be exchanged.
//!
//! A connection over which a server was verified by one name, or which shows the server one certificate, is never given to
//! a request that asks for another.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr as SocketAddress;
use std::sync::{Arc, LazyLock};

use rustls::pki_types::ServerName;

use super::context::Context;
use crate::config::model::TlsToServers;
use crate::tls::Names;
use crate::upstream::address::Address;

/// The hash of the process: nobody outside can make two identities that collide.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// As what a server is connected to.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(super) context: Arc<Context>,
    /// The name without a port.
    name: Box<str>,
    /// The certificate that is shown, where its name has variables.
    shown: Option<Names>,
}

/// What a connection is kept under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) address: Address,
    pub(super) bind: Option<SocketAddress>,
    context: u64,
    name: Box<str>,
    shown: Option<Names>,
}

impl Identity {
    /// `name` as rendered, which may have a port at its end; `shown`: the names of the certificate and of its key, where
    /// those have variables.
    pub fn new(context: &Arc<Context>, name: &str, shown: Option<Names>) -> Self {
        Self { context: Arc::clone(context), name: without_port(name).into(), shown }
    }

    /// The certificate that is shown, where its name has variables.
    pub(super) fn shown(&self) -> Option<&Names> {
        self.shown.as_ref()
    }

    /// The settings.
    pub fn settings(&self) -> &TlsToServers {
        self.context.settings()
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name as TLS takes it.
    pub(super) fn server_name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.name.trim_matches(['[', ']']).to_owned()).ok()
    }

    pub(super) fn key(&self, address: &Address, bind: Option<SocketAddress>) -> Key {
        Key {
            address: address.clone(),
            bind,
            context: self.context.id(),
            name: self.name.clone(),
            shown: self.shown.clone(),
        }
    }

    /// A number for a group of connections to `address` that are of this identity and of `group`.
    pub fn group(&self, group: u64, address: &Address, bind: Option<SocketAddress>) -> u64 {
        HASHER.hash_one((group, self.context.id(), &self.name, &self.shown, address, bind))
    }
}

/// `a:443` is `a`, as nginx has it; the colons of an IPv6 address stay.
fn without_port(name: &str) -> &str {
    if name.starts_with('[') {
        return name.find(']').map_or(name, |end| &name[..=end]);
    }
    name.split_once(':').map_or(name, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_port_is_no_part_of_a_name() {
        for (written, name) in
            [("a", "a"), ("a:443", "a"), ("[::1]:443", "[::1]"), ("[::1]", "[::1]"), ("", "")]
        {
            assert_eq!(without_port(written), name);
        }
    }
}
