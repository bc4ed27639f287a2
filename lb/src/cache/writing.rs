//! An answer that is being kept.
//!
//! Up to 64 KiB of its body wait in memory, so that a small answer is one visit to a thread that may block. Whatever fails here
//! fails the keeping and nothing else: the client's answer goes on.

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::Result;
use pingora_cache::storage::{HandleMiss, MissFinishType};

use super::Key;
use super::disk::{Disk, Unfinished};
use super::entry::Head;
use super::index::Kept;
use super::zone::Zone;
use crate::files::PIECE_BYTES;

/// An answer on its way into a zone.
pub(super) struct Writing {
    zone: &'static Zone,
    key: Key,
    head: Head,
    head_bytes: u64,
    /// What has come and is not written.
    waiting: Vec<u8>,
    file: Option<Unfinished>,
    /// Bytes of the body that are in the file.
    written: u64,
    /// It cannot be kept.
    is_lost: bool,
}

impl Writing {
    pub(super) fn new(zone: &'static Zone, key: Key, head: Head) -> Self {
        let head_bytes = head.encode().map(|head| head.len() as u64);
        Self {
            zone,
            key,
            head,
            head_bytes: head_bytes.unwrap_or(0),
            waiting: Vec::new(),
            file: None,
            written: 0,
            is_lost: head_bytes.is_none(),
        }
    }

    fn lose(&mut self) {
        self.is_lost = true;
        self.waiting = Vec::new();
        self.file = None;
    }

    /// Writes what waits, and then the head and the name where that is all.
    async fn write(&mut self, is_all: bool) -> bool {
        let (key, head, at) = (self.key, self.head.clone(), self.head_bytes + self.written);
        let (waiting, file) = (std::mem::take(&mut self.waiting), self.file.take());
        let length = waiting.len() as u64;
        let work = move |zone: &'static Zone| {
            let disk = zone.disk.as_ref()?;
            let begun = match file {
                Some(file) => file,
                None => {
                    disk.begin(&key).map_err(|error| zone.failed("open()", &disk.path(&key), &error)).ok()?
                }
            };
            let mut written = begun.file.write_all_at(&waiting, at);
            if is_all && let Some(head) = head.encode() {
                written = written.and_then(|()| begun.file.write_all_at(&head, 0));
            }
            written.map_err(|error| zone.failed("pwrite()", begun.path(), &error)).ok()?;
            if !is_all {
                return Some(Some(begun));
            }
            disk.finish(&key, begun)
                .map_err(|error| zone.failed("rename()", &disk.path(&key), &error))
                .ok()?;
            Some(None)
        };
        match self.zone.blocking(work).await {
            Ok(Some(file)) => {
                self.file = file;
                self.written += length;
                true
            }
            _ => {
                self.lose();
                false
            }
        }
    }

    fn length(&self) -> u64 {
        self.written + self.waiting.len() as u64
    }
}

#[async_trait]
impl HandleMiss for Writing {
    async fn write_body(&mut self, data: Bytes, _eof: bool) -> Result<()> {
        if self.is_lost {
            return Ok(());
        }
        if self.zone.max_bytes().is_some_and(|most| self.length() + data.len() as u64 > most) {
            // There is no room for it, whatever goes.
            self.lose();
            return Ok(());
        }
        self.waiting.extend_from_slice(&data);
        if self.zone.disk.is_some() && self.waiting.len() >= PIECE_BYTES {
            self.write(false).await;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<MissFinishType> {
        let length = self.length();
        self.head.body_bytes = length;
        if self.is_lost {
            return Ok(MissFinishType::Created(0));
        }
        let taken = match &self.zone.disk {
            None => {
                let kept = Kept { head: self.head.clone(), body: std::mem::take(&mut self.waiting).into() };
                let taken = self.head_bytes + length;
                self.zone.kept(&self.key, taken, Some(Arc::new(kept)));
                taken
            }
            Some(_) => {
                if !self.write(true).await {
                    return Ok(MissFinishType::Created(0));
                }
                let taken = Disk::taken(self.head_bytes + length);
                self.zone.kept(&self.key, taken, None);
                taken
            }
        };
        self.zone.counts.bytes_written.add(length);
        Ok(MissFinishType::Created(usize::try_from(taken).unwrap_or(usize::MAX)))
    }
}
