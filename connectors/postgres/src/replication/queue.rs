//! What has arrived and was not taken yet, bounded in frames and in bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lavka_api::{Error, Result};
use tokio::sync::Notify;

use super::Frame;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Frames.
    pub(crate) frames: usize,
    /// Bytes of their contents. One frame that is larger is let in alone.
    pub(crate) bytes: usize,
}

/// How full a queue is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Frames that wait.
    pub(crate) frames: usize,
    /// Their bytes.
    pub(crate) bytes: usize,
    /// What may wait.
    pub(crate) bounds: Bounds,
}

/// A queue between the connection's reader and the task.
pub(super) struct Queue {
    bounds: Bounds,
    state: Mutex<State>,
    filled: Notify,
    drained: Notify,
}

#[derive(Default)]
struct State {
    frames: VecDeque<Frame>,
    bytes: usize,
    ended: Option<Error>,
}

impl Queue {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, state: Mutex::default(), filled: Notify::new(), drained: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `frames` in; those for which there is no room stay where they are. The taker is woken up once for all.
    pub(super) fn offer(&self, frames: &mut VecDeque<Frame>) {
        let mut state = self.state();
        while let Some(frame) = frames.pop_front() {
            let size = frame.size();
            let full = state.frames.len() >= self.bounds.frames || state.bytes + size > self.bounds.bytes;
            if full && !state.frames.is_empty() {
                frames.push_front(frame);
                break;
            }
            state.bytes += size;
            state.frames.push_back(frame);
        }
        drop(state);
        self.filled.notify_one();
    }

    /// How many frames and bytes wait, and how many may.
    pub(super) fn load(&self) -> Load {
        let state = self.state();
        Load { frames: state.frames.len(), bytes: state.bytes, bounds: self.bounds }
    }

    /// Waits until something was taken since the last wait.
    pub(super) async fn room(&self) {
        self.drained.notified().await;
    }

    /// Nothing more comes, for this reason; what is in the queue can still be taken.
    pub(super) fn end(&self, why: Error) {
        self.state().ended.get_or_insert(why);
        self.filled.notify_one();
    }

    /// Moves at least one and up to `most` frames into `into`. May be dropped while it waits.
    ///
    /// # Errors
    /// Once the queue is empty: why nothing more comes.
    pub(super) async fn take(&self, most: usize, into: &mut VecDeque<Frame>) -> Result<()> {
        loop {
            if let Some(outcome) = self.try_take(most, into) {
                return outcome;
            }
            self.filled.notified().await;
        }
    }

    /// As [`take`](Self::take); `None` where there is nothing now.
    pub(super) fn try_take(&self, most: usize, into: &mut VecDeque<Frame>) -> Option<Result<()>> {
        let mut state = self.state();
        if state.frames.is_empty() {
            return state.ended.clone().map(Err);
        }
        let State { frames, bytes, .. } = &mut *state;
        if into.is_empty() && frames.len() <= most {
            std::mem::swap(frames, into);
            *bytes = 0;
        } else {
            let count = frames.len().min(most);
            into.extend(frames.drain(..count).inspect(|frame| *bytes -= frame.size()));
        }
        drop(state);
        self.drained.notify_one();
        Some(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pgoutput::Lsn;

    fn frame(bytes: usize) -> Frame {
        Frame::Data { lsn: Lsn(1), bytes: vec![0; bytes].into() }
    }

    #[test]
    fn the_queue_is_bounded_in_frames_and_in_bytes() {
        let queue = Queue::new(Bounds { frames: 3, bytes: 1000 });
        let mut waiting = VecDeque::from([frame(5000), frame(1)]);
        queue.offer(&mut waiting);
        assert_eq!(waiting, [frame(1)], "one that is too large is let in alone");
        let mut taken = VecDeque::new();
        queue.try_take(10, &mut taken).unwrap().unwrap();
        assert_eq!(taken, [frame(5000)]);
        let mut waiting: VecDeque<Frame> = (1..=4).map(frame).collect();
        queue.offer(&mut waiting);
        assert_eq!(waiting, [frame(4)], "three frames");
        queue.end(Error::retriable("gone"));
        queue.try_take(2, &mut taken).unwrap().unwrap();
        assert!(queue.try_take(2, &mut taken).unwrap().is_ok(), "what is left comes before the end");
        assert_eq!((taken.len(), queue.load().bytes), (4, 0));
        assert!(queue.try_take(2, &mut taken).unwrap().is_err());
    }
}
