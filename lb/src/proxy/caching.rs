//! What is carried from hook to hook of a request that is looked for in a cache.

use std::sync::Arc;

use http::HeaderMap;

use crate::cache::freshness::Times;
use crate::cache::{Key, Renewal, Zone};
use crate::config::model::{Proxy, ProxyCache};

/// A request that is looked for in a cache.
pub(super) struct Caching {
    pub(super) zone: &'static Zone,
    /// The MD5 sum of its key.
    pub(super) sum: Key,
    pub(super) settings: Arc<ProxyCache>,
    pub(super) proxy: Arc<Proxy>,
    /// Its answer may be kept: it was asked for often enough, and no range far behind is wanted.
    pub(super) keeps: bool,
    /// The times of what was found and is no longer fresh.
    pub(super) old: Option<Times>,
    /// The fields of a 304 that confirms it.
    pub(super) confirming: Option<Box<HeaderMap>>,
    /// While this request renews it; others see that until it is dropped.
    pub(super) renewal: Option<Renewal>,
}
