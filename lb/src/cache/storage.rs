//! A zone as Pingora's storage.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora_cache::CacheMeta;
use pingora_cache::key::{CacheHashKey, CacheKey};
use pingora_cache::storage::{HitHandler, MissHandler, PurgeOutcome, PurgeTarget, PurgeType, Storage};
use pingora_cache::trace::SpanHandle;

use super::Key;
use super::disk::Opened;
use super::entry::Head;
use super::freshness::Times;
use super::index::Kept;
use super::reading::Reading;
use super::writing::Writing;
use super::zone::{Eviction, Zone};

/// Pingora allows an old answer for as long as its metadata says; who may get one is decided in [`stale`](super::stale), which
/// is asked before it is given.
const ANY_TIME: u32 = u32::MAX;

/// What Pingora keeps of an answer with these times: its own times, and ours beside them.
pub fn meta(times: Times, stored: SystemTime, header: ResponseHeader) -> CacheMeta {
    let fresh_until = UNIX_EPOCH + Duration::from_secs(u64::try_from(times.fresh_until).unwrap_or(0));
    let mut meta = CacheMeta::new(fresh_until, stored, ANY_TIME, ANY_TIME, header);
    meta.extensions_mut().insert(times);
    meta
}

/// The times that [`meta`] has put beside Pingora's.
pub fn times(meta: &CacheMeta) -> Times {
    meta.extensions().get::<Times>().copied().unwrap_or_default()
}

/// Beside a key: it is not looked for (`proxy_cache_bypass`).
#[derive(Debug, Clone, Copy)]
pub struct NotAsked;

/// What an answer is found by that Pingora looks for by this key: the key's sum, or that of it and of a variant.
pub fn combined(key: &CacheKey) -> Key {
    key.combined_bin()
}

#[async_trait]
impl Storage for Zone {
    async fn lookup(
        &'static self,
        key: &CacheKey,
        _trace: &SpanHandle,
    ) -> Result<Option<(CacheMeta, HitHandler)>> {
        if key.extensions.get::<NotAsked>().is_some() {
            return Ok(None);
        }
        let Some(opened) = self.open(key.combined_bin(), key.primary_key()).await else { return Ok(None) };
        let Opened { head, body } = opened;
        let reading = Reading::new(self, body, head.body_bytes);
        Ok(Some((meta_of(head)?, Box::new(reading))))
    }

    async fn get_miss_handler(
        &'static self,
        key: &CacheKey,
        meta: &CacheMeta,
        _trace: &SpanHandle,
    ) -> Result<MissHandler> {
        Ok(Box::new(Writing::new(self, key.combined_bin(), head_of(key, meta, 0))))
    }

    async fn purge(
        &'static self,
        target: PurgeTarget<'_>,
        _purge_type: PurgeType,
        _trace: &SpanHandle,
    ) -> Result<PurgeOutcome> {
        let key: Key = target.key().combined_bin();
        if !self.index.lock().forget(&key) {
            return Ok(PurgeOutcome::NotFound);
        }
        self.remove(vec![key], Eviction::Purged);
        Ok(PurgeOutcome::Purged(None))
    }

    async fn update_meta(
        &'static self,
        key: &CacheKey,
        meta: &CacheMeta,
        _trace: &SpanHandle,
    ) -> Result<bool> {
        let sum: Key = key.combined_bin();
        let kept = self.index.lock().seek(&sum, super::zone::now()).kept;
        if let Some(kept) = kept {
            let head = head_of(key, meta, kept.head.body_bytes);
            self.index.lock().replace(&sum, Arc::new(Kept { head, body: kept.body.clone() }));
            return Ok(true);
        }
        let (head, times) = (head_of(key, meta, 0), times(meta));
        let written = self.blocking(move |zone| {
            let disk = zone.disk.as_ref()?;
            // The fields are those of the file, whatever Pingora has made of them.
            let stored = disk.head(&sum).filter(|stored| stored.key == head.key)?;
            let confirmed = Head { times, ..stored };
            disk.confirm(&sum, &confirmed)
                .map_err(|error| zone.failed("pwrite()", &disk.path(&sum), &error))
                .ok()
        });
        Ok(written.await.ok().flatten().is_some())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync + 'static) {
        self
    }
}

/// What Pingora wants to know of a kept answer.
fn meta_of(head: Head) -> Result<CacheMeta> {
    let mut header = ResponseHeader::build(head.status, Some(head.fields.len() + 4))?;
    // A reason that is no text, or none for its status, is left out.
    if let Ok(reason) = std::str::from_utf8(&head.reason) {
        header.set_reason_phrase(Some(reason))?;
    }
    for (name, value) in head.fields {
        header.append_header(bytes::Bytes::from(name), value)?;
    }
    let mut meta = meta(head.times, UNIX_EPOCH + Duration::from_millis(head.stored_ms), header);
    if let Some(variant) = head.variant {
        meta.set_variance_key(variant);
    }
    Ok(meta)
}

fn head_of(key: &CacheKey, meta: &CacheMeta, body_bytes: u64) -> Head {
    let header = meta.response_header();
    let stored = meta.provenance().duration_since(UNIX_EPOCH).unwrap_or_default();
    let fields = match header.has_case() {
        true => header
            .case_header_iter()
            .map(|(name, value)| (name.as_slice().to_vec(), value.as_bytes().to_vec()))
            .collect(),
        false => header
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect(),
    };
    Head {
        body_bytes,
        times: times(meta),
        stored_ms: u64::try_from(stored.as_millis()).unwrap_or(u64::MAX),
        variant: meta.variance(),
        status: header.status.as_u16(),
        key: key.primary_key().to_vec(),
        reason: header.get_reason_phrase().unwrap_or_default().as_bytes().to_vec(),
        fields,
    }
}
