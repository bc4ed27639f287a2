//! What is kept of a handshake.

use rustls::{CipherSuite, NamedGroup, ProtocolVersion, ServerConnection};

/// A finished handshake: what variables, logs and decisions ask of it.
#[derive(Debug)]
pub struct Session {
    /// The name that the client asked for (SNI), where a server block has it.
    pub named: Option<Box<str>>,
    /// The name that the client asked for, as sent.
    pub server_name: Option<Box<str>>,
    pub(super) version: Option<ProtocolVersion>,
    pub(super) suite: Option<CipherSuite>,
    pub(super) group: Option<NamedGroup>,
    /// The protocol that was agreed on (ALPN).
    pub alpn: Option<Box<[u8]>>,
    pub(super) resumed: bool,
}

impl Session {
    /// What `connection` has agreed on. `named`: some server block has the name that the client asked for.
    pub fn of(connection: &ServerConnection, named: bool) -> Self {
        let server_name: Option<Box<str>> = connection.server_name().map(Into::into);
        Self {
            named: server_name.clone().filter(|_| named),
            server_name,
            version: connection.protocol_version(),
            suite: connection.negotiated_cipher_suite().map(|suite| suite.suite()),
            group: connection.negotiated_key_exchange_group().map(|group| group.name()),
            alpn: connection.alpn_protocol().map(Into::into),
            resumed: connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
        }
    }
}
