//! The log of commits of a topic partition, in the form that its store asks for.
//!
//! | form | what it is | what keeps a second writer out |
//! | --- | --- | --- |
//! | `lines` | a file of text that grows | the lease of a lock file |
//! | `hadoop` | the HDFS sink's binary file | HDFS's lease on that file |
//! | `objects` | a numbered object for each commit | nobody creates an object that is there already |
//!
//! What they say is the same: the [`Block`]s of commits, of which the last whole one counts.

mod hadoop;
mod lines;
mod objects;

use lavka_api::data::TopicPartition;
use lavka_api::{Error, Result};

use crate::history::History;
use crate::lake::Lake;
use crate::store::{LakePath, Lease, LogForm};
use crate::wal::Block;
use hadoop::HadoopLog;
use lines::LinesLog;
use objects::ObjectLog;

/// A log that is being appended to.
#[derive(Debug)]
pub(crate) enum CommitLog {
    Lines(LinesLog),
    Hadoop(HadoopLog),
    Objects(ObjectLog),
}

/// A log as it was found.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) log: CommitLog,
    /// Its last whole block.
    pub(crate) block: Option<Block>,
    /// Temporary files of a block that was never finished, where the log tells.
    pub(crate) orphans: Vec<LakePath>,
}

impl CommitLog {
    /// Reads what is there, and makes sure that nobody who wrote it before can go on: `None` where somebody else did the
    /// same in this moment.
    pub(crate) async fn open(lake: &Lake, lease: &mut Lease, tp: &TopicPartition) -> Result<Option<Opened>> {
        match lake.store.log_form() {
            LogForm::Lines => {
                let (log, block) = LinesLog::open(lake, lease, tp).await?;
                Ok(Some(Opened { log: Self::Lines(log), block, orphans: Vec::new() }))
            }
            LogForm::Hadoop { root } => {
                let found = HadoopLog::open(lake, lease, tp, root).await?;
                Ok(found.map(|(log, block, orphans)| Opened { log: Self::Hadoop(log), block, orphans }))
            }
            LogForm::Objects => {
                let found = ObjectLog::open(lake, lease, tp).await?;
                Ok(found.map(|(log, block)| Opened { log: Self::Objects(log), block, orphans: Vec::new() }))
            }
        }
    }

    /// Whether a commit may still be appended; where not, the partition has to be taken over anew.
    pub(crate) fn is_sound(&self) -> bool {
        match self {
            Self::Lines(_) => true,
            Self::Hadoop(log) => log.is_sound(),
            Self::Objects(log) => log.is_sound(),
        }
    }

    /// Whether another writer has won, so that a commit that was not appended never will be.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::Objects(log) if log.is_lost())
    }

    /// What it means that a file of a commit in the log, which this writer was about to give its name, is gone.
    pub(crate) fn missing(&mut self, from: &LakePath, to: &LakePath) -> Error {
        match self {
            Self::Objects(log) => log.missing(from, to),
            Self::Lines(_) | Self::Hadoop(_) => Error::fatal(format!(
                "the temporary file {from} is gone before it became {to}: something else deletes files below +tmp, and its \
                 records are in no file. Find out what does, and restore the file before the task is restarted: that takes it \
                 for one that was moved away"
            )),
        }
    }

    /// Replaces a long log by a short one. Called when nothing of a commit is outstanding; `next` is the offset to go on
    /// from, `history` what was taken up to there.
    pub(crate) async fn shorten(
        &mut self,
        lake: &Lake,
        lease: &mut Lease,
        next: i64,
        history: &History,
    ) -> Result<()> {
        match self {
            Self::Lines(log) => log.shorten(lake, lease, next, history).await,
            Self::Hadoop(log) => log.shorten(lake, lease, next, history).await,
            // Old objects go when new ones come.
            Self::Objects(_) => Ok(()),
        }
    }

    /// Deletes the log: Kafka's offsets count from now on.
    pub(crate) async fn forget(&mut self, lake: &Lake, lease: &Lease) -> Result<()> {
        match self {
            Self::Lines(log) => log.forget(lake, lease).await,
            Self::Hadoop(log) => log.forget(lake, lease).await,
            Self::Objects(log) => log.forget(lake, lease).await,
        }
    }

    /// Appends a block, durable on return. May be repeated after an error.
    pub(crate) async fn append(&mut self, lake: &Lake, lease: &Lease, block: &Block) -> Result<()> {
        match self {
            Self::Lines(log) => log.append(lake, lease, block).await,
            Self::Hadoop(log) => log.append(lake, lease, block).await,
            Self::Objects(log) => log.append(lake, lease, block).await,
        }
    }
}
