//! The cache of servers' answers, as nginx's `proxy_cache` describes it.
//!
//! Rules and storage are apart. [`freshness`], [`vary`], [`stale`], [`entry`] and [`index`] take values, the time included,
//! and return decisions; tables of tests hold them to nginx's. [`Zone`] acts: it is the storage behind Pingora's cache
//! (`pingora_cache::Storage`) and drives the file system with threads that may block. The hooks in `proxy/cache` ask the
//! first and hand the second to Pingora, which drives look-up, lock, admission and revalidation.
//!
//! The room refuses to serve what it cannot prove: a file whose header does not match its checksum, whose length is not what
//! the header says or whose key is another is a miss. It never fails a request: a disk that cannot be written to means an
//! answer without a cache, said once in the error log.
//!
//! One table ([`index`]) holds what nginx's zone of keys holds: uses, size, the last access and whether someone renews the
//! answer. Pingora's eviction managers know neither uses nor inactive times, so none is used;
//! `docs/decisions/022-cache.md` has the reasons.
//!
//! | file | idea |
//! |---|---|
//! | `freshness` | whether an answer is kept, and until when |
//! | `vary` | which requests a kept answer is for |
//! | `stale` | when an answer is given that is no longer fresh |
//! | `status` | the words of `$upstream_cache_status` |
//! | `entry` | the form of a file |
//! | `index` | the table of a zone |
//! | `zone` | a zone while the program runs |
//! | `zones` | all of a configuration, carried over by a reload |
//! | `disk` | the files of a zone |
//! | `storage`, `reading`, `writing` | Pingora's storage, a hit, an answer that is being kept |
//! | `upkeep` | the thread that finds files at the start and removes what is old or too much |

mod disk;
pub mod entry;
pub mod freshness;
pub mod index;
mod reading;
pub mod stale;
mod status;
mod storage;
mod upkeep;
pub mod vary;
mod writing;
mod zone;
mod zones;

pub use self::status::Status;
pub use self::storage::{NotAsked, combined, meta, times};
pub use self::zone::{Counts, Eviction, Renewal, Sizes, Zone};
pub use self::zones::{ZoneError, Zones};

/// The MD5 sum of a key: what an answer is found by, and the name of its file.
pub type Key = [u8; 16];

/// What `$upstream_cache_*` tell of a request.
#[derive(Debug, Default, Clone)]
pub struct Account {
    /// What the cache had, once it has been asked.
    pub status: Option<Status>,
    /// The key.
    pub key: Vec<u8>,
    /// `Last-Modified` of the answer that is being revalidated.
    pub last_modified: Option<Vec<u8>>,
    /// Its `ETag`.
    pub etag: Option<Vec<u8>>,
}
