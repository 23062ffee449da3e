//! The stream as the connector sees it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt as _;
use lavka_api::{Error, Result};
use pgwire_replication::{Lsn as WireLsn, ReplicationClient, ReplicationEvent};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::bridge::Endpoint;
use super::line::{Line, rest};
use super::queue::{Bounds, Load, Queue};
use crate::database::named_wire;
use crate::pgoutput::{Begin, Commit, Lsn};

/// Microseconds between the epochs of PostgreSQL (2000) and of Unix.
const EPOCH_GAP: i64 = 946_684_800_000_000;
/// How long a stopping stream waits for the server's goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// Frames that are moved into the queue at once, and bytes after which no more are.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 256 * 1024;

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

/// A stream over `pgwire-replication`.
///
/// Two tasks take turns on a thread of their own: the client's, which reads the socket and keeps telling the server how far
/// we are, and one that moves frames into the queue and hands confirmed positions to the client, also while the queue is
/// full.
pub(super) struct WireStream {
    queue: Arc<Queue>,
    stop: watch::Sender<bool>,
    mover: Option<JoinHandle<()>>,
    _line: Line,
}

impl WireStream {
    /// Moves what `client` receives. `confirmed` says what the server may forget; it only grows.
    pub(super) fn new(
        client: ReplicationClient,
        endpoint: Endpoint,
        line: Line,
        confirmed: watch::Receiver<u64>,
        bounds: Bounds,
        slot: String,
    ) -> Self {
        let queue = Arc::new(Queue::new(bounds));
        let (stop, stopped) = watch::channel(false);
        let mover = Mover { client, endpoint, confirmed, stopped, queue: Arc::clone(&queue), slot };
        Self { queue, stop, mover: Some(line.runtime().spawn(mover.run())), _line: line }
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

struct Mover {
    client: ReplicationClient,
    /// Holds the TLS bridge as long as the connection.
    endpoint: Endpoint,
    confirmed: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
    queue: Arc<Queue>,
    slot: String,
}

enum Wake {
    Event(Result<Option<ReplicationEvent>, pgwire_replication::PgWireError>),
    Room,
    Confirmed,
    Stopped,
}

impl Mover {
    async fn run(mut self) {
        let mut waiting = VecDeque::new();
        loop {
            let wake = tokio::select! {
                biased;
                _ = self.stopped.changed() => Wake::Stopped,
                changed = self.confirmed.changed() => match changed {
                    Ok(()) => Wake::Confirmed,
                    // Whoever confirms is gone, and so is whoever takes.
                    Err(_) => Wake::Stopped,
                },
                () = self.queue.room(), if !waiting.is_empty() => Wake::Room,
                event = self.client.recv(), if waiting.is_empty() => Wake::Event(event),
            };
            let ended = match wake {
                Wake::Room => {
                    self.queue.offer(&mut waiting);
                    None
                }
                Wake::Confirmed => {
                    let confirmed = *self.confirmed.borrow_and_update();
                    self.client.update_applied_lsn(WireLsn(confirmed));
                    None
                }
                Wake::Stopped => {
                    let _ = tokio::time::timeout(FAREWELL, self.client.shutdown()).await;
                    Some(Error::retriable("the stream was stopped"))
                }
                Wake::Event(event) => self.gather(event, &mut waiting).await,
            };
            if let Some(why) = ended {
                self.queue.end(why);
                break;
            }
        }
        drop(self.endpoint);
    }

    /// Moves `event` and whatever else has come into the queue, and rests where that was all. What is left in `waiting`
    /// found no room. Why the stream has ended, if it has.
    async fn gather(
        &mut self,
        event: Result<Option<ReplicationEvent>, pgwire_replication::PgWireError>,
        waiting: &mut VecDeque<Frame>,
    ) -> Option<Error> {
        let mut next = Some(event);
        let (mut dry, mut bytes) = (false, 0);
        while let Some(event) = next {
            match event {
                Ok(Some(event)) => {
                    let frame = frame(event);
                    bytes += frame.as_ref().map_or(0, Frame::size);
                    waiting.extend(frame);
                }
                // What finds no room then is sent again to whoever connects next.
                Ok(None) => {
                    self.queue.offer(waiting);
                    return Some(Error::retriable(format!(
                        "the server ended the stream of slot {}",
                        self.slot
                    )));
                }
                Err(error) => {
                    self.queue.offer(waiting);
                    return Some(named_wire(&error, &format!("streaming from slot {}", self.slot)));
                }
            }
            if waiting.len() >= BATCH || bytes >= BATCH_BYTES {
                break;
            }
            next = self.client.recv().now_or_never();
            if next.is_none() {
                // The client's task may have more that it had no room for; this lets it read until the socket is empty.
                tokio::task::yield_now().await;
                next = self.client.recv().now_or_never();
                dry = next.is_none();
            }
        }
        self.queue.offer(waiting);
        if dry && waiting.is_empty() {
            rest();
        }
        None
    }
}

fn frame(event: ReplicationEvent) -> Option<Frame> {
    Some(match event {
        ReplicationEvent::XLogData { wal_start, data, .. } => {
            Frame::Data { lsn: Lsn(wal_start.as_u64()), bytes: data }
        }
        ReplicationEvent::Begin { final_lsn, xid, commit_time_micros } => Frame::Begin(Begin {
            final_lsn: Lsn(final_lsn.as_u64()),
            commit_micros: commit_time_micros.saturating_add(EPOCH_GAP),
            xid,
        }),
        ReplicationEvent::Commit { lsn, end_lsn, commit_time_micros } => Frame::Commit(Commit {
            commit_lsn: Lsn(lsn.as_u64()),
            end_lsn: Lsn(end_lsn.as_u64()),
            commit_micros: commit_time_micros.saturating_add(EPOCH_GAP),
        }),
        ReplicationEvent::Message { transactional, lsn, prefix, content } => {
            Frame::Logical { transactional, lsn: Lsn(lsn.as_u64()), prefix, content }
        }
        ReplicationEvent::KeepAlive { wal_end, reply_requested, .. } => {
            Frame::KeepAlive { end: Lsn(wal_end.as_u64()), asks: reply_requested }
        }
        // Only asked for by whoever sets a place to stop at.
        ReplicationEvent::StoppedAt { .. } => return None,
    })
}
