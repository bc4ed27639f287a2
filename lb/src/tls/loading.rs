//! What is shared while the TLS of a configuration is loaded: what was found wrong, and the stores of sessions that live
//! on from one configuration to the next.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::KeyLog;
use rustls::sign::CertifiedKey;

use super::certificate;
use super::key_log::KeyLogFile;
use super::pair::{Named, Unusable};
use super::sessions::SessionCache;
use super::tickets::{TicketKey, TicketKeys};
use crate::config::diagnostics::{Diagnostic, Position};
use crate::config::model::{Resolver, SessionCache as CacheSetting, Tls, Written};
use crate::system_error::SystemError;

/// The cache of early data where the configuration names none. No zone of a configuration has a blank in its name.
const EARLY_DATA: &str = "early data";
const EARLY_DATA_BYTES: u64 = 1 << 20;

/// Stores that outlive a configuration, so that a reload makes nobody begin anew.
#[derive(Debug, Default, Clone)]
pub struct Stores {
    /// By name and size.
    caches: HashMap<(String, u64), Arc<SessionCache>>,
    /// Keys made here, by the lifetime of tickets in seconds.
    keys: HashMap<u64, Arc<TicketKeys>>,
}

/// One loading. What is found wrong is noted, and the loading goes on.
pub struct Loading<'a> {
    /// What paths are relative to.
    pub folder: &'a Path,
    /// What refuses the configuration.
    pub findings: Vec<Diagnostic>,
    /// What does not.
    pub warnings: Vec<Diagnostic>,
    /// `resolver` of the server whose settings are read.
    pub(super) resolver: Option<Resolver>,
    previous: Option<&'a Stores>,
    pub(super) stores: Stores,
    key_logs: HashMap<PathBuf, Arc<dyn KeyLog>>,
}

impl<'a> Loading<'a> {
    /// Begins; stores of `previous` live on.
    pub fn new(folder: &'a Path, previous: Option<&'a Stores>) -> Self {
        Self {
            folder,
            findings: Vec::new(),
            warnings: Vec::new(),
            resolver: None,
            previous,
            stores: Stores::default(),
            key_logs: HashMap::new(),
        }
    }

    /// Reads a certificate with its key; what is wrong is noted where each is named.
    pub fn pair(
        &mut self,
        certificate: (&str, &Position),
        key: (&str, &Position),
        passphrases: &[Vec<u8>],
    ) -> Option<CertifiedKey> {
        let named = Named { certificate: certificate.0, key: key.0, passphrases, folder: self.folder };
        match named.load() {
            Ok(certified) => Some(certified),
            Err(faults) => {
                for fault in faults {
                    let position = match fault {
                        Unusable::Certificate(_) => certificate.1,
                        Unusable::Key(_) => key.1,
                    };
                    self.refuse(fault.to_string(), position);
                }
                None
            }
        }
    }

    /// Notes what refuses the configuration.
    pub fn refuse(&mut self, message: String, position: &Position) {
        // Levels below share what one above says: it is wrong once.
        let finding = Diagnostic::emerg(message, position.clone());
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Warns of names in a list that nothing here stands for.
    pub(super) fn warn_of_missing(&mut self, directive: &str, missing: &[String], written: &Written) {
        if missing.is_empty() {
            return;
        }
        let message = format!("\"{directive}\" names what is not offered here: {}", missing.join(", "));
        self.add(Diagnostic::warn(message, written.position.clone()));
    }

    /// Warns of what stands at no one place.
    pub(super) fn warn(&mut self, message: String) {
        self.add(Diagnostic::warn(message, None));
    }

    fn add(&mut self, warning: Diagnostic) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The bytes of a file; none where it cannot be read, which is then noted.
    pub fn file(&mut self, file: &Written) -> Option<Vec<u8>> {
        let path = self.folder.join(&file.text);
        match std::fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let message = format!("open() \"{}\" failed {}", path.display(), SystemError(&error));
                self.refuse(message, &file.position);
                None
            }
        }
    }

    /// The cache of a setting, if it asks for one.
    pub(super) fn session_cache(&mut self, setting: &CacheSetting) -> Option<Arc<SessionCache>> {
        match setting {
            CacheSetting::Off | CacheSetting::None => None,
            CacheSetting::BuiltIn { bytes } => Some(SessionCache::new(*bytes)),
            CacheSetting::Shared { name, bytes } => {
                if let Some((_, other)) =
                    self.stores.caches.keys().find(|(known, other)| known == name && other != bytes)
                {
                    let message = format!(
                        "the size {bytes} of shared memory zone \"{name}\" conflicts with already declared size {other}"
                    );
                    self.findings.push(Diagnostic::emerg(message, None));
                    return None;
                }
                let key = (name.clone(), *bytes);
                let known = self.previous.and_then(|stores| stores.caches.get(&key).cloned());
                let cache = self.stores.caches.entry(key);
                Some(cache.or_insert_with(|| known.unwrap_or_else(|| SessionCache::new(*bytes))).clone())
            }
        }
    }

    /// The cache of servers that take early data and say nothing of a cache.
    pub(super) fn cache_of_early_data(&mut self) -> Arc<SessionCache> {
        let setting = CacheSetting::Shared { name: EARLY_DATA.to_owned(), bytes: EARLY_DATA_BYTES };
        self.session_cache(&setting).unwrap_or_else(|| SessionCache::new(EARLY_DATA_BYTES))
    }

    /// Where the secrets of sessions are written; none where the file cannot be, which is then noted.
    pub fn key_log(&mut self, file: &Written) -> Option<Arc<dyn KeyLog>> {
        let path = self.folder.join(&file.text);
        if let Some(known) = self.key_logs.get(&path) {
            return Some(known.clone());
        }
        match KeyLogFile::open(&path) {
            Ok(log) => {
                let log: Arc<dyn KeyLog> = Arc::new(log);
                self.key_logs.insert(path, log.clone());
                Some(log)
            }
            Err(error) => {
                let message = format!("open() \"{}\" failed {}", path.display(), SystemError(&error));
                self.refuse(message, &file.position);
                None
            }
        }
    }

    /// The keys of tickets: of files, or made here. None where a file is no key, which is then noted.
    pub(super) fn ticket_keys(&mut self, tls: &Tls) -> Option<Arc<TicketKeys>> {
        if tls.ticket_keys.is_empty() {
            let lifetime = tls.session_timeout.as_secs();
            let known = self.previous.and_then(|stores| stores.keys.get(&lifetime).cloned());
            let keys = self.stores.keys.entry(lifetime);
            return Some(keys.or_insert_with(|| known.unwrap_or_else(TicketKeys::own)).clone());
        }
        let mut keys = Vec::new();
        for file in &tls.ticket_keys {
            let bytes = self.file(file)?;
            match TicketKey::of_file(&bytes) {
                Some(key) => keys.push(key),
                None => {
                    let message =
                        format!("\"{}\" must be 48 or 80 bytes", certificate::shown(&file.text, self.folder));
                    self.refuse(message, &file.position);
                    return None;
                }
            }
        }
        Some(Arc::new(TicketKeys::OfFiles(keys)))
    }
}
