//! A log of objects: each commit is one, with the next number.
//!
//! An object is created only where there is none of its name, so of two writers who want to commit one wins, and the other
//! knows. Whoever takes a partition over begins with an object of its own: from then on no earlier writer can commit, and
//! what those have not committed may be cleared away.

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
    /// Another writer has appended.
    lost: bool,
    /// Numbers that wait to be deleted.
    old: Vec<u64>,
}

/// Whose the next object is.
enum Written {
    Own,
    /// Somebody else's, or of an earlier call; with what is in it.
    Another(Option<Block>),
}

impl ObjectLog {
    /// Reads the last object and writes one behind it; `None` where somebody else did so before.
    pub(super) async fn open(lake: &Lake, tp: &TopicPartition) -> Result<Option<(Self, Option<Block>)>> {
        let directory = lake.commits(tp)?;
        let paths = lake.store.list(&directory).await?;
        let mut numbers: Vec<u64> = paths.iter().filter_map(|path| path.name().parse().ok()).collect();
        numbers.sort_unstable();
        let mut log = Self { directory, last: numbers.pop().unwrap_or(0), lost: false, old: numbers };
        let block = if log.last == 0 {
            None
        } else {
            let path = log.path(log.last)?;
            // One that is gone was deleted by somebody who wrote newer ones.
            let Some(bytes) = lake.store.read(&path, MAX_READ).await? else { return Ok(None) };
            let block = read(&bytes).0.ok_or_else(|| {
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
            Written::Own => Ok(Some((log, block.filter(|block| block.next != NOWHERE)))),
            Written::Another(_) => Ok(None),
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        !self.lost
    }

    fn path(&self, number: u64) -> Result<LakePath> {
        self.directory.join(&format!("{number:020}"))
    }

    /// Creates the next object.
    async fn write(&mut self, lake: &Lake, block: &Block) -> Result<Written> {
        let number = self.last.saturating_add(1);
        let path = self.path(number)?;
        let mut bytes = block.to_bytes();
        // By this line one's own object is known when the answer to its creation was lost.
        bytes.extend_from_slice(format!("writer {}\n", random_name()).as_bytes());
        let bytes = Chunk::from(bytes);
        if !lake.store.create_object(&path, Chunk::clone(&bytes)).await? {
            let there = lake.store.read(&path, MAX_READ).await?.unwrap_or_default();
            if there != bytes {
                return Ok(Written::Another(read(&there).0));
            }
        }
        self.advance_to(number);
        Ok(Written::Own)
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
        while let Some(&oldest) = self.old.first().filter(|oldest| **oldest + KEPT <= self.last) {
            lake.store.delete(lease, &self.path(oldest)?).await?;
            self.old.remove(0);
        }
        Ok(())
    }

    /// Writes the block, unless an earlier call did that heard only of an error.
    async fn write_or_recognise(&mut self, lake: &Lake, block: &Block) -> Result<bool> {
        let Written::Another(found) = self.write(lake, block).await? else { return Ok(true) };
        // Names of temporary files are random, so a block with the same ones is the same.
        let ours = !block.moves.is_empty() && found.as_ref() == Some(block);
        if ours {
            self.advance_to(self.last.saturating_add(1));
        }
        Ok(ours)
    }

    /// The object of this number is the last one.
    fn advance_to(&mut self, number: u64) {
        if self.last > 0 {
            self.old.push(self.last);
        }
        self.last = number;
    }

    /// Writes that nothing is known.
    pub(super) async fn forget(&mut self, lake: &Lake, lease: &Lease) -> Result<()> {
        self.append(lake, lease, &Block { next: NOWHERE, history: None, moves: Vec::new() }).await
    }
}
