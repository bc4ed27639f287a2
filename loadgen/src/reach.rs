//! Whether there is anything to test: every name is resolved and one connection opened to every place, TLS
//! handshake included, before the run.
//!
//! So a wrong address or a certificate that nobody trusts ends the program at once instead of after a
//! thousand failed requests, and every connection of the run goes to one address per place, whichever of a
//! name's addresses was reached first. Only the first place's connection is used for a request after that,
//! and only without TLS: the others have proved what they were opened for.

use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, CertificateError, ClientConfig};

use crate::mix::Origin;
use crate::plan::Plan;
use crate::tls::{self, TlsError};

/// Everything that connections are opened to.
#[derive(Debug)]
pub struct Reached {
    /// One for each of [`crate::mix::Mix::origins`].
    pub endpoints: Vec<Endpoint>,
    /// The connection that proved the first of them; a request uses it. None with TLS.
    pub stream: Option<TcpStream>,
}

/// Where connections go, and how they begin.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The address that was reached.
    pub address: SocketAddr,
    /// With TLS: how.
    pub tls: Option<TlsClient>,
}

/// One end of TLS connections.
#[derive(Debug, Clone)]
pub struct TlsClient {
    /// The same for all connections of a run.
    pub config: Arc<ClientConfig>,
    /// Which name the server has to prove.
    pub server_name: ServerName<'static>,
}

/// Why there is nothing to test.
#[derive(Debug, Error)]
pub enum Unreachable {
    /// The name has no address.
    #[error("cannot resolve {host}: {reason}")]
    Name {
        /// As it stands in the URL.
        host: String,
        /// What the resolver said.
        reason: io::Error,
    },
    /// No address accepted.
    #[error("cannot connect to {authority}: {attempts}")]
    Address {
        /// As it stands in the URL.
        authority: String,
        /// Every address with what went wrong.
        attempts: String,
    },
    /// No server could prove who it is.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gave no means to try.
    #[error("cannot start a TLS handshake: {0}")]
    System(io::Error),
}

/// Connects to the first address of every place that accepts, and shakes hands where the plan says TLS.
///
/// # Errors
/// When a name does not resolve, or none of its addresses accepts in time and proves its name.
pub fn reach(plan: &Plan) -> Result<Reached, Unreachable> {
    let mut config = None;
    let mut endpoints = Vec::new();
    let mut first = None;
    for origin in plan.mix.origins() {
        let tls = match &origin.server_name {
            None => None,
            Some(server_name) => {
                let config = match &config {
                    Some(config) => Arc::clone(config),
                    None => Arc::clone(config.insert(tls::client_config(&plan.trust)?)),
                };
                Some(TlsClient { config, server_name: server_name.clone() })
            }
        };
        let (address, stream) = reach_one(origin, tls.as_ref(), plan.timeout)?;
        if endpoints.is_empty() {
            first = stream;
        }
        endpoints.push(Endpoint { address, tls });
    }
    Ok(Reached { endpoints, stream: first })
}

fn reach_one(
    origin: &Origin,
    tls: Option<&TlsClient>,
    timeout: Duration,
) -> Result<(SocketAddr, Option<TcpStream>), Unreachable> {
    let addresses = (origin.host.as_str(), origin.port)
        .to_socket_addrs()
        .map_err(|reason| Unreachable::Name { host: origin.host.clone(), reason })?;
    let mut attempts = String::new();
    for address in addresses {
        let result = TcpStream::connect_timeout(&address, timeout).map_err(|error| error.to_string());
        let result = match (result, tls) {
            (Ok(stream), None) => return Ok((address, Some(stream))),
            (Ok(stream), Some(tls)) => shake_hands(stream, tls, timeout)?,
            (Err(reason), _) => Err(reason),
        };
        match result {
            Ok(()) => return Ok((address, None)),
            Err(reason) => {
                let separator = if attempts.is_empty() { "" } else { "; " };
                // Writing to a string cannot fail.
                let _ = write!(attempts, "{separator}{address}: {reason}");
            }
        }
    }
    if attempts.is_empty() {
        attempts.push_str("the name has no address");
    }
    Err(Unreachable::Address { authority: origin.authority.clone(), attempts })
}

/// The inner error says why the server cannot be spoken to. A runtime of its own for it is what makes the
/// timeout one for the whole handshake, however slowly the server trickles.
fn shake_hands(
    stream: TcpStream,
    tls: &TlsClient,
    timeout: Duration,
) -> Result<Result<(), String>, Unreachable> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Unreachable::System)?;
    stream.set_nonblocking(true).map_err(Unreachable::System)?;
    Ok(runtime.block_on(async {
        let stream = tokio::net::TcpStream::from_std(stream).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::clone(&tls.config));
        match tokio::time::timeout(timeout, connector.connect(tls.server_name.clone(), stream)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("TLS handshake failed: {error}{}", advice(&error))),
            Err(_) => Err(format!("TLS handshake not done after {timeout:?}")),
        }
    }))
}

/// What the user could do about it, where that is certain.
fn advice(error: &io::Error) -> &'static str {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            " (--ca-file names further authorities)"
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => " (--server-name asks for another name)",
        _ => "",
    }
}
