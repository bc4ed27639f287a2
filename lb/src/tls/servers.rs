//! The TLS of every server block, as one value of a snapshot.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;

use super::server_config::{self, HTTP_2};
use crate::config::diagnostics::Diagnostic;
use crate::config::model::{Http, ServerId};

/// The TLS of one server block.
#[derive(Debug)]
pub struct ServerTls {
    http_1: Arc<ServerConfig>,
    http_2: Arc<ServerConfig>,
}

impl ServerTls {
    /// What a handshake is done with, on an address that does or does not speak HTTP/2.
    pub fn config(&self, with_http_2: bool) -> &Arc<ServerConfig> {
        if with_http_2 { &self.http_2 } else { &self.http_1 }
    }
}

/// What a client's handshake is done with.
#[derive(Debug, Default)]
pub struct Chosen {
    /// None where the handshake is to be refused.
    pub config: Option<Arc<ServerConfig>>,
    /// A server block has the name that the client asked for.
    pub named: bool,
}

/// By server block; none for those without a certificate, where the default server of the address has to do.
#[derive(Debug, Default)]
pub struct Servers(Vec<Option<ServerTls>>);

impl Servers {
    /// Reads everything that the configuration names. `folder` is what its paths are relative to.
    ///
    /// # Errors
    ///
    /// Everything that cannot be read or does not fit together.
    pub fn load(http: &Http, folder: &Path) -> Result<Self, Vec<Diagnostic>> {
        let mut findings = Vec::new();
        let mut servers = Vec::with_capacity(http.servers.len());
        for server in &http.servers {
            let settings = &server.fallback.settings.tls;
            if settings.certificates.is_empty() {
                servers.push(None);
                continue;
            }
            match server_config::certified_keys(settings, folder) {
                Ok(keys) => match server_config::build(keys) {
                    Ok(config) => {
                        let mut with_http_2 = config.clone();
                        with_http_2.alpn_protocols.insert(0, HTTP_2.to_vec());
                        let (http_1, http_2) = (Arc::new(config), Arc::new(with_http_2));
                        servers.push(Some(ServerTls { http_1, http_2 }));
                    }
                    Err(error) => {
                        findings.push(Diagnostic::emerg(error.to_string(), server.position.clone()));
                    }
                },
                Err(errors) => findings.extend(errors),
            }
        }
        if findings.is_empty() { Ok(Self(servers)) } else { Err(findings) }
    }

    /// The TLS of a server block, if it has a certificate.
    pub fn get(&self, server: ServerId) -> Option<&ServerTls> {
        self.0.get(server.0)?.as_ref()
    }
}
