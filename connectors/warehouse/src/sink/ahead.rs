//! Writing ahead: while the database is busy with a transaction, the task takes the next polls.
//!
//! Polls are written in their order, several of them in one transaction: those that wait when it begins, and where the
//! database takes [streams](super::writer) of rows those that come while it is open. What is taken and not yet committed is bounded in bytes. The first failure ends it: nothing
//! behind it is written, and whoever [finishes](Ahead::finish) hears which records are not in the database.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::data::{Blob, SinkRecord};
use lavka_api::plugin::{Offsets, SinkBatch};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::batch::Batch;
use super::threads;
use super::writer::{Ended, Streamed, Writer};
use crate::driver::FailureKind;

/// What may be taken and not yet committed, in bytes as consumed.
const ROOM: u32 = 16 * 1024 * 1024;
/// What a record counts beside its bytes.
const RECORD: usize = 200;
/// Polls that wait at most, however small they are.
const POLLS: usize = 64;
/// How long an open transaction waits for the next poll: while the task is busy with it, it comes sooner.
const PAUSE: Duration = Duration::from_millis(10);

/// A poll with the room that it takes up.
pub(super) type Waiting = (SinkBatch, OwnedSemaphorePermit);

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
        let polls_of_writer = Polls { queue: waiting, held: None, most, mixed: false };
        writing.spawn_on(write(writer, polls_of_writer), &threads::handle());
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

/// What a transaction has taken.
pub(super) struct Taken {
    pub(super) batch: Batch,
    room: OwnedSemaphorePermit,
}

impl Taken {
    pub(super) fn add(&mut self, (poll, room): Waiting) {
        self.batch.push(poll);
        self.room.merge(room);
    }
}

/// Polls that wait, as a transaction takes them.
pub(super) struct Polls {
    queue: mpsc::Receiver<Waiting>,
    /// One that is for the next transaction.
    held: Option<Waiting>,
    /// Records of a transaction.
    most: usize,
    /// Whether the last one that was held goes another way than those before it.
    mixed: bool,
}

impl Polls {
    /// The first poll of a transaction; `None` where no more will come.
    async fn first(&mut self) -> Option<Taken> {
        let first = match self.held.take() {
            Some(waiting) => Some(waiting),
            None => self.queue.recv().await,
        };
        first.map(|(poll, room)| Taken { batch: Batch::of(poll), room })
    }

    /// Adds those that wait.
    fn gather(&mut self, taken: &mut Taken) {
        while self.held.is_none()
            && let Ok(waiting) = self.queue.try_recv()
        {
            if self.fits(taken, &waiting) {
                taken.add(waiting);
            } else {
                self.held = Some(waiting);
            }
        }
    }

    /// The next poll for a transaction that is open, should one come before it has to end.
    pub(super) async fn next(&mut self, taken: &Taken, end: Instant) -> Option<Waiting> {
        let now = Instant::now();
        // With half of the room in it there is no telling whether any more can come.
        if now >= end
            || self.held.is_some()
            || taken.batch.len() >= self.most
            || taken.room.num_permits() >= ROOM as usize / 2
        {
            return None;
        }
        let end = end.min(now + PAUSE);
        let waiting = tokio::time::timeout_at(end, self.queue.recv()).await.ok().flatten()?;
        if self.fits(taken, &waiting) {
            return Some(waiting);
        }
        self.held = Some(waiting);
        None
    }

    /// Gives back what [`next`](Self::next) gave, as it does not go where the others go.
    pub(super) fn hold(&mut self, waiting: Waiting) {
        self.held = Some(waiting);
        self.mixed = true;
    }

    fn fits(&self, taken: &Taken, (poll, _): &Waiting) -> bool {
        taken.batch.len().saturating_add(poll.len()) <= self.most
    }

    /// Takes no more, and lowers `offsets` to what was not written of those that wait.
    async fn abandon(mut self, offsets: &mut Offsets) {
        self.queue.close();
        if let Some((poll, _)) = self.held {
            Batch::of(poll).lower(offsets);
        }
        while let Some((poll, _)) = self.queue.recv().await {
            Batch::of(poll).lower(offsets);
        }
    }
}

async fn write(mut writer: Box<Writer>, mut polls: Polls) -> Done {
    while let Some(mut taken) = polls.first().await {
        // Polls that go to several tables in turn share a transaction rather than each have a stream of its own.
        let streamed = match std::mem::take(&mut polls.mixed) {
            true => Ok(Streamed::Unfit),
            false => writer.stream(&mut taken, &mut polls).await,
        };
        let outcome = match streamed {
            Ok(Streamed::Written) => Ok(()),
            Ok(Streamed::Unfit) => {
                polls.gather(&mut taken);
                writer.write_whole(&taken.batch).await
            }
            // Once more: the rows may be fine.
            Err(Ended::Failed(failure))
                if matches!(failure.kind, FailureKind::Form | FailureKind::Changed | FailureKind::Lost) =>
            {
                writer.write_whole(&taken.batch).await
            }
            Err(ended) => Err(ended),
        };
        if let Err(why) = outcome {
            let mut unwritten = Offsets::new();
            taken.batch.lower(&mut unwritten);
            polls.abandon(&mut unwritten).await;
            return Done { writer, trouble: Some(Trouble { why, unwritten }) };
        }
        // Freeing thousands of records takes milliseconds, in which the database would wait for the next transaction.
        tokio::task::spawn_blocking(move || drop(taken));
    }
    Done { writer, trouble: None }
}
