//! Finishing all open files of a topic partition together.
//!
//! The order is what makes it exactly once:
//!
//! 1. every temporary file complete and synced, and their directory, so that their names last;
//! 2. a block in the log with all temporary and final names, synced: from here on the commit has happened, because
//!    whoever recovers the partition finishes it;
//! 3. every rename, never replacing;
//! 4. the directories of the final names synced;
//! 5. tags, where there are some.
//!
//! Before step 2 a crash leaves temporary files that recovery deletes, and the records are read again. After it
//! nothing of the commit is read again. Each step can be repeated, so that a commit survives a full disk. Tags alone are
//! lost with the process: a recovery knows nothing of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use lavka_api::data::TopicPartition;
use lavka_api::{Error, Result};

use crate::commit_log::CommitLog;
use crate::history::History;
use crate::lake::Lake;
use crate::lost_file;
use crate::open_file::OpenFile;
use crate::store::{LakePath, Lease, Renamed};
use crate::wal::Block;

/// A commit under way.
#[derive(Debug)]
pub(crate) struct Commit {
    tp: TopicPartition,
    block: Block,
    /// The tags of each of the block's files, where they get some.
    tags: Vec<Arc<[(String, String)]>>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Seal,
    Log,
    /// This many files have their final names.
    Rename(usize),
    Settle,
    /// This many files have their tags.
    Tag(usize),
    Done,
}

impl Commit {
    /// Plans the commit of `files`, all of which have records; `next` is the first offset behind them, `history` what was
    /// taken up to there.
    ///
    /// # Errors
    /// A data error where a final name is not possible, such as one that is too long.
    pub(crate) fn plan(
        lake: &Lake,
        tp: &TopicPartition,
        files: &[OpenFile],
        next: i64,
        history: &History,
    ) -> Result<Self> {
        let mut moves = Vec::with_capacity(files.len());
        let mut tags = Vec::new();
        for file in files {
            let of_file = lake.settings.tagging.as_ref().map(|tagging| Arc::from(tagging.tags(file)));
            for part in file.parts() {
                let Some(path) = file.path(lake, part)? else { continue };
                moves.push((part.temp.clone(), path));
                tags.extend(of_file.clone());
            }
        }
        let block = Block { next, history: Some(history.clone()), moves };
        Ok(Self { tp: tp.clone(), block, tags, step: Step::Seal })
    }

    /// The first offset behind the commit.
    pub(crate) fn next(&self) -> i64 {
        self.block.next
    }

    /// Whether a recovery may act on this commit, so that its temporary files must stay.
    pub(crate) fn may_be_logged(&self) -> bool {
        !matches!(self.step, Step::Seal | Step::Done)
    }

    /// Goes on until it is done. After an error the next call goes on from the same step.
    pub(crate) async fn advance(
        &mut self,
        lake: &Lake,
        lease: &Lease,
        log: &mut CommitLog,
        files: &mut [OpenFile],
    ) -> Result<()> {
        loop {
            self.step = match self.step {
                Step::Seal => {
                    for file in files.iter_mut() {
                        file.seal(lake, lease).await?;
                    }
                    sync_parents(lake, lease, self.block.moves.iter().map(|(temp, _)| temp)).await?;
                    Step::Log
                }
                Step::Log => {
                    log.append(lake, lease, &self.block).await?;
                    Step::Rename(0)
                }
                Step::Rename(done) => match self.block.moves.get(done) {
                    Some((from, to)) => {
                        match finish_rename(lake, lease, from, to).await? {
                            Renamed::SourceMissing => return Err(log.missing(from, to)),
                            // Brings the others to their names and says which one is lost.
                            Renamed::Lost(_) => drop(replay(lake, lease, &self.tp, &self.block).await?),
                            _ => {}
                        }
                        Step::Rename(done + 1)
                    }
                    None => Step::Settle,
                },
                Step::Settle => {
                    sync_parents(lake, lease, self.block.moves.iter().map(|(_, path)| path)).await?;
                    Step::Tag(0)
                }
                Step::Tag(done) => {
                    match (&lake.settings.tagging, self.block.moves.get(done), self.tags.get(done)) {
                        (Some(tagging), Some((_, path)), Some(tags)) => {
                            tagging.apply(lake, path, tags).await?;
                            Step::Tag(done + 1)
                        }
                        _ => Step::Done,
                    }
                }
                Step::Done => return Ok(()),
            };
        }
    }
}

/// Finishes the commit that a log ends with, which may have been cut off anywhere or be long done. Tells how many
/// files still had to get their names.
///
/// # Errors
/// Where a file of it is lost, after the others got their names.
pub(crate) async fn replay(lake: &Lake, lease: &Lease, tp: &TopicPartition, block: &Block) -> Result<usize> {
    let mut there = Vec::new();
    let mut renamed = 0;
    let mut lost = None;
    for (from, to) in &block.moves {
        match finish_rename(lake, lease, from, to).await? {
            Renamed::Done => {
                there.push(to);
                renamed += 1;
            }
            // What an earlier try did may not be durable yet.
            Renamed::AlreadyDone => there.push(to),
            // Somebody has moved the finished file away since.
            Renamed::SourceMissing | Renamed::TargetExists => {}
            Renamed::Lost(file) => lost = lost.or(Some(file)),
        }
    }
    sync_parents(lake, lease, there.into_iter()).await?;
    match lost {
        Some(lost) => Err(lost_file::error(lake, tp, block, &lost)),
        None => Ok(renamed),
    }
}

/// Gives a file its final name, if it does not have it yet and nobody else has taken it.
async fn finish_rename(lake: &Lake, lease: &Lease, from: &LakePath, to: &LakePath) -> Result<Renamed> {
    match lake.store.rename_if_absent(lease, from, to).await? {
        Renamed::TargetExists => Err(Error::fatal(format!(
            "there is a file {to} already, and it is another one than this task has just finished ({from}). If the \
             topic was deleted and created again, move its old files and its directory below logs.dir away and restart \
             the task"
        ))),
        done => Ok(done),
    }
}

async fn sync_parents<'p>(
    lake: &Lake,
    lease: &Lease,
    paths: impl Iterator<Item = &'p LakePath> + Send,
) -> Result<()> {
    let parents: BTreeSet<LakePath> = paths.filter_map(LakePath::parent).collect();
    for parent in parents {
        // One that is gone was cleared away with the files that somebody has moved out of it.
        lake.store.sync(lease, &parent).await?;
    }
    Ok(())
}
