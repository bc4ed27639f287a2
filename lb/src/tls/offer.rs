//! What this program offers in a handshake, to clients and to servers alike: versions, suites, and the groups of the key
//! exchange, out of settings in OpenSSL's languages.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, SupportedProtocolVersion};

use super::loading::Loading;
use super::{ciphers, curves};
use crate::config::model::{ConfCommand, Protocols, Written};

/// The settings of one side.
#[derive(Debug, Clone, Copy)]
pub struct Wishes<'a> {
    /// What the names of the directives begin with: `ssl`, `proxy_ssl`, `grpc_ssl`.
    pub prefix: &'static str,
    /// `_protocols`
    pub protocols: Protocols,
    /// `_ciphers`
    pub ciphers: Option<&'a Written>,
    /// What `_ciphers` is where it is absent.
    pub default_ciphers: &'static str,
    /// `_ecdh_curve`
    pub curves: Option<&'a Written>,
    /// `_conf_command`
    pub commands: &'a [ConfCommand],
}

/// What is offered.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Suites and groups, in order of preference.
    pub provider: Arc<CryptoProvider>,
    /// Versions.
    pub versions: Vec<&'static SupportedProtocolVersion>,
}

impl Offer {
    /// Reads the settings. None where something is wrong, which `loading` has then noted.
    pub fn of(wishes: Wishes<'_>, loading: &mut Loading<'_>) -> Option<Self> {
        let before = loading.findings.len();
        let (suites, groups) = (suites(wishes, loading), groups(wishes, loading));
        if loading.findings.len() > before {
            return None;
        }
        let place = |suite: CipherSuite| suites.iter().position(|one| *one == suite);
        let mut offered: Vec<_> = provider::ALL_CIPHER_SUITES
            .iter()
            .filter(|suite| suites.contains(&suite.suite()))
            .copied()
            .collect();
        offered.sort_by_key(|suite| place(suite.suite()));
        let provider =
            CryptoProvider { cipher_suites: offered, kx_groups: groups, ..provider::default_provider() };
        Some(Self { provider: Arc::new(provider), versions: versions(wishes) })
    }
}

/// The suites that are offered, in order, those of TLS 1.3 first.
fn suites(wishes: Wishes<'_>, loading: &mut Loading<'_>) -> Vec<CipherSuite> {
    let mut suites: Vec<CipherSuite> = ciphers::OF_TLS_1_3.iter().map(|(_, suite)| *suite).collect();
    for command in wishes.commands {
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
    let text = wishes.ciphers.map_or(wishes.default_ciphers, |written| written.text.as_str());
    match (ciphers::read(text), wishes.ciphers) {
        (Ok(list), written) => {
            if let Some(written) = written {
                loading.warn_of_missing(&format!("{}_ciphers", wishes.prefix), &list.missing, written);
            }
            suites.extend(list.suites);
        }
        // Without TLS 1.2, its suites do not matter.
        (Err(ciphers::ListError::Nothing), _) if !versions(wishes).contains(&&TLS12) => {}
        (Err(error), Some(written)) => {
            let message = format!("SSL_CTX_set_cipher_list(\"{text}\") failed: {error}");
            loading.refuse(message, &written.position);
        }
        (Err(_), None) => {}
    }
    suites
}

fn groups(wishes: Wishes<'_>, loading: &mut Loading<'_>) -> Vec<curves::Group> {
    let commanded = wishes.commands.iter().rev().find_map(|command| match command {
        ConfCommand::Groups(written) => Some(written),
        _ => None,
    });
    let Some(written) = commanded.or(wishes.curves) else { return curves::DEFAULT.to_vec() };
    match curves::read(&written.text) {
        Ok(list) => {
            loading.warn_of_missing(&format!("{}_ecdh_curve", wishes.prefix), &list.missing, written);
            list.groups
        }
        Err(error) => {
            let message = format!("SSL_CTX_set1_curves_list(\"{}\") failed: {error}", written.text);
            loading.refuse(message, &written.position);
            Vec::new()
        }
    }
}

fn versions(wishes: Wishes<'_>) -> Vec<&'static SupportedProtocolVersion> {
    let commands = |command: ConfCommand| wishes.commands.contains(&command);
    let spoken = [
        (&TLS13, wishes.protocols.tls_1_3 && !commands(ConfCommand::WithoutTls13)),
        (&TLS12, wishes.protocols.tls_1_2 && !commands(ConfCommand::WithoutTls12)),
    ];
    spoken.into_iter().filter(|(_, spoken)| *spoken).map(|(version, _)| version).collect()
}
