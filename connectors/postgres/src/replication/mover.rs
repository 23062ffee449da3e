//! Moving what comes by a replication connection into the queue.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Buf as _, Bytes, BytesMut};
use futures::FutureExt as _;
use lavka_api::Error;
use postgres_protocol::message::backend;
use postgres_protocol::message::frontend::CopyData;
use tokio::sync::watch;
use tokio::time::Instant;

use super::line::rest;
use super::queue::Queue;
use super::stream::Frame;
use super::wire::{Message, Wire, server_error};
use crate::database::{WireError, named_wire};
use crate::pgoutput::{self, Lsn};

/// Microseconds between the epochs of PostgreSQL (2000) and of Unix.
const EPOCH_GAP: i64 = 946_684_800_000_000;

/// Frames that are moved into the queue at once, and bytes after which no more are.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 256 * 1024;

/// Reads a stream and keeps telling the server how far we are, also while the queue is full.
pub(super) struct Mover {
    wire: Wire,
    confirmed: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
    status_interval: Duration,
    /// When to tell the server next.
    due: Instant,
    queue: Arc<Queue>,
    /// What found no room in the queue. As long as there is something, nothing is read.
    waiting: VecDeque<Frame>,
    slot: String,
}

enum Wake {
    Read(Result<(), WireError>),
    Room,
    Due,
    Stopped,
}

impl Mover {
    pub(super) fn new(
        wire: Wire,
        confirmed: watch::Receiver<u64>,
        stopped: watch::Receiver<bool>,
        status_interval: Duration,
        queue: Arc<Queue>,
        slot: String,
    ) -> Self {
        let due = Instant::now();
        Self { wire, confirmed, stopped, status_interval, due, queue, waiting: VecDeque::new(), slot }
    }

    /// Moves until the stream ends or is stopped; then the server has `farewell` to end it too.
    pub(super) async fn run(mut self, farewell: Duration) {
        let why = match self.carry().await {
            Ok(()) => {
                // A server that does not answer is left.
                let _ = tokio::time::timeout(farewell, self.wire.close()).await;
                Error::retriable("the stream was stopped")
            }
            Err(WireError::Ended) => {
                Error::retriable(format!("the server ended the stream of slot {}", self.slot))
            }
            Err(error) => named_wire(&error, &format!("streaming from slot {}", self.slot)),
        };
        // What finds no room is sent again to whoever connects next.
        self.queue.offer(&mut self.waiting);
        self.queue.end(why);
    }

    /// Until it is to stop.
    async fn carry(&mut self) -> Result<(), WireError> {
        loop {
            let full = !self.waiting.is_empty();
            let wake = tokio::select! {
                biased;
                _ = self.stopped.changed() => Wake::Stopped,
                () = tokio::time::sleep_until(self.due) => Wake::Due,
                () = self.queue.room(), if full => Wake::Room,
                read = self.wire.read(), if !full => Wake::Read(read),
            };
            match wake {
                // Or whoever takes is gone.
                Wake::Stopped => return Ok(()),
                Wake::Due => self.tell(false).await?,
                Wake::Room => self.queue.offer(&mut self.waiting),
                Wake::Read(read) => {
                    read?;
                    self.gather().await?;
                }
            }
        }
    }

    /// Moves what was read and whatever else has come into the queue, and rests where that was all.
    async fn gather(&mut self) -> Result<(), WireError> {
        let (mut bytes, mut asked) = (0, false);
        let dry = loop {
            while let Some(message) = self.wire.take()? {
                let Some(frame) = frame(message)? else { continue };
                asked |= matches!(frame, Frame::KeepAlive { asks: true, .. });
                bytes += frame.size();
                self.waiting.push_back(frame);
            }
            if self.waiting.len() >= BATCH || bytes >= BATCH_BYTES {
                break false;
            }
            match self.more().await {
                Some(read) => read?,
                None => break true,
            }
        };
        if asked {
            self.tell(true).await?;
        }
        self.queue.offer(&mut self.waiting);
        if dry && self.waiting.is_empty() {
            rest();
        }
        Ok(())
    }

    /// Reads more, if more is there.
    async fn more(&mut self) -> Option<Result<(), WireError>> {
        if let Some(read) = self.wire.read().now_or_never() {
            return Some(read);
        }
        // A socket that gave less than there was room for is taken for empty, until the runtime has asked for news.
        tokio::task::yield_now().await;
        self.wire.read().now_or_never()
    }

    /// Tells the server how far we are (`Standby status update`): all that is confirmed was written, flushed and applied.
    /// An answer makes it say how far it is itself.
    async fn tell(&mut self, answer: bool) -> Result<(), WireError> {
        let confirmed = *self.confirmed.borrow();
        let update = status_update(confirmed, SystemTime::now(), answer);
        let mut out = BytesMut::new();
        CopyData::new(update.as_slice())?.write(&mut out);
        self.wire.send(&out).await?;
        self.due = Instant::now() + self.status_interval;
        Ok(())
    }
}

fn status_update(confirmed: u64, now: SystemTime, answer: bool) -> Vec<u8> {
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
    let micros = i64::try_from(since_epoch).unwrap_or(i64::MAX) - EPOCH_GAP;
    let mut out = vec![b'r'];
    for position in [confirmed; 3] {
        out.extend_from_slice(&position.to_be_bytes());
    }
    out.extend_from_slice(&micros.to_be_bytes());
    out.push(answer.into());
    out
}

/// What a message of the stream says; nothing for those that say nothing about changes.
fn frame(message: Message) -> Result<Option<Frame>, WireError> {
    let mut data = match message {
        Message::Copy(data) => data,
        Message::Other(backend::Message::ErrorResponse(error)) => return Err(server_error(&error)),
        Message::Other(backend::Message::CopyDone) => return Err(WireError::Ended),
        Message::Other(_) | Message::CopyBoth => return Ok(None),
    };
    let short = |_| WireError::Protocol("a frame of the stream is cut off".to_owned());
    Ok(Some(match data.try_get_u8().map_err(short)? {
        b'w' => {
            let lsn = Lsn(data.try_get_u64().map_err(short)?);
            let (_end, _clock) = (data.try_get_u64().map_err(short)?, data.try_get_u64().map_err(short)?);
            content(lsn, data)?
        }
        b'k' => {
            let end = Lsn(data.try_get_u64().map_err(short)?);
            let _clock = data.try_get_u64().map_err(short)?;
            Frame::KeepAlive { end, asks: data.try_get_u8().map_err(short)? != 0 }
        }
        kind => {
            return Err(WireError::Protocol(format!("a frame of the unknown kind {}", kind.escape_ascii())));
        }
    }))
}

/// The frame of a message of `pgoutput`.
fn content(lsn: Lsn, bytes: Bytes) -> Result<Frame, WireError> {
    if !matches!(bytes.first(), Some(b'B' | b'C' | b'M')) {
        return Ok(Frame::Data { lsn, bytes });
    }
    Ok(match pgoutput::decode(&bytes).map_err(|error| WireError::Protocol(error.to_string()))? {
        pgoutput::Message::Begin(begin) => Frame::Begin(begin),
        pgoutput::Message::Commit(commit) => Frame::Commit(commit),
        pgoutput::Message::Logical(message) => Frame::Logical {
            transactional: message.transactional,
            lsn: message.lsn,
            prefix: message.prefix.to_owned(),
            content: bytes.slice_ref(message.content),
        },
        _ => Frame::Data { lsn, bytes },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pgoutput::{Begin, Commit};

    fn copy(parts: &[&[u8]]) -> Message {
        Message::Copy(Bytes::from(parts.concat()))
    }

    fn data(content: &[u8]) -> Frame {
        let header = [7_u64.to_be_bytes(), 8_u64.to_be_bytes(), 9_u64.to_be_bytes()].concat();
        frame(copy(&[b"w", &header, content])).unwrap().unwrap()
    }

    #[test]
    fn frames_are_told_apart() {
        let keepalive = |asks: u8| frame(copy(&[b"k", &5_u64.to_be_bytes(), &[0; 8], &[asks]])).unwrap();
        assert_eq!(keepalive(1), Some(Frame::KeepAlive { end: Lsn(5), asks: true }));
        assert_eq!(keepalive(0), Some(Frame::KeepAlive { end: Lsn(5), asks: false }));
        let begin =
            [b"B".as_slice(), &3_u64.to_be_bytes(), &0_i64.to_be_bytes(), &4_u32.to_be_bytes()].concat();
        assert_eq!(data(&begin), Frame::Begin(Begin { final_lsn: Lsn(3), commit_micros: EPOCH_GAP, xid: 4 }));
        let commit =
            [b"C\0".as_slice(), &3_u64.to_be_bytes(), &4_u64.to_be_bytes(), &1_i64.to_be_bytes()].concat();
        let expected = Commit { commit_lsn: Lsn(3), end_lsn: Lsn(4), commit_micros: EPOCH_GAP + 1 };
        assert_eq!(data(&commit), Frame::Commit(expected));
        let logical = [b"M\x01".as_slice(), &3_u64.to_be_bytes(), b"app\0\0\0\0\x02hi"].concat();
        let expected = Frame::Logical {
            transactional: true,
            lsn: Lsn(3),
            prefix: "app".to_owned(),
            content: Bytes::from_static(b"hi"),
        };
        assert_eq!(data(&logical), expected);
        assert_eq!(data(b"I..."), Frame::Data { lsn: Lsn(7), bytes: Bytes::from_static(b"I...") });
    }

    #[test]
    fn a_status_update_says_all_three_positions() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_micros(EPOCH_GAP.unsigned_abs() + 2);
        let position = 0x0102_0304_0506_0708_u64.to_be_bytes();
        let expected =
            [b"r".as_slice(), &position, &position, &position, &2_u64.to_be_bytes(), &[1]].concat();
        assert_eq!(status_update(0x0102_0304_0506_0708, now, true), expected);
    }

    proptest! {
        #[test]
        fn hostile_frames_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = frame(copy(&[&bytes]));
            let _ = frame(copy(&[b"w", &[0; 24], &bytes]));
        }
    }
}
