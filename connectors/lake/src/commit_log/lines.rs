//! A file of lines, [`wal`](crate::wal), which grows.

use lavka_api::data::TopicPartition;
use lavka_api::{Error, Result};

use crate::history::History;
use crate::lake::Lake;
use crate::store::{Chunk, LakePath, Lease, Renamed};
use crate::wal::{Block, read};

/// A log longer than this is replaced by one that says only where to go on.
const MAX_LOG: u64 = 1024 * 1024;
/// A block has two paths for each file of a commit; a log beyond this is not one of ours.
const MAX_READ: u64 = 256 * 1024 * 1024;

/// A log that is being appended to, by the holder of the partition's lease.
#[derive(Debug)]
pub(crate) struct LinesLog {
    path: LakePath,
    previous: LakePath,
    /// Bytes in the file, as far as appends succeeded; `None` before the file is there.
    length: Option<u64>,
}

impl LinesLog {
    /// Reads what is there: the log, and its last whole block (that of the log before it, where this one has none).
    pub(super) async fn open(
        lake: &Lake,
        lease: &Lease,
        tp: &TopicPartition,
    ) -> Result<(Self, Option<Block>)> {
        let (path, previous) = lake.logs(tp)?;
        let current = lake.store.read(&path, MAX_READ).await?;
        let (mut block, torn) = current.as_deref().map_or((None, false), read);
        let whole = block.is_some();
        if block.is_none() {
            let older = lake.store.read(&previous, MAX_READ).await?;
            block = older.as_deref().and_then(|log| read(log).0);
        }
        let length = current.map(|bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let mut log = Self { path, previous, length };
        if torn && !whole {
            // Nothing in it counts; the log before it stays the one that does.
            lake.store.delete(lease, &log.path).await?;
            log.length = None;
        }
        Ok((log, block))
    }

    /// Replaces a long log by a short one. Called when nothing of a commit is outstanding; `next` is the offset to go
    /// on from, `history` what was taken up to there. At every moment one of the two files has a whole block.
    pub(super) async fn shorten(
        &mut self,
        lake: &Lake,
        lease: &Lease,
        next: i64,
        history: &History,
    ) -> Result<()> {
        if self.length.is_none_or(|length| length < MAX_LOG) {
            return Ok(());
        }
        lake.store.delete(lease, &self.previous).await?;
        if lake.store.rename_if_absent(lease, &self.path, &self.previous).await? == Renamed::Done {
            self.length = None;
            let history = Some(history.clone());
            self.append(lake, lease, &Block { next, history, moves: Vec::new() }).await?;
        }
        Ok(())
    }

    /// Deletes the log: Kafka's offsets count from now on.
    pub(super) async fn forget(&mut self, lake: &Lake, lease: &Lease) -> Result<()> {
        for path in [&self.previous, &self.path] {
            lake.store.delete(lease, path).await?;
        }
        self.length = None;
        match self.path.parent() {
            Some(directory) => lake.store.sync(lease, &directory).await.map(drop),
            None => Ok(()),
        }
    }

    /// Appends a block, durable on return. May be repeated after an error.
    pub(super) async fn append(&mut self, lake: &Lake, lease: &Lease, block: &Block) -> Result<()> {
        let length = match self.length {
            Some(length) => length,
            None => {
                lake.store.create(lease, &self.path, None).await?;
                if let Some(directory) = self.path.parent() {
                    lake.store.sync(lease, &directory).await?;
                }
                *self.length.insert(0)
            }
        };
        let bytes = block.to_bytes();
        let end = length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        lake.store.append(lease, &self.path, length, Chunk::from(bytes)).await?;
        if !lake.store.sync(lease, &self.path).await? {
            return Err(Error::fatal(format!(
                "the log of commits {} is gone while it is in use; restart the task",
                self.path
            )));
        }
        self.length = Some(end);
        Ok(())
    }
}
