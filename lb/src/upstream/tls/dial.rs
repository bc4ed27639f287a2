//! Connecting to a server that speaks TLS, on behalf of Pingora.
//!
//! A [`Dial`] is made for one try. Pingora asks it for a connection and takes what it gets for a plain one; what else there
//! is to know of the connection ([`Dialled`]) is kept for whoever made the dial.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::l4::Connect;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::VirtualSocketStream;
use pingora::{Error, ErrorType, Result};
use rustls::ClientConfig;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::bridge;
use super::identity::Identity;
use super::kept::{Kept, Limits, Usage};
use super::socket::Lent;
use super::transport::{Reach, Transport};
use crate::upstream::address::Address;

/// The name of the error of a handshake that failed; its context has nginx's words.
pub const HANDSHAKE_FAILED: &str = "HandshakeFailed";

/// A connection to be made.
#[derive(Debug)]
pub struct Dial {
    reach: Reach,
    identity: Identity,
    http_2: bool,
    kept: Arc<Kept>,
    limits: Limits,
    dialled: OnceLock<Dialled>,
}

/// What is known of a connection once it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialled {
    /// It was a kept one.
    pub reused: bool,
    /// The how-manieth request on it this is, from 1.
    pub requests: u64,
}

impl Dial {
    /// A connection of an identity, from among the `kept` ones where one fits. `group` counts those of one upstream, of
    /// which at most `connections` are kept, for `idle_timeout`.
    pub fn new(
        reach: Reach,
        identity: Identity,
        http_2: bool,
        kept: &Arc<Kept>,
        (group, connections, idle_timeout): (u64, usize, Duration),
    ) -> Arc<Self> {
        let limits = Limits { group, connections, idle_timeout };
        let dialled = OnceLock::new();
        Arc::new(Self { reach, identity, http_2, kept: Arc::clone(kept), limits, dialled })
    }

    /// A number for the connections that may stand in for this one.
    pub fn group(&self) -> u64 {
        self.identity.group(self.limits.group, &self.reach.address, self.reach.bind)
    }

    /// Whether HTTP/2 is spoken.
    pub fn is_http_2(&self) -> bool {
        self.http_2
    }

    /// What came of it; `None` before it has connected, and for HTTP/2.
    pub fn dialled(&self) -> Option<Dialled> {
        self.dialled.get().copied()
    }

    /// A kept connection, or a new one.
    async fn stream(&self) -> Result<(TlsStream<Transport>, Usage)> {
        let key = self.identity.key(&self.reach.address, self.reach.bind);
        let (stream, requests, reused) = match self.kept.take(self.limits.group, &key) {
            Some((stream, requests)) => (stream, requests + 1, true),
            None => (connect(&self.reach, &self.identity, false).await?, 1, false),
        };
        // Pingora asks once for each try.
        let _ = self.dialled.set(Dialled { reused, requests });
        Ok((stream, Usage { key, limits: self.limits, requests }))
    }
}

#[async_trait]
impl Connect for Dial {
    async fn connect(&self, _: &Address) -> Result<Stream> {
        if self.http_2 {
            // Pingora keeps these: many requests share one.
            return bridge::bridge(connect(&self.reach, &self.identity, true).await?);
        }
        let (stream, usage) = self.stream().await?;
        let lent = Lent::new(stream, usage, Arc::clone(&self.kept));
        Ok(Stream::from(VirtualSocketStream::new(Box::new(lent))))
    }
}

/// Connects and shakes hands.
pub(super) async fn connect(
    reach: &Reach,
    identity: &Identity,
    http_2: bool,
) -> Result<TlsStream<Transport>> {
    let transport = within(reach.timeout, ErrorType::ConnectTimedout, Transport::connect(reach)).await?;
    let transport = transport.map_err(|error| Error::because(kind_of(&error), "connecting", error))?;
    let config = identity.context.config_for(&reach.address, http_2, identity.shown()).await;
    let config = config.map_err(|error| Error::explain(ErrorType::InternalError, error))?;
    secure(transport, config, reach, identity).await
}

/// Connects, shakes hands and ends: what a probe does.
///
/// # Errors
///
/// As a connection for a request.
pub async fn shake_hands(reach: &Reach, identity: &Identity, http_2: bool) -> Result<()> {
    let transport = Transport::connect(reach).await;
    let transport = transport.map_err(|error| Error::because(kind_of(&error), "connecting", error))?;
    let mut stream = secure(transport, identity.context.for_probes(http_2), reach, identity).await?;
    // The server has been told, or is gone.
    let _ = stream.shutdown().await;
    Ok(())
}

async fn secure(
    transport: Transport,
    config: Arc<ClientConfig>,
    reach: &Reach,
    identity: &Identity,
) -> Result<TlsStream<Transport>> {
    let Some(name) = identity.server_name() else {
        return Err(handshake_failed(format!("\"{}\" is no name that a server can have", identity.name())));
    };
    let handshake = TlsConnector::from(config).connect(name, transport);
    let shaken = within(reach.timeout, ErrorType::TLSHandshakeTimedout, handshake).await?;
    shaken.map_err(|error| handshake_failed(words(&error, identity.name())))
}

async fn within<T>(timeout: Duration, late: ErrorType, work: impl Future<Output = T>) -> Result<T> {
    pingora_timeout::timeout(timeout, work).await.map_err(|_| Error::explain(late, "it took too long"))
}

fn kind_of(error: &io::Error) -> ErrorType {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
        io::ErrorKind::TimedOut => ErrorType::ConnectTimedout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => ErrorType::ConnectNoRoute,
        _ => ErrorType::ConnectError,
    }
}

fn handshake_failed(words: String) -> Box<Error> {
    Error::explain(ErrorType::Custom(HANDSHAKE_FAILED), words)
}

/// Why a handshake failed, in nginx's words as far as it has some.
fn words(error: &io::Error, name: &str) -> String {
    use rustls::{CertificateError as C, Error as E};
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "peer closed connection in SSL handshake".to_owned();
    }
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<E>());
    match cause {
        Some(E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. })) => {
            format!("upstream SSL certificate does not match \"{name}\"")
        }
        Some(E::InvalidCertificate(reason)) => {
            format!("upstream SSL certificate verify error: ({})", verify_error(reason))
        }
        Some(other) => format!("SSL_do_handshake() failed (SSL: {other})"),
        None => format!("SSL_do_handshake() failed {}", crate::system_error::SystemError(error)),
    }
}

/// The number and the words that OpenSSL has for it.
fn verify_error(reason: &rustls::CertificateError) -> String {
    use rustls::CertificateError as C;
    let known = match reason {
        C::Expired | C::ExpiredContext { .. } => "10:certificate has expired",
        C::NotValidYet | C::NotValidYetContext { .. } => "9:certificate is not yet valid",
        C::UnknownIssuer => "20:unable to get local issuer certificate",
        C::BadSignature => "7:certificate signature failure",
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => "26:unsuitable certificate purpose",
        C::Other(cause) => return format!("{cause}"),
        other => return format!("{other:?}"),
    };
    known.to_owned()
}
