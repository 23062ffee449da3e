//! Writing ahead: while the database is busy with a transaction, the task takes the next polls.
//!
//! Polls are written in their order, those that wait together in one transaction: the slower the database, the fewer and
//! larger its transactions. What is taken and not yet committed is bounded in bytes. The first failure ends it: nothing
//! behind it is written, and whoever [finishes](Ahead::finish) hears which records are not in the database.

use std::sync::Arc;

use lavka_api::data::{Blob, SinkRecord};
use lavka_api::plugin::{Offsets, SinkBatch};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::batch::Batch;
use super::writer::{Ended, Writer};

/// What may be taken and not yet committed, in bytes as consumed.
const ROOM: u32 = 16 * 1024 * 1024;
/// What a record counts beside its bytes.
const RECORD: usize = 200;
/// Polls that wait at most, however small they are.
const POLLS: usize = 64;

/// A poll with the room that it takes up.
type Waiting = (SinkBatch, OwnedSemaphorePermit);

/// A writer at work. Where it is dropped, so is what it was doing.
pub(super) struct Ahead {
    polls: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    writing: JoinSet<Done>,
}

/// A writer whose work is over.
pub(super) struct Done {
    pub(super) writer: Box<Writer>,
    /// Where it ended early.
    pub(super) trouble: Option<Trouble>,
}

/// What was not written, and why.
pub(super) struct Trouble {
    pub(super) why: Ended,
    /// For each partition the first offset that is not in the database.
    pub(super) unwritten: Offsets,
}

impl Ahead {
    /// Sets a writer to work; transactions have `most` records at most, unless one poll has more.
    pub(super) fn start(writer: Box<Writer>, most: usize) -> Self {
        let (polls, waiting) = mpsc::channel(POLLS);
        let mut writing = JoinSet::new();
        writing.spawn(write(writer, waiting, most));
        Self { polls, room: Arc::new(Semaphore::new(ROOM as usize)), writing }
    }

    /// Hands a poll over, as soon as there is room. `false` where the work is over and the poll was not taken.
    pub(super) async fn take(&self, poll: &SinkBatch) -> bool {
        match self.room.clone().acquire_many_owned(size(poll)).await {
            Ok(permit) => self.polls.send((poll.clone(), permit)).await.is_ok(),
            Err(_) => false,
        }
    }

    /// Waits until all that was handed over is written, or it is known that it cannot be. `None` where the writer is lost.
    pub(super) async fn finish(self) -> Option<Done> {
        let Self { polls, mut writing, .. } = self;
        drop(polls);
        writing.join_next().await?.ok()
    }
}

fn size(poll: &SinkBatch) -> u32 {
    let bytes = |record: &SinkRecord| {
        let length = |blob: &Option<Blob>| blob.as_ref().map_or(0, |blob| blob.as_slice().len());
        length(&record.raw_key) + length(&record.raw_value) + RECORD
    };
    let size = poll.iter().map(bytes).fold(0, usize::saturating_add);
    u32::try_from(size).map_or(ROOM, |size| size.min(ROOM))
}

async fn write(mut writer: Box<Writer>, mut polls: mpsc::Receiver<Waiting>, most: usize) -> Done {
    let mut held = None;
    loop {
        let first = match held.take() {
            Some(waiting) => Some(waiting),
            None => polls.recv().await,
        };
        let Some((poll, mut room)) = first else { return Done { writer, trouble: None } };
        let mut batch = Batch::of(poll);
        while let Ok((poll, permit)) = polls.try_recv() {
            if batch.len().saturating_add(poll.len()) > most {
                held = Some((poll, permit));
                break;
            }
            batch.push(poll);
            room.merge(permit);
        }
        let Err(why) = writer.write_whole(&batch).await else { continue };
        polls.close();
        let mut unwritten = Offsets::new();
        batch.lower(&mut unwritten);
        if let Some((poll, _)) = held {
            Batch::of(poll).lower(&mut unwritten);
        }
        while let Some((poll, _)) = polls.recv().await {
            Batch::of(poll).lower(&mut unwritten);
        }
        return Done { writer, trouble: Some(Trouble { why, unwritten }) };
    }
}
