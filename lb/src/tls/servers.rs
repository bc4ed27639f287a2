//! The TLS of every server block, as one value of a snapshot.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::client_verification::Authorities;
use super::demand::Demand;
use super::loading::{Loading, Stores};
use super::server_config;
use super::stapling::Stapled;
use crate::config::diagnostics::Diagnostic;
use crate::config::model::{Http, ServerId, Tls};

/// HTTP/2 over TLS, in the handshake's list of protocols.
const HTTP_2: &[u8] = b"h2";

/// The TLS of one server block.
#[derive(Debug, Clone)]
pub struct ServerTls {
    http_1: Arc<ServerConfig>,
    http_2: Arc<ServerConfig>,
    authorities: Option<Arc<Authorities>>,
    demand: Option<Arc<Demand>>,
}

/// What a client's handshake is done with.
#[derive(Debug, Default)]
pub struct Chosen {
    /// None where the handshake is to be refused.
    pub config: Option<Arc<ServerConfig>>,
    /// Completes it, where certificates depend on the name.
    pub demand: Option<Arc<Demand>>,
    /// Who vouches for the client's certificate, where one is asked for.
    pub authorities: Option<Arc<Authorities>>,
    /// A server block has the name that the client asked for.
    pub is_named: bool,
}

/// A certificate that is shown to clients.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    /// The file that it is from.
    pub file: String,
    /// Until when it is valid, in seconds since 1970.
    pub until: i64,
}

#[derive(Debug)]
enum Of {
    /// It has no certificate; that of the address's default server has to do.
    Nobody,
    /// `ssl_reject_handshake`
    Rejected,
    Server(ServerTls),
}

/// By server block.
#[derive(Debug, Default)]
pub struct Servers {
    servers: Vec<Of>,
    shown: Vec<Shown>,
    stapled: Vec<Arc<Stapled>>,
    stores: Stores,
}

impl Servers {
    /// Reads everything that the configuration names. `folder` is what its paths are relative to; stores of sessions live
    /// on from `previous`. Returns the warnings, too.
    ///
    /// # Errors
    ///
    /// Everything that cannot be read or does not fit together.
    pub fn load(
        http: &Http,
        folder: &Path,
        previous: Option<&Self>,
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut loading = Loading::new(folder, previous.map(|servers| &servers.stores));
        let mut servers = Vec::with_capacity(http.servers.len());
        let (mut shown, mut stapled) = (Vec::new(), Vec::new());
        // Servers that say nothing of their own share the settings of `http`, and so what comes of them.
        let mut last: Option<(&Arc<Tls>, ServerTls)> = None;
        for server in &http.servers {
            let settings = &server.fallback.settings.tls;
            loading.resolver = server.fallback.settings.resolver.resolver();
            if settings.reject_handshake {
                servers.push(Of::Rejected);
            } else if settings.certificates.is_empty() {
                servers.push(Of::Nobody);
            } else if let Some((_, built)) = last.as_ref().filter(|(known, _)| Arc::ptr_eq(known, settings)) {
                servers.push(Of::Server(built.clone()));
            } else if let Some(built) = server_config::build(settings, &mut loading) {
                shown.extend(built.shown.iter().filter_map(|(file, der)| {
                    let (_, certificate) = X509Certificate::from_der(der).ok()?;
                    Some(Shown { file: file.clone(), until: certificate.validity().not_after.timestamp() })
                }));
                stapled.extend(built.stapled);
                let mut with_http_2 = built.config.clone();
                with_http_2.alpn_protocols.insert(0, HTTP_2.to_vec());
                let tls = ServerTls {
                    http_1: Arc::new(built.config),
                    http_2: Arc::new(with_http_2),
                    authorities: built.authorities,
                    demand: built.demand,
                };
                last = Some((settings, tls.clone()));
                servers.push(Of::Server(tls));
            }
        }
        if !loading.findings.is_empty() {
            return Err(loading.findings);
        }
        shown.sort_unstable();
        shown.dedup();
        Ok((Self { servers, shown, stapled, stores: loading.stores }, loading.warnings))
    }

    /// What the handshake is done with for a client that asks for `named`, if a server block has that name, on an address
    /// with this default server. `with_http_2`: HTTP/2 is offered.
    pub fn choose(&self, named: Option<ServerId>, default: ServerId, with_http_2: bool) -> Chosen {
        let is_named = named.is_some();
        let of = |server: ServerId| self.servers.get(server.0);
        let server = match (of(named.unwrap_or(default)), of(default)) {
            (Some(Of::Server(server)), _) | (Some(Of::Nobody), Some(Of::Server(server))) => server,
            _ => return Chosen { is_named, ..Chosen::default() },
        };
        Chosen {
            config: Some(if with_http_2 { server.http_2.clone() } else { server.http_1.clone() }),
            demand: server.demand.clone(),
            authorities: server.authorities.clone(),
            is_named,
        }
    }

    /// The certificates whose authorities are to be asked about them.
    pub fn stapled(&self) -> &[Arc<Stapled>] {
        &self.stapled
    }

    /// Every certificate that is shown, each once.
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }
}
