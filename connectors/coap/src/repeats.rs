//! Which messages came before, and what they were answered with. Pure.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use coap_lite::Packet;

use crate::Millis;
use crate::peer::Peer;

/// Names one message of one peer.
///
/// A message id alone does not: RFC 7252 (section 4.4) asks peers not to use one twice within EXCHANGE_LIFETIME, and a
/// device that sends more than 65,536 messages in 247 seconds, or begins at the same id after each restart, does so
/// nevertheless. Code, token, options and payload go into the name too, so that a new reading is never taken for a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MessageName(u64, u64);

/// Makes names; two keyed hashes, so that nobody from outside can make two messages share one.
#[derive(Debug, Default)]
pub(crate) struct Namer(RandomState, RandomState);

impl Namer {
    /// The name of a message.
    pub(crate) fn name(&self, peer: &Peer, packet: &Packet) -> MessageName {
        let id = packet.header.message_id;
        let code = u8::from(packet.header.code);
        let options: Vec<_> = packet.options().collect();
        let all = (peer, id, code, packet.get_token(), options, &packet.payload);
        MessageName(self.0.hash_one(&all), self.1.hash_one(&all))
    }
}

/// What a repeat is answered with. The datagram is made anew from the repeat itself, which has the message id, the token
/// and the block option of the first: a byte is kept in place of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Nothing yet: the answer is under way.
    Pending,
    /// An empty acknowledgement; the answer comes, or came, in a message of its own.
    EmptyAck,
    /// An acknowledgement with this response code.
    Piggybacked(u8),
    /// Nothing: the message was non-confirmable.
    Silence,
}

/// The messages of the last EXCHANGE_LIFETIME, up to a limit.
#[derive(Debug)]
pub(crate) struct Repeats {
    limit: usize,
    replies: HashMap<MessageName, Reply>,
    /// In order of arrival, each with the time when it is forgotten.
    ages: VecDeque<(Millis, MessageName)>,
}

/// How long a confirmable message may be repeated: EXCHANGE_LIFETIME of RFC 7252, section 4.8.2, with its default
/// parameters. Non-confirmable ones (NON_LIFETIME, 145 s) are kept as long.
pub(crate) const EXCHANGE_LIFETIME: Millis = 247_000;

impl Repeats {
    /// Keeps at most `limit` messages.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, replies: HashMap::new(), ages: VecDeque::new() }
    }

    /// What the message was answered with, if it came before and is not forgotten at `now`.
    pub(crate) fn reply(&mut self, now: Millis, name: MessageName) -> Option<Reply> {
        self.forget(now);
        self.replies.get(&name).copied()
    }

    /// Whether one more message can be kept at `now`.
    pub(crate) fn has_room(&mut self, now: Millis) -> bool {
        self.forget(now);
        self.replies.len().max(self.ages.len()) < self.limit
    }

    /// Keeps a message that came at `now`.
    pub(crate) fn keep(&mut self, now: Millis, name: MessageName, reply: Reply) {
        if self.replies.insert(name, reply).is_none() {
            self.ages.push_back((now.saturating_add(EXCHANGE_LIFETIME), name));
        }
    }

    /// What the message is to be answered with from here on. One that was forgotten stays so.
    pub(crate) fn answer(&mut self, name: MessageName, reply: Reply) {
        if let Some(kept) = self.replies.get_mut(&name) {
            *kept = reply;
        }
    }

    /// The message is to be looked at anew when it comes again.
    pub(crate) fn release(&mut self, name: MessageName) {
        self.replies.remove(&name);
        // Most are released as soon as they came. The age of another takes room until it is over.
        self.ages.pop_back_if(|(_, last)| *last == name);
    }

    fn forget(&mut self, now: Millis) {
        while self.ages.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, name)) = self.ages.pop_front() {
                // A pending one is remembered until it is answered; its repeat must not become a second reading.
                if self.replies.get(&name) == Some(&Reply::Pending) {
                    self.ages.push_back((now.saturating_add(EXCHANGE_LIFETIME), name));
                } else {
                    self.replies.remove(&name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::read;

    fn post(id: u8, token: u8, payload: u8) -> Packet {
        read(&[0x41, 2, 0, id, token, 0xff, payload]).unwrap()
    }

    #[test]
    fn a_message_is_its_id_token_and_content() {
        let namer = Namer::default();
        let (here, there) = (Peer::test(1), Peer::test(2));
        let name = namer.name(&here, &post(1, 1, 1));
        assert_eq!(namer.name(&here, &post(1, 1, 1)), name);
        for other in [
            namer.name(&there, &post(1, 1, 1)),
            namer.name(&here, &post(2, 1, 1)),
            namer.name(&here, &post(1, 2, 1)),
            namer.name(&here, &post(1, 1, 2)),
        ] {
            assert_ne!(other, name);
        }
    }

    #[test]
    fn kept_for_its_lifetime() {
        let namer = Namer::default();
        let name = namer.name(&Peer::test(1), &post(1, 1, 1));
        let mut repeats = Repeats::new(1);
        assert_eq!(repeats.reply(0, name), None);
        assert!(repeats.has_room(0));
        repeats.keep(0, name, Reply::Pending);
        repeats.answer(name, Reply::Piggybacked(0x44));
        assert!(!repeats.has_room(EXCHANGE_LIFETIME - 1));
        assert_eq!(repeats.reply(EXCHANGE_LIFETIME - 1, name), Some(Reply::Piggybacked(0x44)));
        assert_eq!(repeats.reply(EXCHANGE_LIFETIME, name), None);
        assert!(repeats.has_room(EXCHANGE_LIFETIME));
    }

    #[test]
    fn one_that_waits_for_its_answer_is_not_forgotten() {
        let name = MessageName(1, 2);
        let mut repeats = Repeats::new(1);
        repeats.keep(0, name, Reply::Pending);
        assert!(!repeats.has_room(EXCHANGE_LIFETIME));
        assert_eq!(repeats.reply(EXCHANGE_LIFETIME, name), Some(Reply::Pending));
        repeats.answer(name, Reply::EmptyAck);
        assert_eq!(repeats.reply(2 * EXCHANGE_LIFETIME, name), None);
        assert!(repeats.has_room(2 * EXCHANGE_LIFETIME));
    }

    #[test]
    fn what_is_released_takes_no_room_for_long() {
        let mut repeats = Repeats::new(2);
        for number in 0..10 {
            assert!(repeats.has_room(0));
            repeats.keep(0, MessageName(number, 0), Reply::Pending);
            repeats.release(MessageName(number, 0));
        }
        assert!(repeats.ages.is_empty());
        // Released behind another, it takes its room until it is over.
        repeats.keep(0, MessageName(1, 0), Reply::Pending);
        repeats.keep(0, MessageName(2, 0), Reply::EmptyAck);
        repeats.release(MessageName(1, 0));
        assert!(!repeats.has_room(0) && repeats.has_room(EXCHANGE_LIFETIME));
    }
}
