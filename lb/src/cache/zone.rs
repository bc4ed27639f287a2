//! A zone of `proxy_cache_path` while the program runs.
//!
//! It is in use until the process ends, as Pingora wants of a storage: zones are few, and a reload finds its own again by name,
//! folder and levels. The lock on the table is held for one look-up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use pingora_cache::lock::CacheLock;

use super::disk::{Body, Disk, NotOpened, Opened};
use super::entry::Head;
use super::index::{Index, Kept};
use super::{Key, Status};
use crate::config::model::CachePath;
use crate::observe::cells::{Counter, CounterSet};

/// Why an answer is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// Nobody has asked for it (`inactive`).
    Inactive,
    /// There was too much (`max_size`, `min_free`).
    Size,
    /// There were too many (`keys_zone`).
    Keys,
    /// Somebody asked for that (`proxy_cache_purge`).
    Purged,
    /// Its file could not be used.
    Damaged,
}

impl Eviction {
    /// How many reasons there are.
    pub const COUNT: usize = 5;
    /// All of them.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Inactive, Self::Size, Self::Keys, Self::Purged, Self::Damaged];

    /// Its label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Size => "size",
            Self::Keys => "keys",
            Self::Purged => "purged",
            Self::Damaged => "damaged",
        }
    }
}

/// What a zone has counted since the process started.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests by what the cache had for them.
    pub requests: CounterSet<{ Status::COUNT }>,
    /// Bytes of bodies that came from the cache.
    pub bytes_read: Counter,
    /// Bytes of bodies that were kept.
    pub bytes_written: Counter,
    /// Answers that were removed, by reason.
    pub evictions: CounterSet<{ Eviction::COUNT }>,
    /// Answers that could not be kept since the system failed.
    pub failures: Counter,
}

/// What a zone has now.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// How many answers.
    pub answers: u64,
    /// What they take.
    pub bytes: u64,
    /// `max_size`
    pub max_bytes: Option<u64>,
}

/// A zone.
pub struct Zone {
    name: String,
    pub(super) disk: Option<Disk>,
    pub(super) path: ArcSwap<CachePath>,
    pub(super) index: Mutex<Index>,
    /// Files that an earlier process has left are not all known yet.
    pub(super) is_loading: AtomicBool,
    /// No configuration in force has it any more.
    pub(super) is_retired: AtomicBool,
    /// Its thread runs.
    pub(super) is_started: AtomicBool,
    /// The system does not let answers be kept, and that has been said.
    has_failed: AtomicBool,
    /// What it has counted.
    pub counts: Counts,
    /// By `proxy_cache_lock_age`.
    locks: Mutex<Vec<(Duration, &'static CacheLock)>>,
}

/// That a request renews an answer; it ends when this is dropped.
pub struct Renewal {
    zone: &'static Zone,
    key: Key,
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.zone.index.lock().end_renewal(&self.key);
    }
}

impl Zone {
    /// A zone that nothing is known of. It is there until the process ends.
    pub(super) fn leak(path: &CachePath) -> &'static Self {
        let disk = path.folder.clone().map(|folder| Disk::new(folder, path.levels.clone()));
        Box::leak(Box::new(Self {
            name: path.name.clone(),
            is_loading: AtomicBool::new(disk.is_some()),
            disk,
            path: ArcSwap::from_pointee(path.clone()),
            index: Mutex::new(Index::new(path.keys_bytes)),
            is_retired: AtomicBool::new(false),
            is_started: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            counts: Counts::default(),
            locks: Mutex::default(),
        }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it has now.
    pub fn sizes(&self) -> Sizes {
        let index = self.index.lock();
        Sizes { answers: index.answers(), bytes: index.bytes(), max_bytes: self.max_bytes() }
    }

    /// `max_size`; in memory, the size of the zone where nothing is said.
    pub(super) fn max_bytes(&self) -> Option<u64> {
        let path = self.path.load();
        path.max_bytes.or_else(|| self.disk.is_none().then_some(path.keys_bytes))
    }

    /// Counts a request for a key: whether its answer is kept once it is there, or there already, by `proxy_cache_min_uses`.
    pub fn is_used_enough(&'static self, key: &Key, min_uses: u64) -> bool {
        let mut gone = Vec::new();
        let enough = {
            let mut index = self.index.lock();
            index.count_use(key, now(), &mut gone) >= min_uses || index.has(key)
        };
        self.remove(gone, Eviction::Keys);
        enough
    }

    /// Begins to renew the answer of a key; `None` where another request does.
    pub fn renew(&'static self, key: Key) -> Option<Renewal> {
        // The lock is free again before there is something whose end takes it.
        let begun = self.index.lock().begin_renewal(&key);
        begun.then(|| Renewal { zone: self, key })
    }

    /// The lock that lets one request at a time fetch an answer, and one more each `age`.
    pub fn lock(&self, age: Duration) -> &'static CacheLock {
        let mut locks = self.locks.lock();
        if let Some((_, lock)) = locks.iter().find(|(known, _)| *known == age) {
            return lock;
        }
        // As many as there are different times in configurations.
        let lock: &'static CacheLock = Box::leak(CacheLock::new_boxed(age));
        locks.push((age, lock));
        lock
    }

    /// Removes the answer for a key, or all whose keys begin with what stands before a `*` at the end; whether there was one.
    pub async fn purge(&'static self, key: Vec<u8>, sum: Key) -> bool {
        let Some(beginning) = key.strip_suffix(b"*").map(<[u8]>::to_vec) else {
            let found = self.index.lock().forget(&sum);
            // Before all files are known, it may be there all the same.
            let unknown = self.is_loading.load(Relaxed);
            let removed = self.blocking(move |zone| zone.take_away(&sum)).await.unwrap_or(false);
            if found {
                self.counts.evictions.increment(Eviction::Purged as usize);
            }
            return found || (unknown && removed);
        };
        self.blocking(move |zone| {
            let keys = zone.index.lock().keys();
            let begins = |sum: &Key| zone.head(sum).is_some_and(|head| head.key.starts_with(&beginning));
            let mut any = false;
            for sum in keys.into_iter().filter(begins) {
                if zone.index.lock().forget(&sum) {
                    any = true;
                    zone.counts.evictions.increment(Eviction::Purged as usize);
                    zone.take_away(&sum);
                }
            }
            any
        })
        .await
        .unwrap_or(false)
    }

    fn head(&self, sum: &Key) -> Option<Head> {
        match &self.disk {
            Some(disk) => disk.head(sum),
            None => Some(self.index.lock().seek(sum, now()).kept?.head.clone()),
        }
    }

    /// Removes a file; whether there was one.
    fn take_away(&self, sum: &Key) -> bool {
        let Some(disk) = &self.disk else { return false };
        let there = disk.path(sum).exists();
        disk.remove(sum);
        there
    }

    /// The answer for a key, if it is there and can be proved to be right.
    pub(super) async fn open(&'static self, sum: Key, key: &[u8]) -> Option<Opened> {
        let sought = self.index.lock().seek(&sum, now());
        if let Some(kept) = sought.kept {
            let Kept { head, body } = &*kept;
            return (head.key == key)
                .then(|| Opened { head: head.clone(), body: Body::Memory(body.clone()) });
        }
        if self.disk.is_none() || !(sought.exists || self.is_loading.load(Relaxed)) {
            return None;
        }
        let key = key.to_vec();
        let opened = self.blocking(move |zone| Some(zone.disk.as_ref()?.open(&sum, &key))).await.ok()??;
        match opened {
            Ok(opened) => {
                if !sought.exists {
                    self.loaded(sum, &opened);
                }
                Some(opened)
            }
            Err(NotOpened::OtherKey) => None,
            Err(NotOpened::Missing) => {
                self.index.lock().forget(&sum);
                None
            }
            Err(error) => {
                self.damaged(sum, &error).await;
                None
            }
        }
    }

    /// A file was used before the thread has found it.
    fn loaded(&'static self, sum: Key, opened: &Opened) {
        let head_bytes = opened.head.encode().map_or(0, |head| head.len() as u64);
        let mut gone = Vec::new();
        self.index.lock().found(&sum, Disk::taken(head_bytes + opened.head.body_bytes), now(), &mut gone);
        self.remove(gone, Eviction::Keys);
    }

    async fn damaged(&'static self, sum: Key, error: &NotOpened) {
        let Some(disk) = &self.disk else { return };
        crate::crit!("cache file \"{}\" {error}", disk.path(&sum).display());
        if self.index.lock().forget(&sum) {
            self.counts.evictions.increment(Eviction::Damaged as usize);
        }
        let _ = self.blocking(move |zone| zone.take_away(&sum)).await;
    }

    /// An answer has been kept: what is too much then goes.
    pub(super) fn kept(&'static self, sum: &Key, bytes: u64, kept: Option<Arc<Kept>>) {
        let (mut many, mut much) = (Vec::new(), Vec::new());
        {
            let mut index = self.index.lock();
            index.keep(sum, bytes, kept, now(), &mut many);
            if let Some(most) = self.max_bytes() {
                much = index.take_beyond(most);
            }
        }
        self.has_failed.store(false, Relaxed);
        self.remove(many, Eviction::Keys);
        self.remove(much, Eviction::Size);
    }

    /// An answer could not be kept. Said once, until one can be kept again.
    pub(super) fn failed(&self, call: &str, path: &std::path::Path, error: &std::io::Error) {
        self.counts.failures.increment();
        if !self.has_failed.swap(true, Relaxed) {
            crate::crit!(
                "{call} \"{}\" failed ({}); answers of cache zone \"{}\" are not kept until that works again",
                path.display(),
                crate::system_error::number_first(&error.to_string()),
                self.name
            );
        }
    }

    /// Counts entries that are gone, and removes their files.
    pub(super) fn remove(&'static self, gone: Vec<Key>, reason: Eviction) {
        if gone.is_empty() {
            return;
        }
        self.counts.evictions.add(reason as usize, gone.len() as u64);
        if self.disk.is_none() {
            return;
        }
        let remove = move || {
            for sum in &gone {
                self.take_away(sum);
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }

    /// Runs `work` on a thread that may block.
    pub(super) async fn blocking<T: Send + 'static>(
        &'static self,
        work: impl FnOnce(&'static Self) -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        tokio::task::spawn_blocking(move || work(self)).await
    }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
