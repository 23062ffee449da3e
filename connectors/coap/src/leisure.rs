//! Answers to questions that were sent to a group: after a random time, lest all servers of the group answer at once (RFC
//! 7252, section 8.2). Pure.

use std::collections::HashMap;

use crate::Millis;
use crate::peer::Peer;

/// Answers that may wait at a time. Beyond it questions to a group are passed over, for nobody counts on an answer.
const LIMIT: usize = 1000;

/// Answers that wait.
#[derive(Debug)]
pub(crate) struct Leisure {
    /// The longest wait.
    longest: Millis,
    waiting: HashMap<(Peer, u16), Vec<u8>>,
}

impl Leisure {
    /// Answers within `longest`.
    pub(crate) fn new(longest: Millis) -> Self {
        Self { longest, waiting: HashMap::new() }
    }

    /// Keeps the answer to the question with message id `id`, and says when it is to be sent; `random` is 64 random bits.
    /// None where it waits already, or too many do.
    pub(crate) fn keep(
        &mut self,
        now: Millis,
        peer: Peer,
        id: u16,
        answer: impl FnOnce() -> Vec<u8>,
        random: u64,
    ) -> Option<Millis> {
        if self.waiting.len() >= LIMIT || self.waiting.contains_key(&(peer, id)) {
            return None;
        }
        self.waiting.insert((peer, id), answer());
        Some(now.saturating_add(random % self.longest.saturating_add(1)))
    }

    /// The answer that is to be sent now.
    pub(crate) fn take(&mut self, peer: Peer, id: u16) -> Option<Vec<u8>> {
        self.waiting.remove(&(peer, id))
    }
}
