//! The settings of a server block as a configuration of `rustls`.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;

use super::client_verification::{Asking, Authorities};
use super::demand::Demand;
use super::loading::Loading;
use super::ocsp::{self, Question};
use super::offer::{Offer, Wishes};
use super::on_demand::OnDemand;
use super::resolver::{Certificates, Kept};
use super::resumption::SessionStores;
use super::revocation::{self, RevocationList};
use super::stapling::{Responder, Stapled};
use super::{certificate, key};
use crate::config::model::{CertificateSource, Tls, VerifyClient, Written};

/// The protocols that are offered in the handshake (ALPN), without HTTP/2.
const HTTP_1: [&[u8]; 3] = [b"http/1.1", b"http/1.0", b"http/0.9"];
/// `ssl_ciphers` where it is absent.
const DEFAULT_CIPHERS: &str = "HIGH:!aNULL:!MD5";
/// The largest plaintext of a record.
const LARGEST_RECORD: u64 = 16 << 10;
/// The smallest that `rustls` sends.
const SMALLEST_RECORD: u64 = 32;

/// What a server block comes to.
pub(super) struct Built {
    pub(super) config: ServerConfig,
    pub(super) authorities: Option<Arc<Authorities>>,
    /// There where names of certificates have variables.
    pub(super) demand: Option<Arc<Demand>>,
    /// The certificates that are shown, and the files that they are from.
    pub(super) shown: Vec<(String, CertificateDer<'static>)>,
    /// Those whose authority is to be asked about them.
    pub(super) stapled: Vec<Arc<Stapled>>,
}

/// Reads what the settings name and puts them together. None where something is wrong, which `loading` has then noted.
pub(super) fn build(tls: &Tls, loading: &mut Loading<'_>) -> Option<Built> {
    let before = loading.findings.len();
    let passphrases = match &tls.password_file {
        Some(file) => loading.file(file).map(|text| key::passphrases(&text)).unwrap_or_default(),
        None => Vec::new(),
    };
    let keys = certified_keys(tls, &passphrases, loading);
    let offer = Offer::of(wishes(tls), loading);
    let told = authorities_of(tls.client_certificate.as_ref(), loading);
    let trusted = authorities_of(tls.trusted_certificate.as_ref(), loading);
    let revoked = revoked(tls, loading);
    if loading.findings.len() > before {
        return None;
    }
    let Offer { provider, versions } = offer?;
    let algorithms = provider.signature_verification_algorithms;
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
    let sessions = SessionStores::of(tls, &told, loading)?;
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions);
    let mut config = match builder {
        Ok(builder) => builder
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(Certificates(keys.clone()))),
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
    sessions.put(&mut config, &keys);
    let demand = demand(tls, passphrases, keys, sessions, loading);
    Some(Built { config, authorities, demand, shown, stapled })
}

fn demand(
    tls: &Tls,
    passphrases: Vec<Vec<u8>>,
    standing: Vec<Kept>,
    sessions: SessionStores,
    loading: &Loading<'_>,
) -> Option<Arc<Demand>> {
    let pairs = tls.certificates.iter().zip(&tls.certificate_keys);
    let has_variables = |source: &CertificateSource| source.text.as_literal().is_none();
    let pairs: Vec<_> = pairs
        .filter(|(certificate, key)| has_variables(certificate) || has_variables(key))
        .map(|(certificate, key)| (certificate.clone(), key.clone()))
        .collect();
    let on_demand = OnDemand::new(passphrases, loading.folder.to_owned(), tls.certificate_cache);
    (!pairs.is_empty()).then(|| Arc::new(Demand { pairs, on_demand, standing, sessions }))
}

fn certified_keys(
    tls: &Tls,
    passphrases: &[Vec<u8>],
    loading: &mut Loading<'_>,
) -> Vec<(String, Arc<CertifiedKey>)> {
    let stapled = tls.stapling_file.as_ref().and_then(|file| loading.file(file));
    let mut keys = Vec::new();
    for (certificate, key) in tls.certificates.iter().zip(&tls.certificate_keys) {
        let (Some(chain_name), Some(key_name)) = (certificate.text.as_literal(), key.text.as_literal())
        else {
            continue;
        };
        let (chain, key) = ((chain_name, &certificate.position), (key_name, &key.position));
        if let Some(mut certified) = loading.pair(chain, key, passphrases) {
            certified.ocsp.clone_from(&stapled);
            keys.push((certificate::shown(chain_name, loading.folder), Arc::new(certified)));
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

fn wishes(tls: &Tls) -> Wishes<'_> {
    Wishes {
        prefix: "ssl",
        protocols: tls.protocols,
        ciphers: tls.ciphers.as_ref(),
        default_ciphers: DEFAULT_CIPHERS,
        curves: tls.curves.as_ref(),
        commands: &tls.conf_commands,
    }
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
    revocation::load(&file.text, loading.folder).unwrap_or_else(|error| {
        let name = certificate::shown(&file.text, loading.folder);
        loading.refuse(format!("X509_load_crl_file(\"{name}\") failed: {error}"), &file.position);
        Vec::new()
    })
}
