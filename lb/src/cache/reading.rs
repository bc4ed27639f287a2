//! A kept answer on its way to a client.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::{Error, ErrorType, Result};
use pingora_cache::CacheKey;
use pingora_cache::storage::{HandleHit, Storage};
use pingora_cache::trace::SpanHandle;

use super::disk::Body;
use super::zone::Zone;
use crate::files;

/// The body that is still to be read.
pub(super) struct Reading {
    zone: &'static Zone,
    body: Body,
    /// Of the body.
    left: Range<u64>,
    length: u64,
}

impl Reading {
    pub(super) fn new(zone: &'static Zone, body: Body, length: u64) -> Self {
        Self { zone, body, left: 0..length, length }
    }
}

#[async_trait]
impl HandleHit for Reading {
    async fn read_body(&mut self) -> Result<Option<Bytes>> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let wanted = self.left.end - self.left.start;
        let piece = match &self.body {
            // Neither is beyond the length of what is in memory.
            Body::Memory(all) => all.slice(self.left.start as usize..self.left.end as usize),
            Body::File(file, begins_at) => {
                let read = files::read(Arc::clone(file), begins_at + self.left.start, wanted).await;
                read.map_err(|error| {
                    Error::because(ErrorType::ReadError, "a cache file cannot be read", error)
                })?
            }
        };
        if piece.is_empty() {
            // Its length has been promised.
            return Error::e_explain(
                ErrorType::ReadError,
                "a cache file has become shorter while it was sent",
            );
        }
        self.left.start += piece.len() as u64;
        self.zone.counts.bytes_read.add(piece.len() as u64);
        Ok(Some(piece))
    }

    async fn finish(
        self: Box<Self>,
        _storage: &'static (dyn Storage + Sync),
        _key: &CacheKey,
        _trace: &SpanHandle,
    ) -> Result<()> {
        Ok(())
    }

    fn can_seek(&self) -> bool {
        true
    }

    fn seek(&mut self, start: usize, end: Option<usize>) -> Result<()> {
        let end = end.map_or(self.length, |end| (end as u64).min(self.length));
        self.left = (start as u64).min(end)..end;
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn as_any_mut(&mut self) -> &mut (dyn Any + Send + Sync) {
        self
    }
}
