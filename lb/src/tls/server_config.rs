//! The settings of a server block as a configuration of `rustls`.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ServerConfig, SignatureAlgorithm, SupportedProtocolVersion};

use super::client_verification::{Asking, Authorities};
use super::loading::Loading;
use super::ocsp::Question;
use super::revocation::RevocationList;
use super::sessions::Sessions;
use super::stapling::{Responder, Stapled};
use super::tickets::Tickets;
use super::{certificate, ciphers, curves, key, ocsp};
use crate::config::model::{ConfCommand, SessionCache, Tls, VerifyClient, Written};

/// The protocols that are offered in the handshake (ALPN), without HTTP/2.
const HTTP_1: [&[u8]; 3] = [b"http/1.1", b"http/1.0", b"http/0.9"];
/// `ssl_ciphers` where it is absent.
const DEFAULT_CIPHERS: &str = "HIGH:!aNULL:!MD5";
/// The largest plaintext of a record.
const LARGEST_RECORD: u64 = 16 << 10;
/// How much early data a client may send; nginx's figure.
const EARLY_DATA_BYTES: u32 = 16 << 10;
/// The smallest that `rustls` sends.
const SMALLEST_RECORD: u64 = 32;

/// What a server block comes to.
pub(super) struct Built {
    pub(super) config: ServerConfig,
    pub(super) authorities: Option<Arc<Authorities>>,
    /// The certificates that are shown, and the files that they are from.
    pub(super) shown: Vec<(String, CertificateDer<'static>)>,
    /// Those whose authority is to be asked about them.
    pub(super) stapled: Vec<Arc<Stapled>>,
}

/// Reads what the settings name and puts them together. None where something is wrong, which `loading` has then noted.
pub(super) fn build(tls: &Tls, loading: &mut Loading<'_>) -> Option<Built> {
    let before = loading.findings.len();
    let keys = certified_keys(tls, loading);
    let (suites, groups, versions) = (suites(tls, loading), groups(tls, loading), versions(tls));
    let told = authorities_of(tls.client_certificate.as_ref(), loading);
    let trusted = authorities_of(tls.trusted_certificate.as_ref(), loading);
    let revoked = revoked(tls, loading);
    if loading.findings.len() > before {
        return None;
    }
    let provider = Arc::new(CryptoProvider {
        cipher_suites: provider::ALL_CIPHER_SUITES
            .iter()
            .filter(|suite| suites.contains(&suite.suite()))
            .copied()
            .collect(),
        kx_groups: groups,
        ..provider::default_provider()
    });
    let provider = in_order(provider, &suites);
    let algorithms = provider.signature_verification_algorithms;
    let context = context(&keys, &told);
    let mut authorities = None;
    let verifier: Arc<dyn rustls::server::danger::ClientCertVerifier> = match tls.verify_client {
        VerifyClient::Off => WebPkiClientVerifier::no_client_auth(),
        _ => {
            let all = told.iter().chain(&trusted).cloned().collect();
            match Authorities::new(all, revoked, tls.verify_depth, algorithms) {
                Ok(trusting) => authorities = Some(Arc::new(trusting)),
                Err(error) => {
                    let file = tls.client_certificate.as_ref().or(tls.trusted_certificate.as_ref())?;
                    loading.refuse(format!("a certificate of \"{}\": {error}", file.text), &file.position);
                    return None;
                }
            }
            Asking::new(&told, algorithms)
        }
    };
    let shown = keys.iter().map(|(name, key)| (name.clone(), key.cert[0].clone())).collect();
    let keys: Vec<_> = keys.into_iter().map(|(file, key)| keep(tls, file, key, &trusted, loading)).collect();
    let stapled = keys.iter().filter_map(|kept| match kept {
        Kept::Stapled(stapled) => Some(stapled.clone()),
        Kept::Fixed(_) => None,
    });
    let stapled = stapled.collect();
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions);
    let mut config = match builder {
        Ok(builder) => {
            builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(Certificates(keys)))
        }
        Err(error) => {
            let position = tls.ciphers.as_ref().map(|written| written.position.clone());
            loading.findings.push(crate::config::diagnostics::Diagnostic::emerg(error.to_string(), position));
            return None;
        }
    };
    config.alpn_protocols = HTTP_1.iter().map(|protocol| protocol.to_vec()).collect();
    config.ignore_client_order = tls.prefer_server_ciphers;
    config.max_fragment_size = Some(tls.buffer_size.clamp(SMALLEST_RECORD, LARGEST_RECORD) as usize);
    if let Some(file) = &tls.key_log {
        config.key_log = loading.key_log(file)?;
    }
    resumption(&mut config, tls, context, loading)?;
    Some(Built { config, authorities, shown, stapled })
}

/// How sessions are resumed: by tickets, by what is kept here, or not at all.
fn resumption(
    config: &mut ServerConfig,
    tls: &Tls,
    context: [u8; 32],
    loading: &mut Loading<'_>,
) -> Option<()> {
    let lifetime = tls.session_timeout;
    let can_resume =
        tls.session_tickets || !matches!(tls.session_cache, SessionCache::Off | SessionCache::None);
    if tls.early_data && can_resume {
        // Early data can be replayed, unless a session can be resumed but once: so sessions are kept here, and taken from
        // here, as OpenSSL does it by default (RFC 8446, section 8.1).
        let cache = match loading.session_cache(&tls.session_cache) {
            Some(cache) => cache,
            None => loading.cache_of_early_data(),
        };
        config.session_storage = Arc::new(Sessions { cache, lifetime, context });
        config.max_early_data_size = EARLY_DATA_BYTES;
        config.send_half_rtt_data = true;
        return Some(());
    }
    config.session_storage = match loading.session_cache(&tls.session_cache) {
        Some(cache) => Arc::new(Sessions { cache, lifetime, context }),
        None => Arc::new(NoServerSessionStorage {}),
    };
    if tls.session_tickets {
        let keys = loading.ticket_keys(tls)?;
        config.ticketer = Arc::new(Tickets { keys, lifetime, context });
    } else if matches!(tls.session_cache, SessionCache::Off | SessionCache::None) {
        config.send_tls13_tickets = 0;
    }
    Some(())
}

fn certified_keys(tls: &Tls, loading: &mut Loading<'_>) -> Vec<(String, Arc<CertifiedKey>)> {
    let passphrases = match &tls.password_file {
        Some(file) => loading.file(file).map(|text| key::passphrases(&text)).unwrap_or_default(),
        None => Vec::new(),
    };
    let stapled = tls.stapling_file.as_ref().and_then(|file| loading.file(file));
    let provider = provider::default_provider();
    let mut keys = Vec::new();
    for (certificate, key) in tls.certificates.iter().zip(&tls.certificate_keys) {
        let (Some(chain_name), Some(key_name)) = (certificate.text.as_literal(), key.text.as_literal())
        else {
            continue;
        };
        let chain = certificate::chain(chain_name, loading.folder);
        let loaded = key::load(key_name, &passphrases, loading.folder).and_then(|der| {
            let loaded = provider.key_provider.load_private_key(der);
            loaded.map_err(|error| key::cannot_load(key_name, loading.folder, &error.to_string()))
        });
        let (chain, loaded) = match (chain, loaded) {
            (Ok(chain), Ok(loaded)) => (chain, loaded),
            (chain, loaded) => {
                for (error, position) in [(chain.err(), &certificate.position), (loaded.err(), &key.position)]
                {
                    if let Some(error) = error {
                        loading.refuse(error, position);
                    }
                }
                continue;
            }
        };
        let mut certified = CertifiedKey::new(chain, loaded);
        certified.ocsp.clone_from(&stapled);
        match certified.keys_match() {
            Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
                let message = format!(
                    "SSL_CTX_use_PrivateKey(\"{}\") failed: key values mismatch",
                    certificate::shown(key_name, loading.folder)
                );
                loading.refuse(message, &key.position);
            }
            Err(rustls::Error::InvalidCertificate(error)) => {
                let name = certificate::shown(chain_name, loading.folder);
                loading
                    .refuse(format!("cannot load certificate \"{name}\": {error:?}"), &certificate.position);
            }
            _ => keys.push((certificate::shown(chain_name, loading.folder), Arc::new(certified))),
        }
    }
    keys
}

/// The certificate as it is shown: with what its authority says of it, where it can be asked.
fn keep(
    tls: &Tls,
    file: String,
    key: Arc<CertifiedKey>,
    trusted: &[CertificateDer<'static>],
    loading: &mut Loading<'_>,
) -> Kept {
    if !tls.stapling || tls.stapling_file.is_some() {
        return Kept::Fixed(key);
    }
    let own = &key.cert[0];
    let question = ocsp::issuer(own, key.cert[1..].iter().chain(trusted))
        .and_then(|authority| Question::about(own, authority))
        .ok_or_else(|| format!("issuer certificate not found for certificate \"{file}\""));
    let url = tls.stapling_responder.as_ref().map(|written| written.text.clone());
    let responder = url.or_else(|| ocsp::responder(own)).map_or_else(
        || Err(format!("no OCSP responder URL in the certificate \"{file}\"")),
        |url| {
            let wrong =
                || format!("invalid URL prefix in OCSP responder \"{url}\" in the certificate \"{file}\"");
            Responder::of(&url).ok_or_else(wrong)
        },
    );
    match question.and_then(|question| Ok((question, responder?))) {
        Ok((question, responder)) => Kept::Stapled(Arc::new(Stapled {
            file,
            responder,
            resolver: loading.resolver.clone(),
            question,
            verify: tls.stapling_verify,
            shown: ArcSwap::new(key),
        })),
        Err(why) => {
            loading.warn(format!("\"ssl_stapling\" ignored, {why}"));
            Kept::Fixed(key)
        }
    }
}

/// The suites that are offered, in order, those of TLS 1.3 first.
fn suites(tls: &Tls, loading: &mut Loading<'_>) -> Vec<CipherSuite> {
    let mut suites: Vec<CipherSuite> = ciphers::OF_TLS_1_3.iter().map(|(_, suite)| *suite).collect();
    for command in &tls.conf_commands {
        let ConfCommand::Ciphersuites(written) = command else { continue };
        match ciphers::read_tls_1_3(&written.text) {
            Ok(list) => {
                loading.warn_of_missing("Ciphersuites", &list.missing, written);
                suites = list.suites;
            }
            Err(error) => {
                let message = format!("SSL_CONF_cmd(\"Ciphersuites\", \"{}\") failed: {error}", written.text);
                loading.refuse(message, &written.position);
            }
        }
    }
    let text = tls.ciphers.as_ref().map_or(DEFAULT_CIPHERS, |written| written.text.as_str());
    match (ciphers::read(text), &tls.ciphers) {
        (Ok(list), written) => {
            if let Some(written) = written {
                loading.warn_of_missing("ssl_ciphers", &list.missing, written);
            }
            suites.extend(list.suites);
        }
        // Without TLS 1.2, its suites do not matter.
        (Err(ciphers::ListError::Nothing), _) if !versions(tls).contains(&&TLS12) => {}
        (Err(error), Some(written)) => {
            let message = format!("SSL_CTX_set_cipher_list(\"{text}\") failed: {error}");
            loading.refuse(message, &written.position);
        }
        (Err(_), None) => {}
    }
    suites
}

fn groups(tls: &Tls, loading: &mut Loading<'_>) -> Vec<curves::Group> {
    let commanded = tls.conf_commands.iter().rev().find_map(|command| match command {
        ConfCommand::Groups(written) => Some(written),
        _ => None,
    });
    let Some(written) = commanded.or(tls.curves.as_ref()) else { return curves::DEFAULT.to_vec() };
    match curves::read(&written.text) {
        Ok(list) => {
            loading.warn_of_missing("ssl_ecdh_curve", &list.missing, written);
            list.groups
        }
        Err(error) => {
            let message = format!("SSL_CTX_set1_curves_list(\"{}\") failed: {error}", written.text);
            loading.refuse(message, &written.position);
            Vec::new()
        }
    }
}

fn versions(tls: &Tls) -> Vec<&'static SupportedProtocolVersion> {
    let commands = |command: ConfCommand| tls.conf_commands.contains(&command);
    let spoken = [
        (&TLS13, tls.protocols.tls_1_3 && !commands(ConfCommand::WithoutTls13)),
        (&TLS12, tls.protocols.tls_1_2 && !commands(ConfCommand::WithoutTls12)),
    ];
    spoken.into_iter().filter(|(_, spoken)| *spoken).map(|(version, _)| version).collect()
}

/// The same provider with its suites in this order.
fn in_order(provider: Arc<CryptoProvider>, suites: &[CipherSuite]) -> Arc<CryptoProvider> {
    let mut provider = Arc::unwrap_or_clone(provider);
    let place = |suite: CipherSuite| suites.iter().position(|one| *one == suite);
    provider.cipher_suites.sort_by_key(|suite| place(suite.suite()));
    Arc::new(provider)
}

fn authorities_of(file: Option<&Written>, loading: &mut Loading<'_>) -> Vec<CertificateDer<'static>> {
    let Some(file) = file else { return Vec::new() };
    match certificate::chain(&file.text, loading.folder) {
        Ok(certificates) => certificates,
        Err(error) => {
            loading.refuse(error, &file.position);
            Vec::new()
        }
    }
}

fn revoked(tls: &Tls, loading: &mut Loading<'_>) -> Vec<RevocationList> {
    let Some(file) = &tls.revoked else { return Vec::new() };
    let Some(text) = loading.file(file) else { return Vec::new() };
    let lists: Result<Vec<_>, String> = CertificateRevocationListDer::pem_slice_iter(&text)
        .map(|der| {
            let der = der.map_err(|error| error.to_string())?;
            RevocationList::of(&der)
        })
        .collect();
    let lists = lists.and_then(|lists| match lists.is_empty() {
        true => Err("no list in it".to_owned()),
        false => Ok(lists),
    });
    lists.unwrap_or_else(|error| {
        loading.refuse(
            format!(
                "X509_load_crl_file(\"{}\") failed: {error}",
                certificate::shown(&file.text, loading.folder)
            ),
            &file.position,
        );
        Vec::new()
    })
}

/// What tells servers apart whose sessions must not be mixed: the certificates that they show, and the authorities that
/// they trust.
fn context(keys: &[(String, Arc<CertifiedKey>)], told: &[CertificateDer<'_>]) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    for certificate in keys.iter().map(|(_, key)| &key.cert[0]).chain(told) {
        hash.update(certificate);
    }
    hash.finish().as_ref().try_into().unwrap_or_default()
}

/// The certificates of one server, one for each kind of key, of which a client gets the first that it can use.
#[derive(Debug)]
struct Certificates(Vec<Kept>);

/// One of them.
#[derive(Debug)]
enum Kept {
    Fixed(Arc<CertifiedKey>),
    /// Changes with what the authority says of it.
    Stapled(Arc<Stapled>),
}

impl Kept {
    fn now(&self) -> Arc<CertifiedKey> {
        match self {
            Self::Fixed(key) => key.clone(),
            Self::Stapled(stapled) => stapled.shown.load_full(),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let usable = |certified: &Arc<CertifiedKey>| {
            certified.key.choose_scheme(schemes).is_some()
                && suits(certified.key.algorithm(), hello.cipher_suites())
        };
        // As OpenSSL does, a key with the shorter signature before one of RSA.
        let is_rsa = |certified: &Arc<CertifiedKey>| certified.key.algorithm() == SignatureAlgorithm::RSA;
        let chosen = self.0.iter().map(Kept::now).filter(usable).min_by_key(is_rsa);
        chosen.or_else(|| self.0.first().map(Kept::now))
    }
}

/// Whether a client that offers these suites can use a key of this kind: suites of TLS 1.2 name it, those of TLS 1.3
/// do not.
fn suits(algorithm: SignatureAlgorithm, offered: &[CipherSuite]) -> bool {
    offered.iter().any(|suite| {
        let name = suite.as_str().unwrap_or_default();
        name.starts_with("TLS13")
            || match algorithm {
                SignatureAlgorithm::RSA => name.starts_with("TLS_ECDHE_RSA"),
                _ => name.starts_with("TLS_ECDHE_ECDSA"),
            }
    })
}
