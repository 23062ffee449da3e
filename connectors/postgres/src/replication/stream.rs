//! The stream as the connector sees it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lavka_api::Result;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::line::Line;
use super::mover::Mover;
use super::queue::{Bounds, Load, Queue};
use super::wire::Wire;
use crate::pgoutput::{Begin, Commit, Lsn};

/// How long a stopping stream waits for the server's goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// Something that arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Frame {
    /// A transaction begins.
    Begin(Begin),
    /// It ends.
    Commit(Commit),
    /// A logical message.
    Logical {
        /// Whether it belongs to the transaction it came in.
        transactional: bool,
        lsn: Lsn,
        prefix: String,
        content: Bytes,
    },
    /// Any other message of `pgoutput`, with the LSN of its frame.
    Data { lsn: Lsn, bytes: Bytes },
    /// The server is alive, and everything up to this place was sent. It asks for an answer at once where it is about to
    /// shut down, and waits for it.
    KeepAlive { end: Lsn, asks: bool },
}

impl Frame {
    /// Bytes that it takes, roughly.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Data { bytes, .. } => bytes.len(),
                Self::Logical { prefix, content, .. } => prefix.len() + content.len(),
                Self::Begin(_) | Self::Commit(_) | Self::KeepAlive { .. } => 0,
            }
    }
}

/// Changes of a slot in the order of their commits.
#[async_trait]
pub(crate) trait ChangeStream: Send {
    /// Moves what has arrived into `into`, up to `most` frames; waits until there is one. May be dropped while it waits.
    ///
    /// # Errors
    /// Why the stream has ended.
    async fn take(&mut self, most: usize, into: &mut VecDeque<Frame>) -> Result<()>;

    /// As [`take`](Self::take) without waiting; whether anything was there.
    ///
    /// # Errors
    /// As there.
    fn try_take(&mut self, most: usize, into: &mut VecDeque<Frame>) -> Result<bool>;

    /// How much has arrived and was not taken.
    fn load(&self) -> Load;

    /// Ends it in an orderly way.
    async fn stop(&mut self);
}

/// A stream over a connection, whose reader has a thread of its own.
pub(super) struct WireStream {
    queue: Arc<Queue>,
    stop: watch::Sender<bool>,
    mover: Option<JoinHandle<()>>,
    _line: Line,
}

impl WireStream {
    /// Moves what comes by `wire`, on which the stream has begun. `confirmed` says what the server may forget; it only
    /// grows, and is told to the server each `status_interval` at least.
    pub(super) fn new(
        wire: Wire,
        line: Line,
        confirmed: watch::Receiver<u64>,
        status_interval: Duration,
        bounds: Bounds,
        slot: String,
    ) -> Self {
        let queue = Arc::new(Queue::new(bounds));
        let (stop, stopped) = watch::channel(false);
        let mover = Mover::new(wire, confirmed, stopped, status_interval, Arc::clone(&queue), slot);
        Self { queue, stop, mover: Some(line.runtime().spawn(mover.run(FAREWELL))), _line: line }
    }
}

#[async_trait]
impl ChangeStream for WireStream {
    async fn take(&mut self, most: usize, into: &mut VecDeque<Frame>) -> Result<()> {
        self.queue.take(most, into).await
    }

    fn try_take(&mut self, most: usize, into: &mut VecDeque<Frame>) -> Result<bool> {
        match self.queue.try_take(most, into) {
            Some(outcome) => outcome.map(|()| true),
            None => Ok(false),
        }
    }

    fn load(&self) -> Load {
        self.queue.load()
    }

    async fn stop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(mut mover) = self.mover.take()
            && tokio::time::timeout(FAREWELL, &mut mover).await.is_err()
        {
            mover.abort();
        }
    }
}

impl Drop for WireStream {
    fn drop(&mut self) {
        if let Some(mover) = self.mover.take() {
            mover.abort();
        }
    }
}
