//! The cache, as Pingora asks for it: each hook gathers what the rules of `cache/` need and gives Pingora their decision.
//!
//! Pingora drives look-up, the lock on what is missing, admission and revalidation. Two things it does not do as nginx, and they
//! are decided here: an answer that is no longer fresh is renewed by one request while others may get it
//! ([`begin_renewal`](Zone::renew), and [`background`](super::background) for a request of the program's own), and any status
//! that `proxy_cache_use_stale` lists is replaced by it, once no other server is to be asked.
//!
//! A request without `proxy_cache` meets one comparison in [`begin`], and none of the rest.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use http::header::{
    ACCEPT_RANGES, AGE, CONTENT_RANGE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
};
use http::{HeaderValue, Method, StatusCode};
use md5::{Digest, Md5};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, Result};
use pingora_cache::key::HashBinary;
use pingora_cache::lock::CacheKeyLockImpl;
use pingora_cache::{
    CacheKey, CacheMeta, CacheOptionOverrides, ForcedFreshness, NoCacheReason, RespCacheable,
};
use pingora_proxy::{RangeType, Session};

use super::caching::Caching;
use super::context::{Request, unexpected};
use super::{failure, fields};
use crate::cache::freshness::{self, Rules};
use crate::cache::stale::{self, Failing, Finding, Found};
use crate::cache::{self, Account, Key, NotAsked, Renewal, Status, Zone, vary};
use crate::config::model::{CacheSwitch, IfModifiedSince, IgnoredHeaders, Proxy, ProxyCache};
use crate::content::file::conditional::{self, Validators, Verdict};
use crate::content::file::{http_time, range};
use crate::request::Failure;
use crate::request::headers::to_server;
use crate::script::Template;

/// Looks the request up in the cache of its location, where that has one.
pub(super) fn begin(session: &mut Session, request: &mut Request) {
    let Some(proxying) = request.state.proxying() else { return };
    let settings = &proxying.routed.location.settings.cache;
    if !settings.is_on() || proxying.target.proxy.is_grpc || request.facts.shape.upgrade {
        return;
    }
    let (settings, proxy) = (Arc::clone(settings), Arc::clone(&proxying.target.proxy));
    let method = if request.state.is_get() { "GET" } else { session.req_header().method.as_str() };
    if !settings.methods.contain(method) {
        return;
    }
    let Some(zone) = zone(session, request, &settings) else { return };
    let now = Instant::now();
    let key = key(session, request, &settings, &proxy, now);
    let sum: Key = Md5::digest(&key).into();
    let is_bypassed = holds(session, request, &settings.bypass, None, now);
    let reaches_far = settings.max_range_offset.is_some_and(|most| {
        session
            .req_header()
            .headers
            .get(RANGE)
            .is_some_and(|range| range::begins_behind(range.as_bytes(), most))
    });
    let keeps = zone.is_used_enough(&sum, settings.min_uses) && !reaches_far;
    let lock: Option<&'static CacheKeyLockImpl> = match settings.lock && keeps && !is_bypassed {
        true => Some(zone.lock(settings.lock_age)),
        false => None,
    };
    let mut overrides = CacheOptionOverrides::default();
    overrides.wait_timeout = Some(settings.lock_timeout);
    session.cache.enable(zone, None, None, lock, Some(overrides));
    let status = if is_bypassed { Status::Bypass } else { Status::Miss };
    let account = Account { status: Some(status), key, ..Account::default() };
    request.state.cache = Some(Box::new(account));
    request.caching = Some(Box::new(Caching {
        zone,
        sum,
        settings,
        proxy,
        keeps,
        old: None,
        confirming: None,
        renewal: None,
    }));
}

/// The zone that the location names; a name that none has is told.
fn zone(session: &Session, request: &mut Request, settings: &ProxyCache) -> Option<&'static Zone> {
    match &settings.zone {
        CacheSwitch::Off => None,
        CacheSwitch::Zone(name, _) => request.snapshot().caches.named(name),
        CacheSwitch::PerRequest(template) => {
            let mut name = Vec::new();
            template.render(&mut request.values(session.req_header(), None, Instant::now()), &mut name);
            let name = String::from_utf8_lossy(&name);
            if name.is_empty() || name == "off" {
                return None;
            }
            let found = request.snapshot().caches.named(&name);
            if found.is_none() {
                log::error!("cache \"{name}\" not found");
            }
            found
        }
    }
}

/// `proxy_cache_key`, or the URL that the server is asked for.
fn key(
    session: &Session,
    request: &mut Request,
    settings: &ProxyCache,
    proxy: &Proxy,
    now: Instant,
) -> Vec<u8> {
    let mut key = Vec::new();
    let received = session.req_header();
    if let Some(template) = &settings.key {
        template.render(&mut request.values(received, None, now), &mut key);
        return key;
    }
    key.extend_from_slice(if proxy.tls.is_some() { b"https://" } else { b"http://" });
    key.extend_from_slice(proxy.host.as_bytes());
    let sent = request.facts.path_and_query();
    let location = request.state.location();
    let target = location
        .and_then(|at| to_server::request_target(sent, received.raw_path(), &request.state, at, proxy))
        .unwrap_or_else(|| received.raw_path().into());
    key.extend_from_slice(&target);
    key
}

/// Whether one of the conditions renders to neither nothing nor 0.
fn holds(
    session: &Session,
    request: &mut Request,
    conditions: &[Template],
    answer: Option<&ResponseHeader>,
    now: Instant,
) -> bool {
    if conditions.is_empty() {
        return false;
    }
    let mut values = request.values(session.req_header(), answer, now);
    conditions.iter().any(|condition| condition.holds(&mut values))
}

/// The key that Pingora looks for.
pub(super) fn pingora_key(request: &Request) -> Result<CacheKey> {
    let (Some(caching), Some(account)) = (&request.caching, &request.state.cache) else {
        return unexpected();
    };
    let mut key = CacheKey::new(account.key.clone(), "");
    key.set_primary_bin_override(caching.sum);
    if account.status == Some(Status::Bypass) {
        key.extensions.insert(NotAsked);
    }
    Ok(key)
}

/// Nothing was found: a server's answer is kept, if it may be.
pub(super) fn missed(session: &mut Session, request: &Request) {
    match &request.caching {
        Some(caching) if caching.keeps => session.cache.cache_miss(),
        // Then the client's own conditions and ranges go to the server, as in nginx.
        _ => session.cache.disable(NoCacheReason::Custom("not kept")),
    }
}

/// What becomes of an answer that was found.
pub(super) enum Given {
    /// The client gets it.
    Now,
    /// The client gets it, and a request of the program's own renews it.
    AndRenewed(Renewal),
    /// A server is asked.
    Not,
}

/// Decides over an answer that was found.
pub(super) fn found(session: &mut Session, request: &mut Request, meta: &CacheMeta) -> Given {
    let (Some(caching), Some(account)) = (&mut request.caching, &mut request.state.cache) else {
        return Given::Not;
    };
    let (times, now) = (cache::times(meta), seconds_now());
    let renewal = match times.is_fresh(now) {
        true => None,
        false => caching.zone.renew(cache::combined(session.cache.cache_key())),
    };
    let finding = Finding {
        times,
        now,
        other_renews: renewal.is_none(),
        is_background: request.is_background,
        use_stale: caching.settings.use_stale,
        background_update: caching.settings.background_update,
    };
    let (status, given) = match (stale::found(finding), renewal) {
        (Found::Fresh, _) => (Status::Hit, Given::Now),
        (Found::GivenWhileOtherRenews, _) => (Status::Updating, Given::Now),
        (Found::GivenAndRenewed, Some(renewal)) => (Status::Stale, Given::AndRenewed(renewal)),
        (Found::Renewed | Found::GivenAndRenewed, renewal) => {
            caching.renewal = renewal;
            caching.old = Some(times);
            if caching.settings.revalidate && has_validators(meta.response_header().status) {
                let field =
                    |name| meta.headers().get(name).map(|value: &HeaderValue| value.as_bytes().to_vec());
                account.last_modified = field(LAST_MODIFIED);
                account.etag = field(ETAG);
            }
            // As in nginx, the lock is for what is not there: whoever may not have the old answer asks a server.
            session.cache.set_cache_lock(None, None);
            (Status::Expired, Given::Not)
        }
    };
    account.status = Some(status);
    given
}

/// What Pingora is told of [`Given`].
pub(super) fn freshness(given: bool) -> Option<ForcedFreshness> {
    Some(match given {
        true => ForcedFreshness::ForceFresh,
        false => ForcedFreshness::ForceExpiredServeStale { expired_at: None },
    })
}

/// nginx asks by the validators of these alone.
fn has_validators(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT)
}

/// What tells requests apart for an answer.
pub(super) fn variant(meta: &CacheMeta, request: &Request, received: &RequestHeader) -> Option<HashBinary> {
    let caching = request.caching.as_ref()?;
    if caching.proxy.settings.ignore_headers.has(IgnoredHeaders::VARY) {
        return None;
    }
    vary::variant(meta.headers(), &received.headers, &caching.sum)
}

/// Changes the header for a server after Pingora has made `GET` of the method and taken conditions and ranges out of it.
pub(super) fn prepare_request(
    session: &Session,
    upstream_request: &mut RequestHeader,
    request: &Request,
) -> Result<()> {
    let Some(caching) = request.caching.as_ref().filter(|_| session.cache.enabled()) else { return Ok(()) };
    if !caching.settings.convert_head && session.req_header().method == Method::HEAD {
        upstream_request.set_method(Method::HEAD);
    }
    let account = request.state.cache.as_deref();
    let validators = [
        (
            IF_MODIFIED_SINCE,
            "If-Modified-Since",
            account.and_then(|account| account.last_modified.as_deref()),
        ),
        (IF_NONE_MATCH, "If-None-Match", account.and_then(|account| account.etag.as_deref())),
    ];
    for (name, written, value) in validators {
        upstream_request.remove_header(&name);
        if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value).ok()) {
            upstream_request.insert_header(written, value)?;
        }
    }
    Ok(())
}

/// Takes note of a server's 304, where it confirms an old answer; whether it does.
pub(super) fn confirms(session: &Session, answer: &ResponseHeader, request: &mut Request) -> bool {
    let asked = session.cache.enabled() && session.cache.maybe_cache_meta().is_some();
    if !asked || answer.status != StatusCode::NOT_MODIFIED {
        return false;
    }
    let (Some(caching), Some(account)) = (&mut request.caching, &mut request.state.cache) else {
        return false;
    };
    caching.confirming = Some(Box::new(answer.headers.clone()));
    account.status = Some(Status::Revalidated);
    true
}

/// Whether an answer is kept; of one that was confirmed, until when.
pub(super) fn admission(
    session: &Session,
    answer: &ResponseHeader,
    request: &mut Request,
) -> Result<RespCacheable> {
    let Some(caching) = &mut request.caching else { return unexpected() };
    let (settings, proxy) = (Arc::clone(&caching.settings), Arc::clone(&caching.proxy));
    let rules = Rules { valid: &settings.valid, ignored: proxy.settings.ignore_headers, now: seconds_now() };
    if let (Some(confirming), Some(stored)) = (caching.confirming.take(), session.cache.maybe_cache_meta()) {
        let header = stored.response_header();
        let confirmed =
            freshness::of_confirmed(&confirming, (header.status.as_u16(), &header.headers), rules);
        // Its fields stay as they are, as in nginx: the 304 gives it new times alone.
        let times = confirmed.unwrap_or_else(|| cache::times(stored));
        return Ok(RespCacheable::Cacheable(cache::meta(times, SystemTime::now(), header.clone())));
    }
    let times = match answer.status {
        StatusCode::SWITCHING_PROTOCOLS => None,
        status => freshness::of_answer(status.as_u16(), &answer.headers, rules),
    };
    let refused = holds(session, request, &settings.no_cache, Some(answer), Instant::now());
    Ok(match times.filter(|_| !refused) {
        Some(times) => RespCacheable::Cacheable(cache::meta(times, SystemTime::now(), answer.clone())),
        None => RespCacheable::Uncacheable(NoCacheReason::OriginNotCache),
    })
}

/// Whether an old answer is given in place of a failure.
pub(super) fn stands_in(session: &Session, request: &Request, failing: Failing) -> bool {
    let Some(caching) = request.caching.as_ref().filter(|_| session.cache.enabled()) else { return false };
    let Some(times) = caching.old.filter(|_| !request.is_background) else { return false };
    session.cache.can_serve_stale_error()
        && stale::replaces(failing, caching.settings.use_stale, times, seconds_now())
}

/// The same for a failure as `request/` knows it.
pub(super) fn stands_in_for(session: &Session, request: &Request, failure: Failure) -> bool {
    failing(request, failure).is_some_and(|failing| stands_in(session, request, failing))
}

fn failing(request: &Request, failure: Failure) -> Option<Failing> {
    if request.state.proxying()?.no_live_upstream {
        return Some(Failing::NoServer);
    }
    match failure {
        Failure::Upstream(kind) => Some(Failing::Server(kind)),
        Failure::Status(_) | Failure::ClientGone | Failure::ClientTimeout | Failure::Internal => None,
    }
}

/// Whether Pingora gives the old answer for an error that ended the tries, and nothing else has answered. For a server's status it asks too early, before
/// another server is asked: `received` has the say there.
pub(super) fn gives_old(session: &mut Session, request: &mut Request, error: &Error) -> bool {
    let gives = failure::is_old_answer(error) || stands_in_for(session, request, failure::of(error));
    if gives {
        if let Some(account) = &mut request.state.cache {
            account.status = Some(Status::Stale);
        }
        // Pingora closes the client's connection after an error.
        session.set_keepalive(None);
    }
    gives
}

/// Whether the client has the answer already, by its conditions.
pub(super) fn not_modified(session: &Session, answer: &ResponseHeader, request: &Request) -> bool {
    // As in nginx, it is the server's business for an answer that is not kept.
    if !session.cache.enabled() || answer.status != StatusCode::OK {
        return false;
    }
    let compared = match request.state.location() {
        Some(location) => location.settings.static_files.if_modified_since,
        None => IfModifiedSince::Exact,
    };
    let modified = answer.headers.get(LAST_MODIFIED).and_then(|value| http_time::read(value.as_bytes()));
    let validators = Validators { etag: answer.headers.get(ETAG).map(HeaderValue::as_bytes), modified };
    conditional::judge(&session.req_header().headers, validators, compared) == Verdict::NotModified
}

/// Which part of the answer the client asks for. As in nginx, parts are cut where the server says that it would do so, or where
/// `proxy_force_ranges` says so.
pub(super) fn part(session: &Session, answer: &mut ResponseHeader, request: &Request) -> Result<RangeType> {
    let Some(caching) = request.caching.as_ref().filter(|_| session.cache.enabled()) else {
        return Ok(RangeType::None);
    };
    let forced = caching.proxy.settings.force_ranges;
    if answer.status != StatusCode::OK || !(forced || answer.headers.contains_key(ACCEPT_RANGES)) {
        return Ok(RangeType::None);
    }
    answer.remove_header(&ACCEPT_RANGES);
    let most = request.state.location().and_then(|at| at.settings.static_files.max_ranges);
    if most == Some(0) {
        return Ok(RangeType::None);
    }
    let most = if forced { Some(1) } else { most };
    let most = most.map(|most| usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1));
    let part = pingora_proxy::range_header_filter(session.req_header(), answer, most);
    match answer.remove_header(&CONTENT_RANGE) {
        Some(range) => answer.insert_header(fields::CONTENT_RANGE, range)?,
        None => answer.insert_header(fields::ACCEPT_RANGES, HeaderValue::from_static("bytes"))?,
    }
    Ok(part)
}

/// Takes out what Pingora adds to a kept answer and nginx does not.
pub(super) fn as_kept(session: &Session, answer: &mut ResponseHeader) -> Result<()> {
    if !session.cache.enabled() || session.cache.upstream_used() {
        return Ok(());
    }
    let stored = session.cache.maybe_cache_meta().and_then(|meta| meta.headers().get(AGE));
    match stored {
        Some(age) => answer.insert_header(AGE, age.clone()),
        None => {
            answer.remove_header(&AGE);
            Ok(())
        }
    }
}

/// Something else than the server's answer, or another server's, goes to the client: nothing is kept of this.
pub(super) fn leave(session: &mut Session, request: &mut Request) {
    if session.cache.enabled() {
        session.cache.disable(NoCacheReason::Custom("another answer"));
    }
    request.caching = None;
}

/// Counts what the cache had, once.
pub(super) fn finish(request: &Request) {
    let Some(caching) = &request.caching else { return };
    if let Some(status) = request.state.cache.as_ref().and_then(|account| account.status) {
        caching.zone.counts.requests.increment(status as usize);
    }
}

/// Takes the answer out of the cache, where `proxy_cache_purge` says so: whether there was one.
pub(super) async fn purge(session: &Session, request: &mut Request, now: Instant) -> Option<StatusCode> {
    let proxying = request.state.proxying()?;
    let settings = &proxying.routed.location.settings.cache;
    if settings.purge.is_empty() || !settings.is_on() {
        return None;
    }
    let (settings, proxy) = (Arc::clone(settings), Arc::clone(&proxying.target.proxy));
    if !holds(session, request, &settings.purge, None, now) {
        return None;
    }
    let zone = zone(session, request, &settings)?;
    let key = key(session, request, &settings, &proxy, now);
    let sum = Md5::digest(&key).into();
    let found = zone.purge(key, sum).await;
    Some(if found { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

fn seconds_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
