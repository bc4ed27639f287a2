//! Session tickets: sessions that clients keep, encrypted, so that any server with the key can resume them.
//!
//! A ticket is the name of its key, a number used once, and the session with the time of its making, sealed with
//! AES-256-GCM. The seal covers what tells servers apart, so that a ticket is good only for servers with the same
//! certificate and the same authorities of clients. Keys are made here and exchanged each time that the lifetime of a
//! ticket has passed, or they come from files (`ssl_session_ticket_key`) and the administrator exchanges them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest;
use parking_lot::Mutex;
use rustls::server::ProducesTickets;

const NAME_BYTES: usize = 16;
const TIME_BYTES: usize = 8;

/// A key of tickets.
pub(super) struct TicketKey {
    name: [u8; NAME_BYTES],
    key: LessSafeKey,
}

impl TicketKey {
    /// The key of a file: nginx's 48 or 80 bytes, of which the first 16 are the name.
    pub(super) fn of_file(bytes: &[u8]) -> Option<Self> {
        if ![48, 80].contains(&bytes.len()) {
            return None;
        }
        let (name, secret) = bytes.split_first_chunk()?;
        // Both lengths have more than 256 bits of secret, which this makes one key of.
        let key = digest::digest(&digest::SHA256, secret);
        Self::new(*name, key.as_ref())
    }

    fn random() -> Option<Self> {
        let (mut name, mut key) = ([0; NAME_BYTES], [0; 32]);
        aws_lc_rs::rand::fill(&mut name).ok()?;
        aws_lc_rs::rand::fill(&mut key).ok()?;
        Self::new(name, &key)
    }

    fn new(name: [u8; NAME_BYTES], key: &[u8]) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
        Some(Self { name, key })
    }

    fn seal(&self, session: &[u8], context: &[u8], now: u64) -> Option<Vec<u8>> {
        let mut number = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut number).ok()?;
        let mut sealed = [&now.to_be_bytes(), session].concat();
        let nonce = Nonce::assume_unique_for_key(number);
        self.key.seal_in_place_append_tag(nonce, Aad::from(context), &mut sealed).ok()?;
        Some([&self.name[..], &number[..], &sealed].concat())
    }

    /// The session and the time of its making.
    fn open(&self, ticket: &[u8], context: &[u8]) -> Option<(Vec<u8>, u64)> {
        let sealed = ticket.strip_prefix(&self.name)?;
        let (number, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut opened = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*number);
        let opened = self.key.open_in_place(nonce, Aad::from(context), &mut opened).ok()?;
        let (made, session) = opened.split_first_chunk::<TIME_BYTES>()?;
        Some((session.to_vec(), u64::from_be_bytes(*made)))
    }
}

/// The keys of tickets.
pub(super) enum TicketKeys {
    /// The first encrypts, all decrypt.
    OfFiles(Vec<TicketKey>),
    /// Made here.
    Own(Mutex<OwnKeys>),
}

/// Keys that are made here: the present one and the one before it.
#[derive(Default)]
pub(super) struct OwnKeys {
    present: Option<TicketKey>,
    previous: Option<TicketKey>,
    /// When the present one was made.
    since: u64,
}

impl TicketKeys {
    /// Keys that are made when they are needed.
    pub(super) fn own() -> Arc<Self> {
        Arc::new(Self::Own(Mutex::default()))
    }

    fn seal(&self, session: &[u8], context: &[u8], lifetime: u64, now: u64) -> Option<Vec<u8>> {
        match self {
            Self::OfFiles(keys) => keys.first()?.seal(session, context, now),
            Self::Own(keys) => {
                let mut keys = keys.lock();
                keys.exchange(lifetime, now);
                keys.present.as_ref()?.seal(session, context, now)
            }
        }
    }

    fn open(&self, ticket: &[u8], context: &[u8], lifetime: u64, now: u64) -> Option<Vec<u8>> {
        let (session, made) = match self {
            Self::OfFiles(keys) => keys.iter().find_map(|key| key.open(ticket, context)),
            Self::Own(keys) => {
                let mut keys = keys.lock();
                keys.exchange(lifetime, now);
                let known = keys.present.iter().chain(&keys.previous);
                known.filter(|key| ticket.starts_with(&key.name)).find_map(|key| key.open(ticket, context))
            }
        }?;
        (now.checked_sub(made)? < lifetime).then_some(session)
    }
}

impl OwnKeys {
    fn exchange(&mut self, lifetime: u64, now: u64) {
        if self.present.is_none() || now.saturating_sub(self.since) >= lifetime {
            self.previous = self.present.take();
            self.present = TicketKey::random();
            self.since = now;
        }
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKeys")
    }
}

/// The tickets of one server.
#[derive(Debug)]
pub(super) struct Tickets {
    pub(super) keys: Arc<TicketKeys>,
    pub(super) lifetime: Duration,
    /// What tells servers apart.
    pub(super) context: [u8; 32],
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(self.lifetime.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        self.keys.seal(session, &self.context, self.lifetime.as_secs(), now())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.keys.open(ticket, &self.context, self.lifetime.as_secs(), now())
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [u8; 32] = [1; 32];
    const B: [u8; 32] = [2; 32];

    #[test]
    fn a_ticket_is_good_for_its_time_and_its_servers() {
        let keys = TicketKeys::own();
        let ticket = keys.seal(b"session", &A, 300, 1_000).unwrap();
        assert_eq!(keys.open(&ticket, &A, 300, 1_299), Some(b"session".to_vec()));
        assert_eq!(keys.open(&ticket, &B, 300, 1_001), None);
        assert_eq!(keys.open(&ticket[1..], &A, 300, 1_001), None);
        assert_eq!(keys.open(&ticket, &A, 300, 1_300), None);
        assert_eq!(keys.open(b"", &A, 300, 1_001), None);
    }

    #[test]
    fn own_keys_are_exchanged_and_the_one_before_is_still_known() {
        let keys = TicketKeys::own();
        assert!(keys.seal(b"x", &A, 300, 1_000).is_some());
        let late = keys.seal(b"late", &A, 300, 1_290).unwrap();
        let next = keys.seal(b"next", &A, 300, 1_310).unwrap();
        assert_ne!(late[..NAME_BYTES], next[..NAME_BYTES]);
        assert_eq!(keys.open(&late, &A, 300, 1_400), Some(b"late".to_vec()));
    }

    #[test]
    fn of_the_keys_of_files_the_first_encrypts_and_all_decrypt() {
        let file = |byte: u8, length: usize| TicketKey::of_file(&vec![byte; length]);
        let of = |keys: Vec<Option<TicketKey>>| {
            TicketKeys::OfFiles(keys.into_iter().map(Option::unwrap).collect())
        };
        let before = of(vec![file(1, 80), file(2, 48)]);
        let after = of(vec![file(3, 48), file(1, 80)]);
        let ticket = before.seal(b"session", &A, 300, 1_000).unwrap();
        assert_eq!(after.open(&ticket, &A, 300, 1_001), Some(b"session".to_vec()));
        let ticket = after.seal(b"session", &A, 300, 1_000).unwrap();
        assert_eq!(before.open(&ticket, &A, 300, 1_001), None);
        assert!(file(1, 47).is_none() && file(1, 0).is_none() && file(1, 64).is_none());
    }
}
