//! A log of objects: each commit is one, with the next number.
//!
//! An object is created only where there is none of its name, so of two writers who want to commit one wins, and the other
//! knows. Whoever takes a partition over begins with an object of its own: from then on no earlier writer can commit, and
//! what those have not committed may be cleared away.
//!
//! Old objects are deleted, the oldest first. So a writer that slept for long may find no object of the number that it is at,
//! although there was one: it has won only if the one before is still there, and is its own.

use lavka_api::data::TopicPartition;
use lavka_api::{Error, Result};

use crate::lake::Lake;
use crate::store::{Chunk, LakePath, Lease, random_name};
use crate::wal::{Block, NOWHERE, read};

/// A block has two paths for each file of a commit; an object beyond this is not one of ours.
const MAX_READ: u64 = 256 * 1024 * 1024;
/// Objects that stay, of which the last one counts.
const KEPT: u64 = 2;

/// The numbered objects below a directory.
#[derive(Debug)]
pub(crate) struct ObjectLog {
    directory: LakePath,
    /// The number of the last object.
    last: u64,
    /// What is in it; nothing before the first.
    content: Chunk,
    /// Another writer has appended.
    lost: bool,
    /// What a commit in the log was made of is gone.
    given_up: bool,
    /// Numbers that wait to be deleted.
    old: Vec<u64>,
}

/// Whose the next object is.
enum Written {
    Own,
    /// Somebody else's, or of an earlier call; with the block in it, and all that is.
    Another(Option<Block>, Chunk),
}

impl ObjectLog {
    /// Reads the last object and writes one behind it; `None` where somebody else did so before.
    pub(super) async fn open(
        lake: &Lake,
        lease: &Lease,
        tp: &TopicPartition,
    ) -> Result<Option<(Self, Option<Block>)>> {
        let directory = lake.commits(tp)?;
        let paths = lake.store.list(&directory).await?;
        let mut numbers: Vec<u64> = paths.iter().filter_map(|path| path.name().parse().ok()).collect();
        numbers.sort_unstable();
        let mut log = Self {
            directory,
            last: numbers.pop().unwrap_or(0),
            content: Chunk::new(),
            lost: false,
            given_up: false,
            old: numbers,
        };
        let block = if log.last == 0 {
            None
        } else {
            let path = log.path(log.last)?;
            // One that is gone was deleted by somebody who wrote newer ones.
            let Some(bytes) = lake.store.read(&path, MAX_READ).await? else { return Ok(None) };
            log.content = Chunk::from(bytes);
            let block = read(&log.content).0.ok_or_else(|| {
                Error::fatal(format!(
                    "{path} is no commit of this sink: something else has changed it. Restore it, or move {} away and let \
                     Kafka's offsets count",
                    log.directory
                ))
            })?;
            Some(block)
        };
        let claim = Block {
            next: block.as_ref().map_or(NOWHERE, |block| block.next),
            history: block.as_ref().and_then(|block| block.history.clone()),
            // The next to take over finishes them as well, should it come to that.
            moves: block.as_ref().map(|block| block.moves.clone()).unwrap_or_default(),
        };
        match log.write(lake, &claim).await? {
            Written::Own if log.is_refused_again(lake).await? => {
                log.clear(lake, lease).await?;
                Ok(Some((log, block.filter(|block| block.next != NOWHERE))))
            }
            Written::Own | Written::Another(..) => Ok(None),
        }
    }

    /// Whether the store refuses to create the last object, which is there. It is not there any more where another writer went
    /// on meanwhile.
    ///
    /// # Errors
    /// Where the store replaces it, as some servers do that speak S3's protocol and know no conditions.
    async fn is_refused_again(&self, lake: &Lake) -> Result<bool> {
        let path = self.path(self.last)?;
        // Should the store replace it, then by the same.
        let create = || lake.store.create_object(&path, Chunk::clone(&self.content));
        if !create().await? {
            return Ok(true);
        }
        if create().await? {
            return Err(Error::fatal(format!(
                "the store has replaced {path}, which it was asked to create only where there is none (If-None-Match): it \
                 knows no conditional writes, so two tasks could commit the same records. Use one that does"
            )));
        }
        Ok(false)
    }

    pub(super) fn is_sound(&self) -> bool {
        !self.lost && !self.given_up
    }

    /// Whether another writer has won.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// See [`CommitLog::missing`](super::CommitLog::missing): another writer has this partition now, or had it for a while.
    pub(super) fn missing(&mut self, from: &LakePath, to: &LakePath) -> Error {
        self.given_up = true;
        Error::retriable(format!(
            "the temporary file {from} is gone before it became {to}: another writer has taken the partition over and finished \
             the file, and somebody has moved it away since. The partition is taken over anew"
        ))
    }

    fn path(&self, number: u64) -> Result<LakePath> {
        self.directory.join(&format!("{number:020}"))
    }

    /// Creates the next object.
    async fn write(&mut self, lake: &Lake, block: &Block) -> Result<Written> {
        let path = self.path(self.last.saturating_add(1))?;
        let mut bytes = block.to_bytes();
        // By this line one's own object is known when the answer to its creation was lost.
        bytes.extend_from_slice(format!("writer {}\n", random_name()).as_bytes());
        let bytes = Chunk::from(bytes);
        if !lake.store.create_object(&path, Chunk::clone(&bytes)).await? {
            let there = lake.store.read(&path, MAX_READ).await?.unwrap_or_default();
            if there != bytes {
                return Ok(Written::Another(read(&there).0, Chunk::from(there)));
            }
        }
        match self.is_next(lake).await? {
            true => {
                self.advance_to(bytes);
                Ok(Written::Own)
            }
            false => Ok(Written::Another(None, Chunk::new())),
        }
    }

    /// Whether the object behind the last one that is known, which is there now, is the first of that number.
    async fn is_next(&self, lake: &Lake) -> Result<bool> {
        if self.last > 0 {
            let there = lake.store.read(&self.path(self.last)?, MAX_READ).await?;
            return Ok(there.is_some_and(|there| there == self.content));
        }
        let paths = lake.store.list(&self.directory).await?;
        Ok(paths.iter().filter_map(|path| path.name().parse().ok()).all(|number: u64| number <= 1))
    }

    pub(super) async fn append(&mut self, lake: &Lake, lease: &Lease, block: &Block) -> Result<()> {
        if self.lost || !self.write_or_recognise(lake, block).await? {
            self.lost = true;
            return Err(Error::retriable(format!(
                "another writer has taken {} over: a task of this or another worker that writes the same topic to the same \
                 place (another connector needs a logs.dir of its own). This one takes it over anew, if it still has the \
                 partition",
                self.directory
            )));
        }
        self.clear(lake, lease).await
    }

    /// Deletes old objects, the oldest first.
    async fn clear(&mut self, lake: &Lake, lease: &Lease) -> Result<()> {
        while let Some(&oldest) = self.old.first().filter(|oldest| oldest.saturating_add(KEPT) <= self.last) {
            lake.store.delete(lease, &self.path(oldest)?).await?;
            self.old.remove(0);
        }
        Ok(())
    }

    /// Writes the block, unless an earlier call did that heard only of an error.
    async fn write_or_recognise(&mut self, lake: &Lake, block: &Block) -> Result<bool> {
        let Written::Another(found, content) = self.write(lake, block).await? else { return Ok(true) };
        // Names of temporary files are random, so a block with the same ones is the same.
        let ours = !block.moves.is_empty() && found.as_ref() == Some(block) && self.is_next(lake).await?;
        if ours {
            self.advance_to(content);
        }
        Ok(ours)
    }

    /// The next object is there, with this in it.
    fn advance_to(&mut self, content: Chunk) {
        if self.last > 0 {
            self.old.push(self.last);
        }
        self.last = self.last.saturating_add(1);
        self.content = content;
    }

    /// Writes that nothing is known.
    pub(super) async fn forget(&mut self, lake: &Lake, lease: &Lease) -> Result<()> {
        self.append(lake, lease, &Block { next: NOWHERE, history: None, moves: Vec::new() }).await
    }
}
