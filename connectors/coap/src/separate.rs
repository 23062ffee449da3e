//! Answers in messages of their own (RFC 7252, section 5.2.2): sent again until the device has acknowledged them. Pure.

use std::collections::HashMap;

use crate::Millis;
use crate::peer::Peer;
use crate::repeats::EXCHANGE_LIFETIME;

/// Time-outs of retransmission, RFC 7252, section 4.8.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retransmission {
    /// ACK_TIMEOUT.
    pub(crate) timeout: Millis,
    /// MAX_RETRANSMIT.
    pub(crate) times: u32,
}

impl Retransmission {
    /// The first time-out: between ACK_TIMEOUT and ACK_TIMEOUT · ACK_RANDOM_FACTOR (1.5), by 64 random bits.
    pub(crate) fn first(self, random: u64) -> Millis {
        self.timeout.saturating_add(random % (self.timeout / 2).saturating_add(1))
    }
}

/// Answers that wait for their acknowledgement.
#[derive(Debug)]
pub(crate) struct Separate {
    parameters: Retransmission,
    limit: usize,
    waiting: HashMap<(Peer, u16), Waiting>,
    ids: MessageIds,
}

#[derive(Debug)]
struct Waiting {
    datagram: Vec<u8>,
    timeout: Millis,
    sent: u32,
}

impl Separate {
    /// At most `limit` answers wait at a time.
    pub(crate) fn new(parameters: Retransmission, limit: usize) -> Self {
        Self { parameters, limit, waiting: HashMap::new(), ids: MessageIds::new(limit) }
    }

    /// A message id for the next message to `peer`.
    pub(crate) fn next_id(&mut self, now: Millis, peer: Peer, random: u64) -> u16 {
        self.ids.next(now, peer, random)
    }

    /// `datagram` was sent to `peer` under `id`; when to look at it again. None where so many wait already that this one
    /// is sent only once: the device that misses it asks again, and Kafka has its reading.
    pub(crate) fn sent(
        &mut self,
        now: Millis,
        peer: Peer,
        id: u16,
        datagram: Vec<u8>,
        random: u64,
    ) -> Option<Millis> {
        if self.waiting.len() >= self.limit {
            return None;
        }
        let timeout = self.parameters.first(random);
        self.waiting.insert((peer, id), Waiting { datagram, timeout, sent: 1 });
        Some(now.saturating_add(timeout))
    }

    /// The device has acknowledged or rejected a message.
    pub(crate) fn settled(&mut self, peer: Peer, id: u16) {
        self.waiting.remove(&(peer, id));
    }

    /// It is time for another look: the datagram to send again, and when to look next. None when it was settled, or
    /// given up.
    pub(crate) fn due(&mut self, now: Millis, peer: Peer, id: u16) -> Option<(&[u8], Millis)> {
        let given_up = self.waiting.get(&(peer, id))?.sent > self.parameters.times;
        if given_up {
            self.waiting.remove(&(peer, id));
            return None;
        }
        let waiting = self.waiting.get_mut(&(peer, id))?;
        waiting.sent += 1;
        waiting.timeout = waiting.timeout.saturating_mul(2);
        Some((&waiting.datagram, now.saturating_add(waiting.timeout)))
    }
}

/// Message ids, counted up for each peer, because one must not come twice to the same peer within EXCHANGE_LIFETIME
/// (RFC 7252, section 4.4), which a counter shared by many would see to less and less the faster it runs.
#[derive(Debug)]
pub(crate) struct MessageIds {
    limit: usize,
    last: HashMap<Peer, (u16, Millis)>,
    /// When those that were silent may be looked for again.
    sweep: Millis,
}

/// Milliseconds between two searches for silent peers, each of which looks at all: whoever comes from a new address each time
/// must not have them all looked at each time.
const SWEEP_INTERVAL: Millis = 1000;

impl MessageIds {
    /// For at most `limit` peers.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, last: HashMap::new(), sweep: 0 }
    }

    /// An id for the next message to `peer`; `random` is 64 random bits.
    pub(crate) fn next(&mut self, now: Millis, peer: Peer, random: u64) -> u16 {
        if let Some((last, used)) = self.last.get_mut(&peer) {
            *last = last.wrapping_add(1);
            *used = now;
            return *last;
        }
        let id = (random >> 48) as u16;
        if self.last.len() >= self.limit && now >= self.sweep {
            self.sweep = now.saturating_add(SWEEP_INTERVAL);
            self.last.retain(|_, (_, used)| used.saturating_add(EXCHANGE_LIFETIME) > now);
        }
        // With more peers than can be remembered, the ids of the others are random.
        if self.last.len() < self.limit {
            self.last.insert(peer, (id, now));
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Retransmission = Retransmission { timeout: 2000, times: 4 };

    #[test]
    fn sent_again_at_doubling_intervals_and_then_given_up() {
        let peer = Peer::test(1);
        let mut separate = Separate::new(DEFAULT, 10);
        let mut at = separate.sent(0, peer, 7, vec![1], 0).unwrap();
        let mut looks = vec![at];
        while let Some((datagram, next)) = separate.due(at, peer, 7) {
            assert_eq!(datagram, [1]);
            at = next;
            looks.push(at);
        }
        // 2, 4, 8, 16 and 32 seconds: MAX_TRANSMIT_WAIT without the random factor.
        assert_eq!(looks, [2000, 6000, 14_000, 30_000, 62_000]);
        assert!(separate.waiting.is_empty());
    }

    #[test]
    fn settled_is_settled() {
        let mut separate = Separate::new(DEFAULT, 10);
        let at = separate.sent(0, Peer::test(1), 7, vec![1], 0).unwrap();
        separate.settled(Peer::test(2), 7);
        separate.settled(Peer::test(1), 8);
        assert!(separate.due(at, Peer::test(1), 7).is_some());
        separate.settled(Peer::test(1), 7);
        assert_eq!(separate.due(at, Peer::test(1), 7), None);
    }

    #[test]
    fn the_first_time_out_is_spread() {
        let latest = DEFAULT.first(u64::MAX);
        assert!((2000..=3000).contains(&latest), "{latest}");
        assert_eq!(DEFAULT.first(1000), 3000);
    }

    #[test]
    fn beyond_the_limit_an_answer_is_sent_once() {
        let mut separate = Separate::new(DEFAULT, 1);
        assert!(separate.sent(0, Peer::test(1), 1, vec![], 0).is_some());
        assert_eq!(separate.sent(0, Peer::test(1), 2, vec![], 0), None);
        assert_eq!(separate.due(2000, Peer::test(1), 2), None);
    }

    #[test]
    fn ids_count_up_for_each_peer() {
        let mut ids = MessageIds::new(1);
        let first = ids.next(0, Peer::test(1), 0xffff << 48);
        assert_eq!((first, ids.next(1, Peer::test(1), 5)), (0xffff, 0));
        // No room for a second peer until the first has been silent for long enough.
        assert_eq!(ids.next(2, Peer::test(2), 1 << 48), 1);
        assert_eq!(ids.next(3, Peer::test(2), 9 << 48), 9);
        assert_eq!(ids.next(1 + EXCHANGE_LIFETIME, Peer::test(2), 20 << 48), 20);
        assert_eq!(ids.next(2 + EXCHANGE_LIFETIME, Peer::test(2), 0), 21);
    }

    #[test]
    fn all_peers_are_looked_at_once_a_second_at_most() {
        let mut ids = MessageIds::new(1);
        ids.next(0, Peer::test(1), 0);
        ids.next(EXCHANGE_LIFETIME - 1, Peer::test(2), 0);
        // The first is silent for long enough now, which nobody looks at before the second is over.
        assert_eq!(ids.next(EXCHANGE_LIFETIME, Peer::test(3), 5 << 48), 5);
        assert!(ids.last.contains_key(&Peer::test(1)));
        ids.next(EXCHANGE_LIFETIME - 1 + SWEEP_INTERVAL, Peer::test(3), 5 << 48);
        assert!(ids.last.contains_key(&Peer::test(3)) && ids.last.len() == 1);
    }
}
