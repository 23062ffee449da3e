//! Representations in blocks (RFC 7959, section 2.4): puts them together. Pure.

use coap_lite::Packet;

use crate::wire::{Block, first, option};

/// How often a representation that changes while it is fetched is begun again.
const LONGEST_CHASE: u32 = 8;

/// A representation under way.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: Vec<u8>,
    /// Of the blocks so far; all must have the same.
    etag: Option<Vec<u8>>,
    begun_again: u32,
}

/// What a message brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The representation is whole.
    Whole(Vec<u8>),
    /// This block is to be asked for.
    Next(Block),
    /// It is larger than allowed.
    TooLarge,
    /// It changes faster than it can be fetched, or the server's blocks do not fit together.
    Broken,
}

impl Body {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), etag: None, begun_again: 0 }
    }

    /// Bytes held.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the payload of `packet`, of a representation of at most `limit` bytes.
    pub(crate) fn take(&mut self, packet: &Packet, limit: usize) -> Part {
        let payload = &packet.payload;
        let block = match first(packet, option::BLOCK2).map(Block::parse) {
            // All of it in one message, as the answer to whichever block was asked for.
            None if payload.len() > limit => return Part::TooLarge,
            None => return Part::Whole(payload.clone()),
            Some(None) => return Part::Broken,
            Some(Some(block)) => block,
        };
        if payload.len() > block.size() || (block.more && payload.len() != block.size()) {
            return Part::Broken;
        }
        let etag = first(packet, option::ETAG).map(<[u8]>::to_vec);
        let offset = usize::try_from(block.number).unwrap_or(usize::MAX).saturating_mul(block.size());
        if block.number == 0 {
            self.bytes.clear();
            self.etag = etag;
        } else if self.etag != etag || offset != self.bytes.len() {
            self.begun_again += 1;
            self.bytes.clear();
            return match self.begun_again > LONGEST_CHASE {
                true => Part::Broken,
                false => Part::Next(Block { number: 0, more: false, size_exponent: block.size_exponent }),
            };
        }
        if self.bytes.len().saturating_add(payload.len()) > limit {
            return Part::TooLarge;
        }
        self.bytes.extend_from_slice(payload);
        if !block.more {
            return Part::Whole(std::mem::take(&mut self.bytes));
        }
        // A number has 20 bits.
        match block.number.checked_add(1).filter(|number| *number < 1 << 20) {
            Some(number) => Part::Next(Block { number, more: false, size_exponent: block.size_exponent }),
            None => Part::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use coap_lite::MessageType;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Draft, code, read};

    fn packet(block: Option<(u32, bool)>, etag: &[u8], payload: &[u8]) -> Packet {
        let mut draft = Draft::new(MessageType::Acknowledgement, code::CONTENT, 1, &[]);
        if let Some((number, more)) = block {
            draft = draft.block(option::BLOCK2, Block { number, more, size_exponent: 0 });
        }
        read(&draft.bytes(option::ETAG, etag).payload(payload.to_vec()).datagram()).unwrap()
    }

    fn next(number: u32) -> Part {
        Part::Next(Block { number, more: false, size_exponent: 0 })
    }

    #[test]
    fn blocks_become_a_body() {
        let mut body = Body::new();
        assert_eq!(body.take(&packet(Some((0, true)), b"a", &[1; 16]), 100), next(1));
        assert_eq!(body.take(&packet(Some((1, true)), b"a", &[2; 16]), 100), next(2));
        let whole = [&[1; 16][..], &[2; 16], &[3]].concat();
        assert_eq!(body.take(&packet(Some((2, false)), b"a", &[3]), 100), Part::Whole(whole));
        assert_eq!(Body::new().take(&packet(None, b"a", b"x"), 1), Part::Whole(b"x".to_vec()));
    }

    #[test]
    fn a_change_begins_again_but_not_for_ever() {
        let mut body = Body::new();
        for _ in 0..LONGEST_CHASE {
            assert_eq!(body.take(&packet(Some((0, true)), b"a", &[1; 16]), 100), next(1));
            assert_eq!(body.take(&packet(Some((1, true)), b"b", &[2; 16]), 100), next(0));
        }
        assert_eq!(body.take(&packet(Some((0, true)), b"a", &[1; 16]), 100), next(1));
        assert_eq!(body.take(&packet(Some((1, true)), b"b", &[2; 16]), 100), Part::Broken);
    }

    #[test]
    fn sizes_and_limits() {
        let take = |block, payload: &[u8], limit| Body::new().take(&packet(block, b"", payload), limit);
        assert_eq!(take(Some((0, true)), &[0; 15], 100), Part::Broken);
        assert_eq!(take(Some((0, false)), &[0; 17], 100), Part::Broken);
        assert_eq!(take(Some((0, true)), &[0; 16], 15), Part::TooLarge);
        assert_eq!(take(None, &[0; 17], 16), Part::TooLarge);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_bounded(steps in prop::collection::vec((0u32..4, any::<bool>(), 0u8..2, 0usize..17), 0..60)) {
            let mut body = Body::new();
            for (number, more, etag, length) in steps {
                body.take(&packet(Some((number, more)), &[etag], &vec![0; length]), 40);
                prop_assert!(body.len() <= 40);
            }
        }
    }
}
