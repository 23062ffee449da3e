//! One object of a file: the rows of a view on their way to bytes, and bytes on their way into the store.

use std::collections::VecDeque;

use lavka_api::{Error, Result};

use crate::companions::View;
use crate::format::{Encoder, chunk};
use crate::lake::Lake;
use crate::store::{Chunk, LakePath, Lease};

/// An unfinished object. Its bytes wait in memory until they are worth a write; it exists in the store from the first
/// write on, under its temporary name.
pub(crate) struct FilePart {
    pub(crate) view: View,
    pub(crate) temp: LakePath,
    pub(crate) encoder: Encoder,
    /// What its name ends with.
    pub(crate) extension: String,
    unwritten: VecDeque<Chunk>,
    /// Bytes in the store; `None` before the object is there.
    written: Option<u64>,
    /// Whether all its bytes are in `unwritten` or in the store.
    complete: bool,
}

impl FilePart {
    pub(crate) fn new(view: View, temp: LakePath, encoder: Encoder, extension: String) -> Self {
        Self { view, temp, encoder, extension, unwritten: VecDeque::new(), written: None, complete: false }
    }

    /// Whether nothing more goes in.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Bytes that it would have if it were finished now, without rows that are not encoded yet.
    pub(crate) fn size(&self) -> u64 {
        let unwritten: usize = self.unwritten.iter().map(|chunk| chunk.len()).sum();
        self.written.unwrap_or(0) + self.encoder.held_back() + u64::try_from(unwritten).unwrap_or(u64::MAX)
    }

    /// Bytes of memory in use, roughly, also by the store.
    pub(crate) fn memory(&self, lake: &Lake) -> usize {
        self.own_memory() + lake.store.held_bytes(&self.temp)
    }

    /// The same without the store's.
    pub(crate) fn own_memory(&self) -> usize {
        self.encoder.memory() + self.unwritten.iter().map(|chunk| chunk.len()).sum::<usize>()
    }

    /// Whether the store may have an object of its temporary name.
    pub(crate) fn is_stored(&self) -> bool {
        self.written.is_some()
    }

    /// Encodes and writes what is ripe; everything, with `cut`. `limit` is the size at which the file is finished, `becomes`
    /// its final name where that is known.
    pub(crate) async fn advance(
        &mut self,
        lake: &Lake,
        lease: &Lease,
        becomes: Option<&LakePath>,
        limit: Option<u64>,
        cut: bool,
    ) -> Result<()> {
        let room = limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.size()));
        if cut || self.encoder.is_ripe(room) {
            let bytes = self.encoder.encode(cut).await?;
            self.unwritten.extend(chunk(bytes));
        }
        self.write(lake, lease, becomes).await
    }

    /// Brings the whole object to the store, durable on return. May be repeated after an error.
    pub(crate) async fn seal(
        &mut self,
        lake: &Lake,
        lease: &Lease,
        becomes: Option<&LakePath>,
    ) -> Result<()> {
        if !self.complete {
            let bytes = self.encoder.finish().await?;
            self.unwritten.extend(chunk(bytes));
            self.complete = true;
        }
        self.write(lake, lease, becomes).await?;
        if self.written.is_none() {
            lake.store.create(lease, &self.temp, becomes).await?;
            self.written = Some(0);
        }
        if lake.store.sync(lease, &self.temp).await? {
            return Ok(());
        }
        Err(Error::fatal(format!(
            "the temporary file {} is gone: something else deletes files below +tmp. Restart the task; it reads the \
             records again",
            self.temp
        )))
    }

    async fn write(&mut self, lake: &Lake, lease: &Lease, becomes: Option<&LakePath>) -> Result<()> {
        while let Some(chunk) = self.unwritten.front() {
            let at = match self.written {
                Some(at) => at,
                None => {
                    lake.store.create(lease, &self.temp, becomes).await?;
                    *self.written.insert(0)
                }
            };
            lake.store.append(lease, &self.temp, at, Chunk::clone(chunk)).await?;
            self.written = Some(at.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX)));
            self.unwritten.pop_front();
        }
        Ok(())
    }
}
