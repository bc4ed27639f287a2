//! The table of a zone: which answers there are, how large, when they were asked for last, and who renews them.
//!
//! It is bounded by itself: `keys_zone` limits the entries, and the least recently used one goes for a new one. Time is passed
//! in, in seconds. Nothing here touches a file: what is to be removed is returned.

use std::sync::Arc;

use bytes::Bytes;
use lru::LruCache;

use super::Key;
use super::entry::Head;

/// How many entries nginx has room for in a megabyte of its zone: 8000.
const ENTRIES_PER_MEGABYTE: u64 = 8000;

/// An answer that is kept in memory.
#[derive(Debug)]
pub struct Kept {
    /// What is known of it.
    pub head: Head,
    /// Its body.
    pub body: Bytes,
}

/// One key.
#[derive(Debug, Default)]
struct Node {
    /// Requests for it.
    uses: u64,
    /// When it was asked for last.
    accessed: i64,
    /// What its answer takes; `None` where there is none.
    bytes: Option<u64>,
    /// Someone renews the answer.
    is_renewed: bool,
    /// The answer, where it is in memory.
    kept: Option<Arc<Kept>>,
}

/// What is known of a key.
#[derive(Debug, Clone, Default)]
pub struct Sought {
    /// There is an answer.
    pub exists: bool,
    /// The answer, where it is in memory.
    pub kept: Option<Arc<Kept>>,
}

/// The table.
#[derive(Debug)]
pub struct Index {
    nodes: LruCache<Key, Node>,
    /// What all answers take.
    bytes: u64,
    /// How many there are.
    answers: u64,
    /// How many nodes there may be.
    most: usize,
}

impl Index {
    /// An empty one for a zone of so many bytes.
    pub fn new(keys_bytes: u64) -> Self {
        let mut index = Self { nodes: LruCache::unbounded(), bytes: 0, answers: 0, most: 1 };
        index.resize(keys_bytes);
        index
    }

    /// Gives the zone another size.
    pub fn resize(&mut self, keys_bytes: u64) {
        let entries = keys_bytes.saturating_mul(ENTRIES_PER_MEGABYTE) >> 20;
        self.most = usize::try_from(entries).unwrap_or(usize::MAX).max(1);
    }

    /// Counts a request for the key: how often there was one. Answers that have to go for its entry are added to `gone`.
    pub fn count_use(&mut self, key: &Key, now: i64, gone: &mut Vec<Key>) -> u64 {
        let node = self.node(key, gone);
        node.uses = node.uses.saturating_add(1);
        node.accessed = now;
        node.uses
    }

    /// What there is for the key.
    pub fn seek(&mut self, key: &Key, now: i64) -> Sought {
        match self.nodes.get_mut(key) {
            Some(node) => {
                node.accessed = now;
                Sought { exists: node.bytes.is_some(), kept: node.kept.clone() }
            }
            None => Sought::default(),
        }
    }

    /// Whether there is an answer.
    pub fn has(&self, key: &Key) -> bool {
        self.nodes.peek(key).is_some_and(|node| node.bytes.is_some())
    }

    /// An answer has been kept.
    pub fn keep(&mut self, key: &Key, bytes: u64, kept: Option<Arc<Kept>>, now: i64, gone: &mut Vec<Key>) {
        let node = self.node(key, gone);
        node.accessed = now;
        node.kept = kept;
        let before = node.bytes.replace(bytes);
        self.answers += u64::from(before.is_none());
        self.bytes = self.bytes.saturating_sub(before.unwrap_or(0)).saturating_add(bytes);
    }

    /// A file was found that an earlier process has left; false where the key is known already.
    pub fn found(&mut self, key: &Key, bytes: u64, now: i64, gone: &mut Vec<Key>) -> bool {
        if self.has(key) {
            return false;
        }
        self.keep(key, bytes, None, now, gone);
        true
    }

    /// Another form of the answer, which takes as much.
    pub fn replace(&mut self, key: &Key, kept: Arc<Kept>) {
        if let Some(node) = self.nodes.peek_mut(key)
            && node.kept.is_some()
        {
            node.kept = Some(kept);
        }
    }

    /// The answer is no more; whether there was one.
    pub fn forget(&mut self, key: &Key) -> bool {
        let Some(node) = self.nodes.peek_mut(key) else { return false };
        node.kept = None;
        let Some(bytes) = node.bytes.take() else { return false };
        self.answers -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
        true
    }

    /// Begins to renew the answer; false where another does.
    pub fn begin_renewal(&mut self, key: &Key) -> bool {
        let Some(node) = self.nodes.peek_mut(key) else { return true };
        !std::mem::replace(&mut node.is_renewed, true)
    }

    /// Whoever has begun to renew it has ended.
    pub fn end_renewal(&mut self, key: &Key) {
        if let Some(node) = self.nodes.peek_mut(key) {
            node.is_renewed = false;
        }
    }

    /// Takes the entries out that nobody has asked for since `before`; the keys of those that had an answer.
    pub fn take_inactive(&mut self, before: i64, most: usize) -> Vec<Key> {
        let mut gone = Vec::new();
        for _ in 0..most {
            let Some((_, node)) = self.nodes.peek_lru() else { break };
            if node.accessed >= before {
                break;
            }
            self.pop(&mut gone);
        }
        gone
    }

    /// Takes entries out, the least recently used first, until the answers take at most so many bytes.
    pub fn take_beyond(&mut self, most_bytes: u64) -> Vec<Key> {
        let mut gone = Vec::new();
        while self.bytes > most_bytes && self.pop(&mut gone) {}
        gone
    }

    /// Takes one answer out, the least recently used.
    pub fn take_oldest(&mut self) -> Option<Key> {
        let mut gone = Vec::new();
        while gone.is_empty() && self.pop(&mut gone) {}
        gone.pop()
    }

    /// The keys that have an answer.
    pub fn keys(&self) -> Vec<Key> {
        self.nodes.iter().filter(|(_, node)| node.bytes.is_some()).map(|(key, _)| *key).collect()
    }

    /// What all answers take.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many there are.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// The entry of the key, made where there is none; then others go where there are too many.
    fn node(&mut self, key: &Key, gone: &mut Vec<Key>) -> &mut Node {
        if !self.nodes.contains(key) {
            while self.nodes.len() >= self.most && self.pop(gone) {}
        }
        self.nodes.get_or_insert_mut(*key, Node::default)
    }

    /// Takes the least recently used entry out; false where there is none.
    fn pop(&mut self, gone: &mut Vec<Key>) -> bool {
        let Some((key, node)) = self.nodes.pop_lru() else { return false };
        if let Some(bytes) = node.bytes {
            self.answers -= 1;
            self.bytes = self.bytes.saturating_sub(bytes);
            gone.push(key);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn key(number: u8) -> Key {
        [number; 16]
    }

    /// Room for so many entries.
    fn index(most: usize) -> Index {
        Index { most, ..Index::new(1 << 20) }
    }

    fn keep(index: &mut Index, number: u8, bytes: u64, now: i64) -> Vec<Key> {
        let mut gone = Vec::new();
        index.keep(&key(number), bytes, None, now, &mut gone);
        gone
    }

    #[test]
    fn a_megabyte_has_room_for_eight_thousand() {
        assert_eq!(Index::new(1 << 20).most, 8000);
        assert_eq!(Index::new(10 << 20).most, 80_000);
    }

    #[test]
    fn what_is_kept_is_found_and_counted() {
        let mut index = index(9);
        assert!(!index.seek(&key(1), 0).exists);
        keep(&mut index, 1, 10, 0);
        keep(&mut index, 2, 20, 0);
        assert!(index.seek(&key(1), 1).exists && index.has(&key(2)));
        assert_eq!((index.bytes(), index.answers()), (30, 2));
        keep(&mut index, 1, 5, 0);
        assert_eq!((index.bytes(), index.answers()), (25, 2));
        assert!(index.forget(&key(1)) && !index.forget(&key(1)) && !index.forget(&key(3)));
        assert_eq!((index.bytes(), index.answers()), (20, 1));
        assert_eq!(index.keys(), [key(2)]);
    }

    #[test]
    fn the_least_recently_used_goes_for_a_new_one() {
        let mut index = index(2);
        keep(&mut index, 1, 1, 0);
        keep(&mut index, 2, 1, 0);
        index.seek(&key(1), 1);
        assert_eq!(keep(&mut index, 3, 1, 2), [key(2)]);
        let mut gone = Vec::new();
        assert_eq!(index.count_use(&key(4), 3, &mut gone), 1);
        assert_eq!((gone, index.answers()), (vec![key(1)], 1));
    }

    #[test]
    fn uses_are_counted_whether_there_is_an_answer_or_not() {
        let mut index = index(9);
        for expected in 1..4 {
            assert_eq!(index.count_use(&key(1), 0, &mut Vec::new()), expected);
        }
        assert!(!index.has(&key(1)));
    }

    #[test]
    fn what_nobody_asks_for_goes() {
        let mut index = index(9);
        for (number, now) in [(1, 10), (2, 20), (3, 30)] {
            keep(&mut index, number, 1, now);
        }
        index.seek(&key(1), 40);
        assert_eq!(index.take_inactive(30, 9), [key(2)]);
        assert_eq!(index.take_inactive(50, 1), [key(3)]);
        assert_eq!(index.take_inactive(50, 9), [key(1)]);
        assert_eq!((index.bytes(), index.answers()), (0, 0));
    }

    #[test]
    fn what_is_too_much_goes() {
        let mut index = index(9);
        for number in 1..5 {
            keep(&mut index, number, 10, 0);
        }
        assert!(index.take_beyond(40).is_empty());
        assert_eq!(index.take_beyond(25), [key(1), key(2)]);
        assert_eq!(index.take_oldest(), Some(key(3)));
        assert_eq!(index.take_beyond(0), [key(4)]);
        assert_eq!(index.take_oldest(), None);
    }

    #[test]
    fn one_at_a_time_renews() {
        let mut index = index(9);
        keep(&mut index, 1, 1, 0);
        assert!(index.begin_renewal(&key(1)) && !index.begin_renewal(&key(1)));
        index.end_renewal(&key(1));
        assert!(index.begin_renewal(&key(1)));
        assert!(index.begin_renewal(&key(2)), "an entry that is gone hinders nobody");
    }

    #[test]
    fn a_file_that_was_left_is_found_once() {
        let mut index = index(9);
        assert!(index.found(&key(1), 5, 0, &mut Vec::new()));
        assert!(!index.found(&key(1), 5, 0, &mut Vec::new()));
        assert_eq!(index.bytes(), 5);
    }
}
