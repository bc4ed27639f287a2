//! Settings as a configuration of `rustls`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;

use super::pem;
use super::verify::{Trusted, Verifier};
use crate::config::diagnostics::Diagnostic;
use crate::config::model::{SecureServers, TlsToServers, TlsToServersId};
use crate::upstream::address::Address;

/// Sessions that are kept for one server: what a handful of connections leave behind.
const SESSIONS_PER_SERVER: usize = 32;
/// Servers whose sessions are kept; names of requests lead to any number of them.
const SERVERS: usize = 1024;

/// Every way in which a configuration speaks TLS to servers.
#[derive(Debug, Default)]
pub struct Contexts(Vec<Arc<Context>>);

/// One way: settings, and what was made of them.
pub struct Context {
    /// A number that no other context of the process has.
    id: u64,
    settings: Arc<TlsToServers>,
    /// What all connections begin with.
    plain: ClientConfig,
    /// The same for each server, with the sessions that it can resume.
    by_server: Mutex<HashMap<(Address, bool), Arc<ClientConfig>>>,
}

impl Contexts {
    /// Reads what the settings name.
    ///
    /// # Errors
    ///
    /// Every file that cannot be used, in nginx's words.
    pub fn load(list: &[SecureServers]) -> Result<Self, Vec<Diagnostic>> {
        let mut contexts = Vec::with_capacity(list.len());
        let mut errors = Vec::new();
        for servers in list {
            match Context::load(servers) {
                Ok(context) => contexts.push(Arc::new(context)),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(Self(contexts)) } else { Err(errors) }
    }

    /// The one that a location's settings made.
    pub fn get(&self, id: TlsToServersId) -> Option<&Arc<Context>> {
        self.0.get(id.0)
    }
}

impl Context {
    fn load(servers: &SecureServers) -> Result<Self, Diagnostic> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let settings = &servers.settings;
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Diagnostic::emerg(error.to_string(), servers.position.clone()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier(servers, &provider)?);
        let mut plain = match certificate(servers)? {
            None => builder.with_no_client_auth(),
            Some((chain, key, at)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
                let name = settings.certificate.as_ref().and_then(|source| source.name.as_literal());
                let message = format!("cannot use certificate \"{}\": {error}", name.unwrap_or_default());
                Diagnostic::emerg(message, at)
            })?,
        };
        plain.enable_sni = settings.sends_name;
        plain.resumption = Resumption::disabled();
        Ok(Self {
            id: NEXT.fetch_add(1, Relaxed),
            settings: Arc::clone(settings),
            plain,
            by_server: Mutex::default(),
        })
    }

    /// The settings.
    pub fn settings(&self) -> &TlsToServers {
        &self.settings
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// What a connection to a server begins with.
    pub(super) fn config_for(&self, server: &Address, http_2: bool) -> Arc<ClientConfig> {
        let mut by_server = self.by_server.lock();
        let key = (server.clone(), http_2);
        if let Some(config) = by_server.get(&key) {
            return Arc::clone(config);
        }
        if by_server.len() >= SERVERS {
            by_server.clear();
        }
        let mut config = self.plain.clone();
        if self.settings.session_reuse {
            config.resumption = Resumption::in_memory_sessions(SESSIONS_PER_SERVER);
        }
        if http_2 {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        let config = Arc::new(config);
        by_server.insert(key, Arc::clone(&config));
        config
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("id", &self.id).field("settings", &self.settings).finish()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn verifier(
    servers: &SecureServers,
    provider: &CryptoProvider,
) -> Result<Arc<dyn ServerCertVerifier>, Diagnostic> {
    let settings = &servers.settings;
    let algorithms = provider.signature_verification_algorithms;
    let Some(trusted) = settings.trusted.as_ref().filter(|_| settings.verify) else {
        return Ok(Arc::new(Verifier { algorithms, trusted: None }));
    };
    let at = |message: String| Diagnostic::emerg(message, trusted.position.clone());
    let certificates = pem::certificates(&trusted.name, &servers.folder).map_err(at)?;
    let revoked = match &settings.revoked {
        None => Vec::new(),
        Some(list) => pem::revocation_lists(&list.name, &servers.folder)
            .map_err(|message| Diagnostic::emerg(message, list.position.clone()))?,
    };
    let trusted = Trusted::new(algorithms, certificates, &revoked, settings.verify_depth)
        .map_err(|error| at(format!("cannot load certificate \"{}\": {error}", trusted.name)))?;
    Ok(Arc::new(Verifier { algorithms, trusted: Some(trusted) }))
}

type Shown = (
    Vec<rustls::pki_types::CertificateDer<'static>>,
    rustls::pki_types::PrivateKeyDer<'static>,
    crate::config::model::Position,
);

/// The certificate that servers are shown, where it is the same for every request.
fn certificate(servers: &SecureServers) -> Result<Option<Shown>, Diagnostic> {
    let settings = &servers.settings;
    let (Some(certificate), Some(key)) = (&settings.certificate, &settings.certificate_key) else {
        return Ok(None);
    };
    let (Some(chain_name), Some(key_name)) = (certificate.name.as_literal(), key.name.as_literal()) else {
        return Ok(None);
    };
    let chain = pem::certificates(chain_name, &servers.folder)
        .map_err(|message| Diagnostic::emerg(message, certificate.position.clone()))?;
    let key_der = pem::key(key_name, &servers.folder)
        .map_err(|message| Diagnostic::emerg(message, key.position.clone()))?;
    Ok(Some((chain, key_der, certificate.position.clone())))
}
