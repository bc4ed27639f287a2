//! What is kept of a handshake.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustls::pki_types::UnixTime;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, NamedGroup, ProtocolVersion, ServerConfig, ServerConnection, SignatureScheme};

use super::client_verification::{Authorities, Verdict};

/// What protects a connection.
#[derive(Debug)]
pub enum Security {
    /// Nothing, and nothing is asked for.
    Plain,
    /// Nothing, although its address speaks TLS: each request is answered with 497.
    PlainWhereTlsIsSpoken,
    /// TLS.
    Tls(Box<Session>),
}

impl Security {
    /// What the handshake agreed on, if there was one.
    pub fn session(&self) -> Option<&Session> {
        match self {
            Self::Tls(session) => Some(session),
            Self::Plain | Self::PlainWhereTlsIsSpoken => None,
        }
    }
}

/// What a client offered in its first message.
#[derive(Debug)]
pub struct Offered {
    pub(super) suites: Box<[u16]>,
    pub(super) groups: Box<[u16]>,
}

impl Offered {
    /// Of a client's first message.
    pub fn of(hello: &ClientHello<'_>) -> Self {
        Self {
            suites: hello.cipher_suites().iter().map(|suite| u16::from(*suite)).collect(),
            groups: hello.named_groups().unwrap_or_default().iter().map(|group| u16::from(*group)).collect(),
        }
    }
}

/// How a server signs for a client, before it is known which version they speak.
#[derive(Debug)]
pub struct Signing {
    key: Option<Arc<CertifiedKey>>,
    /// What the client can verify.
    schemes: Box<[SignatureScheme]>,
}

impl Signing {
    /// What `config` shows and signs for a client with this first message.
    pub fn of(hello: ClientHello<'_>, config: &ServerConfig) -> Self {
        Self { schemes: hello.signature_schemes().into(), key: config.cert_resolver.resolve(hello) }
    }

    /// What `rustls` chooses in this version, by the rule of its own.
    fn scheme(&self, version: Option<ProtocolVersion>) -> Option<SignatureScheme> {
        let of_tls_1_2_alone =
            |scheme: &SignatureScheme| scheme.as_str().is_some_and(|name| name.contains("PKCS1"));
        let usable = |scheme: &&SignatureScheme| {
            version == Some(ProtocolVersion::TLSv1_2) || !of_tls_1_2_alone(scheme)
        };
        let schemes: Vec<_> = self.schemes.iter().filter(usable).copied().collect();
        Some(self.key.as_ref()?.key.choose_scheme(&schemes)?.scheme())
    }
}

/// A finished handshake, or one whose early data is taken: what variables, logs and decisions ask of it.
#[derive(Debug)]
pub struct Session {
    /// Some server block has the name that the client asked for.
    pub(super) is_named: bool,
    /// The name that the client asked for (SNI), in lower case.
    pub(super) server_name: Option<Box<str>>,
    pub(super) version: Option<ProtocolVersion>,
    pub(super) suite: Option<CipherSuite>,
    pub(super) group: Option<NamedGroup>,
    pub(super) offered: Offered,
    pub(super) alpn: Option<Box<[u8]>>,
    pub(super) resumed: bool,
    /// How the server signed; nothing is signed where a session is resumed.
    pub(super) signed_by: Option<SignatureScheme>,
    /// True while what comes may be a replay: early data was accepted, and the handshake is not done.
    early: Option<Arc<AtomicBool>>,
    /// The client's certificate.
    pub(super) client: Option<Box<[u8]>>,
    /// What is thought of it.
    pub verdict: Verdict,
}

impl Session {
    /// What `connection` has agreed on with a client that offered this. `is_named`: some server block has the name that
    /// the client asked for; `authorities` judge the client's certificate; `early` is true as long as early data comes.
    pub fn of(
        connection: &ServerConnection,
        offered: Offered,
        is_named: bool,
        authorities: Option<&Authorities>,
        signing: &Signing,
        early: Option<Arc<AtomicBool>>,
    ) -> Self {
        let version = connection.protocol_version();
        let resumed = connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
        let chain = connection.peer_certificates().unwrap_or_default();
        Self {
            is_named,
            server_name: connection.server_name().map(Into::into),
            version,
            suite: connection.negotiated_cipher_suite().map(|suite| suite.suite()),
            group: connection.negotiated_key_exchange_group().map(|group| group.name()),
            offered,
            alpn: connection.alpn_protocol().map(Into::into),
            resumed,
            signed_by: if resumed { None } else { signing.scheme(version) },
            early,
            client: chain.first().map(|certificate| certificate.as_ref().into()),
            verdict: authorities
                .map_or(Verdict::Absent, |authorities| authorities.judge(chain, UnixTime::now())),
        }
    }

    /// The name that the client asked for, if a server block has it.
    pub fn name(&self) -> Option<&str> {
        self.server_name.as_deref().filter(|_| self.is_named)
    }

    /// The protocol that was agreed on (ALPN).
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// Whether an earlier session was resumed.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Whether what comes now may be a replay.
    pub fn is_early(&self) -> bool {
        self.early.as_ref().is_some_and(|early| early.load(Relaxed))
    }

    /// `$ssl_protocol`
    pub fn protocol(&self) -> &'static str {
        match self.version {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        }
    }
}
