//! Settings as a configuration of `rustls`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, SignatureScheme};

use super::verify::{Trusted, Verifier};
use crate::config::diagnostics::Diagnostic;
use crate::config::model::{SecureServers, TlsToServers, TlsToServersId};
use crate::tls::{Loading, Names, Offer, OnDemand, Wishes, certificate, key, revocation};
use crate::upstream::address::Address;

/// `proxy_ssl_ciphers` where it is absent.
const DEFAULT_CIPHERS: &str = "DEFAULT";
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
    /// There where the name of the certificate that is shown has variables.
    on_demand: Option<OnDemand>,
}

impl Contexts {
    /// Reads what the settings name. Returns the warnings, too.
    ///
    /// # Errors
    ///
    /// Every file that cannot be used, in nginx's words.
    pub fn load(list: &[SecureServers]) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut contexts = Vec::with_capacity(list.len());
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        for servers in list {
            let mut loading = Loading::new(&servers.folder, None);
            if let Some(context) = Context::load(servers, &mut loading) {
                contexts.push(Arc::new(context));
            }
            // What a level above says is wrong once.
            errors.extend(
                loading.findings.into_iter().filter(|found| !errors.contains(found)).collect::<Vec<_>>(),
            );
            warnings.extend(
                loading.warnings.into_iter().filter(|found| !warnings.contains(found)).collect::<Vec<_>>(),
            );
        }
        if errors.is_empty() { Ok((Self(contexts), warnings)) } else { Err(errors) }
    }

    /// The one that a location's settings made.
    pub fn get(&self, id: TlsToServersId) -> Option<&Arc<Context>> {
        self.0.get(id.0)
    }
}

impl Context {
    /// None where something is wrong, which `loading` has then noted.
    fn load(servers: &SecureServers, loading: &mut Loading<'_>) -> Option<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let settings = &servers.settings;
        let passphrases = match &settings.password_file {
            Some(file) => loading.file(file).map(|text| key::passphrases(&text)).unwrap_or_default(),
            None => Vec::new(),
        };
        let offer = Offer::of(wishes(servers), loading);
        let shown = shown(settings, &passphrases, loading);
        let key_log = settings.key_log.as_ref().and_then(|file| loading.key_log(file));
        let verifier = verifier(settings, loading);
        if !loading.findings.is_empty() {
            return None;
        }
        let Offer { provider, versions } = offer?;
        let builder = match ClientConfig::builder_with_provider(provider).with_protocol_versions(&versions) {
            Ok(builder) => builder,
            Err(error) => {
                loading.refuse(error.to_string(), &servers.position);
                return None;
            }
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier?);
        let mut plain = match shown {
            Some(certified) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified))),
            None => builder.with_no_client_auth(),
        };
        plain.enable_sni = settings.sends_name;
        plain.resumption = Resumption::disabled();
        plain.alpn_protocols = settings.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        if let Some(key_log) = key_log {
            plain.key_log = key_log;
        }
        let on_demand = has_variables(settings)
            .then(|| OnDemand::new(passphrases, servers.folder.clone(), settings.certificate_cache));
        Some(Self {
            id: NEXT.fetch_add(1, Relaxed),
            settings: Arc::clone(settings),
            plain,
            by_server: Mutex::default(),
            on_demand,
        })
    }

    /// The settings.
    pub fn settings(&self) -> &TlsToServers {
        &self.settings
    }

    /// Whether each request says which certificate is shown.
    pub fn shows_by_request(&self) -> bool {
        self.on_demand.is_some()
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// What a connection to a server begins with. `shown`: the certificate, where a request says which.
    ///
    /// # Errors
    ///
    /// Why that certificate cannot be used, in nginx's words.
    pub(super) async fn config_for(
        &self,
        server: &Address,
        http_2: bool,
        shown: Option<&Names>,
    ) -> Result<Arc<ClientConfig>, String> {
        let (Some(names), Some(on_demand)) = (shown, &self.on_demand) else {
            return Ok(self.standing(server, http_2));
        };
        let mut config = self.fresh(http_2);
        // A server resumes a session with the certificate that began it; so none is resumed.
        config.client_auth_cert_resolver = Arc::new(ShownOnDemand(on_demand.get(names).await?));
        Ok(Arc::new(config))
    }

    /// What a probe begins with: a connection that resumes no session and leaves none.
    pub(super) fn for_probes(&self, http_2: bool) -> Arc<ClientConfig> {
        Arc::new(self.fresh(http_2))
    }

    fn fresh(&self, http_2: bool) -> ClientConfig {
        let mut config = self.plain.clone();
        if http_2 && config.alpn_protocols.is_empty() {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        config
    }

    fn standing(&self, server: &Address, http_2: bool) -> Arc<ClientConfig> {
        let mut by_server = self.by_server.lock();
        let key = (server.clone(), http_2);
        if let Some(config) = by_server.get(&key) {
            return Arc::clone(config);
        }
        if by_server.len() >= SERVERS {
            by_server.clear();
        }
        let mut config = self.fresh(http_2);
        if self.settings.session_reuse {
            config.resumption = Resumption::in_memory_sessions(SESSIONS_PER_SERVER);
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

/// A certificate that a request has named.
#[derive(Debug)]
struct ShownOnDemand(Arc<CertifiedKey>);

impl ResolvesClientCert for ShownOnDemand {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.key.choose_scheme(schemes).is_some().then(|| Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn wishes(servers: &SecureServers) -> Wishes<'_> {
    let settings = &servers.settings;
    Wishes {
        prefix: servers.prefix,
        protocols: settings.protocols,
        ciphers: settings.ciphers.as_ref(),
        default_ciphers: DEFAULT_CIPHERS,
        curves: None,
        commands: &settings.conf_commands,
    }
}

/// None where something is wrong, which `loading` has then noted.
fn verifier(settings: &TlsToServers, loading: &mut Loading<'_>) -> Option<Arc<dyn ServerCertVerifier>> {
    let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
    let Some(trusted) = settings.trusted.as_ref().filter(|_| settings.verify) else {
        return Some(Arc::new(Verifier { algorithms, trusted: None }));
    };
    let certificates = certificate::chain(&trusted.text, loading.folder);
    let certificates = certificates.map_err(|error| loading.refuse(error, &trusted.position)).ok();
    let revoked = match &settings.revoked {
        None => Some(Vec::new()),
        Some(list) => revocation::load(&list.text, loading.folder)
            .map_err(|error| {
                let name = certificate::shown(&list.text, loading.folder);
                loading.refuse(format!("cannot load CRL \"{name}\": {error}"), &list.position);
            })
            .ok(),
    };
    match Trusted::new(algorithms, certificates?, revoked?, settings.verify_depth) {
        Ok(trusted) => Some(Arc::new(Verifier { algorithms, trusted: Some(trusted) })),
        Err(error) => {
            let name = certificate::shown(&trusted.text, loading.folder);
            loading.refuse(format!("cannot load certificate \"{name}\": {error}"), &trusted.position);
            None
        }
    }
}

fn has_variables(settings: &TlsToServers) -> bool {
    let mut sources = settings.certificate.iter().chain(&settings.certificate_key);
    sources.any(|source| source.text.as_literal().is_none())
}

/// The certificate that servers are shown, where it is the same for every request.
fn shown(
    settings: &TlsToServers,
    passphrases: &[Vec<u8>],
    loading: &mut Loading<'_>,
) -> Option<CertifiedKey> {
    let (certificate, key) = (settings.certificate.as_ref()?, settings.certificate_key.as_ref()?);
    let (chain_name, key_name) = (certificate.text.as_literal()?, key.text.as_literal()?);
    loading.pair((chain_name, &certificate.position), (key_name, &key.position), passphrases)
}
