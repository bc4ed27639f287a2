//! `ssl_session_cache`: sessions that the server keeps, to be resumed by their number.
//!
//! Bounded in bytes; the oldest go first, as in nginx. Divided into parts with a lock each, so that threads rarely wait
//! for one another.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::server::StoresServerSessions;

/// Parts of a cache, if it is large enough for so many.
const PARTS: usize = 16;
/// The least room of one part.
const LEAST_BYTES_OF_A_PART: usize = 16 * 1024;
/// What a session takes beside its bytes, which stand in the map and, without the value, in the queue.
const OVERHEAD_BYTES: usize = 128;

/// A cache of sessions.
pub(super) struct SessionCache {
    parts: Box<[Mutex<Part>]>,
    bytes_of_a_part: usize,
}

#[derive(Default)]
struct Part {
    sessions: HashMap<Arc<[u8]>, Kept>,
    /// In the order in which they came; those that are gone too.
    order: VecDeque<(Arc<[u8]>, usize)>,
    bytes: usize,
}

struct Kept {
    value: Vec<u8>,
    until: Instant,
}

impl SessionCache {
    /// A cache of this size.
    pub(super) fn new(bytes: u64) -> Arc<Self> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let parts = (bytes / LEAST_BYTES_OF_A_PART).clamp(1, PARTS);
        Arc::new(Self {
            parts: (0..parts).map(|_| Mutex::default()).collect(),
            bytes_of_a_part: bytes / parts,
        })
    }

    fn part(&self, key: &[u8]) -> &Mutex<Part> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        &self.parts[hasher.finish() as usize % self.parts.len()]
    }

    fn put(&self, key: Vec<u8>, value: Vec<u8>, until: Instant) {
        let mut part = self.part(&key).lock();
        let bytes = key.len() * 2 + value.len() + OVERHEAD_BYTES;
        while part.bytes + bytes > self.bytes_of_a_part {
            let Some((oldest, freed)) = part.order.pop_front() else { return };
            part.sessions.remove(&oldest);
            part.bytes -= freed;
        }
        let key: Arc<[u8]> = key.into();
        part.bytes += bytes;
        part.order.push_back((key.clone(), bytes));
        part.sessions.insert(key, Kept { value, until });
    }

    fn get(&self, key: &[u8], now: Instant) -> Option<Vec<u8>> {
        let part = self.part(key).lock();
        part.sessions.get(key).filter(|kept| kept.until > now).map(|kept| kept.value.clone())
    }

    fn take(&self, key: &[u8], now: Instant) -> Option<Vec<u8>> {
        let kept = self.part(key).lock().sessions.remove(key)?;
        (kept.until > now).then_some(kept.value)
    }
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Sessions are secrets.
        f.debug_struct("SessionCache").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

/// A cache as one server uses it: for so long, and apart from servers with other certificates or other authorities.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) cache: Arc<SessionCache>,
    pub(super) lifetime: Duration,
    /// What tells servers apart.
    pub(super) context: [u8; 32],
}

impl Sessions {
    fn key(&self, key: &[u8]) -> Vec<u8> {
        [&self.context, key].concat()
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.cache.put(self.key(&key), value, Instant::now() + self.lifetime);
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.cache.get(&self.key(key), Instant::now())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.cache.take(&self.key(key), Instant::now())
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_session_is_found_until_its_time_is_over_and_taken_once() {
        let cache = SessionCache::new(1 << 20);
        let now = Instant::now();
        cache.put(b"a".to_vec(), b"one".to_vec(), now + LONG);
        assert_eq!(cache.get(b"a", now), Some(b"one".to_vec()));
        assert_eq!(cache.get(b"a", now + LONG), None);
        assert_eq!(cache.take(b"a", now), Some(b"one".to_vec()));
        assert_eq!(cache.take(b"a", now), None);
    }

    #[test]
    fn the_oldest_give_way_and_the_room_is_never_exceeded() {
        let cache = SessionCache::new(32 * 1024);
        let until = Instant::now() + LONG;
        for number in 0..10_000_u32 {
            cache.put(number.to_be_bytes().to_vec(), vec![0; 200], until);
            if number % 3 == 0 {
                cache.take(&number.to_be_bytes(), Instant::now());
            }
        }
        let kept = |number: u32| cache.get(&number.to_be_bytes(), Instant::now()).is_some();
        assert!(kept(9_998) && !kept(0));
        for part in &cache.parts {
            let part = part.lock();
            assert!(part.bytes <= 16 * 1024 && part.order.len() < 100, "{}", part.bytes);
        }
    }

    #[test]
    fn servers_with_another_context_do_not_see_each_others_sessions() {
        let cache = SessionCache::new(1 << 20);
        let of = |context| Sessions { cache: cache.clone(), lifetime: LONG, context };
        assert!(of([1; 32]).put(b"a".to_vec(), b"one".to_vec()));
        assert_eq!(of([2; 32]).get(b"a"), None);
        assert_eq!(of([1; 32]).get(b"a"), Some(b"one".to_vec()));
    }
}
