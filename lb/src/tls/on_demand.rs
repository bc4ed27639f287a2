//! Certificates whose names have variables: read when a connection needs one, and kept as `ssl_certificate_cache` says.
//!
//! Reading waits for a disk, so that a thread beside the workers does it. Requests for a certificate that is being read
//! are not brought together: without a cache each connection reads its own, as in nginx.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::sign::CertifiedKey;

use super::pair::{Named, Unusable};
use crate::config::model::CertificateCache;

/// The names of a certificate and of its key.
pub type Names = (Box<str>, Box<str>);

/// The certificates of one setting.
#[derive(Debug)]
pub struct OnDemand {
    passphrases: Arc<[Vec<u8>]>,
    folder: PathBuf,
    setting: CertificateCache,
    kept: Mutex<HashMap<Names, Entry>>,
}

#[derive(Debug)]
struct Entry {
    certified: Arc<CertifiedKey>,
    read: Instant,
    used: Instant,
}

impl OnDemand {
    /// None is read yet. `folder` is what relative names are relative to.
    pub fn new(passphrases: Vec<Vec<u8>>, folder: PathBuf, setting: CertificateCache) -> Self {
        Self { passphrases: passphrases.into(), folder, setting, kept: Mutex::default() }
    }

    /// The certificate of these names.
    ///
    /// # Errors
    ///
    /// Why it cannot be used, in nginx's words.
    pub async fn get(&self, names: &Names) -> Result<Arc<CertifiedKey>, String> {
        if let Some(certified) = self.kept(names, Instant::now()) {
            return Ok(certified);
        }
        let (passphrases, folder) = (Arc::clone(&self.passphrases), self.folder.clone());
        let (certificate, key) = names.clone();
        let read = tokio::task::spawn_blocking(move || {
            let named =
                Named { certificate: &certificate, key: &key, passphrases: &passphrases, folder: &folder };
            named.load()
        });
        let first = |faults: Vec<Unusable>| faults.first().map(ToString::to_string).unwrap_or_default();
        let certified = Arc::new(read.await.map_err(|error| error.to_string())?.map_err(first)?);
        self.keep(names, &certified, Instant::now());
        Ok(certified)
    }

    fn kept(&self, names: &Names, now: Instant) -> Option<Arc<CertifiedKey>> {
        let CertificateCache::Kept { inactive, valid, .. } = self.setting else { return None };
        let mut kept = self.kept.lock();
        let entry = kept.get_mut(names)?;
        let since = |then: Instant| now.saturating_duration_since(then);
        if since(entry.read) > valid || since(entry.used) > inactive {
            kept.remove(names);
            return None;
        }
        entry.used = now;
        Some(Arc::clone(&entry.certified))
    }

    fn keep(&self, names: &Names, certified: &Arc<CertifiedKey>, now: Instant) {
        let CertificateCache::Kept { most, inactive, .. } = self.setting else { return };
        let mut kept = self.kept.lock();
        kept.retain(|_, entry| now.saturating_duration_since(entry.used) <= inactive.max(Duration::ZERO));
        while kept.len() >= most.max(1)
            && let Some(longest_idle) =
                kept.iter().min_by_key(|(_, entry)| entry.used).map(|(names, _)| names.clone())
        {
            kept.remove(&longest_idle);
        }
        kept.insert(names.clone(), Entry { certified: Arc::clone(certified), read: now, used: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certified() -> Arc<CertifiedKey> {
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) =
            (format!("data:{}", made.cert.pem()), format!("data:{}", made.signing_key.serialize_pem()));
        let named = Named { certificate: &certificate, key: &key, passphrases: &[], folder: folder.path() };
        Arc::new(named.load().unwrap())
    }

    fn names(name: &str) -> Names {
        (name.into(), name.into())
    }

    #[test]
    fn what_is_kept_ends_by_age_by_idleness_and_by_number() {
        let (certified, began) = (certified(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        let setting = CertificateCache::Kept {
            most: 2,
            inactive: Duration::from_secs(10),
            valid: Duration::from_secs(15),
        };
        let on_demand = OnDemand::new(Vec::new(), PathBuf::new(), setting);
        let known = |name: &str, seconds| on_demand.kept(&names(name), at(seconds)).is_some();
        on_demand.keep(&names("a"), &certified, at(0));
        assert!(known("a", 9) && known("a", 15), "used within ten seconds");
        assert!(!known("a", 16), "too old");
        on_demand.keep(&names("a"), &certified, at(20));
        assert!(!known("a", 31), "idle too long");
        for (name, seconds) in [("a", 40), ("b", 41), ("c", 42)] {
            on_demand.keep(&names(name), &certified, at(seconds));
        }
        assert!(!known("a", 43) && known("b", 43) && known("c", 43), "no more than two");
        let off = OnDemand::new(Vec::new(), PathBuf::new(), CertificateCache::Off);
        off.keep(&names("a"), &certified, at(0));
        assert!(off.kept(&names("a"), at(0)).is_none());
    }
}
