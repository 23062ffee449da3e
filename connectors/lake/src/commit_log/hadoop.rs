//! The HDFS sink's log, so that either sink goes on where the other one was stopped.

use lavka_api::data::TopicPartition;
use lavka_api::{Error, Result};

use crate::hadoop_wal::{self, Found};
use crate::history::History;
use crate::lake::Lake;
use crate::store::{Chunk, LakePath, Lease, Renamed, random_bytes};
use crate::wal::Block;

/// A log longer than this is replaced by one that says only where to go on.
const MAX_LOG: u64 = 1024 * 1024;
/// A block has two paths for each file of a commit; a log beyond this is not one of ours.
const MAX_READ: u64 = 256 * 1024 * 1024;

/// The open log.
#[derive(Debug)]
pub(crate) struct HadoopLog {
    path: LakePath,
    previous: LakePath,
    /// The URL that paths in the log begin with.
    root: String,
    /// What the file separates its records by.
    marker: [u8; 16],
    /// Bytes in the file, as far as appends succeeded.
    length: u64,
    /// The lease went while the log was replaced.
    lost: bool,
}

impl HadoopLog {
    /// Reads what is there: the last whole block (that of the log before it, where this one has none), and temporary files
    /// of a block without an end. A log that cannot be read is put aside; `None` where somebody else was faster then.
    pub(super) async fn open(
        lake: &Lake,
        lease: &mut Lease,
        tp: &TopicPartition,
        root: String,
    ) -> Result<Option<(Self, Option<Block>, Vec<LakePath>)>> {
        let (path, previous) = lake.logs(tp)?;
        let bytes = lake.store.read(&path, MAX_READ).await?.unwrap_or_default();
        let Found { marker, block, orphans, whole } = hadoop_wal::read(&bytes, &root);
        let mut block = block;
        let found_here = block.is_some();
        if !found_here {
            let older = lake.store.read(&previous, MAX_READ).await?.unwrap_or_default();
            block = hadoop_wal::read(&older, &root).block;
        }
        let mut log = Self {
            path,
            previous,
            root,
            marker: marker.unwrap_or_else(random_bytes),
            length: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            lost: false,
        };
        if !whole {
            tracing::warn!(
                "{}: the log of commits ends in bytes that are no record, or is none; {}",
                log.path,
                if found_here { "what is before them counts" } else { "the names of finished files count" }
            );
            if !log.restart(lake, lease, found_here).await? {
                return Ok(None);
            }
        }
        Ok(Some((log, block, orphans)))
    }

    pub(super) fn is_sound(&self) -> bool {
        !self.lost
    }

    /// Puts the log aside as the previous one (or deletes it, where that one is to stay) and begins an empty one; false
    /// where another writer got the lease of that.
    async fn restart(&mut self, lake: &Lake, lease: &mut Lease, keep: bool) -> Result<bool> {
        if keep {
            lake.store.delete(lease, &self.previous).await?;
            if lake.store.rename_if_absent(lease, &self.path, &self.previous).await? != Renamed::Done {
                return Err(Error::fatal(format!("{} cannot be put aside; restart the task", self.path)));
            }
        } else {
            lake.store.delete(lease, &self.path).await?;
        }
        self.lost = true;
        lake.store.release(std::mem::replace(lease, Lease::new(()))).await;
        let Some(again) = lake.store.lease(&self.path).await? else { return Ok(false) };
        *lease = again;
        let there = lake.store.read(&self.path, MAX_READ).await?.unwrap_or_default();
        if !there.is_empty() {
            return Ok(false);
        }
        (self.lost, self.length, self.marker) = (false, 0, random_bytes());
        Ok(true)
    }

    pub(super) async fn shorten(
        &mut self,
        lake: &Lake,
        lease: &mut Lease,
        next: i64,
        history: &History,
    ) -> Result<()> {
        if self.length < MAX_LOG {
            return Ok(());
        }
        if !self.restart(lake, lease, true).await? {
            return Err(Error::retriable(format!("another writer has taken over {}", self.path)));
        }
        let history = Some(history.clone());
        self.append(lake, lease, &Block { next, history, moves: Vec::new() }).await
    }

    /// Deletes the log, which ends the lease on it: this is for a partition that is given up right after.
    pub(super) async fn forget(&mut self, lake: &Lake, lease: &Lease) -> Result<()> {
        for path in [&self.previous, &self.path] {
            lake.store.delete(lease, path).await?;
        }
        self.lost = true;
        Ok(())
    }

    pub(super) async fn append(&mut self, lake: &Lake, lease: &Lease, block: &Block) -> Result<()> {
        let mut bytes = Vec::new();
        if self.length == 0 {
            hadoop_wal::write_header(&self.marker, &mut bytes);
        }
        hadoop_wal::write_block(block, &self.root, &self.marker, &mut bytes);
        let end = self.length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        lake.store.append(lease, &self.path, self.length, Chunk::from(bytes)).await?;
        lake.store.sync(lease, &self.path).await?;
        self.length = end;
        Ok(())
    }
}
