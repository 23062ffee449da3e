//! Requests in blocks (RFC 7959, section 2.5): puts their bodies together. Pure.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use coap_lite::Packet;

use crate::Millis;
use crate::peer::Peer;
use crate::repeats::EXCHANGE_LIFETIME;
use crate::wire::{Block, option};

/// What unfinished bodies may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UploadLimits {
    /// Bytes of one body.
    pub(crate) body: usize,
    /// Bytes of all unfinished bodies together.
    pub(crate) all: usize,
}

/// What became of a block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// More are expected: 2.31.
    More,
    /// It was the last; the whole body.
    Whole(Vec<u8>),
    /// A block before it is missing, or was forgotten: 4.08.
    Incomplete,
    /// The body would be larger than allowed: 4.13.
    TooLarge,
    /// No room for another unfinished body at present: 5.03.
    Full,
    /// A block that is not as long as it says: 4.00.
    Malformed,
}

/// Bodies under way. Every peer has at most one for each combination of method and options, the Request-Tag (RFC 9175)
/// among them.
#[derive(Debug)]
pub(crate) struct Uploads {
    limits: UploadLimits,
    hasher: (RandomState, RandomState),
    bodies: HashMap<(u64, u64), Body>,
    bytes: usize,
    /// When those that do not go on were last given up.
    swept: Millis,
}

#[derive(Debug)]
struct Body {
    bytes: Vec<u8>,
    until: Millis,
}

/// Counted for each body beside its bytes, so that many empty ones are bounded too.
const OVERHEAD: usize = 256;

impl Uploads {
    pub(crate) fn new(limits: UploadLimits) -> Self {
        Self { limits, hasher: Default::default(), bodies: HashMap::new(), bytes: 0, swept: 0 }
    }

    /// Takes the block that `packet` carries.
    pub(crate) fn take(&mut self, now: Millis, peer: &Peer, packet: &Packet, block: Block) -> Taken {
        self.give_up(now);
        let name = self.name(peer, packet);
        let payload = &packet.payload;
        // Only the last block may be shorter (RFC 7959, section 2.3).
        if payload.len() > block.size() || (block.more && payload.len() != block.size()) {
            return Taken::Malformed;
        }
        let begins = block.number == 0;
        let offset = usize::try_from(block.number).unwrap_or(usize::MAX).saturating_mul(block.size());
        if offset.saturating_add(payload.len()) > self.limits.body {
            self.remove(name);
            return Taken::TooLarge;
        }
        if begins {
            self.remove(name);
            if !block.more {
                return Taken::Whole(payload.clone());
            }
        } else if self.bodies.get(&name).is_none_or(|body| body.bytes.len() != offset) {
            return Taken::Incomplete;
        }
        let grows = payload.len() + if begins { OVERHEAD } else { 0 };
        if self.bytes.saturating_add(grows) > self.limits.all {
            self.remove(name);
            return Taken::Full;
        }
        let until = now.saturating_add(EXCHANGE_LIFETIME);
        let body = self.bodies.entry(name).or_insert_with(|| Body { bytes: Vec::new(), until });
        body.bytes.extend_from_slice(payload);
        body.until = until;
        self.bytes += grows;
        if block.more { Taken::More } else { Taken::Whole(self.remove(name).unwrap_or_default()) }
    }

    /// The largest body, for the Size1 option of a 4.13.
    pub(crate) fn largest(&self) -> u32 {
        u32::try_from(self.limits.body).unwrap_or(u32::MAX)
    }

    fn remove(&mut self, name: (u64, u64)) -> Option<Vec<u8>> {
        let body = self.bodies.remove(&name)?;
        self.bytes = self.bytes.saturating_sub(body.bytes.len() + OVERHEAD);
        Some(body.bytes)
    }

    /// Looks at all of them, so not more often than once a second.
    fn give_up(&mut self, now: Millis) {
        if now < self.swept.saturating_add(1000) {
            return;
        }
        self.swept = now;
        let bytes = &mut self.bytes;
        self.bodies.retain(|_, body| {
            let goes_on = body.until > now;
            if !goes_on {
                *bytes = bytes.saturating_sub(body.bytes.len() + OVERHEAD);
            }
            goes_on
        });
    }

    fn name(&self, peer: &Peer, packet: &Packet) -> (u64, u64) {
        let varies = [option::BLOCK1, option::SIZE1, option::BLOCK2];
        let options: Vec<_> = packet.options().filter(|(number, _)| !varies.contains(number)).collect();
        let all = (peer, u8::from(packet.header.code), options);
        (self.hasher.0.hash_one(&all), self.hasher.1.hash_one(&all))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::read;

    fn packet(path: u8, payload: &[u8]) -> Packet {
        let mut datagram = vec![0x40, 2, 0, 1, 0xb1, path];
        if !payload.is_empty() {
            datagram.push(0xff);
            datagram.extend_from_slice(payload);
        }
        read(&datagram).unwrap()
    }

    fn block(number: u32, more: bool) -> Block {
        Block { number, more, size_exponent: 0 }
    }

    fn uploads() -> Uploads {
        Uploads::new(UploadLimits { body: 64, all: 600 })
    }

    #[test]
    fn blocks_in_order_become_a_body() {
        let (mut uploads, peer) = (uploads(), Peer::test(1));
        assert_eq!(uploads.take(0, &peer, &packet(1, &[1; 16]), block(0, true)), Taken::More);
        // Another peer, and another resource, do not get in the way.
        assert_eq!(uploads.take(0, &Peer::test(2), &packet(1, &[9; 16]), block(0, true)), Taken::More);
        assert_eq!(uploads.take(0, &peer, &packet(2, b"x"), block(0, false)), Taken::Whole(b"x".to_vec()));
        assert_eq!(uploads.take(1, &peer, &packet(1, &[2; 16]), block(1, true)), Taken::More);
        let whole = [&[1; 16][..], &[2; 16], &[3; 5]].concat();
        assert_eq!(uploads.take(2, &peer, &packet(1, &[3; 5]), block(2, false)), Taken::Whole(whole));
        assert_eq!(uploads.take(3, &peer, &packet(1, &[3; 5]), block(2, false)), Taken::Incomplete);
    }

    #[test]
    fn a_first_block_begins_again() {
        let (mut uploads, peer) = (uploads(), Peer::test(1));
        for _ in 0..100 {
            assert_eq!(uploads.take(0, &peer, &packet(1, &[1; 16]), block(0, true)), Taken::More);
        }
        assert_eq!(uploads.bytes, 16 + OVERHEAD);
    }

    #[test]
    fn gaps_sizes_and_limits() {
        let (mut uploads, peer) = (uploads(), Peer::test(1));
        assert_eq!(uploads.take(0, &peer, &packet(1, &[1; 16]), block(1, true)), Taken::Incomplete);
        assert_eq!(uploads.take(0, &peer, &packet(1, &[1; 15]), block(0, true)), Taken::Malformed);
        assert_eq!(uploads.take(0, &peer, &packet(1, &[1; 17]), block(0, false)), Taken::Malformed);
        assert_eq!(uploads.take(0, &peer, &packet(1, &[1; 16]), block(4, true)), Taken::TooLarge);
        for number in 1..=2 {
            let taken = uploads.take(0, &Peer::test(number), &packet(1, &[1; 16]), block(0, true));
            assert_eq!(taken, Taken::More);
        }
        assert_eq!(uploads.take(0, &Peer::test(3), &packet(1, &[1; 16]), block(0, true)), Taken::Full);
        // Given up, the others make room.
        let later = EXCHANGE_LIFETIME;
        assert_eq!(uploads.take(later, &Peer::test(3), &packet(1, &[1; 16]), block(0, true)), Taken::More);
        assert_eq!(uploads.bytes, 16 + OVERHEAD);
    }

    #[test]
    fn an_upload_that_goes_on_is_not_given_up() {
        let (mut uploads, peer) = (uploads(), Peer::test(1));
        uploads.take(0, &peer, &packet(1, &[1; 16]), block(0, true));
        uploads.take(EXCHANGE_LIFETIME - 1, &peer, &packet(1, &[1; 16]), block(1, true));
        let last = uploads.take(EXCHANGE_LIFETIME + 5, &peer, &packet(1, &[1; 1]), block(2, false));
        assert_eq!(last, Taken::Whole(vec![1; 33]));
    }

    proptest! {
        /// Whatever blocks come in whatever order, the count of bytes is that of the bodies, and within the limit.
        #[test]
        fn books_are_kept(steps in prop::collection::vec((0u16..3, 0u32..5, any::<bool>(), 0usize..17, 0u64..400_000), 0..80)) {
            let mut uploads = uploads();
            let mut now = 0;
            for (peer, number, more, length, wait) in steps {
                now += wait / 100;
                uploads.take(now, &Peer::test(peer), &packet(1, &vec![7; length]), block(number, more));
                let held: usize = uploads.bodies.values().map(|body| body.bytes.len() + OVERHEAD).sum();
                prop_assert_eq!(uploads.bytes, held);
                prop_assert!(held <= 600);
            }
        }
    }
}
